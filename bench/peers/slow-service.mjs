// @ts-check
/**
 * What stands in for the external services: answers as their contracts say, after a time that its caller chooses; "never" is never.
 * A process of its own, so that its work is not counted as the worker's. Says `listening URL` once, and serves until it is ended.
 *
 *   node bench/peers/slow-service.mjs 5000
 */
import { createServer } from 'node:http';

const [wait = ''] = process.argv.slice(2);
const delay = wait === 'never' ? undefined : Number(wait);
if (delay !== undefined && !(delay >= 0)) throw new Error(`Expected milliseconds or "never", got "${wait}".`);

const MOOD = JSON.stringify({ user_initiated_questions: 0, session_emotion: 'neutral' });

let open = 0;

const server = createServer({ keepAlive: true }, (request, response) => {
  open++;
  response.on('close', () => open--);
  /** @type {Buffer[]} */
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/open') return response.end(JSON.stringify({ open: open - 1 }));
    if (delay === undefined) return;
    const body = Buffer.concat(chunks).toString('utf8');
    setTimeout(() => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(request.url === '/extract_facts' ? facts(body) : completion()));
    }, delay);
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`listening http://127.0.0.1:${address.port}\n`);
});

/** As many as the workload says that number i has: bench/workload.cjs. */
function facts(/** @type {string} */ body) {
  const number = Number(/** @type {string} */ (JSON.parse(body).conversation_id).slice('bench-'.length));
  const count = number % 2;
  return { status: 'success', count, facts: Array.from({ length: count }, () => ({})) };
}

function completion() {
  return { choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: MOOD } }] };
}
