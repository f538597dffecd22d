import { number } from '../plan/plan-units';
import { pointText, type Measurement, type Point } from './measurement';

/** Progress with the time that is left, by the mean of the runs so far. */
export class Pace {
  private readonly begun = performance.now();
  private runs = 0;

  constructor(
    private readonly firstGuess: number,
    private readonly expected: number,
  ) {}

  async told(point: Point, why: string, work: () => Promise<Measurement>): Promise<Measurement> {
    const elapsed = performance.now() - this.begun;
    const each = this.runs === 0 ? this.firstGuess : elapsed / this.runs;
    const left = Math.max(each, each * (this.expected - this.runs));
    process.stderr.write(
      `[${Math.round(elapsed / 1_000)} s, about ${Math.round(left / 1_000)} s left] ${pointText(point)}: ${why}\n`,
    );
    const run = await work();
    this.runs++;
    const machine =
      run.cpu.machine === undefined ? '' : `, machine ${Math.round((100 * run.cpu.machine) / run.cores)} %`;
    process.stderr.write(
      `    ${number(run.throughput)}/s in ${number(run.seconds)} s, processing p99 ${number(run.processing.p99)} ms, workers ${Math.round(100 * run.eventLoop)} % busy${machine}\n`,
    );
    return run;
  }
}
