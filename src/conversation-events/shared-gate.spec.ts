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
