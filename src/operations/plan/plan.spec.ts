import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { capacity, memoryOf, poolFor, roundTime } from './capacity';
import { MEASURED_COSTS } from './measured-costs';
import { makePlan, type Plan, type PlanInput } from './plan';
import { PLAN_OPTIONS, readPlanRequest } from './plan-options';
import { planProblems, settingsProblems } from './plan-problems';
import { answerLine, environmentLines } from './plan-text';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plan-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** @returns the path of a file with this text */
function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function planned(line: string): Promise<{ plan: Plan; input: PlanInput; problems: string[] }> {
  const { values } = parseArgs({ args: line.split(' '), options: PLAN_OPTIONS });
  const { input } = await readPlanRequest(values);
  const plan = makePlan(input!);
  return { plan, input: input!, problems: planProblems(plan, input!) };
}

describe('plan', () => {
  it("holds what Little's law asks for, with the target's room", async () => {
    const { plan, problems } = await planned('--cores 8 --service-time 5s --cpu-time 4ms --rate 200/s');
    expect(problems).toEqual([]);
    expect(plan.inFlight).toBeCloseTo(
      200 * (5 + 0.004 + (MEASURED_COSTS.workerCpu + MEASURED_COSTS.connectionTime) / 1_000),
    );
    expect(plan.workers * plan.concurrency).toBeGreaterThanOrEqual(plan.inFlight / 0.7);
    expect(plan.concurrency).toBe(plan.channels * plan.prefetch);
  });

  it('asks for as many processes as the utilisation law does', async () => {
    const { plan } = await planned('--cores 16 --cpu-time 20ms --rate 300/s');
    expect(plan.workers).toBe(Math.ceil((0.3 * (20 + MEASURED_COSTS.workerCpu)) / 0.7));
  });

  it('names the resource that binds first', async () => {
    const slow = await planned('--cores 8 --service-time 5s --rate 200/s');
    const busy = await planned('--cores 4 --cpu-time 20ms --rate 100/s --concurrency 50 --workers 3 --pool 10');
    expect(slow.plan.capacity.binding).toBe('slots');
    expect(busy.plan.capacity.binding).toBe('process');
  });

  it('knows how long all that is in flight takes: waits overlap, computing does not', () => {
    const mix = { serviceTime: 200, cpuTime: 20 };
    expect(roundTime({ workers: 2, concurrency: 1 }, mix, 2)).toBe(220);
    expect(roundTime({ workers: 1, concurrency: 100 }, mix, 2)).toBe(2_200);
    expect(roundTime({ workers: 4, concurrency: 100 }, mix, 2)).toBe(4_200);
  });

  it('writes lines that the service reads', async () => {
    const { plan, input } = await planned('--cores 8 --service-time 200ms --rate 500/s');
    const file = written('.env', environmentLines(plan, input).join('\n'));
    const { values } = parseArgs({ args: ['--check', file], options: PLAN_OPTIONS });
    const request = await readPlanRequest(values);
    expect(request.fileProblems).toEqual([]);
    expect(settingsProblems(request)).toEqual([]);
  });

  it('gives C to the lane in which messages wait, and to the calls that they wait for', async () => {
    const waiting = await planned('--cores 4 --service-time 5s --cpu-time 4ms --rate 200/s');
    const { concurrency } = waiting.plan;
    const lines = environmentLines(waiting.plan, waiting.input);
    expect(lines).toEqual(
      expect.arrayContaining([
        `ANALYSIS_CONCURRENCY_PER_WORKER=${concurrency}`,
        `ANALYSIS_LLM_CONCURRENCY=${concurrency}`,
        `MEMORY_API_CONCURRENCY=${concurrency}`,
      ]),
    );
    expect(lines.join()).not.toContain('MESSAGE_CONCURRENCY_PER_WORKER');
    const computing = await planned('--cores 4 --cpu-time 4ms --rate 200/s');
    expect(environmentLines(computing.plan, computing.input).join()).not.toContain('ANALYSIS');
  });

  it('takes more workers where one would hold more than the service allows', async () => {
    const { plan, problems } = await planned('--cores 8 --service-time 60s --rate 200/s --consumer-timeout 1h');
    expect(problems).toEqual([]);
    expect(plan.workers).toBeGreaterThan(1);
    expect(plan.concurrency).toBeLessThanOrEqual(10_000);
  });

  it('leaves room for catching up only as far as connections go', async () => {
    const { plan, problems } = await planned('--cores 32 --cpu-time 10ms --rate 650/s');
    expect(problems).toEqual([]);
    expect(plan.maxReplicas).toBeGreaterThanOrEqual(plan.workers);
    expect(plan.maxReplicas).toBeLessThan(2 * plan.workers);
  });

  it('gives more capacity for more of anything, and never less', () => {
    const mix = { serviceTime: 100, cpuTime: 2 };
    const machine = { cores: 4, shared: true };
    const at = (workers: number, concurrency: number, poolSize: number) =>
      capacity({ workers, concurrency, poolSize }, mix, machine, MEASURED_COSTS).perSecond;
    for (const [w, c, p] of [
      [1, 1, 1],
      [2, 10, 5],
      [8, 100, 20],
    ]) {
      expect(at(w + 1, c, p)).toBeGreaterThanOrEqual(at(w, c, p));
      expect(at(w, c + 1, p)).toBeGreaterThanOrEqual(at(w, c, p));
      expect(at(w, c, p + 1)).toBeGreaterThanOrEqual(at(w, c, p));
    }
  });

  it('counts a process dear and a message in flight cheap', () => {
    const manyProcesses = memoryOf({ workers: 100, concurrency: 1, poolSize: 1 }, MEASURED_COSTS);
    const manyMessages = memoryOf({ workers: 10, concurrency: 10, poolSize: 1 }, MEASURED_COSTS);
    expect(manyProcesses / manyMessages).toBeGreaterThan(8);
  });

  it('gives a worker no more connections than messages in flight and one', () => {
    expect(poolFor(10_000, 4, MEASURED_COSTS)).toBe(5);
    expect(poolFor(0.001, 100, MEASURED_COSTS)).toBe(2);
  });
});

