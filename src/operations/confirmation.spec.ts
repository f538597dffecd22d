import { PassThrough } from 'node:stream';
import { UsageError } from './command';
import { mayGoOn } from './confirmation';

function terminal(isTTY: boolean, answer?: string) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = new PassThrough();
  input.end(answer);
  return { input, output };
}

describe('the confirmation of a command', () => {
  it.each([
    ['y\n', true],
    ['YES\n', true],
    ['n\n', false],
    ['\n', false],
    ['yes please\n', false],
    [undefined, false],
  ])('on a terminal, %j is %p', async (answer, expected) => {
    const asked = terminal(true, answer);
    expect(await mayGoOn('Replay 3 entries?', { yes: false, everything: true }, asked)).toBe(expected);
    expect(String(asked.output.read())).toContain('Replay 3 entries? [y/N]');
  });

  it('asks nobody when --yes was given', async () => {
    const silent = terminal(true);
    expect(await mayGoOn('?', { yes: true, everything: true }, silent)).toBe(true);
    expect(silent.output.read()).toBeNull();
  });

  it('without a terminal, refuses everything and says what to add, and goes on with what was named', async () => {
    await expect(mayGoOn('?', { yes: false, everything: true }, terminal(false))).rejects.toThrow(
      new UsageError('--all: expected --yes as well, since there is no terminal to ask on'),
    );
    expect(await mayGoOn('?', { yes: false, everything: false }, terminal(false))).toBe(true);
  });
});
