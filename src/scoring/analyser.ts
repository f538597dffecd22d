/** What an analyser is, and what is kept of its answers. No framework, no network. */
import type { Speaker } from './speaker';

export interface AnalysedLine {
  readonly speaker: Speaker;
  readonly text: string;
}

/** What an analyser is told of a conversation. */
export interface AnalysedConversation {
  readonly conversationId: string;
  readonly userId: string;
  readonly lines: readonly AnalysedLine[];
}

/** Components of the score that somebody has to say, by the names of the producer's metadata. `null`: not said. */
export interface Components {
  readonly user_initiated_questions: number | null;
  readonly session_emotion: string | null;
  readonly new_memories_count: number | null;
}
export type ComponentName = keyof Components;

/** As analysers are named in breakdowns. */
export type AnalyserName = 'llm' | 'memory_api';

/** Finds out some components of the score. */
export interface Analyser {
  readonly name: AnalyserName;
  /** The components that its answer has. */
  readonly answers: readonly ComponentName[];
  /** @throws an error with a `code`, whose message quotes nothing */
  analyse(conversation: AnalysedConversation): Promise<Partial<Components>>;
}

/** One analyser's part: its answer, or why there is none. `ms`: how long it took, retries and waiting included. */
export type AnalysisPart =
  | (Partial<Components> & { readonly status: 'answered'; readonly ms: number })
  | { readonly status: 'failed'; readonly code: string; readonly ms: number }
  /** It was not needed. */
  | { readonly status: 'skipped' };

/** By the analyser's name; kept with the event, so that nobody is asked twice. Contains no text. */
export type Analysis = Partial<Record<AnalyserName, AnalysisPart>>;

/**
 * The analysers whose answer is still needed.
 * @param known what the producer said
 * @param analysis what analysers answered before
 */
export function analysersNeeded<A extends Pick<Analyser, 'name' | 'answers'>>(
  analysers: readonly A[],
  known: Components,
  analysis: Analysis | null,
): A[] {
  return analysers.filter(
    ({ name, answers }) =>
      analysis?.[name]?.status !== 'answered' && answers.some((component) => known[component] === null),
  );
}
