/**
 * TCP sockets of sessions between routers: signed segments (RFC 2385) and a least TTL (RFC 5082), which the addon sets before Node connects
 * or listens.
 */
import { closeFd, guardTcp, isNativeError, openTcp, signTcp } from '../native/binding.js';

/** One line for the user. `code` is the errno's name, or ''. */
export class TcpError extends Error {
  constructor(
    message: string,
    readonly code: string,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'TcpError';
  }
}

/** How segments of one neighbour are protected. */
export interface TcpGuard {
  /** The neighbour's address. */
  remote: string;
  /** At most 80 bytes. Absent: segments are not signed. */
  password?: string;
  /** Most hops to the neighbour. Absent: not checked. */
  hops?: number;
}

/** Longest key (TCP_MD5SIG_MAXKEYLEN). */
export const MOST_KEY_BYTES = 80;

/** A socket to connect to `guard.remote`. The caller owns the descriptor. @throws TcpError */
export function openDialer(guard: TcpGuard, local?: string): number {
  const family = familyOf(guard.remote);
  const fd = explained(guard, () => openTcp({ family, ...(local === undefined ? {} : { local }) }));
  return orClose(fd, () => {
    limitHops(fd, guard);
    if (guard.password !== undefined) sign(fd, guard.remote, guard.password);
  });
}

/** A socket to listen on, with the keys of all neighbours of its family. The caller owns the descriptor. @throws TcpError */
export function openListener(family: 4 | 6, port: number, guards: readonly TcpGuard[]): number {
  const fd = explained({ port }, () => openTcp({ family, port }));
  return orClose(fd, () => {
    explained({}, () => guardTcp(fd, { family, hops: 0 }));
    for (const { remote, password } of guards) {
      if (familyOf(remote) === family && password !== undefined) sign(fd, remote, password);
    }
  });
}

/** Of a connection that a listener has taken: its guard was not known before. @throws TcpError */
export function limitHops(fd: number, { remote, hops = 0 }: TcpGuard): void {
  explained({ remote }, () => guardTcp(fd, { family: familyOf(remote), hops }));
}

/** Sets the key for a neighbour, or takes it away. @throws TcpError */
export function sign(fd: number, remote: string, password: string | undefined): void {
  const key = new TextEncoder().encode(password ?? '');
  explained({ remote }, () => signTcp(fd, { family: familyOf(remote), remote }, key));
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function orClose(fd: number, work: () => void): number {
  try {
    work();
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function explained<T>({ remote, port }: { remote?: string; port?: number }, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isNativeError(error)) throw error;
    const { code, message } = error;
    const reasons: Record<string, string> = {
      ENOPROTOOPT: `this kernel has no TCP MD5 signatures (CONFIG_TCP_MD5SIG): leave the password of ${remote} out, or use another kernel`,
      EADDRINUSE: `TCP port ${port} is taken by another program, perhaps another BGP speaker: stop it, or set another "listen" (0: none)`,
      EACCES: `TCP port ${port} needs the right CAP_NET_BIND_SERVICE: give it, or set a "listen" above 1023 (0: none)`,
      EADDRNOTAVAIL: 'no device of this host has the local address of the session',
    };
    throw new TcpError(reasons[code] ?? message, code, error);
  }
}
