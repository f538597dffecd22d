// @ts-check
/** What the demo asks the service: over HTTP as its callers do, and with its command line as its operators do. */
import { join } from 'node:path';
import { lastLines, run } from '../processes.mjs';
import { checkoutDir } from '../services/checkout.mjs';

/** @typedef {{ dead_letter_id: string | number, conversation_id: string | null, reason: string, attempts: number }} DeadLetter */

/**
 * @typedef {object} ServiceClient
 * @property {(body: Record<string, unknown>) => Promise<{ status: number, body: any }>} postConversation
 * @property {(conversationId: string) => Promise<{ conversation_id: string, status: string } | undefined>} conversation undefined: never stored
 * @property {(userId: string) => Promise<Record<string, any> | undefined>} friendship undefined: never seen
 * @property {() => Promise<DeadLetter[]>} deadLetters
 */

/**
 * @param {{ apiUrl: string, env: NodeJS.ProcessEnv, signal: AbortSignal }} options
 * @returns {ServiceClient}
 */
export function createClient({ apiUrl, env, signal }) {
  /** @param {string} path @param {RequestInit} [init] */
  const request = async (path, init) => {
    const response = await fetch(`${apiUrl}${path}`, { ...init, signal });
    const text = await response.text();
    try {
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    } catch {
      throw new Error(
        `${init?.method ?? 'GET'} ${path}: expected JSON, got ${response.status} with ${text.length} characters of something else.`,
      );
    }
  };
  /** @param {string} path */
  const find = async (path) => {
    const { status, body } = await request(path);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`GET ${path}: expected 200 or 404, got ${status} ${body?.code ?? ''}`);
    return body;
  };
  return {
    postConversation: (body) =>
      request('/v1/conversations/end', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    conversation: (conversationId) => find(`/v1/conversations/${encodeURIComponent(conversationId)}`),
    friendship: (userId) => find(`/v1/friendship/${encodeURIComponent(userId)}`),
    deadLetters: async () =>
      JSON.parse(await runNode(['dist/cli.js', 'dead-letters', 'list', '--json'], { env, signal })),
  };
}

/**
 * Runs one of the service's own command line programs.
 * @param {string[]} args
 * @param {{ env: NodeJS.ProcessEnv, signal: AbortSignal }} options
 * @returns {Promise<string>} what it wrote to stdout
 */
export async function runNode(args, { env, signal }) {
  const [script, ...rest] = args;
  const { code, stdout, output } = await run(process.execPath, [join(checkoutDir, script ?? ''), ...rest], {
    cwd: checkoutDir,
    env,
    signal,
  });
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`\`node ${args.join(' ')}\` ended with code ${code}:\n${lastLines(output)}`);
  return stdout;
}
