// @ts-check
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { readState, writeState } from './checkout.mjs';

/** Below the range from which systems take the ports of outgoing connections, so that a remembered port stays free. */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 31_999;

/**
 * Free ports on 127.0.0.1, the same as last time where they are still free.
 * @template {string} Name
 * @param {Name[]} names
 * @returns {Promise<Record<Name, number>>}
 */
export async function choosePorts(names) {
  const remembered = readState('ports.json') ?? {};
  const chosen = /** @type {Record<Name, number>} */ ({});
  for (const name of names) {
    let port = Number(remembered[name]) || randomPort();
    for (let tries = 0; Object.values(chosen).includes(port) || !(await isFree(port)); tries++) {
      if (tries === 100)
        throw new Error(
          `Expected a free port on 127.0.0.1 between ${LOWEST_PORT} and ${HIGHEST_PORT}, found none in ${tries} tries.`,
        );
      port = randomPort();
    }
    chosen[name] = port;
  }
  writeState('ports.json', { ...remembered, ...chosen });
  return chosen;
}

function randomPort() {
  return randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
