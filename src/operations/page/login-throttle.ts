/** Wrong keys that one address may present in a window, and the window's length in milliseconds. */
const MOST_FAILURES = 5;
const WINDOW = 60_000;

/** Addresses that are remembered; the oldest is forgotten for a new one, so that memory stays bounded. */
const MOST_ADDRESSES = 10_000;

/** Counts wrong keys by address, in this process alone. The key is too long to be guessed; this keeps the log and the table short. */
export class LoginThrottle {
  private readonly failures = new Map<string, { count: number; until: number }>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @returns seconds until the address may try again; 0: now */
  wait(address: string): number {
    const known = this.failures.get(address);
    if (!known || known.count < MOST_FAILURES) return 0;
    return Math.max(0, Math.ceil((known.until - this.now()) / 1000));
  }

  failed(address: string): void {
    const known = this.failures.get(address);
    const going = known !== undefined && known.until > this.now();
    this.failures.delete(address);
    this.failures.set(address, going ? { ...known, count: known.count + 1 } : { count: 1, until: this.now() + WINDOW });
    if (this.failures.size > MOST_ADDRESSES) this.failures.delete(this.failures.keys().next().value ?? '');
  }
}
