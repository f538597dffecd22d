import { Injectable } from '@nestjs/common';
import { messageKey } from '../conversation-events/crash-guard';
import { SuspectsRepository } from '../conversation-events/suspects.repository';
import { QueryRunners } from '../database/query-runners';
import { DeadLetterInboxRepository, type Selection } from './dead-letter-inbox.repository';

/** Entries settled in one transaction: short enough that nobody waits long for their locks. */
const BATCH = 500;

/** What the column of a note holds, characters. */
export const LONGEST_NOTE = 1_000;

/** How far a run has come, and what it did. */
export interface Settled {
  /** Entries that are no longer open. */
  readonly entries: number;
  /** Of those that were replayed: events that are PENDING again, and messages whose body the sweeper publishes. */
  readonly events: number;
  readonly messages: number;
}

/** Called after each batch. Throws to end the run: what was settled stays so. */
export type OnBatch = (settled: Settled) => Promise<void> | void;

/** Replays and discards many open dead letters: for the command line and for the page. */
@Injectable()
export class DeadLetterSettlement {
  constructor(
    private readonly repository: DeadLetterInboxRepository,
    private readonly queryRunners: QueryRunners,
    private readonly suspects: SuspectsRepository,
  ) {}

  /** @param upTo the newest entry that is meant, from {@link DeadLetterInboxRepository.count} */
  replay(selection: Selection, upTo: string | null, onBatch: OnBatch): Promise<Settled> {
    return this.run(upTo, onBatch, async (after, last) => {
      // The recorder and an erasure lock an event before its entries, a replay the other way round: one of them may have to begin anew.
      const batch = await this.queryRunners.repeatableTransaction(async (runner) => {
        const replayed = await this.repository.replay(runner, selection, after, last, BATCH);
        // An event whose message killed workers would be given up again at once if those starts still counted.
        const keys = replayed.events.map((messageId) => messageKey({ messageId, body: Buffer.alloc(0) }));
        await this.suspects.forget(runner, keys);
        return replayed;
      });
      const { events, messages } = batch;
      return { last: batch.last, events: events.length, messages, entries: events.length + messages };
    });
  }

  /** @param upTo as for {@link replay} */
  discard(selection: Selection, upTo: string | null, note: string | undefined, onBatch: OnBatch): Promise<Settled> {
    return this.run(upTo, onBatch, async (after, last) => {
      const batch = await this.repository.discard(selection, after, last, BATCH, note);
      return { ...batch, events: 0, messages: 0 };
    });
  }

  /**
   * Batch by batch, oldest first. What is recorded after the start is left alone: a replayed message that fails at once would
   * otherwise be replayed for ever.
   */
  private async run(
    upTo: string | null,
    onBatch: OnBatch,
    next: (after: string, upTo: string) => Promise<Settled & { readonly last: string | null }>,
  ): Promise<Settled> {
    let settled: Settled = { entries: 0, events: 0, messages: 0 };
    for (let after: string | null = '0'; after !== null && upTo !== null;) {
      const batch: Settled & { readonly last: string | null } = await next(after, upTo);
      settled = {
        entries: settled.entries + batch.entries,
        events: settled.events + batch.events,
        messages: settled.messages + batch.messages,
      };
      after = batch.last;
      await onBatch(settled);
    }
    return settled;
  }
}
