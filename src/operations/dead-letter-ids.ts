import { UsageError } from './command';

const LARGEST_ID = 2n ** 63n - 1n;

/** @throws UsageError when it cannot be the number of an entry */
export function readDeadLetterId(name: string, text: string): string {
  if (/^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= LARGEST_ID) return text;
  throw new UsageError(`${name}: expected the number of a dead letter, got ${JSON.stringify(text)}`);
}
