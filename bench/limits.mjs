// @ts-check
/** What nothing can pass: the broker alone, and the database alone, with the same messages and the same rows. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import amqp from 'amqplib';
import { lastLines, run as runProgram } from '../scripts/processes.mjs';
import { checkoutDir } from '../scripts/services/checkout.mjs';
import { findPostgres, isOnPath } from '../scripts/services/find-binaries.mjs';
import { publish } from './arena.mjs';
import { perMessage, startMeter } from './contender.mjs';
import { TIME_ZONE } from './workload.cjs';

const built = createRequire(import.meta.url);

/**
 * A consumer that only acknowledges, one by one. It runs in this process.
 * @param {import('./arena.mjs').Arena} arena
 * @param {{ prefetch: number, events: number }} options
 * @returns {Promise<import('./rounds.mjs').Entrant>}
 */
export async function acknowledgingOnly(arena, { prefetch, events }) {
  return {
    series: `consumer that only acks, prefetch ${prefetch}`,
    async measure() {
      await arena.channel.purgeQueue(arena.queue);
      await publish(arena.channel, arena.queue, { events, children: events });
      const connection = await amqp.connect(arena.env.RABBITMQ_URL ?? '');
      try {
        const channel = await connection.createChannel();
        await channel.prefetch(prefetch);
        const meter = startMeter({ arena, processes: [{ pid: process.pid, identity: '' }] });
        const startedAt = performance.now();
        let acknowledged = 0;
        await new Promise((resolve) => {
          void channel.consume(arena.queue, (message) => {
            if (message === null) return;
            channel.ack(message);
            if (++acknowledged === events) resolve(undefined);
          });
        });
        const seconds = (performance.now() - startedAt) / 1000;
        const used = meter();
        return {
          figures: { rate: events / seconds, seconds, events, ...perMessage({ ...used, memory: undefined }, events) },
          wrong: [],
        };
      } finally {
        await connection.close();
      }
    },
  };
}

/**
 * pgbench with one of the committed scripts.
 * @param {import('./arena.mjs').Arena} arena
 * @param {{ script: string, what: string, clients: number, events: number, childrenPerEvent: number, signal: AbortSignal }} options events: a multiple of clients
 * @returns {Promise<import('./rounds.mjs').Entrant>}
 */
export async function pgbench(arena, { script, what, clients, events, childrenPerEvent, signal }) {
  const program = await findPgbench();
  const breakdown = JSON.stringify(exampleBreakdown());
  const values = { n: 0, clients, breakdown, rule_version: 'friendship-1', time_zone: TIME_ZONE };
  const { href } = new URL(arena.env.DATABASE_URL ?? '');
  const args = [
    ...['--no-vacuum', '--protocol=prepared', `--client=${clients}`, '--jobs=1', `--transactions=${events / clients}`],
    ...Object.entries(values).map(([name, value]) => `--define=${name}=${value}`),
    `--file=${join(checkoutDir, 'bench', 'pgbench', script)}`,
    href,
  ];
  return {
    series: what,
    async measure() {
      const filled = await arena.fill({ events, children: Math.round(events * childrenPerEvent) });
      await filled.begin();
      const meter = startMeter({ arena, processes: [{ pid: process.pid, identity: '' }] });
      const { code, output } = await runProgram(program, args, { env: { ...process.env, PGOPTIONS: '' }, signal });
      signal.throwIfAborted();
      const used = meter();
      const rate = Number(/^tps = ([\d.]+)/m.exec(output)?.[1]);
      if (code !== 0 || !(rate > 0)) throw new Error(`pgbench ended with code ${code}:\n${lastLines(output)}`);
      return {
        figures: {
          rate,
          seconds: events / rate,
          events,
          ...perMessage({ ...used, rabbitmq: undefined, memory: undefined }, events),
        },
        wrong: await arena.check(events),
      };
    },
  };
}

/** Debian puts it beside the server and on the PATH. */
async function findPgbench() {
  if (isOnPath('pgbench')) return 'pgbench';
  const postgres = await findPostgres();
  const program = join(postgres?.binDir ?? '', 'pgbench');
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return program;
  } catch (cause) {
    throw new Error(
      `Expected pgbench on the PATH or in ${dirname(program)}, got neither. It comes with PostgreSQL's server package.`,
      { cause },
    );
  }
}

/** A breakdown as long as any; its numbers are not looked at here. */
function exampleBreakdown() {
  const { scoreConversation } = built('../dist/scoring/score.js');
  const lines = [{ speaker: 'pika' }, { speaker: 'user' }];
  return scoreConversation({ lines, userInitiatedQuestions: 2, sessionEmotion: 'interesting', newMemoriesCount: 1 });
}
