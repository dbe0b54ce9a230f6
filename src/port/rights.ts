/**
 * Descriptors over a unix socket (SCM_RIGHTS), and sockets under their descriptors, which Node does not offer. Owns nothing: what has
 * arrived belongs to the caller.
 */
import { readFileSync } from 'node:fs';
import * as native from '../native/binding.js';

export { isNativeError } from '../native/binding.js';

/** Most descriptors in one message. */
export const MOST_RIGHTS = 250;

/** A connection to the listener at a path, in blocking mode. @throws NativeError */
export function connectUnix(path: string): number {
  return native.connectUnix(path);
}

/** Sends bytes with descriptors. Never waits. @returns how many bytes were sent @throws NativeError; EAGAIN: the queue is full */
export function sendRights(socket: number, bytes: Uint8Array, fds: readonly number[] = []): number {
  return native.sendRights(socket, bytes, fds);
}

/**
 * Blocks until bytes come, or the time is over.
 * @returns null when it is; `length` 0: the other side has closed
 * @throws NativeError
 */
export function receiveRights(
  socket: number,
  buffer: Uint8Array,
  timeoutMs: number,
): { length: number; fds: number[] } | null {
  return native.waitReadable(socket, timeoutMs) ? native.receiveRights(socket, buffer) : null;
}

/** Makes a descriptor the standard error, and closes its former number. @throws NativeError */
export function keepStderr(fd: number): void {
  native.keepStderr(fd);
}

export function closeDescriptor(fd: number): void {
  native.closeFd(fd);
}

/** Whether a process has ended, whether or not its parent knows. False where that cannot be seen. */
export function hasEnded(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    // The state follows the name, which is in brackets and may contain any of them (proc_pid_stat(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
