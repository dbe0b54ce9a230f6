/** The folder of a running `overtap exec`, and those that were left by ones that were killed. */
import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'overtap-exec-';
const SOCKET = 'socket';
/** Milliseconds after which a folder without a listening socket is no longer one that is being made. */
const MADE_WITHIN_MS = 60_000;
/** Leftovers that one start looks at. */
const MOST_LEFT = 64;

/** A folder that only this user can enter. */
export function makeFolder(parent = tmpdir()): { folder: string; socket: string } {
  const folder = mkdtempSync(join(parent, PREFIX));
  return { folder, socket: join(folder, SOCKET) };
}

/**
 * Removes folders of this user whose socket nobody listens on: after kill -9 nobody else does. A process cannot tell by its id, since
 * containers that share the folder for temporary files number their processes themselves. Never throws.
 */
export async function removeLeft(parent = tmpdir()): Promise<void> {
  const left = namesIn(parent).filter((name) => /^overtap-exec-[A-Za-z0-9]{6}$/.test(name));
  for (const name of left.slice(0, MOST_LEFT)) {
    const folder = join(parent, name);
    try {
      const { uid, mtimeMs, isFolder } = factsOf(folder);
      const isOwn = isFolder && uid === process.geteuid?.();
      if (!isOwn || Date.now() - mtimeMs < MADE_WITHIN_MS || (await isHeard(join(folder, SOCKET)))) continue;
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another process has removed it.
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function factsOf(path: string): { uid: number; mtimeMs: number; isFolder: boolean } {
  const found = lstatSync(path);
  return { uid: found.uid, mtimeMs: found.mtimeMs, isFolder: found.isDirectory() };
}

/** Whether somebody listens; also when that is not known. */
function isHeard(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

/** The library's path as LD_PRELOAD takes it, which ends a path at a space or colon: where it has one, that of a link. */
export function preloadable(library: string, folder: string): string {
  if (!/[\s:]/.test(library)) return library;
  const link = join(folder, 'library.so');
  symlinkSync(library, link);
  return link;
}
