import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** The keys that callers may present. Compares digests, in constant time. */
export class ApiKeys {
  private readonly digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.digests = keys.map(digest);
  }

  /** True when no key is asked for, or when one of them is presented. */
  accept(headers: IncomingHttpHeaders): boolean {
    return this.digests.length === 0 || this.numberOf(headers) !== undefined;
  }

  /** Looks at every key, whichever matches. @returns which of the keys is presented, from 0; undefined if none is */
  numberOf(headers: IncomingHttpHeaders): number | undefined {
    const key = presentedKey(headers);
    if (key === undefined) return undefined;
    const presented = digest(key);
    return this.digests.reduce<number | undefined>(
      (known, each, number) => (timingSafeEqual(each, presented) ? number : known),
      undefined,
    );
  }
}

function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string') return key;
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
