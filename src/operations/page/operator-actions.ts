import { Injectable, Logger, type BeforeApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { CodedError } from '../../errors/coded-error';
import { describeError, errorCode } from '../../errors/describe';
import { DeadLetterInboxRepository, type Selection } from '../dead-letter-inbox.repository';
import { DeadLetterSettlement } from '../dead-letter-settlement';
import { OperatorActionsRepository } from './operator-actions.repository';

/** Of one process: each holds a connection to the database while it works. */
const MOST_AT_ONCE = 3;

/** How often a running action says how far it is, milliseconds. Far below its lease. */
const PROGRESS_INTERVAL = 1_000;

/** The process was told to stop; the rest stays open. */
class Interrupted extends Error {
  readonly code = 'INTERRUPTED';
}

/** What an operator wants to be done with which dead letters. */
export interface Order {
  readonly operator: string;
  readonly action: 'replay' | 'discard';
  readonly selection: Selection;
  readonly note?: string;
}

/**
 * What operators do, each with a row that says who, what and how far. Replays and discards run in the background; whatever ends
 * one before its time leaves dead letters open, and the same order may be given again.
 */
@Injectable()
export class OperatorActions implements OnModuleDestroy, BeforeApplicationShutdown {
  private readonly logger = new Logger('Operators');
  private readonly running = new Set<Promise<void>>();
  private stopping = false;

  constructor(
    private readonly repository: OperatorActionsRepository,
    private readonly inbox: DeadLetterInboxRepository,
    private readonly settlement: DeadLetterSettlement,
  ) {}

  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Whatever is under way ends after its present batch. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.running);
  }

  /** Never throws: operators must be able to look while the database is away. The log has every login. */
  async recordLogin(operator: string, succeeded: boolean): Promise<void> {
    const action = succeeded ? 'login' : 'failed_login';
    this.logger[succeeded ? 'log' : 'warn']({ msg: action, operator });
    await this.repository
      .add({ operator, action, total: 0 }, true)
      .catch((error: unknown) => this.logger.warn({ msg: 'a login was not recorded', code: errorCode(error) }));
  }

  /**
   * Resolves when the action has begun and is recorded.
   * @returns its id
   * @throws CodedError `VALIDATION_FAILED` for what is no dead letter, `TOO_MANY_REQUESTS`
   */
  async begin(order: Order): Promise<string> {
    if (this.stopping || this.running.size >= MOST_AT_ONCE) {
      throw new CodedError('TOO_MANY_REQUESTS', `Expected at most ${MOST_AT_ONCE} actions at once; try again later.`);
    }
    // Its place is taken before anything is waited for: many orders may come at once.
    const recording = this.record(order);
    const running = recording
      .then(({ actionId, last }) => this.work(actionId, order, last))
      .catch(() => undefined) // not recorded, which whoever ordered it hears
      .finally(() => this.running.delete(running));
    this.running.add(running);
    return (await recording).actionId;
  }

  /** @returns what the action is known by, and the last dead letter that there was when it began */
  private async record({
    operator,
    action,
    selection,
    note,
  }: Order): Promise<{ actionId: string; last: string | null }> {
    const unknown = selection.ids ? await this.inbox.unknownIds(selection.ids) : [];
    if (unknown.length > 0) {
      const got = `${unknown.length} that are none, such as ${unknown[0]}`;
      const problem = { field: 'dead_letter_ids', expected: 'numbers of dead letters', got };
      throw new CodedError('VALIDATION_FAILED', '1 field(s) are not as expected.', [problem]);
    }
    const { entries: total, last } = await this.inbox.count(selection);
    const { reason, errorCode: error_code, ids } = selection;
    const recorded = { operator, action, reason, error_code, ids: ids?.length, note, total };
    const actionId = await this.repository.add(recorded, false);
    this.logger.log({ msg: `${action} begins`, action_id: actionId, operator, total });
    return { actionId, last };
  }

  private async work(actionId: string, { action, selection, note }: Order, upTo: string | null): Promise<void> {
    let done = 0;
    const tell = () => void this.repository.advance(actionId, done).catch(() => undefined);
    const timer = setInterval(tell, PROGRESS_INTERVAL);
    const onBatch = ({ entries }: { entries: number }) => {
      done = entries;
      if (this.stopping) throw new Interrupted();
    };
    let failure: unknown;
    try {
      if (action === 'replay') await this.settlement.replay(selection, upTo, onBatch);
      else await this.settlement.discard(selection, upTo, note, onBatch);
    } catch (error) {
      failure = error;
    }
    clearInterval(timer);
    const code = failure === undefined ? undefined : errorCode(failure);
    this.logger.log({ msg: `${action} ended`, action_id: actionId, done, error: failure && describeError(failure) });
    // Where not even this can be written, the lease runs out, and the action counts as failed.
    await this.repository
      .end(actionId, done, code)
      .catch((error: unknown) => this.logger.warn({ msg: 'the end was not recorded', code: errorCode(error) }));
  }
}
