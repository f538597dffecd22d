import { Inject, Injectable, Logger } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { HEADERS } from '../messaging/incoming-message';
import { Publisher } from '../messaging/publisher';
import { TOPOLOGY } from '../messaging/tokens';
import type { Topology } from '../messaging/topology';
import { messageKey } from './crash-guard';
import { ReplayedLettersRepository, type ReplayedLetter } from './replayed-letters.repository';
import { SuspectsRepository } from './suspects.repository';

/** Messages, and bytes, published in one round; both bound what is in memory and on its way. */
const MOST_LETTERS = 200;
const MOST_BYTES = 16 * 1024 ** 2;

/** How long a confirm may take, milliseconds. Bodies may be large, and nobody waits. */
const PUBLISH_TIMEOUT = 5_000;

/**
 * Publishes the dead letters that an operator replayed and that have no row to start from: their bodies, byte for byte.
 * An entry is REPLAYING from the operator's word until the broker's confirm. Whoever dies in between leaves it REPLAYING, and the
 * message is published again; a message published twice is counted once.
 */
@Injectable()
export class ReplayedLetters {
  private readonly logger = new Logger('DeadLetters');

  constructor(
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly publisher: Publisher,
    private readonly queryRunners: QueryRunners,
    private readonly repository: ReplayedLettersRepository,
    private readonly suspects: SuspectsRepository,
  ) {}

  async publishDue(): Promise<void> {
    const due = await this.take();
    if (due.length === 0) return;
    const results = await Promise.allSettled(due.map((letter) => this.publish(letter)));
    const ids = (status: 'fulfilled' | 'rejected') =>
      due.filter((_, index) => results[index].status === status).map(({ dead_letter_id }) => dead_letter_id);
    const [confirmed, failed] = [ids('fulfilled'), ids('rejected')];
    if (confirmed.length > 0) await this.repository.confirm(confirmed);
    if (failed.length > 0) await this.repository.putBack(failed);
    this.logger.log({ msg: 'replayed', messages: confirmed.length, failed: failed.length });
  }

  /** A message that was given up because it killed its process would be given up again at once if its starts still counted. */
  private take(): Promise<ReplayedLetter[]> {
    return this.queryRunners.transaction(async (runner) => {
      const due = await this.repository.takeDue(runner, MOST_LETTERS, MOST_BYTES);
      const keys = due.map(({ message_id, body }) => messageKey({ messageId: message_id ?? undefined, body }));
      if (keys.length > 0) await this.suspects.forget(runner, keys);
      return due;
    });
  }

  /** Straight to the work queue: through its first exchange it might reach others, or nobody any more. */
  private publish(letter: ReplayedLetter): Promise<void> {
    return this.publisher.publish(
      {
        exchange: '',
        routingKey: this.topology.processing.queue.name,
        body: letter.body,
        messageId: letter.message_id ?? undefined,
        headers: { [HEADERS.originalExchange]: letter.exchange, [HEADERS.originalRoutingKey]: letter.routing_key },
      },
      PUBLISH_TIMEOUT,
    );
  }
}
