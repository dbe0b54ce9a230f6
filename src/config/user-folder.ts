/**
 * Where an ordinary user's switches and labs have their sockets: /run/overtap is root's. Read-only.
 */
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_SOCKET = '/run/overtap/overtap.sock';
const SOCKET = 'overtap.sock';

/** `$XDG_RUNTIME_DIR/overtap`, otherwise a folder of /tmp. It need not exist. */
export function userFolder(env: Environment, uid: number): string {
  const runtime = env.XDG_RUNTIME_DIR;
  return runtime?.startsWith('/') ? join(runtime, 'overtap') : `/tmp/overtap-${uid}`;
}

/** Whether a folder belongs to the user, and nobody else writes to it: any user may make one of that name in /tmp. */
export function isPrivate(folder: string, uid: number): boolean {
  try {
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** The default control socket of a user's own switch. */
export function userSocket(env: Environment, uid: number): string {
  return join(userFolder(env, uid), SOCKET);
}

/** The control socket of commands that name none: of the user's own switch if there is one, otherwise of the host's. */
export function defaultSocket(env: Environment, uid: number | undefined): string {
  if (uid === undefined || uid === 0) return DEFAULT_SOCKET;
  const own = userSocket(env, uid);
  return existsSync(own) && isPrivate(userFolder(env, uid), uid) ? own : DEFAULT_SOCKET;
}
