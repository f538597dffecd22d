// @ts-check
/**
 * `npm run licences`: fails when a package of package-lock.json has a licence that nobody has agreed to, or none. Works offline: npm
 * writes the licences into the lock file. (`npm run sbom` lists the packages of the image as CycloneDX, from the same file.)
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { checkoutDir } from './services/checkout.mjs';

/** Each lets the service be run and changed without giving away its source. */
const AGREED = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Python-2.0',
  'CC0-1.0',
  'CC-BY-4.0',
  'Unlicense',
  'Zlib',
  // Its conditions hold for its own files alone: a tool that the page is built with, of which nothing is in the image.
  'MPL-2.0',
]);

/** Of an expression such as `(MIT OR GPL-3.0)`, one side of an OR is enough; every part of an AND is needed. */
function isAgreed(/** @type {string} */ expression) {
  return expression
    .replace(/[()]/g, '')
    .split(/\s+OR\s+/)
    .some((side) => side.split(/\s+AND\s+/).every((licence) => AGREED.has(licence.trim())));
}

await runCommand(async () => {
  /** @type {{ packages: Record<string, { license?: string, version?: string, link?: boolean }> }} */
  const { packages } = JSON.parse(readFileSync(join(checkoutDir, 'package-lock.json'), 'utf8'));
  const entries = Object.entries(packages).filter(([path, { link }]) => path !== '' && !link);
  const problems = entries
    .filter(([, { license }]) => license === undefined || !isAgreed(license))
    .map(
      ([path, { version, license }]) => `${path} ${version}: expected a licence of the list, got ${license ?? 'none'}`,
    );
  if (problems.length > 0) throw new Error(problems.join('\n'));
  process.stdout.write(`${entries.length} packages, every licence agreed to\n`);
});
