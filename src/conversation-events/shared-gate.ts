/** Runs work that only waits for others, such as a call: meanwhile its owner is not inside. */
export type StepAside = <T>(wait: () => Promise<T>) => Promise<T>;

/** Lets many pass at once, or one alone. Whoever wants to be alone waits for those inside, and the others wait for it. */
export class SharedGate {
  private inside = 0;
  private aloneWanted = 0;
  private readonly waiting: (() => void)[] = [];

  /** Runs `work` beside others that share. */
  async share<T>(work: (stepAside: StepAside) => Promise<T>): Promise<T> {
    await this.enterShared();
    try {
      return await work((wait) => this.outside(wait, () => this.enterShared()));
    } finally {
      this.leave();
    }
  }

  /** Runs `work` while nobody else is inside. */
  async alone<T>(work: (stepAside: StepAside) => Promise<T>): Promise<T> {
    await this.enterAlone();
    try {
      return await work(async (wait) => {
        this.aloneWanted--;
        return this.outside(wait, () => this.enterAlone());
      });
    } finally {
      this.aloneWanted--;
      this.leave();
    }
  }

  private async outside<T>(wait: () => Promise<T>, enter: () => Promise<void>): Promise<T> {
    this.leave();
    try {
      return await wait();
    } finally {
      await enter();
    }
  }

  private async enterShared(): Promise<void> {
    while (this.aloneWanted > 0) await this.change();
    this.inside++;
  }

  private async enterAlone(): Promise<void> {
    this.aloneWanted++;
    while (this.inside > 0) await this.change();
    this.inside++;
  }

  private leave(): void {
    this.inside--;
    if (this.inside === 0) this.wake();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
