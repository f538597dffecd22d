/** Runs after each file of integration tests: whatever the file opened must be closed by then. */
import { until } from './until';

/** What a test can leave behind. Jest's own pipes are of other kinds. */
const KINDS = new Set(['TCPSocketWrap', 'TCPServerWrap', 'ProcessWrap', 'Timeout']);

/** Those of this very check: Jest's limit on the hook, and the pause between two looks. */
const OWN_TIMERS = 2;

const open = () => process.getActiveResourcesInfo().filter((kind) => KINDS.has(kind));
const before = open().length;

afterAll(async () => {
  let last: string[] = [];
  await until('no open handle', () => (last = open()).length <= before + OWN_TIMERS, 5).catch(() => {
    throw new Error(`expected no open connection, server, process or timer after the tests, got: ${last.join(', ')}`);
  });
});
