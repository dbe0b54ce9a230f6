/**
 * The file of a unix socket of a port: made in place of a dead one, and removed at the end if it is still the port's own. A socket
 * that a process has open, and files other than sockets, are left as they are.
 */
import { lstatSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { closeFd, groupId, socketAnswers } from '../native/binding.js';
import { bury, identify } from './dead-socket.js';
import { codeOf, FrameSocketError } from './frame-socket-error.js';
import { setSocketRights } from './socket-rights.js';

export interface SocketFileAccess {
  /** Name or number; absent: that of the process. */
  group?: string | number | undefined;
  /** Permission bits as text; absent: 0600, with a group 0660. */
  mode?: string | undefined;
}

/** Most dead sockets removed in a row; more than one indicates a race. */
const ATTEMPTS = 4;

export interface SocketFile {
  readonly fd: number;
  /** @throws FrameSocketError */
  setAccess(access: SocketFileAccess): void;
  /** Removes the file, unless it is another one by now. The descriptor stays open. */
  remove(): void;
}

/**
 * Opens a socket with a file of its own. @param open makes the file, for its owner only; fails with EADDRINUSE if there is one
 * @throws FrameSocketError; EADDRINUSE: a process has the socket open, EEXIST: the file is no socket
 */
export function openSocketFile(path: string, access: SocketFileAccess, open: (path: string) => number): SocketFile {
  const fd = openInPlace(path, open);
  const file = fileOf(path, fd, () => true);
  try {
    if (access.group !== undefined || access.mode !== undefined) giveAccess(path, access);
  } catch (error) {
    file.remove();
    closeFd(fd);
    throw error;
  }
  return file;
}

/** The file of a socket that the process before this one has opened. @param custody until it is ours, the file is left as it is */
export function continueSocketFile(path: string, fd: number, custody: { readonly isOurs: boolean }): SocketFile {
  return fileOf(path, fd, () => custody.isOurs);
}

function fileOf(path: string, fd: number, isOurs: () => boolean): SocketFile {
  const own = identify(path);
  return {
    fd,
    remove() {
      if (own !== null && isOurs() && identify(path) === own) rmSync(path, { force: true });
    },
    setAccess: (next) => giveAccess(path, next),
  };
}

function openInPlace(path: string, open: (path: string) => number): number {
  for (let attempt = 0; ; attempt++) {
    try {
      return open(path);
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'EADDRINUSE') throw notMade(path, code, error);
      if (attempt === ATTEMPTS) throw taken(path);
      clearDead(path);
    }
  }
}

/** @throws FrameSocketError unless the path is free now, or was a moment ago */
function clearDead(path: string): void {
  const seen = identify(path);
  if (seen === null) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    throw new FrameSocketError(
      `${path} exists and is no socket; it is left as it is: remove it, or choose another path`,
      'EEXIST',
    );
  }
  if (isAlive(path)) throw taken(path);
  bury(path, seen);
}

function isAlive(path: string): boolean {
  try {
    return socketAnswers(path);
  } catch (error) {
    throw notMade(path, codeOf(error), error);
  }
}

function giveAccess(path: string, { group, mode }: SocketFileAccess): void {
  const bits = Number.parseInt(mode ?? (group === undefined ? '0600' : '0660'), 8);
  try {
    setSocketRights(path, { gid: gidOf(group), mode: bits });
  } catch (error) {
    if (error instanceof FrameSocketError) throw error;
    const { message, code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ESTALE') throw new FrameSocketError(`${message}; choose another path`, code, error);
    throw new FrameSocketError(
      `${path} cannot be given to group ${group ?? 'of the process'}: ${message}; run the switch with that group, or with CAP_CHOWN and this port in its file`,
      code,
      error,
    );
  }
}

function gidOf(group: string | number | undefined): number {
  if (typeof group === 'number') return group;
  if (group === undefined) return process.getegid?.() ?? -1;
  const gid = groupId(group);
  if (gid !== null) return gid;
  throw new FrameSocketError(
    `this host has no group ${group}; create it (groupadd ${group}) or name another one`,
    'EINVAL',
  );
}

function taken(path: string): FrameSocketError {
  return new FrameSocketError(
    `a process has the socket ${path} open already; stop it, or choose another path`,
    'EADDRINUSE',
  );
}

function notMade(path: string, code: string, error: unknown): FrameSocketError {
  const reasons: Record<string, string> = {
    ENOENT: `there is no directory ${dirname(path)}; make it, or choose another path`,
    EACCES: 'the switch may not write to its directory; choose another path',
    EROFS: 'its directory is read-only for the switch; choose another path, such as one in /run/overtap',
  };
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  return new FrameSocketError(`the socket ${path} cannot be made: ${reason}`, code, error);
}
