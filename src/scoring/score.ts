/** The scoring rules as pure functions. They import no framework and touch nothing outside their arguments. */
import { FRIENDSHIP_RULES } from '../config/friendship-rules';

/** Who said a line: the robot or the child. */
export type Speaker = 'pika' | 'user';

/** Where a component came from: the producer's metadata, or the default because nobody said. */
export type Source = 'metadata' | 'default';

/** What is scored. `null` means that the producer did not say. */
export interface ScoreInput {
  readonly lines: readonly { readonly speaker: Speaker }[];
  readonly userInitiatedQuestions: number | null;
  readonly sessionEmotion: string | null;
  readonly newMemoriesCount: number | null;
}

/** Everything that explains a score and lets it be computed again without the text. Stored as JSON, hence the names. */
export interface ScoreBreakdown {
  readonly rule_version: string;
  readonly total_turns: number;
  readonly user_initiated_questions: number;
  /** Lower case; `other` stands for any word that the rules do not know, since such a word may be the child's. */
  readonly session_emotion: string;
  readonly new_memories_count: number;
  readonly turns_score: number;
  readonly questions_score: number;
  readonly emotion_score: number;
  readonly memories_score: number;
  /** The sum of the four scores, never below 0. */
  readonly friendship_score_change: number;
  readonly sources: {
    readonly user_initiated_questions: Source;
    readonly session_emotion: Source;
    readonly new_memories_count: Source;
  };
}

/** Emotions that are named in a breakdown; the first two carry points (see the rule set). */
const KNOWN_EMOTIONS = new Set(['interesting', 'boring', 'neutral', 'happy', 'sad', 'angry']);

/**
 * Counts turns from the left: an adjacent pair of different speakers is one turn and both lines are used up;
 * otherwise the first line of the pair is passed over.
 */
export function countTurns(lines: ScoreInput['lines']): number {
  let turns = 0;
  for (let index = 1; index < lines.length; index++) {
    if (lines[index].speaker !== lines[index - 1].speaker) {
      turns++;
      index++;
    }
  }
  return turns;
}

/** Scores one conversation by the current rule set. */
export function scoreConversation(input: ScoreInput): ScoreBreakdown {
  return scoreComponents({ ...input, totalTurns: countTurns(input.lines) });
}

/** The part of the rules that needs no text: the four components, weighed and added. */
export function scoreComponents(input: Omit<ScoreInput, 'lines'> & { readonly totalTurns: number }): ScoreBreakdown {
  const { version, weights } = FRIENDSHIP_RULES;
  const questions = input.userInitiatedQuestions ?? 0;
  const memories = input.newMemoriesCount ?? 0;
  const emotion = (input.sessionEmotion ?? 'neutral').trim().toLowerCase();
  const knownEmotion = KNOWN_EMOTIONS.has(emotion) ? emotion : 'other';

  const turnsScore = input.totalTurns * weights.turn;
  const questionsScore = questions * weights.userInitiatedQuestion;
  const emotionScore = weights.emotion[knownEmotion] ?? 0;
  const memoriesScore = memories * weights.newMemory;
  return {
    rule_version: version,
    total_turns: input.totalTurns,
    user_initiated_questions: questions,
    session_emotion: knownEmotion,
    new_memories_count: memories,
    turns_score: turnsScore,
    questions_score: questionsScore,
    emotion_score: emotionScore,
    memories_score: memoriesScore,
    friendship_score_change: Math.max(0, turnsScore + questionsScore + emotionScore + memoriesScore),
    sources: {
      user_initiated_questions: sourceOf(input.userInitiatedQuestions),
      session_emotion: sourceOf(input.sessionEmotion),
      new_memories_count: sourceOf(input.newMemoriesCount),
    },
  };
}

function sourceOf(value: unknown): Source {
  return value === null ? 'default' : 'metadata';
}
