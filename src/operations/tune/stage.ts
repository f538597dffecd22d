/** Where points are measured: a database, queues and an api of the tuner's own, on the operator's servers. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readEnvironment, type Environment } from '../../config/environment';
import { migrate } from '../../database/migrate';
import { roundTime, type Mix } from '../plan/capacity';
import { channelsFor } from '../plan/plan';
import { CORES, listenerOn, postmasterOf } from './cpu-clock';
import type { Measurement, Point } from './measurement';
import { OpenLoop } from './open-loop';
import { ServiceProcess } from './service-process';
import { TuneBroker } from './tune-broker';
import { TuneDatabaseRepository, type Template } from './tune-database.repository';
import { observe, SAMPLE_INTERVAL } from './window';

/** Posts go on for so much longer than the window, milliseconds: the first deliveries come some moments after the first posts. */
const POSTING_MARGIN = 1_000;

/** Of the api through which posts come. */
export const API_POOL_SIZE = 10;

/** Rows and messages that are made at once. */
const SEED_BATCH = 2_000;

/** A backlog that runs dry measures the tuner; when less than this many seconds are left, it is filled again for so many. */
const REFILL_BELOW_SECONDS = 1;
const REFILL_SECONDS = 2;

/** Messages that workers have done by a moment of `performance.now()`, milliseconds. */
interface Progress {
  readonly at: number;
  readonly done: number;
}

/** Messages to add to those that wait in the queue. What lies between the moments may be a refill that itself took seconds. */
export function refill(before: Progress, now: Progress, waiting: number): number {
  const perSecond = (1_000 * (now.done - before.done)) / (now.at - before.at);
  return waiting < perSecond * REFILL_BELOW_SECONDS ? Math.ceil(perSecond * REFILL_SECONDS) : 0;
}

/**
 * Messages that are delivered together end together: a window of less than a round sees all of them, or none. Measured: 4 x 100 of 20 ms
 * CPU on two cores, which take 4 s, "did" 10 a second in 5 s, and 80 in 12 s.
 */
const ROUNDS_IN_A_WINDOW = 3;

export interface StageOptions {
  readonly mix: Mix;
  readonly templates: readonly Template[];
  readonly users: number;
  /**
   * How long a point runs before it counts, milliseconds: code is compiled, pools and statements are made. That is CPU: where more
   * workers than cores warm up at once, it lasts as much longer. At least a round of what is in flight.
   */
  readonly warmUp: number;
}

export class Stage {
  private readonly folder = mkdtempSync(join(tmpdir(), 'friendship-tune-'));
  private readonly dead = new AbortController();
  private workers: ServiceProcess[] = [];
  private seeded = 0;

  private constructor(
    private readonly environment: Environment,
    private readonly options: StageOptions,
    private readonly database: TuneDatabaseRepository,
    private readonly broker: TuneBroker,
    private readonly postmaster: number | undefined,
    private readonly brokerPid: number | undefined,
    private readonly key: string,
    /** How many connections the server had left when nothing of this ran. */
    readonly freeConnections: number,
  ) {}

  private api: ServiceProcess | undefined;
  private openLoop: OpenLoop | undefined;

  static async create(server: Environment, options: StageOptions): Promise<Stage> {
    const name = `friendship_tune_${randomBytes(4).toString('hex')}`;
    const database = await TuneDatabaseRepository.create(server.DATABASE_URL, name);
    try {
      // From nothing but the servers: no queue or service of the operator's own settings may be reached.
      const environment = readEnvironment({
        APP_ROLE: 'worker',
        DATABASE_URL: database.url,
        DATABASE_TIMEOUT: `${server.DATABASE_TIMEOUT}ms`,
        RABBITMQ_URL: server.RABBITMQ_URL,
        RABBITMQ_EXCHANGE: `${name}_exchange`,
        RABBITMQ_QUEUE: name,
        RABBITMQ_ANALYSIS_QUEUE: `${name}_analysis`,
        RABBITMQ_RPC_QUEUE: `${name}_rpc`,
      });
      await migrate(environment);
      const broker = await TuneBroker.connect(environment);
      const brokerPid = listenerOn(Number(new URL(server.RABBITMQ_URL).port) || 5672);
      const postmaster = postmasterOf(await database.backend());
      const free = await database.freeConnections();
      const key = randomBytes(16).toString('hex');
      return new Stage(environment, options, database, broker, postmaster, brokerPid, key, free);
    } catch (error) {
      await database.drop();
      throw error;
    }
  }

  get databaseName(): string {
    return this.database.name;
  }

  /** With the password. */
  get databaseUrl(): string {
    return this.database.url;
  }