describe('plan refuses', () => {
  const bad: [name: string, line: string, message: RegExp][] = [
    ['too few cores', '--cores 2 --cpu-time 20ms --rate 200/s', /^cores: expected at least .+ got 2: add cores/],
    [
      'more connections than the budget',
      '--cores 64 --cpu-time 4ms --rate 2000/s --max-replicas 50 --pool 10',
      /^connections: expected all processes together to need at most 97 connections .+ got \d+ = \(50 workers \+ 1 surge .+: lower DATABASE_POOL_SIZE/,
    ],
    [
      'a grace period below the drain',
      '--cores 8 --service-time 5s --rate 20/s --grace-period 20s',
      /^grace period: expected at least SHUTDOWN_TIMEOUT 25s \+ 4s to close, got 20s: raise the grace period to 29s/,
    ],
    [
      'a drain below the longest message',
      '--cores 8 --service-time 19s --rate 20/s --shutdown-timeout 25s --longest-message 60s',
      /^shutdown: expected SHUTDOWN_TIMEOUT to be at least the longest message, 60s, got 25s: raise/,
    ],
    [
      'prefetch that hoards',
      '--cores 8 --cpu-time 20ms --rate 20/s --concurrency 2000',
      /^prefetch: expected a worker to hold at most 5s of work, got 40.8s from C 2000 .+ lower C to 245, and raise W instead/,
    ],
    [
      'a consumer time-out below the longest message',
      '--cores 8 --service-time 5s --rate 20/s --consumer-timeout 5m',
      /^consumer time-out: expected RabbitMQ's consumer_timeout to be above .+ got 5m: raise it/,
    ],
    [
      'more retries than the delivery limit',
      '--cores 8 --rate 20/s --attempts 30 --delivery-limit 20',
      /^delivery limit: expected the broker's limit to be at least 30, .+ got 20: raise the limit/,
    ],
    [
      'a delivery limit that a crashing message reaches first',
      '--cores 8 --rate 20/s --attempts 2 --delivery-limit 3',
      /^delivery limit: expected the broker's limit to be at least 6, .+ got 3/,
    ],
    [
      'less memory than the processes need',
      '--cores 64 --cpu-time 20ms --rate 1000/s --memory 1GiB',
      /^memory: expected at most 1 GiB for all workers, got .+ replicas \+ 1 surge \+ 1 draining.+ add memory/,
    ],
    [
      'fewer replicas than the rate needs',
      '--cores 64 --cpu-time 20ms --rate 1000/s --max-replicas 5',
      /^max replicas: expected at least the 30 workers that the rate needs, got 5: raise/,
    ],
    [
      'too little in flight',
      '--cores 8 --service-time 5s --rate 200/s --workers 4 --concurrency 10',
      /^in flight: expected room for 200\/s, got room for 7.99\/s .+: raise C to \d+, or W to \d+/,
    ],
    [
      'a longest message below the mean',
      '--cores 8 --service-time 5s --rate 20/s --longest-message 1s',
      /^longest message: expected at least the mean time of a message, 5s, got 1s: raise --longest-message/,
    ],
    [
      'what the service would refuse at its start',
      '--cores 8 --service-time 4m --rate 1/s',
      /^SHUTDOWN_TIMEOUT: expected a duration 1s..15m.+ got 961s: plan for shorter messages/,
    ],
    [
      'memory that does not suffice for a rollout',
      '--cores 4 --service-time 5s --cpu-time 4ms --rate 200/s --memory 400MiB --workers 2 --max-replicas 2',
      /^memory: expected at most 400 MiB for all workers, got .+ \(2 replicas \+ 1 surge \+ 2 draining\)/,
    ],
    [
      'channels that share C unevenly',
      '--cores 8 --rate 20/s --concurrency 10 --channels 3',
      /^channels: expected C to be a multiple of K, .+ got C 10 and K 3: set C to 12/,
    ],
  ];

  it.each(bad)('%s', async (_name, line, message) => {
    const { problems } = await planned(line);
    expect(problems).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
  });

  it('with every reason at once', async () => {
    const { problems } = await planned(
      '--cores 1 --cpu-time 20ms --rate 500/s --memory 100MiB --max-replicas 1 --db-connections 10 --grace-period 1s --delivery-limit 1 --consumer-timeout 1m',
    );
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'cores',
      'max replicas',
      'memory',
      'connections',
      'grace period',
      'consumer time-out',
      'delivery limit',
    ]);
  });

  it('every option that is not as expected, at once', async () => {
    await expect(planned('--cores many --rate 200 --cpu-time 4')).rejects.toThrow(
      /--cores: expected a number of cores .+ got "many"\n--cpu-time: expected a time .+ got "4"\n--rate: expected a rate .+ got "200"/,
    );
  });

  it('costs that cannot have been measured', async () => {
    const file = written('costs.json', JSON.stringify({ costs: { ...MEASURED_COSTS, workerCpu: 0 } }));
    await expect(planned(`--cores 8 --rate 20/s --measured ${file}`)).rejects.toThrow(/^--measured: expected the JSON/);
    await expect(planned(`--cores 8 --rate 20/s --measured ${file}.none`)).rejects.toThrow(
      `--measured: expected a file that can be read, got ${file}.none (ENOENT)`,
    );
  });
});

