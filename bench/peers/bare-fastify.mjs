// @ts-check
/**
 * A limit, not a peer: Fastify, one INSERT, one confirmed publish, 202. It validates nothing, knows no duplicates, and has no answer for a
 * broker that is away.
 *
 * Reads DATABASE_URL, RABBITMQ_URL, RABBITMQ_QUEUE.
 */
import { createHash } from 'node:crypto';
import amqp from 'amqplib';
import fastify from 'fastify';
import pg from 'pg';

const env = process.env;
const pool = new pg.Pool({ connectionString: env.DATABASE_URL, max: Number(env.DATABASE_POOL_SIZE ?? 10) });
const connection = await amqp.connect(env.RABBITMQ_URL ?? '');
const channel = await connection.createConfirmChannel();
const queue = env.RABBITMQ_QUEUE ?? '';

const INSERT = {
  name: 'insert',
  text: `INSERT INTO conversation_events
           (conversation_id, user_id, bot_id, bot_name, bot_type, agent_tag, start_time, end_time, conversation_log,
            user_initiated_questions, session_emotion, new_memories_count, fingerprint)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING accepted_at`,
};

const app = fastify();
app.get('/health/ready', () => ({ status: 'ok' }));
app.post('/v1/conversations/end', async (request, reply) => {
  const body = /** @type {any} */ (request.body);
  const { conversation_id, user_id, bot_id, metadata = {} } = body;
  const log = JSON.stringify(body.conversation_log);
  const { rows } = await pool.query({
    ...INSERT,
    values: [
      ...[
        conversation_id,
        user_id,
        bot_id,
        body.bot_name,
        body.bot_type,
        body.agent_tag,
        body.start_time,
        body.end_time,
        log,
      ],
      ...[metadata.user_initiated_questions, metadata.session_emotion, metadata.new_memories_count],
      createHash('sha256').update(log).digest(),
    ],
  });
  const message = Buffer.from(JSON.stringify({ conversation_id, user_id, bot_id, enqueued_at: rows[0].accepted_at }));
  await new Promise((resolve, reject) => {
    const options = { persistent: true, messageId: conversation_id, contentType: 'application/json' };
    channel.sendToQueue(queue, message, options, (error) => (error ? reject(error) : resolve(undefined)));
  });
  reply.code(202);
  return { success: true, data: { conversation_id, status: 'PENDING', accepted_at: rows[0].accepted_at } };
});

console.log(JSON.stringify({ msg: 'listening', url: await app.listen({ host: env.HOST, port: Number(env.PORT) }) }));

process.once('SIGTERM', async () => {
  await app.close();
  await connection.close();
  await pool.end();
});
