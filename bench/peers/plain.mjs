// @ts-check
/**
 * The least that does the work: amqplib, pg, and the service's own statements and rules, prepared by name. No framework, no retries, no logs;
 * a message that fails ends the process. What the service adds to this is what it costs.
 *
 * Reads DATABASE_URL, RABBITMQ_URL, RABBITMQ_QUEUE, MESSAGE_CONCURRENCY_PER_WORKER, BUSINESS_TIME_ZONE;
 * BENCH_LATENCY=1 makes it write a line for each message, as the service does.
 */
import { createRequire } from 'node:module';
import amqp from 'amqplib';
import pg from 'pg';

const built = createRequire(import.meta.url);
const { APPLY_SCORE, LOAD } = built('../../dist/conversation-events/conversation-events.repository.js');
const { scoreConversation } = built('../../dist/scoring/score.js');

const env = process.env;
const concurrency = Number(env.MESSAGE_CONCURRENCY_PER_WORKER);
const pool = new pg.Pool({
  connectionString: env.DATABASE_URL,
  max: Math.min(concurrency, Number(env.DATABASE_POOL_SIZE ?? 10)),
});
const connection = await amqp.connect(env.RABBITMQ_URL ?? '');
const channel = await connection.createChannel();
await channel.prefetch(concurrency);

/** @type {Set<Promise<void>>} */
const inFlight = new Set();

/** @param {import('amqplib').ConsumeMessage} message */
async function handle(message) {
  const receivedAt = performance.now();
  const { conversation_id: id } = JSON.parse(message.content.toString());
  const client = await pool.connect();
  try {
    const { rows } = await client.query({ ...LOAD, values: [id] });
    const event = rows[0];
    if (event.status === 'PENDING') {
      const score = scoreConversation({
        lines: JSON.parse(event.conversation_log),
        userInitiatedQuestions: event.user_initiated_questions,
        sessionEmotion: event.session_emotion,
        newMemoriesCount: event.new_memories_count,
      });
      await client.query({
        ...APPLY_SCORE,
        values: [
          id,
          score.friendship_score_change,
          JSON.stringify(score),
          score.rule_version,
          score.total_turns,
          env.BUSINESS_TIME_ZONE,
        ],
      });
    }
  } finally {
    client.release();
  }
  channel.ack(message);
  if (env.BENCH_LATENCY)
    console.log(JSON.stringify({ msg: 'processed', processing_ms: performance.now() - receivedAt }));
}

const { consumerTag } = await channel.consume(env.RABBITMQ_QUEUE ?? '', (message) => {
  if (message === null) return;
  const work = handle(message).finally(() => inFlight.delete(work));
  inFlight.add(work);
});

process.once('SIGTERM', async () => {
  await channel.cancel(consumerTag);
  await Promise.all(inFlight);
  await connection.close();
  await pool.end();
});
