import { tracing, type TraceOrigin } from '../observability/trace-hooks';
import { isDatabaseAway } from './database-errors';

/** How many groups run at once: while one is on its way to the disk, the next is prepared. */
const GROUPS_AT_ONCE = 2;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly origin: TraceOrigin | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Does the work of many callers in one go. What comes while a group is under way makes up the next one, so that groups form by
 * themselves under load and nobody waits for company: with nothing under way, an item goes at the end of the current turn of the event loop.
 */
export class GroupedWork<Item, Result> {
  private readonly waiting: Waiting<Item, Result>[] = [];
  private underWay = 0;
  private scheduled = false;

  /**
   * @param name of what a group is, in a trace
   * @param work does all items of a group or, when it rejects, none; the results are in the order of the items
   * @param mostItems the largest group
   */
  constructor(
    private readonly name: string,
    private readonly work: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly mostItems: number,
  ) {}

  /** Rejects with the error of this item alone: a group that fails is split until the guilty item stands by itself. */
  do(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.waiting.push({ item, origin: tracing.hooks?.here(), resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.underWay >= GROUPS_AT_ONCE) return;
    this.scheduled = true;
    // What arrived in one read of the socket belongs together.
    setImmediate(() => {
      this.scheduled = false;
      this.start();
    });
  }

  private start(): void {
    while (this.underWay < GROUPS_AT_ONCE && this.waiting.length > 0) {
      this.underWay++;
      void this.run(this.waiting.splice(0, this.mostItems)).finally(() => {
        this.underWay--;
        this.start();
      });
    }
  }

  private async run(group: readonly Waiting<Item, Result>[]): Promise<void> {
    let results: readonly Result[];
    try {
      const work = () => this.work(group.map(({ item }) => item));
      const origins = () => group.map(({ origin }) => origin);
      results = await (tracing.hooks ? tracing.hooks.together(this.name, origins(), work) : work());
    } catch (error) {
      // A database that is away is nobody's fault: halves would only find it away again.
      if (group.length === 1 || isDatabaseAway(error)) {
        for (const { reject } of group) reject(error);
        return;
      }
      const middle = Math.ceil(group.length / 2);
      await this.run(group.slice(0, middle));
      await this.run(group.slice(middle));
      return;
    }
    group.forEach(({ resolve }, index) => resolve(results[index]));
  }
}
