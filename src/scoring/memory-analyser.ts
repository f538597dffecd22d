import { z } from 'zod';
import type { ExternalService } from '../external-services/external-service';
import { UnexpectedAnswer, expectShape, parseJson } from '../external-services/expected-answer';
import type { AnalysedConversation, Analyser, Components } from './analyser';

const EXTRACTED_FACTS = z.object({
  status: z.string(),
  count: z.number().int().min(0).max(1000),
  facts: z.array(z.unknown()),
});

/** A status of these is a failure, whatever the count says. */
const FAILED = /^(error|fail|failed|failure)$/i;

/** Asks the memory service how many new facts a conversation has taught it. The facts themselves are not kept. */
export class MemoryAnalyser implements Analyser {
  readonly name = 'memory_api';
  readonly answers = ['new_memories_count'] as const;

  constructor(private readonly service: ExternalService) {}

  analyse({ conversationId, userId, lines }: AnalysedConversation): Promise<Partial<Components>> {
    return this.service.call({
      method: 'POST',
      path: '/extract_facts',
      body: {
        user_id: userId,
        conversation_id: conversationId,
        conversation: lines.map(({ speaker, text }) => ({
          role: speaker === 'user' ? 'user' : 'assistant',
          content: text,
        })),
      },
      read: (body) => {
        const { status, count, facts } = expectShape(EXTRACTED_FACTS, parseJson(body.toString('utf8')));
        if (FAILED.test(status)) throw new UnexpectedAnswer('the answer.status: expected success, got a failure');
        // A service that lists facts and counts none has not counted.
        if (count === 0 && facts.length > 0) {
          throw new UnexpectedAnswer(`the answer.count: expected the number of facts, got 0 for ${facts.length}`);
        }
        return { new_memories_count: count };
      },
    });
  }
}
