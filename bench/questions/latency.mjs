// @ts-check
/** How long a message takes when there is no backlog: from its delivery, and from its acceptance, to its commit. */
import { at, latencyEntrants } from '../offered-load.mjs';
import { plain, python, service } from '../peers/contenders.mjs';
import { ensurePython } from '../peers/python/install.mjs';
import { takeTurns } from '../rounds.mjs';

const PER_MESSAGE = service({ concurrency: 10 });
const GROUPED = service({ concurrency: 300, group: 100 });
const PLAIN = plain({ concurrency: 10 });
const HONEST_PYTHON = python('one-commit');

/** Messages a second. 1,000 is more than every second contender can do. */
const RATES = [100, 200, 500, 1_000];

/** The most that a contender keeps up with, where that is less. */
const MOST = new Map([
  [HONEST_PYTHON.series, 200],
  [python('threads').series, 100],
]);

const ROUNDS = 7;

/** @type {readonly import('../targets.cjs').Target[]} */
const TARGETS = [
  {
    name: '2. p99 delivery → commit at 200/s, grouped ÷ per-message',
    of: at(GROUPED, 200),
    against: at(PER_MESSAGE, 200),
    figure: 'delivery_p99',
    atMost: 1.2,
  },
  {
    // Here a message waits in the queue where the contender does not keep up, which delivery → commit does not see.
    name: '2. p99 acceptance → commit at 1,000/s, grouped ÷ per-message',
    of: at(GROUPED, 1_000),
    against: at(PER_MESSAGE, 1_000),
    figure: 'acceptance_p99',
    atMost: 1,
  },
  {
    name: '3. p99 delivery → commit at 200/s ÷ plain amqplib + pg',
    of: at(PER_MESSAGE, 200),
    against: at(PLAIN, 200),
    figure: 'delivery_p99',
    atMost: 1.5,
  },
];

/** @type {import('../question.mjs').Question} */
export default {
  name: 'latency',
  asks: 'How long does a message take when there is no backlog?',
  minutes: 8,
  targets: TARGETS,
  charts: [
    { title: 'Delivery → commit, 99 of 100 are faster', figures: ['delivery_p99'] },
    { title: 'Acceptance → commit, 99 of 100 are faster', figures: ['acceptance_p99'] },
  ],
  async run(context) {
    const { quick, progress, signal } = context;
    const withoutPython = await ensurePython(context);
    if (withoutPython !== undefined) progress.note(withoutPython);
    const contenders = [
      PER_MESSAGE,
      GROUPED,
      PLAIN,
      ...(quick || withoutPython ? [] : [HONEST_PYTHON, python('threads')]),
    ];
    const seconds = quick ? 2 : 4;
    const loads = (quick ? [200, 1_000] : RATES).map((rate) => ({ rate, seconds }));
    const entrants = await latencyEntrants(contenders, { loads, most: MOST }, context);
    return {
      settings: { rounds: ROUNDS, 'seconds of each run': seconds },
      measurements: await takeTurns(entrants, { rounds: ROUNDS, targets: TARGETS, progress, signal }),
      series: Object.fromEntries(contenders.map(({ series, what }) => [series, what])),
    };
  },
};
