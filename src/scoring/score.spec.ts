import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { countTurns, scoreComponents, scoreConversation, type ScoreInput } from './score';
import type { Speaker } from './speaker';

interface Metadata {
  user_initiated_questions?: number;
  session_emotion?: string | null;
  new_memories_count?: number;
}

interface Vectors {
  conversations: {
    name: string;
    metadata?: Metadata;
    expected: { speakers: string; total_turns: number; friendship_score_change: number };
  }[];
  components: (Metadata & { total_turns: number; expected: number })[];
}

const vectors = JSON.parse(readFileSync(join(__dirname, '../../test/vectors/scoring.json'), 'utf8')) as Vectors;

function componentsOf(metadata: Metadata = {}): Omit<ScoreInput, 'lines'> {
  return {
    userInitiatedQuestions: metadata.user_initiated_questions ?? null,
    sessionEmotion: metadata.session_emotion ?? null,
    newMemoriesCount: metadata.new_memories_count ?? null,
  };
}

const linesOf = (speakers: string) =>
  [...speakers].map((letter): { speaker: Speaker } => ({ speaker: letter === 'p' ? 'pika' : 'user' }));

// From the log as it was sent: conversation-events/scored-log.spec.ts.
describe('scoring a conversation, from who said its lines', () => {
  it.each(vectors.conversations)(
    '$name',
    ({ metadata, expected: { speakers, total_turns, friendship_score_change } }) => {
      const breakdown = scoreConversation({ lines: linesOf(speakers), ...componentsOf(metadata) });
      expect(breakdown).toMatchObject({
        total_turns,
        friendship_score_change,
      });
    },
  );
});

describe('counting turns', () => {
  it.each([
    ['', 0],
    ['p', 0],
    ['pu', 1],
    ['up', 1],
    ['pup', 1],
    ['ppu', 1],
    ['ppuu', 1],
    ['puup', 2],
    ['pppp', 0],
  ])('counts "%s" as %i', (speakers, turns) => {
    expect(countTurns(linesOf(speakers))).toBe(turns);
  });

  const speakers = fc.string({ unit: fc.constantFrom('p', 'u') });

  it('never counts a line twice', () => {
    fc.assert(fc.property(speakers, (text) => countTurns(linesOf(text)) <= Math.floor(text.length / 2)));
  });

  it('counts every pair of a strict dialogue', () => {
    fc.assert(fc.property(fc.nat(50), (pairs) => countTurns(linesOf('pu'.repeat(pairs))) === pairs));
  });

  it('counts a turn wherever two different speakers meet, and none in a monologue', () => {
    fc.assert(fc.property(speakers, (text) => countTurns(linesOf(text)) > 0 === /pu|up/.test(text)));
  });

  it('does not care which of the two is which', () => {
    const swap = (text: string) => text.replace(/./g, (letter) => (letter === 'p' ? 'u' : 'p'));
    fc.assert(fc.property(speakers, (text) => countTurns(linesOf(text)) === countTurns(linesOf(swap(text)))));
  });
});

