/** The calls of the page to the api it came from. Every refusal becomes an error that a person can read. */

const ROOT = '/ops/api';

/** An answer that was not the one hoped for. */
export class Refusal extends Error {
  constructor(
    message: string,
    /** HTTP status; 0: nothing was answered. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** @throws Refusal */
export async function get<T>(path: string): Promise<T> {
  const response = await ask('GET', path);
  return (await response.json()) as T;
}

/** Sends what changes something. The header says that this page did it, and no form of another site. @throws Refusal */
export async function send<T = undefined>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const response = await ask(method, path, body);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(ROOT + path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: {
        ...(method === 'GET' ? {} : { 'x-ops': '1' }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Refusal('The service did not answer. Is it running, and is the network there?', 0);
  }
  if (!response.ok) throw new Refusal(await reason(response), response.status);
  return response;
}

/** What a problem document says, or at least its status. */
async function reason(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? `Answered ${response.status}.`;
  } catch {
    return `Answered ${response.status}.`;
  }
}

/** The message of an error, whatever was thrown. */
export function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