  /** Works through a backlog that never runs dry, for `milliseconds` after the warm-up, or for some rounds where those take longer. */
  async backlog(
    point: Point,
    why: string,
    milliseconds: number,
    expected: number,
    signal: AbortSignal,
  ): Promise<Measurement> {
    const { warmUp, window: lasting } = this.timesOf(point, milliseconds, point);
    const enough = Math.ceil((expected * (warmUp + lasting) * 1.5) / 1_000);
    return this.underLoad(point, enough, signal, async (_workers, stop) => {
      await delay(warmUp, undefined, { signal: stop });
      const window = await this.observe(lasting, stop);
      return { ...window, ...point, why, load: 'backlog', critical: undefined, offered: undefined };
    });
  }

  /**
   * Lets `work` watch workers that have a backlog which never runs dry. All of them have taken messages by then.
   * @param events how many are stored and queued to begin with; more come as they are needed
   * @param variables of the workers, instead of what the point says
   */
  async underLoad<T>(
    point: Point,
    events: number,
    signal: AbortSignal,
    work: (workers: readonly ServiceProcess[], stop: AbortSignal) => Promise<T>,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    return this.withWorkers(
      point,
      signal,
      async (stop) => {
        const refill = this.keepFilled(stop);
        try {
          await this.untilAllWork(stop);
          return await work(this.workers, stop);
        } finally {
          refill.stop();
          await refill.stopped;
        }
      },
      { variables, backlog: events + 2 * point.workers * point.concurrency },
    );
  }

