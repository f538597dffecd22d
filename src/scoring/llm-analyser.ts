import { z } from 'zod';
import type { ExternalService } from '../external-services/external-service';
import { expectShape, parseJson } from '../external-services/expected-answer';
import type { AnalysedConversation, Analyser, Components } from './analyser';
import { LLM_ANSWER, SYSTEM_PROMPT, conversationPrompt } from './llm-prompt';

const COMPLETION = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
});

const { $schema: _, ...ANSWER_SCHEMA } = z.toJSONSchema(LLM_ANSWER);

/** Asks an OpenAI-compatible chat endpoint for the questions of the child and for the mood. */
export class LlmAnalyser implements Analyser {
  readonly name = 'llm';
  readonly answers = ['user_initiated_questions', 'session_emotion'] as const;

  constructor(
    private readonly service: ExternalService,
    private readonly model: string,
  ) {}

  analyse({ lines }: AnalysedConversation): Promise<Partial<Components>> {
    return this.service.call({
      method: 'POST',
      path: '/chat/completions',
      body: {
        model: this.model,
        temperature: 0,
        messages: [
          { role: 'system', content: SYSTEM_PROMPT },
          { role: 'user', content: conversationPrompt(lines) },
        ],
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'conversation_analysis', strict: true, schema: ANSWER_SCHEMA },
        },
      },
      read: (body) => {
        const completion = expectShape(COMPLETION, parseJson(body.toString('utf8')));
        const { content } = completion.choices[0].message;
        return expectShape(LLM_ANSWER, parseJson(content, "the model's answer"), "the model's answer");
      },
    });
  }
}
