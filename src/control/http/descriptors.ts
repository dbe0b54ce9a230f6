/**
 * Reserve of file descriptors that clients of the control socket cannot use: the switch needs them to reopen devices and to
 * query the host. Linux returns the lowest free number, so a high number means that few are left.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Minimum and maximum of the reserve. */
const LEAST_RESERVE = 16;
const MOST_RESERVE = 128;

/** The first descriptor number refused to connections: RLIMIT_NOFILE less the reserve. */
export function firstReserved(limit = descriptorLimit()): number {
  return limit - Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(limit / 8)));
}

/** The soft RLIMIT_NOFILE of this process (proc_pid_limits(5)); infinite when unlimited or unreadable. */
export function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The descriptor of a connection; -1: closed. Node exposes it only on the handle below the socket. */
export function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
