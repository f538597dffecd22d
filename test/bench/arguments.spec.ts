/** `npm run bench` refuses what it cannot answer, before it installs, builds or starts anything. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

function bench(...args: string[]) {
  const script = join(__dirname, '..', '..', 'scripts', 'bench.mjs');
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
}

describe('the arguments of the benchmark', () => {
  it.each([
    [[], /Expected one question of .*throughput.*all; got none\./],
    [['speed'], /Expected one question of .*; got "speed"\./],
    [['throughput', 'latency'], /Expected one question of .*; got "throughput latency"\./],
    [['throughput', '--fast'], /Unknown option '--fast'/],
  ])('are refused: %j', (args, expected) => {
    const { status, stderr, stdout } = bench(...args);
    expect(stderr).toMatch(expected);
    expect([status, stdout]).toEqual([1, '']);
  });
});
