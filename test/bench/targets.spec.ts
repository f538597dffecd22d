/** When a benchmark's target is met, and when it is not. */
interface Measurement {
  readonly series: string;
  readonly round: number;
  readonly figures: Record<string, number>;
  readonly wrong: string[];
}

interface Verdict {
  readonly value: number | null;
  readonly pass: boolean;
  readonly reason?: string;
}

// Plain JavaScript, since scripts/bench.mjs runs it without a compiler.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { judge } = require('../../bench/targets.cjs') as {
  judge(target: object, measurements: readonly Measurement[]): Verdict;
};

/** Runs of one series, a round each. */
function runs(series: string, rates: readonly number[], wrong: Record<number, string> = {}): Measurement[] {
  return rates.map((rate, index) => ({
    series,
    round: index + 1,
    figures: { rate },
    wrong: index + 1 in wrong ? [wrong[index + 1]] : [],
  }));
}

const target = { name: 'as fast', of: 'ours', against: 'theirs', figure: 'rate', atLeast: 1 };
const theirs = runs('theirs', [100, 100, 100, 100]);

describe('a target', () => {
  it('is met by a ratio above it', () => {
    expect(judge(target, [...runs('ours', [150, 151, 149, 150]), ...theirs])).toMatchObject({
      value: expect.closeTo(1.5, 2),
      pass: true,
    });
  });

  it('is missed when the whole interval lies below it', () => {
    expect(judge(target, [...runs('ours', [90, 91, 89, 90]), ...theirs]).pass).toBe(false);
  });

  it('is not missed by a ratio that only might be below it', () => {
    const verdict = judge(target, [...runs('ours', [70, 130, 80, 110]), ...theirs]);
    expect(verdict.value).toBeLessThan(1);
    expect(verdict.pass).toBe(true);
  });

  it('that is an upper bound is missed when the whole interval lies above it', () => {
    const most = { name: 'CPU', of: 'ours', against: 'theirs', figure: 'rate', atMost: 1.25 };
    expect(judge(most, [...runs('ours', [140, 141, 139, 140]), ...theirs]).pass).toBe(false);
    expect(judge(most, [...runs('ours', [100, 160, 110, 150]), ...theirs]).pass).toBe(true);
    expect(judge(most, [...runs('ours', [60, 61, 59, 60]), ...theirs]).pass).toBe(true);
  });

  it('without a peer is about the figure itself', () => {
    const most = { name: 'µs', of: 'ours', figure: 'rate', atMost: 220 };
    expect(judge(most, runs('ours', [200, 201, 199]))).toMatchObject({ value: expect.closeTo(200, 1), pass: true });
    expect(judge(most, runs('ours', [240, 241, 239])).pass).toBe(false);
  });

  it('is missed by one wrong result of ours, however fast', () => {
    const verdict = judge(target, [...runs('ours', [500, 500, 500, 500], { 3: '2 children are wrong' }), ...theirs]);
    expect(verdict).toMatchObject({ value: null, pass: false });
    expect(verdict.reason).toBe('1 of 4 runs of ours were wrong: 2 children are wrong');
  });

  it('leaves out the rounds in which the peer was wrong', () => {
    const verdict = judge(target, [
      ...runs('ours', [150, 150, 150]),
      ...runs('theirs', [100, 10_000, 100], { 2: 'lost a score' }),
    ]);
    expect(verdict).toMatchObject({ value: expect.closeTo(1.5), pass: true });
  });

  it('is missed when there is nothing to go by', () => {
    expect(judge(target, runs('ours', [150]))).toMatchObject({
      pass: false,
      reason: 'no valid pair of ours and theirs',
    });
    expect(judge(target, theirs).pass).toBe(false);
    expect(judge({ ...target, against: undefined }, theirs)).toMatchObject({
      pass: false,
      reason: 'no run of ours has the figure "rate"',
    });
  });

  it('must say one bound', () => {
    expect(() => judge({ ...target, atMost: 2 }, theirs)).toThrow('expected one of atLeast and atMost, got both');
    expect(() => judge({ ...target, atLeast: undefined }, theirs)).toThrow('got none');
  });
});
