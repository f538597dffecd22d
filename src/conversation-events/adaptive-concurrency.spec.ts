import { performance } from 'node:perf_hooks';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import { readEnvironment } from '../config/environment';
import { buildTopology } from '../messaging/topology';
import { Metrics } from '../observability/metrics';
import { AdaptiveConcurrency, throughputOf } from './adaptive-concurrency';

const TICK = 50;

interface Change {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** A worker in a simulated world: messages take `time` milliseconds, the service works on `slots` of them at once, the rest wait. */
class SimulatedWorker {
  readonly changes: Change[] = [];
  private queued = 0;
  private inFlight = 0;
  private undone = 0;
  private now = 0;
  private readonly progress = { ended: 0, failed: 0, milliseconds: 0 };
  private readonly adaptive: AdaptiveConcurrency;

  constructor(
    private readonly time: number,
    private readonly slots: number,
    concurrency: number,
  ) {
    jest.useFakeTimers();
    jest.spyOn(performance, 'now').mockImplementation(() => this.now);
    jest.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 0, active: 0, utilization: 0.3 });
    jest.spyOn(Logger.prototype, 'log').mockImplementation((line: Change) => this.changes.push(line));
    const environment = readEnvironment({
      CONCURRENCY_MODE: 'adaptive',
      MESSAGE_CONCURRENCY_PER_WORKER: String(concurrency),
      DATABASE_URL: 'postgres://localhost/simulated',
      RABBITMQ_URL: 'amqp://localhost',
    });
    const topology = buildTopology(environment);
    const collaborators = {
      dataSource: { driver: {} },
      consumers: { isPaused: () => false, useChannels: () => Promise.resolve() },
      deliveries: { progress: this.progress, inFlightOf: () => this.inFlight },
      broker: {
        queueFigures: () => Promise.resolve(new Map([[topology.processing.queue.name, { ready: this.queued }]])),
      },
    };
    const { dataSource, consumers, deliveries, broker } = collaborators as unknown as Record<string, never>;
    this.adaptive = new AdaptiveConcurrency(
      environment,
      topology,
      dataSource,
      consumers,
      deliveries,
      broker,
      new Metrics(),
    );
    this.adaptive.onApplicationBootstrap();
  }

  get concurrency(): number {
    return this.adaptive.concurrency;
  }

  get isIdle(): boolean {
    return this.queued + this.inFlight === 0;
  }

  post(messages: number): void {
    this.queued += messages;
  }

  /** Until all are done, or for so many seconds. */
  async work(seconds = Infinity): Promise<void> {
    const until = this.now + 1_000 * seconds;
    while (this.now < until && !(seconds === Infinity && this.isIdle)) await this.tick();
  }

  stop(): void {
    this.adaptive.onModuleDestroy();
  }

  private async tick(): Promise<void> {
    this.take();
    this.undone += (TICK / this.time) * Math.min(this.slots, this.inFlight);
    // Between two ticks those that end make room for others.
    const ended = Math.min(Math.floor(this.undone), this.inFlight + this.queued);
    this.undone -= Math.floor(this.undone);
    this.progress.ended += ended;
    this.progress.milliseconds += this.time * ended * Math.max(1, this.inFlight / this.slots);
    const more = Math.max(0, ended - this.inFlight);
    this.inFlight = Math.max(0, this.inFlight - ended);
    this.queued -= more;
    this.take();
    this.now += TICK;
    await jest.advanceTimersByTimeAsync(TICK);
  }

  private take(): void {
    const taken = Math.max(0, Math.min(this.queued, this.concurrency - this.inFlight));
    this.inFlight += taken;
    this.queued -= taken;
  }
}

describe('a worker that adapts', () => {
  let worker: SimulatedWorker | undefined;

  afterEach(() => {
    worker?.stop();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('rises from one message to where nothing more is gained', async () => {
    worker = new SimulatedWorker(5, 40, 1);
    worker.post(1_000_000);
    await worker.work(60);
    expect(worker.concurrency).toBeGreaterThanOrEqual(27);
    expect(worker.concurrency).toBeLessThanOrEqual(93);
  });

  it('goes no lower than its best concurrency where the queue runs dry, in one go or again and again', async () => {
    const scene = fc.record({
      queued: fc.integer({ min: 16_000, max: 24_000 }),
      burst: fc.integer({ min: 1, max: 60 }),
      pause: fc.double({ min: 0.1, max: 3, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ queued, burst, pause }) => {
        worker = new SimulatedWorker(5, 4, 5);
        worker.post(queued);
        await worker.work();
        const { concurrency } = worker;
        const before = worker.changes.length;
        for (let bursts = 0; bursts < 30 / pause; bursts++) {
          worker.post(burst);
          await worker.work(pause);
        }
        const later = worker.changes.slice(before).map(({ to }) => to);
        worker.stop();
        expect(Math.min(concurrency, ...later)).toBeGreaterThanOrEqual(3);
      }),
      { seed: 6, numRuns: 40, endOnFailure: true },
    );
  });
});

describe('the throughput of a look', () => {
  it('is the same wherever the look begins and ends in waves of messages', () => {
    const [concurrency, time] = [210, 800];
    // All of a wave end within its first quarter, as after a change of the time that they take.
    const endedBy = (moment: number) =>
      concurrency * (Math.floor(moment / time) + Math.min(1, (4 * (moment % time)) / time));
    const times = fc.record({
      begin: fc.integer({ min: 0, max: 5_000 }),
      length: fc.integer({ min: 1_000, max: 4_000 }),
    });
    fc.assert(
      fc.property(times, ({ begin, length }) => {
        const ended = endedBy(begin + length) - endedBy(begin);
        expect(throughputOf(ended, length / 1_000, concurrency, time)).toBeCloseTo(262.5);
      }),
    );
  });

  it('is counted where messages are short, since samples say little of what is in flight then', () => {
    expect(throughputOf(1_500, 1, 1, 4)).toBe(1_500);
  });
});
