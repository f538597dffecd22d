/** A seeded corpus of hostile bodies: valid ones, changed as no friendly producer would. The same seed gives the same corpus. */
import fc from 'fast-check';

/** Stands for what a child said: it is in every body, and must come out nowhere. No id of the corpus holds it. */
export const CANARY = 'wee canary 4711';

/** For values that JSON.stringify would not write. */
const RAW = '@raw@';

/** JSON texts that nobody expects. */
const TOKENS = [
  'null',
  'true',
  '-0',
  '1e308',
  '1e999',
  '-1',
  '0.1',
  '9007199254740993',
  '123456789012345678901234567890',
  '""',
  '" "',
  '[]',
  '{}',
  '[[[[]]]]',
  '{"toString":1,"valueOf":null,"hasOwnProperty":"x"}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  `"${CANARY}"`,
  `{"${CANARY}":"${CANARY}"}`,
  `["${CANARY}",{"character":"USER","content":"${CANARY}"}]`,
  `"${CANARY}\\u0000"`,
  `"${CANARY}\\ud800"`,
  '"\\udead\\ubeef"',
  '"\u202e\u0000"'.replace('\u0000', '\\u0000'),
  '"🦖🦕"',
  '"2026-13-45T99:99:99Z"',
  '"+275760-09-13T00:00:00.001Z"',
  '"0000-00-00"',
  '"NaN"',
  '"\'; DROP TABLE conversation_events; --"',
  '"${jndi:ldap://x}"',
  '"abc\\r\\nX-Injected: 1"',
  'NaN',
  'Infinity',
  'undefined',
  '0x10',
  "'single'",
  JSON.stringify(CANARY.repeat(20)),
  JSON.stringify(CANARY.repeat(2_000)),
];

const PATHS = [
  ['conversation_id'],
  ['user_id'],
  ['bot_id'],
  ['bot_name'],
  ['bot_type'],
  ['agent_tag'],
  ['start_time'],
  ['end_time'],
  ['enqueued_at'],
  ['conversation_log'],
  ['conversation_logs'],
  ['conversation_log', '0'],
  ['conversation_log', '0', 'content'],
  ['conversation_log', '1', 'character'],
  ['conversation_log', '1', 'timestamp'],
  ['metadata'],
  ['metadata', 'session_emotion'],
  ['metadata', 'user_initiated_questions'],
  ['metadata', 'new_memories_count'],
  ['status'],
  ['__proto__'],
  ['constructor'],
  ['toJSON'],
  [CANARY],
] as const;

type Json = Record<string, unknown>;

interface Mutation {
  readonly path: readonly string[];
  /** JSON text, or undefined: the field is taken away. */
  readonly token: string | undefined;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  path: fc.constantFrom(...PATHS),
  token: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...TOKENS) },
    { weight: 2, arbitrary: fc.json({ maxDepth: 4 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }).map((text) => JSON.stringify(text)) },
    { weight: 2, arbitrary: fc.constant(undefined) },
  ),
});

/** What happens to the bytes after that; mostly nothing. */
const damage: fc.Arbitrary<(body: Buffer) => Buffer> = fc.oneof(
  { weight: 12, arbitrary: fc.constant((body: Buffer) => body) },
  { weight: 1, arbitrary: fc.nat(2_000).map((at) => (body: Buffer) => body.subarray(0, at % (body.length + 1))) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(4_000), fc.constantFrom('ff', 'c080', 'eda080', 'f8888080', '00', '1b5b324a', 'e28882', 'efbbbf'))
      .map(([at, hex]) => (body: Buffer) => {
        const split = at % (body.length + 1);
        return Buffer.concat([body.subarray(0, split), Buffer.from(hex, 'hex'), body.subarray(split)]);
      }),
  },
  {
    weight: 1,
    arbitrary: fc.nat(4_000).map((at) => (body: Buffer) => {
      const flipped = Buffer.from(body);
      if (flipped.length > 0) flipped[at % flipped.length] ^= 0x80;
      return flipped;
    }),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom<(body: string) => string>(
        () => '',
        () => ' \n\t ',
        () => 'null',
        () => `"${CANARY}"`,
        (body) => `${body}${body}`,
        (body) => `[${body}]`,
        (body) => `\ufeff${body}`,
        (body) => `${body},`,
        (body) => body.replace('{', `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},`),
        (body) => body.replace('{', `{"conversation_log":${'['.repeat(20_000)}${']'.repeat(20_000)},`),
        (body) => body.replace('{', `{"metadata":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)},`),
        () => '['.repeat(100_000),
        (body) => body.replace('{', `{${Array.from({ length: 5_000 }, (_, n) => `"key${n}":"${CANARY}"`).join(',')},`),
        (body) => body.replace('{', `{"${CANARY.repeat(5_000)}":1,`),
        (body) => `${body}${' '.repeat(300_000)}`,
        (body) => body.replaceAll('"', "'"),
        () => `conversation_id=${CANARY}&user_id=child`,
        () => `<xml>${CANARY}</xml>`,
      )
      .map((change) => (body: Buffer) => Buffer.from(change(body.toString('utf8')))),
  },
  { weight: 1, arbitrary: fc.constant((body: Buffer) => Buffer.from(body.toString('utf8'), 'utf16le')) },
);

function mutate(base: Json, mutations: readonly Mutation[]): string {
  const body = JSON.parse(JSON.stringify(base)) as Json;
  const tokens: string[] = [];
  for (const { path, token } of mutations) {
    const keys = [...path];
    const last = keys.pop()!;
    const parent = keys.reduce<unknown>((value, key) => (value as Json | undefined)?.[key], body);
    if (typeof parent !== 'object' || parent === null) continue;
    // An own property, whatever its name.
    if (token === undefined) Reflect.deleteProperty(parent, last);
    else {
      const value = `${RAW}${tokens.push(token) - 1}`;
      Object.defineProperty(parent, last, { value, enumerable: true, configurable: true, writable: true });
    }
  }
  return JSON.stringify(body).replace(/"@raw@(\d+)"/g, (_, index: string) => tokens[Number(index)]);
}

/** @param base gives each body its valid beginning */
export function hostileBodies(seed: number, count: number, base: (index: number) => Json): Buffer[] {
  const changes = fc.sample(fc.tuple(fc.array(mutation, { minLength: 0, maxLength: 3 }), damage), {
    seed,
    numRuns: count,
  });
  return changes.map(([mutations, spoil], index) => spoil(Buffer.from(mutate(base(index), mutations))));
}
