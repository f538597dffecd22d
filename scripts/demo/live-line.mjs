// @ts-check
/** One line that changes in place on a terminal; elsewhere a new line at most every two seconds. */

const PIPE_INTERVAL_MS = 2_000;

export function liveLine(stream = process.stderr) {
  let last = '';
  let writtenAt = 0;
  return {
    show(/** @type {string} */ text) {
      if (text === last) return;
      last = text;
      if (stream.isTTY) stream.write(`\r\x1b[K  ${text}`);
      else if (Date.now() - writtenAt >= PIPE_INTERVAL_MS) {
        writtenAt = Date.now();
        stream.write(`  ${text}\n`);
      }
    },
    end() {
      if (stream.isTTY && last !== '') stream.write('\r\x1b[K');
    },
  };
}
