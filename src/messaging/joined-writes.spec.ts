import { setImmediate as nextTurn } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { joinWrites } from './joined-writes';

/** Says what reached it in one go. */
function recorder() {
  const calls: string[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => (calls.push(String(chunk)), done()),
    writev: (chunks, done) => (calls.push(chunks.map(({ chunk }) => String(chunk)).join('')), done()),
  });
  joinWrites(stream);
  return { stream, calls };
}

describe('writes to the broker', () => {
  it('of one turn of the event loop leave together, in their order', async () => {
    const { stream, calls } = recorder();
    for (const frame of ['a', 'b', 'c']) stream.write(frame);
    expect(calls).toEqual([]);
    await nextTurn();
    expect(calls).toEqual(['abc']);
  });

  it('of the next turn wait for nobody', async () => {
    const { stream, calls } = recorder();
    stream.write('a');
    await nextTurn();
    stream.write('b');
    await nextTurn();
    expect(calls).toEqual(['a', 'b']);
  });

  it('are all out when the stream ends in the same turn', async () => {
    const { stream, calls } = recorder();
    stream.write('a');
    stream.end('b');
    await nextTurn();
    expect(calls.join('')).toBe('ab');
  });

  it('still tell their writer when there is too much of them', () => {
    const { stream } = recorder();
    expect(stream.write('x'.repeat(stream.writableHighWaterMark))).toBe(false);
  });
});
