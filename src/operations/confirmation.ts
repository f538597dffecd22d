import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { UsageError } from './command';

export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
}

/** Who can be asked is asked, and only `y` or `yes` is a yes; the end of the input is a no. */
export async function confirm(question: string, { input, output }: Terminal): Promise<boolean> {
  const lines = createInterface({ input, output });
  try {
    output.write(`${question} [y/N] `);
    const answer = await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

/**
 * Before a command changes many rows.
 * @param everything it would change all there are, which nobody may do unasked by accident
 * @throws UsageError when there is nobody to ask about everything
 */
export async function mayGoOn(
  question: string,
  { yes, everything }: { yes: boolean; everything: boolean },
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<boolean> {
  if (yes) return true;
  if (terminal.input.isTTY) return confirm(question, terminal);
  if (everything) throw new UsageError('--all: expected --yes as well, since there is no terminal to ask on');
  return true;
}
