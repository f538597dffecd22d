/** What a score is made of, as it is stored, answered and shown. Types alone: the operators' page reads them too. */
import type { AnalyserName } from './analyser';

/** Where a component came from: the producer's metadata, an analyser, or the default because nobody said. */
export type Source = 'metadata' | AnalyserName | 'default';

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
  /** What became of each analyser that is configured; absent where none is. */
  readonly analysis?: Partial<Record<AnalyserName, AnalyserReport>>;
}

/** `ms`: how long it took, with its retries. `code`: why it failed. */
export type AnalyserReport =
  | { readonly status: 'answered'; readonly ms: number }
  | { readonly status: 'failed'; readonly code: string; readonly ms: number }
  | { readonly status: 'skipped' };
