/**
 * Who may use the page: whoever knows the token of its URL. Web pages of others in the same browser are kept out besides: their
 * requests name another host (DNS rebinding) or another origin. Pure.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 24;

/** A request, as far as access depends on it. */
export interface Asked {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`, which browsers send and pages cannot set. */
  readonly site: string | undefined;
  readonly token: string | null;
}

export interface Denied {
  readonly status: 401 | 403 | 421;
  readonly message: string;
}

/** A token that cannot be guessed, of characters that a URL holds as they are. */
export const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** @returns null if the request is allowed */
export function denialOf(asked: Asked, token: string): Denied | null {
  const host = asked.host ?? '';
  if (!isLoopbackName(host))
    return {
      status: 421,
      message: 'this page answers to 127.0.0.1 and localhost only; open the address that overtap printed',
    };
  if (!isEqual(asked.token ?? '', token))
    return {
      status: 401,
      message: 'the token is missing or wrong; open the whole address that "overtap page" printed',
    };
  if (asked.origin !== undefined && asked.origin !== `http://${host}`)
    return { status: 403, message: 'a page of another origin may not use this one' };
  if (asked.method === 'GET') return null;
  if (asked.origin === undefined || (asked.site !== undefined && asked.site !== 'same-origin'))
    return { status: 403, message: 'only the page itself may ask for this' };
  return null;
}

/**
 * `Host` of a request to this machine, with any port, so that the page may be reached by a forwarded port (ssh -L). A page that had
 * its own name resolved to 127.0.0.1 sends that name.
 */
function isLoopbackName(host: string): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?$/.test(host);
}

/** Compares in a time that does not depend on where they differ. */
function isEqual(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
