import { Injectable } from '@nestjs/common';
import { CodedError } from '../errors/coded-error';
import { ExternalServiceError } from '../external-services/external-service-error';
import { ExternalServices } from '../external-services/external-services';
import type { PreparedConversation } from './conversation-end';
import { LongLogs } from './long-logs';

/** Fetches conversations that were never posted here. */
@Injectable()
export class ConversationFetcher {
  constructor(
    private readonly services: ExternalServices,
    private readonly logs: LongLogs,
  ) {}

  get available(): boolean {
    return this.services.conversations !== undefined;
  }

  /**
   * The answer is validated like a request.
   * @returns undefined when the conversation API does not know it either
   * @throws ExternalServiceError
   */
  async fetch(conversationId: string): Promise<PreparedConversation | undefined> {
    const body = await this.services.conversations?.call<Buffer | undefined>({
      method: 'GET',
      path: `/${encodeURIComponent(conversationId)}`,
      read: (answer) => answer,
      absent: () => undefined,
    });
    if (!body) return undefined;
    const prepared = await this.logs.prepare(body).catch((error: unknown) => {
      throw error instanceof CodedError ? unexpected(describeRefusal(error)) : error;
    });
    if (prepared.fields.conversation_id !== conversationId) {
      throw unexpected('conversation_id: expected the one that was asked for, got another');
    }
    return prepared;
  }
}

function describeRefusal({ message, fields }: CodedError): string {
  if (fields.length === 0) return message;
  return fields.map(({ field, expected, got }) => `${field}: expected ${expected}, got ${got}`).join('; ');
}

function unexpected(detail: string): ExternalServiceError {
  return new ExternalServiceError('CONVERSATION_API', 'UNEXPECTED_ANSWER', detail);
}
