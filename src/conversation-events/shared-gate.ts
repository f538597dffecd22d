/** Lets many pass at once, or one alone. Whoever wants to be alone waits for those inside, and the others wait for it. */
export class SharedGate {
  private inside = 0;
  private aloneWanted = 0;
  private readonly waiting: (() => void)[] = [];

  /** Runs `work` beside others that share. */
  async share<T>(work: () => Promise<T>): Promise<T> {
    while (this.aloneWanted > 0) await this.change();
    return this.pass(work);
  }

  /** Runs `work` while nobody else is inside. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.aloneWanted++;
    try {
      while (this.inside > 0) await this.change();
      return await this.pass(work);
    } finally {
      this.aloneWanted--;
      this.wake();
    }
  }

  private async pass<T>(work: () => Promise<T>): Promise<T> {
    this.inside++;
    try {
      return await work();
    } finally {
      this.inside--;
      if (this.inside === 0) this.wake();
    }
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
