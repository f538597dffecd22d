import fc from 'fast-check';
import type { Options } from 'amqplib';
import { allQueues } from '../../src/messaging/topology';
import { conversation } from '../support/conversations';
import { CANARY, hostileBodies } from '../support/hostile';
import { createNamespace, type Namespace } from '../support/namespace';
import { expectProblem } from '../support/problem';
import { ServiceProcess, stopAll, type Answer } from '../support/service-process';
import { until } from '../support/until';

const SEED = 20_261_123;
const CASES = 2_000;

/** Posts at once; more would only wait in line. */
const LANES = 8;

const said = (index: number) => ({
  conversation_id: `fuzz-${index}`,
  user_id: `child-${index % 10}`,
  conversation_log: [
    { character: 'BOT_RESPONSE_CONVERSATION', content: `<happy/> ${CANARY}?` },
    { character: 'USER', content: `${CANARY}!` },
  ],
  metadata: { session_emotion: 'interesting' },
});

describe('a corpus of hostile input', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({
      HTTP_BODY_LIMIT: '256KiB',
      RETRY_DELAYS: '100ms,200ms',
      MESSAGE_CONCURRENCY_PER_WORKER: '10',
      LOG_LEVEL: 'trace',
    });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  /** Nothing that a body held comes out in a log, an error column or a header of what was recorded. */
  async function expectNoCanary(...services: ServiceProcess[]) {
    for (const service of services) {
      expect(service.lines.filter((line) => line.includes('canary'))).toEqual([]);
      expect(service.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    }
    const { rows } = await namespace.database.query(
      `SELECT first_error_code AS said FROM conversation_events UNION SELECT last_error_code FROM conversation_events
        UNION SELECT error_code FROM dead_letters UNION SELECT message_id FROM dead_letters`,
    );
    expect(JSON.stringify(rows)).not.toContain('canary');
  }

  const count = async (sql: string) => {
    const { rows } = await namespace.database.query<{ count: number }>(sql);
    return rows[0].count;
  };

  it(`of ${CASES} bodies over HTTP gets an answer each that is no 500, and counts what it accepted once`, async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    const worker = await ServiceProcess.start('worker', namespace.variables);
    await Promise.all([api.ready(), worker.ready()]);
    const bodies = hostileBodies(SEED, CASES, (index) => conversation(said(index)));
    const types = fc.sample(
      fc.oneof(
        { weight: 9, arbitrary: fc.constant({}) },
        {
          weight: 1,
          arbitrary: fc.constantFrom<Record<string, string>>(
            { 'content-type': 'text/plain' },
            { 'content-type': 'application/json; charset=utf-16' },
            { 'content-type': 'application/x-www-form-urlencoded' },
            { 'content-type': 'nonsense' },
            { 'content-encoding': 'gzip' },
            { 'content-encoding': 'br' },
          ),
        },
      ),
      { seed: SEED, numRuns: CASES },
    );

    const answers: Answer<{ data?: { conversation_id: string } }>[] = [];
    let next = 0;
    const lane = async () => {
      for (let index = next++; index < CASES; index = next++) {
        answers[index] = await api.post('/v1/conversations/end', bodies[index], types[index]);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));

    const accepted = new Set<string>();
    for (const [index, answer] of answers.entries()) {
      if (![202, 400, 409, 413, 415, 422].includes(answer.status))
        throw new Error(`case ${index}: got ${answer.status}`);
      if (answer.status === 202) accepted.add(answer.body.data!.conversation_id);
      else {
        expectProblem(answer);
        expect(answer.text).not.toContain('canary');
      }
    }
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual(expect.arrayContaining([202, 400, 413, 415, 422]));
    expect(accepted.size).toBeGreaterThan(200);
    await until(
      'what was accepted to be settled',
      async () =>
        (await count(`SELECT count(*)::int FROM conversation_events WHERE status IN ('PROCESSED', 'SKIPPED')`)) ===
        accepted.size,
    );
    expect(await count('SELECT count(*)::int FROM conversation_events')).toBe(accepted.size);
    expect(await count('SELECT count(*)::int FROM dead_letters')).toBe(0);
    expect(
      await count(
        `SELECT count(*)::int FROM friendship_status AS status
          WHERE friendship_score <> (SELECT sum(friendship_score_change) FROM conversation_events AS event
                                      WHERE event.user_id = status.user_id AND event.status = 'PROCESSED')`,
      ),
    ).toBe(0);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    await expectNoCanary(api, worker);
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it(`of ${CASES} messages ends each in exactly one place: counted, known already, or dead-lettered byte for byte`, async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    const stored = Array.from({ length: 50 }, (_, index) =>
      conversation({ ...said(index), conversation_id: `known-${index}` }),
    );
    for (const body of stored) await api.post('/v1/conversations/end', body);
    const whole = (index: number) => conversation(said(index));
    const reference = (index: number) => {
      const { conversation_id, user_id, bot_id } = stored[index % stored.length];
      return { conversation_id, user_id, bot_id, enqueued_at: new Date().toISOString(), said: CANARY };
    };
    const bodies = hostileBodies(SEED + 1, CASES, (index) => (index % 3 === 0 ? reference(index) : whole(index)));
    const properties = fc.sample(
      fc.record<Options.Publish>(
        {
          messageId: fc.oneof(
            fc.constantFrom('', ' ', '\0', 'é'.repeat(127), 'm'.repeat(255), 'fuzz-1', 'known-1', '../../etc'),
            fc.uuid(),
          ),
          contentType: fc.constantFrom('text/plain', 'application/json', 'nonsense', ''),
          contentEncoding: fc.constantFrom('gzip', 'utf-8', 'nonsense'),
          correlationId: fc.string({ maxLength: 40 }),
          replyTo: fc.constantFrom('nowhere', ''),
          priority: fc.constantFrom(0, 9, 255),
          type: fc.string({ maxLength: 40 }),
          timestamp: fc.constantFrom(0, 1, 4_294_967_296),
          headers: fc.dictionary(
            fc.constantFrom(
              'x-attempts',
              'x-swept',
              'x-settles-event',
              'x-conversation-id',
              'x-dead-letter-key',
              'x-dead-letter-reason',
              'x-first-error',
              'x-first-failed-at',
              'x-original-exchange',
              'x-original-routing-key',
              'traceparent',
            ),
            fc.oneof(
              fc.constantFrom(-1, 1, 2, 99, 2 ** 40, 1.5, true, 'x', '', '\0', '\ud800', 'y'.repeat(2_000), null),
              fc.constantFrom({ a: { b: [1, 'x'] } }, [1, [2, [3]]]),
            ),
            { maxKeys: 4 },
          ),
        },
        { requiredKeys: [] },
      ),
      { seed: SEED, numRuns: CASES },
    );
    await until('the references to be queued', async () => (await namespace.broker.figures())?.ready === stored.length);
    await namespace.broker.sendAll(bodies.map((body, index) => ({ body, options: properties[index] })));
    const worker = await ServiceProcess.start('worker', namespace.variables);

    const sent = CASES + stored.length;
    const ended = (...results: string[]) =>
      worker.log.filter(({ context, msg }) => context === 'Conversations' && results.includes(msg)).length;
    const settled = () => ended('processed', 'skipped', 'duplicate');
    const letters = () => count('SELECT count(*)::int FROM dead_letters');
    await until('every message to end somewhere', async () => settled() + (await letters()) >= sent, 35);
    const { topology } = namespace.broker;
    for (const { name } of allQueues(topology)) {
      expect({ name, ready: (await namespace.broker.figures(name))?.ready }).toEqual({ name, ready: 0 });
    }
    expect(await worker.stop()).toBe(0);
    // Everything that was delivered, retries and dead letters included, came to one end.
    const line = worker.log.findLast(({ msg }) => msg === 'stopped') as unknown as Record<string, number>;
    expect(line.acked + line.retried + line.deadLettered).toBe(line.delivered);
    expect({ retried: line.retried > 0, deferred: line.deferred, handedBack: line.handedBack }).toEqual({
      retried: true,
      deferred: 0,
      handedBack: 0,
    });
    expect(settled() + (await letters())).toBe(sent);
    expect(
      await count(`SELECT count(*)::int FROM conversation_events WHERE status NOT IN ('PROCESSED', 'SKIPPED')`),
    ).toBe(0);

    // Byte for byte, and no body more often than it was sent.
    const unseen = new Map<string, number>();
    for (const body of bodies) unseen.set(body.toString('base64'), (unseen.get(body.toString('base64')) ?? 0) + 1);
    const { rows } = await namespace.database.query<{ body: Buffer; reason: string }>(
      'SELECT body, reason FROM dead_letters',
    );
    const strange = rows.filter(({ body }) => {
      const left = unseen.get(body.toString('base64')) ?? 0;
      unseen.set(body.toString('base64'), left - 1);
      return left <= 0;
    });
    expect(strange).toEqual([]);
    expect([...new Set(rows.map(({ reason }) => reason))].sort()).toEqual([
      'CONVERSATION_CONFLICT',
      'CONVERSATION_NOT_FOUND',
      'INVALID_MESSAGE',
    ]);
    expect(settled()).toBeGreaterThan(500);
    await expectNoCanary(api, worker);
    expect(await api.stop()).toBe(0);
  });
});
