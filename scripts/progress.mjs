// @ts-check
/**
 * Progress lines on stderr: what runs now, and what took how long.
 * stdout stays free for results, so that `… --json | jq` works.
 */

/**
 * @typedef {object} Progress
 * @property {(text: string) => void} note one line
 * @property {<T>(text: string, work: () => Promise<T>, isFailure?: (result: T) => boolean) => Promise<T>} step
 *   a line when it begins, a line with the time when it ends; it has failed when it throws, or when isFailure says so
 */

/** A long silent step looks like a hang; this is how often it says that it still runs. */
const HEARTBEAT_MS = 10_000;

/** @returns {Progress} */
export function createProgress(stream = process.stderr) {
  const write = (/** @type {string} */ line) => stream.write(`${line}\n`);
  return {
    note: (text) => write(`  ${text}`),
    async step(text, work, isFailure = () => false) {
      const startedAt = Date.now();
      write(`… ${text}`);
      const heartbeat = setInterval(() => write(`  still: ${text} (${seconds(startedAt)})`), HEARTBEAT_MS);
      try {
        const result = await work();
        write(`${isFailure(result) ? '✗' : '✓'} ${text} (${seconds(startedAt)})`);
        return result;
      } catch (error) {
        write(`✗ ${text} (${seconds(startedAt)})`);
        throw error;
      } finally {
        clearInterval(heartbeat);
      }
    },
  };
}

/** Seconds since a point in time, for people: `0.4 s`. */
export function seconds(/** @type {number} */ since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

/** A URL for a log line: never with its password. */
export function withoutPassword(/** @type {string} */ url) {
  return url.replace(/^([a-z0-9+]+:\/\/[^:@/]*):[^@/]*@/i, '$1:***@');
}
