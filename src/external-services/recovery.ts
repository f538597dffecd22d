import { EventEmitter } from 'node:events';
import { CircuitState, type CircuitBreakerPolicy } from 'cockatiel';

/** `to be tried`: the pause is over and nobody waits who could try the service. */
export type RecoveryState = 'open' | 'to be tried' | 'closed';

/** The breaker's clock and this one's timer need not agree to the millisecond. */
const CLOCK_MARGIN = 5;

/**
 * What happens between the opening of a breaker and its closing: those who need the service wait here. After each pause one of
 * them is let go, to try it; once the breaker has closed, all are.
 */
export class Recovery {
  private readonly events = new EventEmitter<{ change: [RecoveryState] }>();
  /** In the order of their arrival: whoever tried in vain comes last again. */
  private readonly waiting = new Set<() => void>();
  private timer: NodeJS.Timeout | undefined;

  /** @param pause of the breaker, milliseconds */
  constructor(
    private readonly breaker: CircuitBreakerPolicy,
    private readonly pause: number,
  ) {
    breaker.onBreak(() => this.opened());
    breaker.onReset(() => this.closed());
  }

  get open(): boolean {
    return this.breaker.state !== CircuitState.Closed;
  }

  onChange(listener: (state: RecoveryState) => void): void {
    this.events.on('change', listener);
  }

  /** Resolves when the service may be called: by all, or by this caller, to try it. Rejects when `signal` fires first. */
  wait(signal: AbortSignal): Promise<void> {
    if (!this.open) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => () => {
        this.waiting.delete(go);
        signal.removeEventListener('abort', giveUp);
        end();
      };
      const go = settle(resolve);
      const giveUp = settle(() => reject(signal.reason as Error));
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp);
      this.waiting.add(go);
    });
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private opened(): void {
    this.setTimer();
    this.events.emit('change', 'open');
  }

  private closed(): void {
    this.stop();
    for (const go of [...this.waiting]) go();
    this.events.emit('change', 'closed');
  }

  /** Again and again: whoever is let go may find that it needs the service no more. */
  private setTimer(): void {
    this.stop();
    this.timer = setTimeout(() => {
      this.setTimer();
      const [first] = this.waiting;
      if (first) first();
      else this.events.emit('change', 'to be tried');
    }, this.pause + CLOCK_MARGIN).unref();
  }
}
