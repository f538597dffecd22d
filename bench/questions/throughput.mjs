// @ts-check
/** How fast a backlog drains, next to what else one could have built. */
import { drains } from '../drains.mjs';
import { plain, service } from '../peers/contenders.mjs';

/** @type {import('../question.mjs').Question} */
export default {
  name: 'throughput',
  asks: 'How fast does a backlog drain, and what does a message cost?',
  minutes: 20,
  targets: [
    {
      name: 'rate, per-message commit ÷ plain amqplib + pg (C = 10)',
      of: 'service C=10',
      against: 'plain C=10',
      figure: 'rate',
      atLeast: 0.9,
    },
    {
      name: 'worker CPU, per-message commit ÷ plain amqplib + pg (C = 10)',
      of: 'service C=10',
      against: 'plain C=10',
      figure: 'worker_us',
      atMost: 1.25,
    },
  ],
  charts: [
    { title: 'Messages a second', figures: ['rate'] },
    { title: 'CPU of a message', figures: ['worker_us', 'postgres_us', 'rabbitmq_us'], stacked: true },
  ],
  async run(context) {
    const contenders = [service({ concurrency: 10 }), plain({ concurrency: 10 })];
    const settings = context.quick
      ? { rounds: 7, events: 20_000, seconds: 1.5 }
      : { rounds: 7, events: 20_000, seconds: 10 };
    return {
      settings,
      measurements: await drains(contenders, settings, context),
      series: Object.fromEntries(contenders.map(({ series, what }) => [series, what])),
    };
  },
};
