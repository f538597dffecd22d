// @ts-check
/** How fast a backlog drains, next to what else one could have built, and to what nothing can pass. */
import { drains } from '../drains.mjs';
import { acknowledgingOnly, pgbench } from '../limits.mjs';
import { at, latencyEntrants } from '../offered-load.mjs';
import { golevelupEntities, nestTransport, plain, python, service } from '../peers/contenders.mjs';
import { PYTHON, ensurePython } from '../peers/python/install.mjs';

/** As many as one commit may hold, and what keeps two such commits under way and a third group forming. */
const GROUP = { group: 100, concurrency: 300 };

const PER_MESSAGE = service({ concurrency: 10 });
const GROUPED = service(GROUP);
const PLAIN = plain({ concurrency: 10 });
const HONEST_PYTHON = python('one-commit');
const LOAD_AND_APPLY = 'pgbench, load + apply';

/** pgbench's clients; more bring nothing on two processors. */
const CLIENTS = 10;

const CONTENDERS = {
  quick: [PER_MESSAGE, PLAIN, GROUPED, python('threads'), HONEST_PYTHON, nestTransport()],
  full: [
    ...[10, 20, 50, 100].map((concurrency) => service({ concurrency })),
    service({ concurrency: 10, processes: 2 }),
    ...[10, 20, 50, 100].map((concurrency) => plain({ concurrency })),
    ...[20, 50, 100].map((concurrency) => service({ concurrency, group: 100 })),
    GROUPED,
    service({ ...GROUP, processes: 2 }),
    python('sequential'),
    python('threads'),
    HONEST_PYTHON,
    nestTransport(),
    golevelupEntities(),
  ],
};

const ROUNDS = 7;
const BACKLOG = { events: 20_000, childrenPerEvent: 0.5 };

/** In a quick run, the part of target 2 that the question `latency` judges otherwise: messages a second, for so many seconds. */
const QUICK_LATENCY = [
  { rate: 200, seconds: 1.5 },
  { rate: 1_000, seconds: 1 },
];

/** @type {readonly import('../targets.cjs').Target[]} */
const TARGETS = [
  {
    name: '1. per-message rate ÷ plain amqplib + pg',
    of: PER_MESSAGE.series,
    against: PLAIN.series,
    figure: 'rate',
    atLeast: 0.9,
  },
  {
    name: '1. per-message rate ÷ Python with 10 threads',
    of: PER_MESSAGE.series,
    against: python('threads').series,
    figure: 'rate',
    atLeast: 9,
  },
  {
    name: '1. per-message rate ÷ the honest Python peer',
    of: PER_MESSAGE.series,
    against: HONEST_PYTHON.series,
    figure: 'rate',
    atLeast: 5,
  },
  {
    name: "1. per-message rate ÷ Nest's own transport",
    of: PER_MESSAGE.series,
    against: nestTransport().series,
    figure: 'rate',
    atLeast: 3.5,
  },
  {
    name: '1. worker CPU per message ÷ plain amqplib + pg',
    of: PER_MESSAGE.series,
    against: PLAIN.series,
    figure: 'worker_us',
    atMost: 1.25,
  },
  {
    name: '2. grouped rate ÷ pgbench, load + apply one by one',
    of: GROUPED.series,
    against: LOAD_AND_APPLY,
    figure: 'rate',
    atLeast: 1,
    aim: 1.5,
  },
  {
    name: '2. grouped rate ÷ the honest Python peer',
    of: GROUPED.series,
    against: HONEST_PYTHON.series,
    figure: 'rate',
    atLeast: 16,
    aim: 28,
  },
  { name: '2. all CPU of a message in groups, µs', of: GROUPED.series, figure: 'total_us', atMost: 220, aim: 140 },
  {
    name: '2. p99 delivery → commit at 200/s, grouped ÷ per-message',
    of: at(GROUPED, 200),
    against: at(PER_MESSAGE, 200),
    figure: 'delivery_p99',
    atMost: 1.2,
    only: 'quick',
  },
  {
    // Here a message waits in the queue where the contender does not keep up, which delivery → commit does not see.
    name: '2. p99 acceptance → commit at 1,000/s, grouped ÷ per-message',
    of: at(GROUPED, 1_000),
    against: at(PER_MESSAGE, 1_000),
    figure: 'acceptance_p99',
    atMost: 1,
    only: 'quick',
  },
];

/** @type {import('../question.mjs').Question} */
export default {
  name: 'throughput',
  asks: 'How fast does a backlog drain, and what does a message cost?',
  minutes: 19,
  targets: TARGETS,
  charts: [
    { title: 'Messages a second', figures: ['rate'] },
    { title: 'CPU of one message', figures: ['worker_us', 'postgres_us', 'rabbitmq_us'], stacked: true },
  ],
  async run(context) {
    const { quick, arenas, signal, progress } = context;
    const withoutPython = await ensurePython(context);
    if (withoutPython !== undefined) progress.note(withoutPython);
    const contenders = (quick ? CONTENDERS.quick : CONTENDERS.full).filter(
      ({ command }) => withoutPython === undefined || command[0] !== PYTHON,
    );
    const scripts = [
      { script: 'load-and-apply.sql', what: LOAD_AND_APPLY },
      { script: 'explicit-statements.sql', what: 'pgbench, statement by statement' },
      { script: 'apply-only.sql', what: 'pgbench, apply only' },
    ];
    const limits = [];
    const limitEvents = quick ? 4_000 : BACKLOG.events;
    for (const { script, what } of quick ? scripts.slice(0, 1) : scripts) {
      const arena = await arenas.open(script.replace('.sql', ''));
      limits.push(await pgbench(arena, { script, what, clients: CLIENTS, ...BACKLOG, events: limitEvents, signal }));
    }
    if (!quick)
      limits.push(await acknowledgingOnly(await arenas.open('ack-only'), { prefetch: 50, events: BACKLOG.events }));
    const latencies = quick ? await latencyEntrants([PER_MESSAGE, GROUPED], { loads: QUICK_LATENCY }, context) : [];
    const options = { ...BACKLOG, rounds: ROUNDS, targets: TARGETS, seconds: quick ? 1 : 10 };
    return {
      settings: {
        rounds: options.rounds,
        'messages at most': options.events,
        'seconds at most': options.seconds,
        'lines of a log': 20,
      },
      measurements: await drains(contenders, options, context, [...limits, ...latencies]),
      series: {
        ...Object.fromEntries(contenders.map(({ series, what }) => [series, what])),
        ...Object.fromEntries(limits.map(({ series }) => [series, 'a limit, not a peer'])),
      },
    };
  },
};
