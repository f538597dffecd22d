/** The conversations of the benchmarks count for what their check expects. */
interface Workload {
  readonly EXPECTED_CHANGE: string;
  readonly EXPECTED_TURNS: string;
  request(i: number, children: number): object & { metadata: object };
}

// Plain JavaScript, since scripts run them without a compiler.
/* eslint-disable @typescript-eslint/no-require-imports */
const workload = require('../../bench/workload.cjs') as Workload;
const oracle = require('../chaos/oracle.cjs') as {
  changeOf(conversation: object): number;
  speakersOf(conversation: object): string;
  turnsIn(speakers: string): number;
};
/* eslint-enable @typescript-eslint/no-require-imports */

/** The SQL of the expectation as JavaScript: the two agree on arithmetic and on nothing else that occurs in it. */
function evaluate(sql: string, i: number): number {
  const expression = sql.replace(/CASE WHEN (.+?) = (.+?) THEN (.+?) ELSE (.+?) END/g, '($1 === $2 ? $3 : $4)');
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  return new Function('i', `return ${expression}`)(i) as number;
}

describe('the workload of the benchmarks', () => {
  it('counts for what the oracle of the chaos test says', () => {
    for (let i = 1; i <= 240; i++) {
      const conversation = workload.request(i, 7);
      expect(evaluate(workload.EXPECTED_TURNS, i)).toBe(oracle.turnsIn(oracle.speakersOf(conversation)));
      expect(evaluate(workload.EXPECTED_CHANGE, i)).toBe(oracle.changeOf(conversation));
    }
  });
});
