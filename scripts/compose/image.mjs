// @ts-check
/** Builds the service's image from the checkout, and looks at what was built and how it runs. */
import { buildImage } from './base-images.mjs';
import { checkoutDir } from '../services/checkout.mjs';

/** Above this share of the limit, the biggest folders are worth a look. */
const NEAR_THE_LIMIT = 0.9;

/** Runs in the service's container: what process 1 may do, and whether a write goes through. */
const LOOK = `
const fs = require('node:fs');
const status = fs.readFileSync('/proc/1/status', 'utf8');
const field = (name) => new RegExp('^' + name + ':\\\\s*(\\\\S+)', 'm').exec(status)[1];
const write = (path) => { try { fs.writeFileSync(path, 'x'); fs.rmSync(path); return 'written'; } catch (error) { return error.code; } };
console.log(JSON.stringify({
  uid: field('Uid'), gid: field('Gid'), capabilities: field('CapEff'), noNewPrivileges: field('NoNewPrivs'),
  root: write('/app/written'), tmp: write('/tmp/written'),
}));
`;

/** @typedef {{ engine: import('./engine.mjs').Engine, progress: import('../progress.mjs').Progress, signal: AbortSignal }} Context */

/** @param {Context} context @param {string} tag @param {import('./base-images.mjs').BaseImages} images */
export async function buildService({ engine, progress, signal }, tag, { NODE_IMAGE, RUNTIME_IMAGE }) {
  await progress.step(`building the image from the checkout`, () =>
    buildImage({ engine, signal, folder: checkoutDir, tag, buildArgs: { NODE_IMAGE, RUNTIME_IMAGE } }),
  );
}

/** @param {Context} context @param {string} tag @param {number} limit bytes @returns {Promise<{ bytes: number, user: string, biggest: string[] }>} */
export async function inspectImage({ engine, signal }, tag, limit) {
  const { stdout } = await engine.docker(['image', 'inspect', tag], { signal });
  const [{ Size: bytes, Config: config }] = JSON.parse(stdout);
  const biggest = bytes > limit * NEAR_THE_LIMIT ? await biggestFolders({ engine, signal }, tag) : [];
  return { bytes, user: config.User, biggest };
}

/** @param {Pick<Context, 'engine' | 'signal'>} context @param {string} tag */
async function biggestFolders({ engine, signal }, tag) {
  const command = 'du --block-size=1M --apparent-size --max-depth=2 /app /usr/local/bin | sort -rn | head -15';
  const { stdout } = await engine.docker(['run', '--rm', '--network', 'none', tag, 'sh', '-c', command], { signal });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace('\t', ' MB '));
}

/** @typedef {{ uid: string, gid: string, capabilities: string, noNewPrivileges: string, root: string, tmp: string }} Look root, tmp: `written`, or the error's code */

/**
 * @param {Context} context
 * @param {string} container
 * @param {'its own' | 'root'} user who tries to write: root would get through where only permissions stand in the way
 * @returns {Promise<Look>}
 */
export async function lookInside({ engine, signal }, container, user) {
  const as = user === 'root' ? ['--user', '0'] : [];
  const { code, stdout, output } = await engine.docker(['exec', ...as, container, 'node', '-e', LOOK], { signal });
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`Looking into ${container.slice(0, 12)} ended with code ${code}: ${output}`);
  return JSON.parse(stdout);
}
