// @ts-check
/**
 * Programs that some tests want, from Debian's own packages: prints where one is, after installing its package if it is missing.
 *
 *   node scripts/programs.mjs promtool
 */
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { checkoutDir } from './services/checkout.mjs';
import { installDebianPackages } from './services/debian-packages.mjs';
import { findOnPath } from './services/find-binaries.mjs';
import { withLock } from './services/lock.mjs';

/** @type {Readonly<Record<string, import('./services/debian-packages.mjs').Package>>} program: the package that has it */
const PACKAGES = {
  promtool: 'prometheus',
  prometheus: 'prometheus',
  kubectl: 'kubernetes-client',
  chromium: 'chromium',
};

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal }) {
  const [name = ''] = args;
  if (args.length !== 1 || !Object.hasOwn(PACKAGES, name))
    throw new Error(`Expected one of ${Object.keys(PACKAGES).join(', ')}; got "${args.join(' ')}".`);
  let path = findOnPath(name);
  if (path === undefined) {
    const failure = await withLock(
      join(checkoutDir, '.local', 'programs-lock'),
      async () => (findOnPath(name) === undefined ? installDebianPackages([PACKAGES[name]], { progress }) : undefined),
      { signal },
    );
    path = findOnPath(name);
    if (path === undefined)
      throw new Error(
        `${name} not found on the PATH, and could not be installed: ${failure ?? `the package ${PACKAGES[name]} does not hold it`}`,
      );
  }
  process.stdout.write(`${path}\n`);
}

await runCommand(main);
