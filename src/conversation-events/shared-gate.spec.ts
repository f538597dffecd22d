import { SharedGate } from './shared-gate';

/** A promise that the test settles. */
function signal() {
  let fire = () => {};
  const fired = new Promise<void>((resolve) => (fire = resolve));
  return { fired, fire };
}

describe('a shared gate', () => {
  it('lets those that share pass at the same time', async () => {
    const gate = new SharedGate();
    const [first, second] = [signal(), signal()];
    // Each waits for the other to be inside.
    await Promise.all([gate.share(() => (first.fire(), second.fired)), gate.share(() => (second.fire(), first.fired))]);
  });

  it('lets one alone pass after those inside, and holds the others meanwhile', async () => {
    const gate = new SharedGate();
    const order: string[] = [];
    const leave = signal();
    const sharing = gate.share(async () => {
      await leave.fired;
      order.push('shared before');
    });
    const alone = gate.alone(async () => {
      order.push('alone begins');
      await Promise.resolve();
      order.push('alone ends');
    });
    const after = gate.share(() => Promise.resolve(void order.push('shared after')));
    leave.fire();
    await Promise.all([sharing, alone, after]);
    expect(order).toEqual(['shared before', 'alone begins', 'alone ends', 'shared after']);
  });

  it.each(['share', 'alone'] as const)(
    'lets everybody else pass while one that came in by %s steps aside',
    async (way) => {
      const gate = new SharedGate();
      const order: string[] = [];
      const [aside, answered] = [signal(), signal()];
      const waiting = gate[way](async (stepAside) => {
        const answer = await stepAside(() => (aside.fire(), answered.fired.then(() => 'answer')));
        order.push(answer);
      });
      await aside.fired;
      await gate.alone(() => Promise.resolve(void order.push('alone')));
      await gate.share(() => Promise.resolve(void order.push('shared')));
      answered.fire();
      await waiting;
      expect(order).toEqual(['alone', 'shared', 'answer']);
      // Everybody has left.
      await gate.alone(() => Promise.resolve());
    },
  );

  it('is alone again after stepping aside, and open again when what it waited for failed', async () => {
    const gate = new SharedGate();
    let inside = 0;
    const enter = async () => {
      inside++;
      await Promise.resolve();
      expect(inside).toBe(1);
      inside--;
    };
    const alone = gate.alone(async (stepAside) => {
      await enter();
      await stepAside(() => Promise.reject(new Error('no answer'))).catch(() => undefined);
      await enter();
      throw new Error('failed inside');
    });
    const others = Array.from({ length: 5 }, () => gate.alone(enter));
    await expect(alone).rejects.toThrow('failed inside');
    await Promise.all(others);
    expect(await gate.share(() => Promise.resolve('open'))).toBe('open');
  });

  it('lets several pass alone, one after the other, and opens again when one of them throws', async () => {
    const gate = new SharedGate();
    let inside = 0;
    const once = () =>
      gate.alone(async () => {
        inside++;
        await Promise.resolve();
        expect(inside).toBe(1);
        inside--;
        throw new Error('failed inside');
      });
    const results = await Promise.allSettled([once(), once(), once()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await gate.share(() => Promise.resolve('open'))).toBe('open');
  });
});
