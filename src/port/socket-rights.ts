/**
 * Group and mode of the file of a unix socket. Its folder may be another user's, who can put a link in its place at any time: so the
 * file is held by a descriptor while it is changed, and must be a socket of this process's user that has no other name.
 */
import { chmodSync, chownSync, closeSync, constants, fstatSync, openSync } from 'node:fs';

/** open(2): a descriptor of the file itself, which a socket has no other. Node has no name for it. */
const O_PATH = 0o10000000;

export interface SocketRights {
  /** -1: as it is. */
  gid: number;
  /** Permission bits. */
  mode: number;
}

/** Sets them. @throws Error with a code: EPERM when the group may not be given, ESTALE when the file is another one */
export function setSocketRights(path: string, { gid, mode }: SocketRights): void {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const file = fstatSync(fd);
    if (!file.isSocket() || file.uid !== process.geteuid?.() || file.nlink !== 1) throw replaced(path);
    const held = `/proc/self/fd/${fd}`;
    if (gid !== -1) chownSync(held, -1, gid);
    chmodSync(held, mode);
  } finally {
    closeSync(fd);
  }
}

function replaced(path: string): NodeJS.ErrnoException {
  const message = `${path} is not the socket that was made there: another user writes to its folder`;
  return Object.assign(new Error(message), { code: 'ESTALE' });
}
