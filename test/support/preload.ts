import { join } from 'node:path';

/** Variables with which a process loads scripts of `test/support/preload` before its own code. */
export function preload(...scripts: ('killer' | 'slow')[]): { NODE_OPTIONS: string } {
  return { NODE_OPTIONS: scripts.map((name) => `--require=${join(__dirname, 'preload', `${name}.cjs`)}`).join(' ') };
}
