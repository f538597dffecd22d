import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `look` returns something other than undefined and false, and returns it.
 * @throws when `seconds` have passed; the error names what was waited for and what was seen last
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  seconds = 15,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for: ${what}`);
    await delay(20);
  }
}
