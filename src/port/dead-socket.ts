/**
 * Files of unix sockets that nobody has open any more: told apart from those of others, and removed without ever removing another
 * file. Shared by the control socket and the sockets of ports.
 */
import { randomBytes } from 'node:crypto';
import { type BigIntStats, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Identity of a socket file, independent of its name; null: no socket exists. */
export function identify(path: string): string | null {
  let there: BigIntStats;
  try {
    there = lstatSync(path, { bigint: true });
  } catch {
    return null;
  }
  return there.isSocket() ? `${there.dev} ${there.ino} ${there.mtimeNs}` : null;
}

/**
 * Removes a socket file that was found dead.
 * @param seen its identity at that moment; if another process has taken the path since, its socket is moved back
 */
export function bury(path: string, seen: string): void {
  // Never a process id: switches in several PID namespaces may share the folder.
  const grave = join(dirname(path), `.ot${randomBytes(4).toString('hex')}`);
  try {
    renameSync(path, grave);
  } catch {
    return; // another process was faster
  }
  if (identify(grave) !== seen) moveBack(grave, path);
  unlinkSync(grave);
}

function moveBack(from: string, path: string): void {
  try {
    linkSync(from, path);
  } catch {
    // It has been made anew there.
  }
}
