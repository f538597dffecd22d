/** The scoring rules as pure functions. They import no framework and touch nothing outside their arguments. */
import { FRIENDSHIP_RULES } from '../config/friendship-rules';
import type { AnalyserName, Analysis, ComponentName, Components } from './analyser';
import type { AnalyserReport, ScoreBreakdown, Source } from './score-breakdown';
import type { Speaker } from './speaker';

/** What is scored. `null` means that the producer did not say; then what an analyser said counts. */
export interface ScoreInput {
  readonly lines: readonly { readonly speaker: Speaker }[];
  readonly userInitiatedQuestions: number | null;
  readonly sessionEmotion: string | null;
  readonly newMemoriesCount: number | null;
  readonly analysis?: Analysis | null;
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
  const { analysis } = input;
  const said = {
    questions: find('user_initiated_questions', input.userInitiatedQuestions, analysis),
    emotion: find('session_emotion', input.sessionEmotion, analysis),
    memories: find('new_memories_count', input.newMemoriesCount, analysis),
  };
  const questions = said.questions.value ?? 0;
  const memories = said.memories.value ?? 0;
  const emotion = (said.emotion.value ?? 'neutral').trim().toLowerCase();
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
      user_initiated_questions: said.questions.source,
      session_emotion: said.emotion.source,
      new_memories_count: said.memories.source,
    },
    ...(analysis ? { analysis: report(analysis) } : {}),
  };
}

/** The producer's word comes first: an analyser may have been asked for another component. */
function find<N extends ComponentName>(
  component: N,
  metadata: Components[N],
  analysis: Analysis | null | undefined,
): { value: Components[N]; source: Source } {
  if (metadata !== null) return { value: metadata, source: 'metadata' };
  for (const [name, part] of Object.entries(analysis ?? {})) {
    const value = part.status === 'answered' ? part[component] : undefined;
    if (value != null) return { value: value as Components[N], source: name as AnalyserName };
  }
  return { value: null, source: 'default' };
}

/** Without the answers, which the components themselves tell. */
function report(analysis: Analysis): ScoreBreakdown['analysis'] {
  const reports = Object.entries(analysis).map(([name, part]): [string, AnalyserReport] => [
    name,
    part.status === 'answered' ? { status: part.status, ms: part.ms } : part,
  ]);
  return Object.fromEntries(reports);
}
