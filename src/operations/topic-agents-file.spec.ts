import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { TopicFileError, parseTopicAgents } from './topic-agents-file';

const csv = (...lines: string[]) => parseTopicAgents(['agent_tag,topic_id', ...lines].join('\n'), 'csv');
const json = (value: unknown) => parseTopicAgents(JSON.stringify(value), 'json');
const MOVIE = { agent_tag: 'agent_movie_1', topic_id: 'movie' };

/** What is wrong with a file. */
function problemsOf(parse: () => unknown): readonly string[] {
  try {
    parse();
  } catch (error) {
    if (error instanceof TopicFileError) return error.problems;
    throw error;
  }
  throw new Error('expected a file that is refused');
}

describe('topics from CSV', () => {
  it('reads a pair a line', () => {
    expect(csv('agent_movie_1,movie', 'agent_puzzle_1,puzzle')).toEqual([
      MOVIE,
      { agent_tag: 'agent_puzzle_1', topic_id: 'puzzle' },
    ]);
  });

  it('reads the sample', () => {
    const sample = readFileSync(join(__dirname, '../../samples/topic-agents.csv'), 'utf8');
    expect(parseTopicAgents(sample, 'csv')).toContainEqual({ agent_tag: 'agent_dino_1', topic_id: 'dinosaurs' });
  });

  it.each([
    ['Windows line ends', 'agent_tag,topic_id\r\nagent_movie_1,movie\r\n'],
    ['a byte order mark', '\uFEFFagent_tag,topic_id\nagent_movie_1,movie'],
    ['blank lines', 'agent_tag,topic_id\n\nagent_movie_1,movie\n  \n\n'],
    ['spaces around fields', 'agent_tag,topic_id \n agent_movie_1 , movie '],
    ['quoted fields', 'agent_tag,topic_id\n"agent_movie_1","movie"'],
    ['spaces around quotes', 'agent_tag,topic_id\n"agent_movie_1", "movie"'],
    ['the same pair twice', 'agent_tag,topic_id\nagent_movie_1,movie\nagent_movie_1,movie'],
  ])('does not mind %s', (_about, text) => {
    expect(parseTopicAgents(text, 'csv')).toEqual([MOVIE]);
  });

  it('takes commas, quotes and spaces inside quotes', () => {
    expect(csv('"a,b","say ""hi"""', '" c ","d,"')).toEqual([
      { agent_tag: 'a,b', topic_id: 'say "hi"' },
      { agent_tag: ' c ', topic_id: 'd,' },
    ]);
  });

  it('takes a file with no pairs', () => {
    expect(csv()).toEqual([]);
  });

  it.each([
    ['a,', ['line 2: topic_id: expected 1 to 255 characters, got ""']],
    [',b', ['line 2: agent_tag: expected 1 to 255 characters, got ""']],
    [
      '"",""',
      [
        'line 2: agent_tag: expected 1 to 255 characters, got ""',
        'line 2: topic_id: expected 1 to 255 characters, got ""',
      ],
    ],
    ['a', ['line 2: expected 2 fields, got 1']],
    ['a,b,', ['line 2: expected 2 fields, got 3']],
    ['a,b,c', ['line 2: expected 2 fields, got 3']],
    [',,', ['line 2: expected 2 fields, got 3']],
    ['"a,b', ['line 2: expected a field in quotes to end with one, and quotes inside it doubled, got "\\"a"']],
    ['a,"b', ['line 2: expected a field in quotes to end with one, and quotes inside it doubled, got "\\"b"']],
    [
      'a,"b"c"',
      ['line 2: expected a field in quotes to end with one, and quotes inside it doubled, got "\\"b\\"c\\""'],
    ],
    ['a,"', ['line 2: expected a field in quotes to end with one, and quotes inside it doubled, got "\\""']],
    ['a\0,b', ['line 2: agent_tag: expected 1 to 255 characters, got "a\\u0000"']],
    [`a,${'b'.repeat(256)}`, [`line 2: topic_id: expected 1 to 255 characters, got "${'b'.repeat(59)}`]],
  ])('refuses %p and says where', (line, problems) => {
    expect(problemsOf(() => csv(line))).toEqual(problems);
  });

  it('counts blank lines, so that a line number is that of an editor', () => {
    expect(problemsOf(() => csv('a,b', '', 'c,'))).toEqual(['line 4: topic_id: expected 1 to 255 characters, got ""']);
  });

  it('refuses a tag with two topics', () => {
    expect(problemsOf(() => csv('a,movie', 'b,movie', 'a,puzzle'))).toEqual([
      'line 4: expected each agent_tag once, got "a" for two topics',
    ]);
  });

  it.each([[''], ['agent_movie_1,movie'], ['topic_id,agent_tag'], ['agent_tag;topic_id']])(
    'needs its header, not %p',
    (header) => {
      expect(problemsOf(() => parseTopicAgents(`${header}\na,b`, 'csv'))).toEqual([
        `line 1: expected the header agent_tag,topic_id, got ${JSON.stringify(header)}`,
      ]);
    },
  );

  it('tells every problem at once', () => {
    expect(problemsOf(() => csv('a,', 'b,movie', 'b,puzzle', ',c'))).toEqual([
      'line 2: topic_id: expected 1 to 255 characters, got ""',
      'line 4: expected each agent_tag once, got "b" for two topics',
      'line 5: agent_tag: expected 1 to 255 characters, got ""',
    ]);
  });

  it('tells every problem at once, also when lines have the wrong number of fields', () => {
    expect(problemsOf(() => csv('a', 'b,', 'c,d,e'))).toEqual([
      'line 2: expected 2 fields, got 1',
      'line 3: topic_id: expected 1 to 255 characters, got ""',
      'line 4: expected 2 fields, got 3',
    ]);
  });

  it('reads back what a CSV writer quotes', () => {
    const field = fc.string({ minLength: 1, maxLength: 50, unit: fc.constantFrom('a', 'ủ', '🦕', ',', '"', ' ', "'") });
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.dictionary(field, field, { noNullPrototype: true }), (topics) => {
        const pairs = Object.entries(topics).map(([agent_tag, topic_id]) => ({ agent_tag, topic_id }));
        expect(csv(...pairs.map(({ agent_tag, topic_id }) => `${quote(agent_tag)},${quote(topic_id)}`))).toEqual(pairs);
      }),
    );
  });
});