  /**
   * Posts at a rate through the api, and works on what comes, for `milliseconds` after the warm-up.
   * @param variables of the workers, instead of what the point says
   */
  async atRate(
    point: Point,
    why: string,
    milliseconds: number,
    perSecond: number,
    signal: AbortSignal,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<Measurement> {
    const work = async (stop: AbortSignal): Promise<Measurement> => {
      const loop = await this.startApi(stop);
      // Only now: a window that began with the start of the processes would outlast the posts.
      await this.untilAllListen(stop);
      // Messages that come one by one are worked on one by one.
      const { warmUp, window: lasting } = this.timesOf(point, milliseconds, { workers: 1, concurrency: 1 });
      const posting = loop.run(perSecond, warmUp + lasting + POSTING_MARGIN, () => ++this.seeded, stop);
      await this.untilAllWork(stop);
      await delay(warmUp, undefined, { signal: stop });
      const since = Date.now();
      const window = await this.observe(lasting, stop);
      await posting;
      await this.untilNothingIsPending(stop);
      const critical = await this.database.criticalTimes(since);
      return { ...window, ...point, why, load: 'open loop', critical, offered: perSecond };
    };
    return this.withWorkers(point, signal, work, { variables });
  }

  /** Posts `total` conversations as fast as `users` callers can, and measures until all are counted. */
  async burst(point: Point, why: string, total: number, users: number, signal: AbortSignal): Promise<Measurement> {
    return this.withWorkers(point, signal, async (stop) => {
      const loop = await this.startApi(stop);
      await this.untilAllListen(stop);
      const since = Date.now();
      const begun = performance.now();
      const settled = new AbortController();
      const watching = this.observe(120_000, stop, settled.signal);
      await loop.burst(total, users, () => ++this.seeded, stop);
      await this.untilNothingIsPending(stop);
      const seconds = (performance.now() - begun) / 1_000;
      settled.abort();
      const window = await watching;
      const critical = await this.database.criticalTimes(since);
      return {
        ...window,
        ...point,
        seconds,
        throughput: total / seconds,
        why,
        load: 'open loop',
        critical,
        offered: undefined,
      };
    });
  }

  /** Ends, drops and deletes everything that was made. */
  async remove(): Promise<void> {
    this.openLoop?.close();
    await Promise.all([...this.workers, ...(this.api ? [this.api] : [])].map((one) => one.kill()));
    await Promise.allSettled([this.broker.delete(), this.database.drop()]).then((results) => {
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    });
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** How long a point runs before it counts, and how long it is watched. @param inFlight what begins at once there */
  private timesOf(point: Point, milliseconds: number, inFlight: Pick<Point, 'workers' | 'concurrency'>) {
    const round = roundTime(inFlight, this.options.mix, CORES);
    // Cold, four workers on two cores did two thirds of what they did warm, and were passed over.
    const warmUp = Math.max(this.options.warmUp * Math.max(1, point.workers / CORES), round);
    return { warmUp, window: Math.max(milliseconds, ROUNDS_IN_A_WINDOW * round) };
  }

  private async withWorkers<T>(
    point: Point,
    outer: AbortSignal,
    work: (stop: AbortSignal) => Promise<T>,
    { variables = {}, backlog = 0 }: { variables?: Readonly<Record<string, string>>; backlog?: number } = {},
  ): Promise<T> {
    const stop = AbortSignal.any([outer, this.dead.signal]);
    stop.throwIfAborted();
    await this.broker.empty();
    await this.database.empty();
    // Before there are workers: four of them on two cores made 20,000 take 40 s instead of 3 s.
    await this.seed(backlog);
    this.workers = Array.from({ length: point.workers }, (_, index) =>
      this.start('worker', `worker-${index}`, point, variables),
    );
    try {
      return await work(stop);
    } finally {
      await Promise.all(this.workers.map((worker) => worker.kill()));
      this.workers = [];
    }
  }

  private async startApi(signal: AbortSignal): Promise<OpenLoop> {
    this.api ??= this.start('api', 'api', { workers: 1, concurrency: 1, poolSize: API_POOL_SIZE, group: 1 });
    const url = await this.api.listening(signal);
    this.openLoop ??= new OpenLoop(url, this.key, this.options.templates, this.options.users);
    return this.openLoop;
  }

  private start(
    role: 'api' | 'worker',
    name: string,
    point: Point,
    more: Readonly<Record<string, string>> = {},
  ): ServiceProcess {
    const { environment } = this;
    const idle: Mix = { serviceTime: 0, cpuTime: 0 };
    const variables = {
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'info',
      API_KEYS: this.key,
      DATABASE_URL: environment.DATABASE_URL,
      RABBITMQ_URL: environment.RABBITMQ_URL,
      RABBITMQ_EXCHANGE: environment.RABBITMQ_EXCHANGE,
      RABBITMQ_QUEUE: environment.RABBITMQ_QUEUE,
      RABBITMQ_ANALYSIS_QUEUE: environment.RABBITMQ_ANALYSIS_QUEUE,
      RABBITMQ_RPC_QUEUE: environment.RABBITMQ_RPC_QUEUE,
      DATABASE_TIMEOUT: `${environment.DATABASE_TIMEOUT}ms`,
      DATABASE_POOL_SIZE: String(point.poolSize),
      MESSAGE_CONCURRENCY_PER_WORKER: String(point.concurrency),
      RABBITMQ_CHANNELS: String(channelsFor(point.concurrency)),
      COMMIT_GROUP_SIZE: String(point.group),
      ...more,
    };
    readEnvironment(variables, { APP_ROLE: role }); // a mistake of ours is better told here than by a process that dies
    const log = join(this.folder, `${name}.log`);
    return new ServiceProcess(role, variables, role === 'worker' ? this.options.mix : idle, log, (error) =>
      this.dead.abort(error),
    );
  }

  private async seed(count: number): Promise<void> {
    for (let left = count; left > 0; left -= SEED_BATCH) {
      const size = Math.min(left, SEED_BATCH);
      const messages = await this.database.seed(
        this.seeded + 1,
        this.seeded + size,
        this.options.users,
        this.options.templates,
      );
      this.seeded += size;
      await this.broker.publish(messages);
    }
  }

  private keepFilled(signal: AbortSignal): { stop: () => void; stopped: Promise<void> } {
    let going = true;
    const run = async () => {
      let before = { at: performance.now(), done: this.done() };
      while (going && !signal.aborted) {
        await delay(SAMPLE_INTERVAL);
        const now = { at: performance.now(), done: this.done() };
        await this.seed(refill(before, now, await this.broker.waiting()));
        before = now;
      }
    };
    return { stop: () => (going = false), stopped: run().catch((error: unknown) => this.dead.abort(error)) };
  }

  private done(): number {
    return this.workers.reduce((sum, worker) => sum + (worker.latest?.done ?? 0), 0);
  }

  private async untilAllListen(signal: AbortSignal): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.listening(signal)));
  }

  /** All workers have taken messages. */
  private async untilAllWork(signal: AbortSignal): Promise<void> {
    await this.untilAllListen(signal);
    const deadline = Date.now() + 30_000;
    while (!this.workers.every(({ latest }) => (latest?.delivered ?? 0) > 0)) {
      signal.throwIfAborted();
      if (Date.now() > deadline)
        throw new Error('tune: expected every worker to take a message within 30 s of its start');
      await delay(20);
    }
  }

  private async untilNothingIsPending(signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + 60_000;
    while ((await this.database.pending()) > 0) {
      signal.throwIfAborted();
      if (Date.now() > deadline) return; // overload: what the window saw stands
      await delay(SAMPLE_INTERVAL);
    }
  }

  /** Watches for `milliseconds`, or until `enough`. */
  private observe(milliseconds: number, signal: AbortSignal, enough?: AbortSignal) {
    const { workers, api, postmaster, brokerPid } = this;
    const waiting = () => this.broker.waiting();
    return observe({ workers, api, postmaster, brokerPid, waiting }, milliseconds, signal, enough);
  }
}
