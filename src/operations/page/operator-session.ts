import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** Who is logged in, and until when (Unix milliseconds). */
export interface Session {
  readonly operator: string;
  readonly until: number;
}

/** How long a login lasts, seconds: one shift. */
export const SESSION_SECONDS = 12 * 60 * 60;

/** Visible characters of any script, with single spaces between words. The name that actions are recorded under. */
export const OPERATOR_NAME = /^(?=.{1,64}$)[^\p{C}\p{Z}]+(?: [^\p{C}\p{Z}]+)*$/u;

const COOKIE = 'friendship_ops';

/**
 * Logs operators in without keeping anything: a cookie says who it is and until when, under a code that only a process with the
 * same OPERATOR_KEY can make. So every api process accepts it, and another key ends every session.
 */
export class OperatorSessions {
  private readonly keyDigest: Buffer;
  private readonly signingKey: Buffer;

  constructor(operatorKey: string) {
    this.keyDigest = digest(operatorKey);
    this.signingKey = Buffer.from(hkdfSync('sha256', operatorKey, '', 'friendship-service operator session', 32));
  }

  /** In constant time, whatever the length. */
  acceptsKey(presented: string): boolean {
    return timingSafeEqual(digest(presented), this.keyDigest);
  }

  /** @returns the value of `Set-Cookie` of a session that begins now */
  begin(operator: string, secure: boolean): string {
    const payload = encode({ operator, until: Date.now() + SESSION_SECONDS * 1000 });
    return setCookie(`${payload}.${this.sign(payload)}`, SESSION_SECONDS, secure);
  }

  /** @returns the value of `Set-Cookie` that removes the cookie */
  end(secure: boolean): string {
    return setCookie('', 0, secure);
  }

  /** @param header the request's `Cookie` @returns undefined without a session, with a forged one, and with one that is over */
  find(header: string | undefined): Session | undefined {
    const [, payload, signature] = /(?:^|;\s*)friendship_ops=([\w-]+)\.([\w-]+)(?:;|$)/.exec(header ?? '') ?? [];
    if (!payload || !signature) return undefined;
    const [given, right] = [Buffer.from(signature), Buffer.from(this.sign(payload))];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const session = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Session;
    return session.until > Date.now() ? session : undefined;
  }

  private sign(payload: string): string {
    return createHmac('sha256', this.signingKey).update(payload).digest('base64url');
  }
}

function encode(session: Session): string {
  return Buffer.from(JSON.stringify(session)).toString('base64url');
}

/** Sent to /ops alone, never with a request from elsewhere, and no script can read it. */
function setCookie(value: string, maxAge: number, secure: boolean): string {
  const attributes = `Path=/ops; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
  return `${COOKIE}=${value}; ${attributes}`;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
