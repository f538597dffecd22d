/** What KEDA adds to the autoscaler: the queue as a metric, a fallback, and the way from and to none. */
interface Queue {
  readonly ready: number;
  readonly unacked: number;
}

interface ScaledObject {
  readonly minReplicas: number;
  readonly cooldown: number;
  readonly value: number;
  readonly activationValue: number;
  readonly excludeUnacknowledged: boolean;
  readonly fallback?: { readonly failureThreshold: number; readonly replicas: number };
}

// Plain JavaScript, since scripts/autoscale.mjs runs it without a compiler.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { KedaTrigger } = require('../../bench/autoscale/keda.cjs') as {
  KedaTrigger: new (object: ScaledObject) => {
    metric(queue: Queue | undefined): number | undefined;
    poll(now: number, current: number, metric: number | undefined): number;
  };
};

const OBJECT: ScaledObject = {
  minReplicas: 0,
  cooldown: 300_000,
  value: 1_000,
  activationValue: 5,
  excludeUnacknowledged: false,
  fallback: { failureThreshold: 3, replicas: 4 },
};

describe("KEDA's trigger", () => {
  it('counts what is in flight unless told not to', () => {
    const queue = { ready: 30, unacked: 12 };
    expect(new KedaTrigger(OBJECT).metric(queue)).toBe(42);
    expect(new KedaTrigger({ ...OBJECT, excludeUnacknowledged: true }).metric(queue)).toBe(30);
  });

  it('asks for the fallback once the queue could not be asked more often than the threshold, and not before', () => {
    const trigger = new KedaTrigger(OBJECT);
    const answers = [1, 2, 3, 4].map(() => trigger.metric(undefined));
    expect(answers).toEqual([undefined, undefined, undefined, 4_000]);
    expect(trigger.metric({ ready: 1, unacked: 0 })).toBe(1);
    expect(trigger.metric(undefined)).toBeUndefined();
  });

  it('starts the first replica when the queue is above the activation value', () => {
    const trigger = new KedaTrigger(OBJECT);
    expect(trigger.poll(0, 0, 5)).toBe(0);
    expect(trigger.poll(1, 0, 6)).toBe(1);
  });

  it('stops the last replicas when nothing was active for the cooldown', () => {
    const trigger = new KedaTrigger(OBJECT);
    expect(trigger.poll(0, 2, 100)).toBe(2);
    expect(trigger.poll(300_000, 2, 0)).toBe(2);
    expect(trigger.poll(300_001, 2, undefined)).toBe(2);
    expect(trigger.poll(300_002, 2, 0)).toBe(0);
  });

  it('leaves the replicas to the autoscaler where there is a least number', () => {
    const trigger = new KedaTrigger({ ...OBJECT, minReplicas: 2 });
    expect(trigger.poll(0, 2, 100)).toBe(2);
    expect(trigger.poll(900_000, 7, 0)).toBe(7);
    expect(trigger.poll(900_001, 0, 0)).toBe(2);
  });
});
