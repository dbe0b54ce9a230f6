/**
 * Descriptors that a service manager has passed to this process (sd_listen_fds(3)): how many. Pure.
 */

export interface Environment {
  readonly [name: string]: string | undefined;
}

/** The first of them. */
export const LISTEN_FDS_START = 3;
/** Bounds what an environment can make the process keep. */
const MOST = 4096;

/** @returns their number; 0 if LISTEN_PID is another process, as where the variables were handed down */
export function listenedDescriptors(env: Environment, pid: number): number {
  const count = Number(env.LISTEN_FDS ?? 0);
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return 0;
  return Math.min(count, MOST);
}
