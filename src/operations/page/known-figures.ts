/** A figure that is asked for elsewhere now and then, and is not to be shown when it is old. */
export class KnownFigures<T> {
  private value: T | undefined;
  private readAt = -Infinity;
  private expired = true;
  private failed: unknown;
  private reading: Promise<void> | undefined;

  /**
   * @param read asks for it
   * @param freshFor how long it is not asked for again, milliseconds
   * @param validFor how long it may be shown, milliseconds
   */
  constructor(
    private readonly read: () => Promise<T>,
    private readonly freshFor: number,
    private readonly validFor: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Asks if it is time. One question at a time; never rejects. */
  refresh(): Promise<void> {
    if (!this.expired && this.now() - this.readAt < this.freshFor) return Promise.resolve();
    this.reading ??= this.read()
      .then(
        (value) => {
          this.value = value;
          this.readAt = this.now();
          this.expired = false;
          this.failed = undefined;
        },
        (error: unknown) => {
          this.value = undefined;
          this.expired = true;
          this.failed = error;
        },
      )
      .finally(() => (this.reading = undefined));
    return this.reading;
  }

  /** Whether what is known is known to be no longer so. */
  get isExpired(): boolean {
    return this.expired;
  }

  /** The next {@link refresh} asks, however fresh it is. */
  expire(): void {
    this.expired = true;
  }

  /** Undefined when it is not known now. */
  get current(): T | undefined {
    return this.now() - this.readAt < this.validFor ? this.value : undefined;
  }

  /** Why the last question had no answer; undefined when it had one. */
  get failure(): unknown {
    return this.failed;
  }
}
