/** The arithmetic by which `npm run autoscale` decides, held to the examples of Kubernetes' own documentation. */
interface Policy {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly period: number;
}

interface Rules {
  readonly window: number;
  readonly policies: readonly Policy[];
  readonly select: 'Max' | 'Min' | 'Disabled';
}

interface Behaviour {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly up: Rules;
  readonly down: Rules;
}

interface Pod {
  readonly ready: boolean;
  readonly utilization: number | undefined;
}

// Plain JavaScript, since scripts/autoscale.mjs runs it without a compiler.
const { HorizontalPodAutoscaler, desiredForAverage, desiredForUtilization, desiredReplicas } =
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  require('../../bench/autoscale/horizontal-pod-autoscaler.cjs') as {
    HorizontalPodAutoscaler: new (behaviour: Behaviour) => {
      sync(now: number, current: number, proposals: readonly (number | undefined)[]): number;
    };
    desiredReplicas(current: number, ratio: number): number;
    desiredForAverage(current: number, value: number, target: number): number;
    desiredForUtilization(current: number, pods: readonly Pod[], target: number): number;
  };

const MINUTE = 60_000;
const AT_ONCE: Rules = { window: 0, policies: [{ type: 'Percent', value: 1_000_000, period: 1 }], select: 'Max' };

function behaviour(given: Partial<Behaviour>): Behaviour {
  return { minReplicas: 1, maxReplicas: 1_000, up: AT_ONCE, down: AT_ONCE, ...given };
}

const used = (...utilizations: number[]): Pod[] => utilizations.map((utilization) => ({ ready: true, utilization }));

describe('The replicas that a metric asks for', () => {
  it.each([
    ['200m where 100m are wanted: twice as many', 3, 200 / 100, 6],
    ['50m where 100m are wanted: half as many', 4, 50 / 100, 2],
    ['a tenth above: within the tolerance', 10, 1.1, 10],
    ['more than a tenth above: one more', 10, 1.101, 12],
    ['a tenth below: within the tolerance', 10, 0.9, 10],
    ['rounded up', 3, 1.5, 5],
  ])('%s', (_, current, ratio, expected) => {
    expect(desiredReplicas(current, ratio)).toBe(expected);
  });

  it('shares a queue out among the replicas', () => {
    expect(desiredForAverage(2, 750, 100)).toBe(8);
    expect(desiredForAverage(8, 790, 100)).toBe(8);
    expect(desiredForAverage(8, 0, 100)).toBe(0);
  });

  it('takes a pod that is not ready as unused where the others ask for more', () => {
    const pods = [...used(1, 1), { ready: false, utilization: undefined }, { ready: false, utilization: undefined }];
    // Two at twice the target and two at nothing are four at the target.
    expect(desiredForUtilization(4, pods, 0.5)).toBe(4);
    expect(desiredForUtilization(2, used(1, 1), 0.5)).toBe(4);
  });

  it('takes a pod without a known usage as fully used where the others ask for less', () => {
    const unknown = { ready: true, utilization: undefined };
    expect(desiredForUtilization(3, used(0.1, 0.1, 0.1), 0.5)).toBe(1);
    expect(desiredForUtilization(3, [...used(0.1, 0.1), unknown], 0.5)).toBe(2);
  });

  it('does nothing while it knows no usage', () => {
    expect(desiredForUtilization(2, [{ ready: false, utilization: undefined }], 0.7)).toBe(2);
  });
});

describe('The horizontal pod autoscaler', () => {
  it('goes by the metric that asks for most', () => {
    expect(new HorizontalPodAutoscaler(behaviour({})).sync(0, 2, [2, 7, 3])).toBe(7);
  });

  it('takes nobody away while one of its metrics cannot be read, but may add', () => {
    const autoscaler = new HorizontalPodAutoscaler(behaviour({}));
    expect(autoscaler.sync(0, 5, [2, undefined])).toBe(5);
    expect(autoscaler.sync(1, 5, [8, undefined])).toBe(8);
    expect(autoscaler.sync(2, 8, [undefined, undefined])).toBe(8);
  });

  it('stays between the least and the most', () => {
    const autoscaler = new HorizontalPodAutoscaler(behaviour({ minReplicas: 2, maxReplicas: 10 }));
    expect(autoscaler.sync(0, 2, [99])).toBe(10);
    expect(autoscaler.sync(1, 10, [0])).toBe(2);
  });

  it('removes by percent while there are many, and four at a time when that is more', () => {
    // The example of the documentation: 10 % or 4 pods a minute, from 80 to 10.
    const policies: Policy[] = [
      { type: 'Pods', value: 4, period: MINUTE },
      { type: 'Percent', value: 10, period: MINUTE },
    ];
    const autoscaler = new HorizontalPodAutoscaler(behaviour({ down: { window: 0, policies, select: 'Max' } }));
    const steps: number[] = [];
    for (let replicas = 80, minute = 0; replicas > 10; minute++) {
      replicas = autoscaler.sync(minute * MINUTE, replicas, [10]);
      steps.push(replicas);
    }
    expect(steps.slice(0, 3)).toEqual([72, 64, 57]);
    expect(steps.slice(-5)).toEqual([24, 20, 16, 12, 10]);
  });

  it('lets the smallest change through where the policy says Min, and none where it is Disabled', () => {
    const policies: Policy[] = [
      { type: 'Pods', value: 4, period: MINUTE },
      { type: 'Percent', value: 10, period: MINUTE },
    ];
    const least = new HorizontalPodAutoscaler(behaviour({ down: { window: 0, policies, select: 'Min' } }));
    expect(least.sync(0, 80, [10])).toBe(76);
    const never = new HorizontalPodAutoscaler(behaviour({ down: { window: 0, policies, select: 'Disabled' } }));
    expect(never.sync(0, 80, [10])).toBe(80);
  });

  it('counts what it changed within the period against the policy', () => {
    const up: Rules = { window: 0, policies: [{ type: 'Percent', value: 100, period: 30_000 }], select: 'Max' };
    const autoscaler = new HorizontalPodAutoscaler(behaviour({ up }));
    expect(autoscaler.sync(0, 2, [10])).toBe(4);
    expect(autoscaler.sync(15_000, 4, [10])).toBe(4);
    expect(autoscaler.sync(30_000, 4, [10])).toBe(8);
  });

  it('goes down only to the most that was asked for within the window', () => {
    const down: Rules = { ...AT_ONCE, window: 300_000 };
    const autoscaler = new HorizontalPodAutoscaler(behaviour({ down }));
    expect(autoscaler.sync(0, 2, [8])).toBe(8);
    expect(autoscaler.sync(60_000, 8, [5])).toBe(8);
    expect(autoscaler.sync(299_000, 8, [2])).toBe(8);
    expect(autoscaler.sync(301_000, 8, [2])).toBe(5);
    expect(autoscaler.sync(361_000, 5, [2])).toBe(2);
  });

  it('goes up only to the least that was asked for within the window', () => {
    const up: Rules = { ...AT_ONCE, window: 60_000 };
    const autoscaler = new HorizontalPodAutoscaler(behaviour({ up }));
    expect(autoscaler.sync(0, 2, [2])).toBe(2);
    expect(autoscaler.sync(30_000, 2, [9])).toBe(2);
    expect(autoscaler.sync(61_000, 2, [7])).toBe(7);
  });
});
