/**
 * Checks whether a path is usable for the control socket: what exists there, and whether a socket can be created. Read-only.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, type Stats, statfsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Bytes of `sun_path` (unix(7)), without the byte that ends it. */
const MAX_PATH = 107;
/** `f_type` of procfs and sysfs, where user space cannot create files (statfs(2)). */
const KERNEL_FILES: ReadonlySet<number> = new Set([0x9fa0, 0x62656572]);

/**
 * A name for a socket until link(2) gives it the final one; in the same directory, so on the same file system. Another one at each
 * call, of one length: switches in several PID namespaces have equal process ids, and may share a directory.
 */
export function temporaryName(path: string): string {
  return join(dirname(path), `.ot${randomBytes(4).toString('hex')}`);
}

/** Why a control socket cannot be created at the path; null if it can. An existing socket is no obstacle: it may be stale. */
export function controlPathFault(path: string): string | null {
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(temporaryName(path)));
  if (longest > MAX_PATH)
    return `${path} is too long for a socket by ${longest - MAX_PATH} bytes (at most ${MAX_PATH}); choose a shorter path`;
  // With a slash at its end a path means what a link leads to, and never a socket.
  if (path.endsWith('/')) return `${path} ends with a slash, which only directories have; leave it out`;
  const there = look(() => lstatSync(path));
  if (there !== undefined && !there.isSocket())
    return `${path} is ${kindOf(there)}, not a socket, and is left as it is; remove it, or choose another path`;
  return there === undefined ? folderFault(dirname(resolve(path))) : null;
}

function folderFault(folder: string): string | null {
  let nearest = folder;
  while (nearest !== '/' && look(() => lstatSync(nearest)) === undefined) nearest = dirname(nearest);
  const there = look(() => statSync(nearest));
  if (there === undefined) return `${nearest} is a symbolic link to nothing; choose another path`;
  if (!there.isDirectory()) return `${nearest} is ${kindOf(there)}, not a directory; choose another path`;
  const type = look(() => statfsSync(nearest))?.type;
  return type !== undefined && KERNEL_FILES.has(type)
    ? `no socket can be made in ${nearest}, whose files are the kernel's; choose another path`
    : null;
}

/** Undefined: the path does not exist, or this process may not read it. */
function look<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function kindOf(there: Stats): string {
  if (there.isFile()) return 'a file';
  if (there.isDirectory()) return 'a directory';
  if (there.isFIFO()) return 'a FIFO';
  if (there.isSymbolicLink()) return 'a symbolic link';
  return there.isSocket() ? 'a socket' : 'a device';
}