describe('weighing the components', () => {
  it.each(vectors.components)(
    '$expected for $total_turns turns, $session_emotion',
    ({ expected, total_turns, ...metadata }) => {
      const breakdown = scoreComponents({ totalTurns: total_turns, ...componentsOf(metadata) });
      expect(breakdown.friendship_score_change).toBe(expected);
    },
  );

  it('explains the score component by component', () => {
    expect(
      scoreComponents({
        totalTurns: 3,
        userInitiatedQuestions: 2,
        sessionEmotion: ' Interesting ',
        newMemoriesCount: 1,
      }),
    ).toEqual({
      rule_version: 'friendship-1',
      total_turns: 3,
      user_initiated_questions: 2,
      session_emotion: 'interesting',
      new_memories_count: 1,
      turns_score: 3,
      questions_score: 6,
      emotion_score: 15,
      memories_score: 5,
      friendship_score_change: 29,
      sources: { user_initiated_questions: 'metadata', session_emotion: 'metadata', new_memories_count: 'metadata' },
    });
  });

  it('names the default as the source of what the producer did not say, and counts it as nothing', () => {
    expect(scoreComponents({ totalTurns: 1, ...componentsOf() })).toMatchObject({
      user_initiated_questions: 0,
      session_emotion: 'neutral',
      new_memories_count: 0,
      friendship_score_change: 1,
      sources: { user_initiated_questions: 'default', session_emotion: 'default', new_memories_count: 'default' },
    });
  });

  it('takes a zero from the producer for what it is', () => {
    const { sources } = scoreComponents({
      totalTurns: 0,
      userInitiatedQuestions: 0,
      sessionEmotion: 'neutral',
      newMemoriesCount: 0,
    });
    expect(sources).toEqual({
      user_initiated_questions: 'metadata',
      session_emotion: 'metadata',
      new_memories_count: 'metadata',
    });
  });

  const emotion = fc.oneof(fc.constantFrom('interesting', 'boring', 'neutral', 'happy', 'sad', 'angry'), fc.string());
  const counts = { totalTurns: fc.nat(25_000), userInitiatedQuestions: fc.nat(1000), newMemoriesCount: fc.nat(1000) };
  const components = fc.record({ ...counts, sessionEmotion: emotion });

  it('never takes friendship away', () => {
    fc.assert(fc.property(components, (input) => scoreComponents(input).friendship_score_change >= 0));
  });

  it('adds exactly what the rules say, whatever the components are', () => {
    const points: Record<string, number> = { interesting: 15, boring: -15 };
    fc.assert(
      fc.property(components, (input) => {
        const { totalTurns, userInitiatedQuestions, newMemoriesCount, sessionEmotion } = input;
        const word = sessionEmotion.trim().toLowerCase();
        const bonus = Object.hasOwn(points, word) ? points[word] : 0;
        const sum = totalTurns + 3 * userInitiatedQuestions + 5 * newMemoriesCount + bonus;
        expect(scoreComponents(input).friendship_score_change).toBe(Math.max(0, sum));
      }),
    );
  });

  it('reads an emotion in any case', () => {
    const known = fc
      .constantFrom('interesting', 'boring', 'neutral', 'happy', 'sad', 'angry')
      .chain((word) => fc.tuple(fc.constant(word), fc.mixedCase(fc.constant(word))));
    fc.assert(
      fc.property(known, ([word, mixed]) => {
        const input = { totalTurns: 20, userInitiatedQuestions: 0, newMemoriesCount: 0 };
        expect(scoreComponents({ ...input, sessionEmotion: mixed })).toEqual(
          scoreComponents({ ...input, sessionEmotion: word }),
        );
      }),
    );
  });

  // Words of Object.prototype are what a careless lookup would find.
  const unknownWord = fc.oneof(
    fc.constantFrom('excited', 'constructor', '__proto__', 'toString', 'other'),
    fc.string().map((text) => `x${text}`),
  );

  it('gives the same points for an unknown emotion as for none', () => {
    fc.assert(
      fc.property(fc.record(counts), unknownWord, (input, word) => {
        const unknown = scoreComponents({ ...input, sessionEmotion: word });
        const none = scoreComponents({ ...input, sessionEmotion: null });
        expect(unknown.emotion_score).toBe(0);
        expect(unknown.friendship_score_change).toBe(none.friendship_score_change);
      }),
    );
  });

  it('never repeats an unknown emotion, which may be a word of the child', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        const breakdown = scoreComponents({
          totalTurns: 1,
          ...componentsOf({ session_emotion: `${before}Tiger${after}` }),
        });
        expect(breakdown.session_emotion).toBe('other');
        expect(JSON.stringify(breakdown).toLowerCase()).not.toContain('tiger');
      }),
    );
  });
});
