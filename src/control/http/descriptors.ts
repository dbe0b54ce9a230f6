/**
 * Descriptors of the process, of which clients of the control socket must not take the last: the switch needs some to open
 * devices again and to look at the host. Linux gives the lowest number that is free, so a high number says that few are left.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Bounds of the descriptors that no client gets. */
const LEAST_RESERVE = 16;
const MOST_RESERVE = 128;

/** The first descriptor that a connection may not have; as RLIMIT_NOFILE has it, less a reserve. */
export function firstReserved(limit = descriptorLimit()): number {
  return limit - Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(limit / 8)));
}

/** The soft RLIMIT_NOFILE of this process (proc_pid_limits(5)); infinite where there is none, or it cannot be read. */
export function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The descriptor of a connection; -1: it is closed. Node has it at the handle below the socket, and in no other place. */
export function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
