import { createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';

/**
 * Names erased children and conversations without telling who they were: whoever has the table but not the key cannot
 * try ids out. Without a key nothing can have been erased, so there is nothing to recognise.
 */
@Injectable()
export class Tombstones {
  constructor(@Inject(ENVIRONMENT) private readonly environment: Environment) {}

  get available(): boolean {
    return this.environment.ERASURE_KEY !== undefined;
  }

  ofUser(userId: string): Buffer | null {
    return this.hash('user', userId);
  }

  ofConversation(conversationId: string): Buffer | null {
    return this.hash('conversation', conversationId);
  }

  private hash(kind: 'user' | 'conversation', id: string): Buffer | null {
    const key = this.environment.ERASURE_KEY;
    return key === undefined ? null : createHmac('sha256', key).update(`${kind}:${id}`).digest();
  }
}