describe('plan --measured', () => {
  it('says that a run was interrupted', async () => {
    const remarkOn = async (complete: boolean) => {
      const measured = written('tune.json', JSON.stringify({ complete, costs: MEASURED_COSTS }));
      return (await readPlanRequest({ cores: '8', rate: '20/s', measured })).remark;
    };
    expect(await remarkOn(false)).toMatch(/tune\.json is of a run that was interrupted$/);
    expect(await remarkOn(true)).toBeUndefined();
  });
});

describe('plan --check', () => {
  const check = async (lines: string) => {
    const request = await readPlanRequest({ check: written('.env', lines) });
    return [...request.fileProblems, ...settingsProblems(request)];
  };

  it('tells what a file has wrong by itself', async () => {
    expect(await check('RABBITMQ_CHANNELS=3\nMESSAGE_CONCURRENCY_PER_WORKER=10\n')).toEqual([
      expect.stringContaining('expected a multiple of RABBITMQ_CHANNELS (3)'),
    ]);
    expect(await check('# one\n\nLOG_LEVEL=info\nhello world\n===\n')).toEqual([
      'line 4: expected NAME=value, got a line without =',
      'line 5: expected NAME=value, got a line without a name',
    ]);
    expect(await check('APP_ROLE=banana\n')).toEqual([expect.stringMatching(/^APP_ROLE: expected .+ got "banana"/)]);
  });

  it('counts its connections', async () => {
    expect(await check('WORKER_REPLICAS=40\nDATABASE_POOL_SIZE=10\n')).toEqual([
      expect.stringMatching(/^connections: .+ got 467 = \(40 workers/),
    ]);
  });

  it('believes what the file says of its surroundings', async () => {
    const surroundings = [
      'WORKER_REPLICAS=20',
      'WORKER_SURGE=2',
      'API_REPLICAS=3',
      'DATABASE_CONNECTION_BUDGET=280',
      'RABBITMQ_CONSUMER_TIMEOUT=60m',
      'LONGEST_HOLD=40m',
      'SHUTDOWN_TIMEOUT=30s',
      'TERMINATION_GRACE_PERIOD=34s',
    ].join('\n');
    expect(await check(surroundings)).toEqual([]);
    expect(await check(surroundings.replace('280', '279'))).toEqual([
      expect.stringMatching(/^DATABASE_CONNECTION_BUDGET: .+ at most 279 connections .+ got 280/),
    ]);
  });

  it('needs no secret, nor a file that is put in elsewhere', async () => {
    const lines = ['DATABASE_URL_FILE=/run/secrets/db', 'RABBITMQ_CA_FILE=/run/ca.pem', 'API_KEYS_FILE=/run/keys'];
    expect(await check(lines.join('\n'))).toEqual([]);
    expect(await check(`${lines[0]}\nDATABASE_URL=postgresql://both\n`)).toEqual([
      expect.stringContaining('expected either DATABASE_URL or DATABASE_URL_FILE, got both'),
      expect.stringContaining('DATABASE_URL_FILE'),
    ]);
  });

  it('finds a name that is one slip away from a setting, and leaves other names alone', async () => {
    expect(await check('MESSAGE_CONCURENCY_PER_WORKER=10\nPOSTGRES_PASSWORD=x\n')).toEqual([
      'MESSAGE_CONCURENCY_PER_WORKER: expected MESSAGE_CONCURRENCY_PER_WORKER, got a name that no setting has',
    ]);
  });

  it('refuses what is no text', async () => {
    await expect(check('A=1\n\0\n')).rejects.toThrow(/expected a text file/);
  });

  it('judges an adaptive worker by the most that it may hold, and lets it find less', async () => {
    const lines = 'WORKER_REPLICAS=2\nCONCURRENCY_MODE=adaptive\nMESSAGE_CONCURRENCY_PER_WORKER=1\nCONCURRENCY_MAX=';
    const at = async (most: number, memory = '8GiB') =>
      (await planned(`--cores 4 --rate 500/s --memory ${memory} --check ${written('.env', `${lines}${most}`)}`))
        .problems;
    expect(await at(101)).toEqual([]);
    // Pinned, so many would be hoarded.
    expect(await at(10_000)).toEqual([]);
    expect(await at(10_000, '300MiB')).toEqual([expect.stringMatching(/^memory: .*10000 x/)]);
    expect((await planned(`--cores 4 --rate 2000/s --check ${written('.env', `${lines}1`)}`)).problems).toEqual([
      expect.stringContaining('raise CONCURRENCY_MAX to'),
    ]);
  });

  it('speaks of an adaptive worker in its own terms', async () => {
    const file = written('.env', 'CONCURRENCY_MODE=adaptive\nCONCURRENCY_MAX=100\n');
    const { plan, input } = await planned(`--cores 4 --rate 500/s --check ${file}`);
    expect(answerLine(plan, input)).toContain('x up to C 100 in flight (adaptive), pool');
    expect(environmentLines(plan, input)).toEqual(
      expect.arrayContaining(['CONCURRENCY_MODE=adaptive', 'CONCURRENCY_MAX=100']),
    );
    expect(environmentLines(plan, input).join()).not.toContain('RABBITMQ_CHANNELS');
  });

  it('refuses a C that an adaptive worker never reaches', async () => {
    const adaptive = (c: number) =>
      `CONCURRENCY_MODE=adaptive\nCONCURRENCY_MIN=20\nCONCURRENCY_MAX=100\nMESSAGE_CONCURRENCY_PER_WORKER=${c}\n`;
    expect(await check(adaptive(720))).toEqual([expect.stringContaining('expected at most CONCURRENCY_MAX (100)')]);
    expect(await check(adaptive(10))).toEqual([expect.stringContaining('expected at least CONCURRENCY_MIN (20)')]);
    expect(await check(adaptive(20))).toEqual([]);
    expect(await check('CONCURRENCY_MIN=200\n')).toEqual([
      'CONCURRENCY_MIN: expected at most CONCURRENCY_MAX (100), got 200',
    ]);
  });
});