describe('topics from JSON', () => {
  it('reads an array of objects and ignores other fields', () => {
    expect(json([{ ...MOVIE, comment: 'x' }, MOVIE])).toEqual([MOVIE]);
  });

  it('does not mind a byte order mark', () => {
    expect(parseTopicAgents(`\uFEFF${JSON.stringify([MOVIE])}`, 'json')).toEqual([MOVIE]);
  });

  it('refuses text that is not JSON, and JSON that is no array', () => {
    expect(problemsOf(() => parseTopicAgents('[', 'json'))).toEqual([
      'expected a JSON array, got text that is not JSON',
    ]);
    expect(problemsOf(() => json(MOVIE))).toEqual(['expected a JSON array of objects, got object']);
    expect(problemsOf(() => json('movie'))).toEqual(['expected a JSON array of objects, got string']);
  });

  it('names each item that is not as expected', () => {
    expect(
      problemsOf(() =>
        json([MOVIE, { agent_tag: 'a' }, { agent_tag: 7, topic_id: '' }, { ...MOVIE, topic_id: 'puzzle' }]),
      ),
    ).toEqual([
      'item 2: topic_id: expected 1 to 255 characters, got nothing',
      'item 3: agent_tag: expected 1 to 255 characters, got 7',
      'item 3: topic_id: expected 1 to 255 characters, got ""',
      'item 4: expected each agent_tag once, got "agent_movie_1" for two topics',
    ]);
  });

  it('takes items without a tag for no tag twice', () => {
    const noTags = [{ topic_id: 'movie' }, { topic_id: 'puzzle' }];
    expect(problemsOf(() => parseTopicAgents(JSON.stringify(noTags), 'json'))).toEqual([
      'item 1: agent_tag: expected 1 to 255 characters, got nothing',
      'item 2: agent_tag: expected 1 to 255 characters, got nothing',
    ]);
  });

  it.each([[null], [7], ['movie'], [[]]])('refuses an item that is %p', (item) => {
    expect(problemsOf(() => json([item]))).toEqual([
      'item 1: agent_tag: expected 1 to 255 characters, got nothing',
      'item 1: topic_id: expected 1 to 255 characters, got nothing',
    ]);
  });
});
