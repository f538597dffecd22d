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
    if (this.digests.length === 0) return true;
    const key = presentedKey(headers);
    return key !== undefined && this.isKnown(digest(key));
  }

  /** Looks at every key, whichever matches. */
  private isKnown(presented: Buffer): boolean {
    return this.digests.reduce((known, each) => timingSafeEqual(each, presented) || known, false);
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
