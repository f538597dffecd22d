import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { HttpService, completion, facts, hang, json } from '../support/http-service';
import { readEnvironment } from '../../src/config/environment';
import { ExternalServices } from '../../src/external-services/external-services';
import { Metrics } from '../../src/observability/metrics';
import type { Analysis, AnalysedConversation, Components } from '../../src/scoring/analyser';
import { AnalysisService } from '../../src/scoring/analysis.service';
import { SYSTEM_PROMPT } from '../../src/scoring/llm-prompt';
import { childSpoke, digestLog } from '../../src/scoring/log-digest';
import { scoreComponents } from '../../src/scoring/score';
import { lastLines } from '../../src/scoring/transcript';

interface Vectors {
  components: {
    total_turns: number;
    user_initiated_questions: number;
    session_emotion: string | null;
    new_memories_count: number;
    expected: number;
  }[];
}
const vectors = JSON.parse(readFileSync(join(__dirname, '../vectors/scoring.json'), 'utf8')) as Vectors;

const NOTHING_SAID: Components = {
  user_initiated_questions: null,
  session_emotion: null,
  new_memories_count: null,
};
const CONVERSATION: AnalysedConversation = {
  conversationId: 'conv-1',
  userId: 'child-1',
  lines: [
    { speaker: 'pika', text: 'Chào cậu!' },
    { speaker: 'user', text: 'Sao trời lại xanh?' },
  ],
};

describe('the analysis', () => {
  let llm: HttpService;
  let memory: HttpService;
  const open: ExternalServices[] = [];

  beforeEach(async () => {
    llm = await HttpService.start(json(completion({ user_initiated_questions: 2, session_emotion: 'interesting' })));
    memory = await HttpService.start(json(facts(1)));
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((services) => services.onApplicationShutdown()));
    await Promise.all([llm.stop(), memory.stop()]);
  });

  function analyser(settings: Record<string, string> = {}): AnalysisService {
    const environment = readEnvironment({
      DATABASE_URL: 'postgres://localhost/x',
      RABBITMQ_URL: 'amqp://localhost',
      ANALYSIS_LLM_URL: `${llm.url}/v1`,
      ANALYSIS_LLM_MODEL: 'small',
      ANALYSIS_LLM_API_KEY: 'llm-key',
      MEMORY_API_URL: memory.url,
      ...settings,
    });
    const services = new ExternalServices(environment, new Metrics());
    open.push(services);
    return new AnalysisService(environment, services);
  }
  const analyse = (
    settings: Record<string, string> = {},
    known: Partial<Components> = {},
    before: Analysis | null = null,
    keep = (_part: Analysis) => Promise.resolve(),
  ) => analyser(settings).analyse(CONVERSATION, { ...NOTHING_SAID, ...known }, before, keep);

  it('asks both services side by side, each by its contract', async () => {
    const analysis = await analyse();
    expect(analysis).toEqual({
      llm: { status: 'answered', user_initiated_questions: 2, session_emotion: 'interesting', ms: expect.any(Number) },
      memory_api: { status: 'answered', new_memories_count: 1, ms: expect.any(Number) },
    });
    const [toLlm] = llm.requests;
    expect(toLlm).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { authorization: 'Bearer llm-key' },
    });
    expect(JSON.parse(toLlm.body)).toMatchObject({
      model: 'small',
      temperature: 0,
      messages: [
        { role: 'system', content: SYSTEM_PROMPT },
        { role: 'user', content: JSON.stringify(CONVERSATION.lines) },
      ],
      response_format: {
        type: 'json_schema',
        json_schema: {
          strict: true,
          schema: {
            type: 'object',
            required: ['user_initiated_questions', 'session_emotion'],
            additionalProperties: false,
          },
        },
      },
    });
    expect(memory.requests[0]).toMatchObject({ method: 'POST', path: '/extract_facts' });
    expect(JSON.parse(memory.requests[0].body)).toEqual({
      user_id: 'child-1',
      conversation_id: 'conv-1',
      conversation: [
        { role: 'assistant', content: 'Chào cậu!' },
        { role: 'user', content: 'Sao trời lại xanh?' },
      ],
    });
  });

  it.each([
    [{ user_initiated_questions: 0, session_emotion: 'sad' }, 0, 1],
    [{ new_memories_count: 0 }, 1, 0],
    [{ user_initiated_questions: 3 }, 1, 1],
    [{ user_initiated_questions: 0, session_emotion: '', new_memories_count: 0 }, 0, 0],
  ])('with %p from the producer asks only for what is missing', async (known, toLlm, toMemory) => {
    await analyse({}, known);
    expect([llm.requests.length, memory.requests.length]).toEqual([toLlm, toMemory]);
  });

  it('does not ask again what was answered before', async () => {
    const before: Analysis = { memory_api: { status: 'answered', new_memories_count: 7, ms: 19_000 } };
    const analysis = await analyse({}, {}, before);
    expect(analysis.memory_api).toEqual(before.memory_api);
    expect(memory.requests).toEqual([]);
    expect(llm.requests).toHaveLength(1);
  });

  it('keeps the answer of one when the other fails', async () => {
    memory.answerWith(json('no JSON'));
    const kept: Analysis[] = [];
    const failing = analyse({}, {}, null, (part) => Promise.resolve(void kept.push(part)));
    await expect(failing).rejects.toMatchObject({ code: 'MEMORY_API_UNEXPECTED_ANSWER' });
    expect(kept).toEqual([{ llm: expect.objectContaining({ status: 'answered', user_initiated_questions: 2 }) }]);
  });

  it('goes on without the one that fails where that is wanted, and says so', async () => {
    memory.answerWith(hang);
    const analysis = await analyse({
      ANALYSIS_ON_FAILURE: 'neutral',
      MEMORY_API_TRY_TIMEOUT: '50ms',
      MEMORY_API_TIMEOUT: '60ms',
    });
    expect(analysis).toMatchObject({
      llm: { status: 'answered' },
      memory_api: { status: 'failed', code: 'MEMORY_API_TIMEOUT' },
    });
    const breakdown = scoreComponents({
      totalTurns: 1,
      userInitiatedQuestions: null,
      sessionEmotion: null,
      newMemoriesCount: null,
      analysis,
    });
    expect(breakdown).toMatchObject({
      friendship_score_change: 1 + 2 * 3 + 15,
      sources: { user_initiated_questions: 'llm', session_emotion: 'llm', new_memories_count: 'default' },
      analysis: {
        llm: { status: 'answered', ms: expect.any(Number) },
        memory_api: { status: 'failed', code: 'MEMORY_API_TIMEOUT', ms: expect.any(Number) },
      },
    });
  });

  it('does not take a process that stops for a service that fails', async () => {
    memory.answerWith(hang);
    const analysing = analyse({ ANALYSIS_ON_FAILURE: 'neutral' });
    open.forEach((services) => services.all.forEach((service) => service.abort()));
    await expect(analysing).rejects.toMatchObject({ failure: 'ABORTED' });
  });

  it('of nobody is no analysis', () => {
    const none = analyser({ ANALYSIS_LLM_URL: '', MEMORY_API_URL: '' });
    expect([none.available, none.isNeeded(NOTHING_SAID, null), none.withoutAsking(null)]).toEqual([
      false,
      false,
      undefined,
    ]);
  });

  it.each(vectors.components)('reaches the score: $expected for $total_turns turns', async ({ expected, ...said }) => {
    const { total_turns, user_initiated_questions, session_emotion, new_memories_count } = said;
    llm.answerWith(json(completion({ user_initiated_questions, session_emotion: session_emotion ?? 'neutral' })));
    memory.answerWith(json(facts(new_memories_count)));
    const analysis = await analyse();
    const breakdown = scoreComponents({
      totalTurns: total_turns,
      userInitiatedQuestions: null,
      sessionEmotion: null,
      newMemoriesCount: null,
      analysis,
    });
    expect(breakdown.friendship_score_change).toBe(expected);
  });

  const WORDS = 'what a child said';
  it.each([
    ['no choice', { choices: [] }, 'the answer.choices: Too small'],
    ['no message', { choices: [{}] }, 'the answer.choices.0.message: Invalid input: expected object'],
    ['a refusal', completion(WORDS), "the model's answer: expected JSON, got a text of 17 characters"],
    ['no count', completion({ session_emotion: 'sad' }), "the model's answer.user_initiated_questions: Invalid input"],
    [
      'a mood of its own',
      completion({ user_initiated_questions: 1, session_emotion: WORDS }),
      "the model's answer.session_emotion: Invalid option",
    ],
    [
      'half a question',
      completion({ user_initiated_questions: 0.5, session_emotion: 'sad' }),
      "the model's answer.user_initiated_questions: Invalid input: expected int",
    ],
  ])('refuses an LLM that answers with %s', async (_what, answer, message) => {
    llm.answerWith(json(answer));
    const error = await analyse().catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'ANALYSIS_LLM_UNEXPECTED_ANSWER' });
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain('child');
  });

  it.each([
    ['a failure', { status: 'error', count: 0, facts: [] }],
    ['no count', { status: 'success', facts: ['one'] }],
    ['facts that it has not counted', { status: 'success', count: 0, facts: [WORDS] }],
    ['a count below nothing', { status: 'success', count: -1, facts: [] }],
    ['no facts', { status: 'success', count: 1 }],
    ['a list', []],
  ])('refuses a memory service that answers with %s: that is no silent zero', async (_what, answer) => {
    memory.answerWith(json(answer));
    const error = await analyse().catch((reason: unknown) => reason as Error);
    expect(error).toMatchObject({ code: 'MEMORY_API_UNEXPECTED_ANSWER' });
    expect((error as Error).message).not.toContain('child');
  });
});

describe('what is sent', () => {
  const line = fc.record({
    speaker: fc.constantFrom('pika' as const, 'user' as const),
    text: fc.string({ unit: 'grapheme', minLength: 1 }),
  });

  it('is the end of the conversation, and never more than allowed', () => {
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 60 }), (lines, most) => {
        const sent = lastLines(lines, most);
        const all = lines.map(({ text }) => text).join('');
        const kept = sent.map(({ text }) => text).join('');
        expect(kept.length).toBe(Math.min(all.length, most));
        expect(kept.isWellFormed()).toBe(true);
        // A surrogate pair that was cut has become U+FFFD.
        expect(all.endsWith(kept.replace(/^\uFFFD/, ''))).toBe(true);
        expect(sent.map(({ speaker }) => speaker)).toEqual(
          lines.slice(lines.length - sent.length).map(({ speaker }) => speaker),
        );
      }),
    );
  });

  it('is nothing where nobody is asked', () => {
    expect(digestLog(JSON.stringify(CONVERSATION.lines), 0)).toEqual({ totalTurns: 1, transcript: [] });
  });

  it('depends on whether the child spoke, which can be told without parsing', () => {
    const logOf = (speaker: string, text: string) => JSON.stringify([{ speaker, turn_id: 1, text, timestamp: '' }]);
    expect(childSpoke(logOf('user', 'Hello.'))).toBe(true);
    expect(childSpoke(logOf('pika', 'Hello.'))).toBe(false);
    expect(childSpoke(logOf('pika', '"speaker":"user"'))).toBe(false);
    expect(childSpoke('[]')).toBe(false);
  });
});
