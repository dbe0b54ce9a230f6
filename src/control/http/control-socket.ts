/**
 * The path of the control socket: created last, when the server already listens; on shutdown only the server's own socket is
 * removed.
 *
 * The socket is created under a temporary name and renamed by link(2), which never replaces a file; so of two switches that
 * start at once one is refused. A stale socket is moved away first. Files other than sockets are never moved or removed.
 */
import { linkSync, renameSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { controlPathFault, temporaryName } from '../../config/control-path.js';
import { bury, identify } from '../../port/dead-socket.js';
import { makeFolder } from '../../port/folder.js';

const CONNECT_MS = 1000;
/** Most stale sockets removed in a row; more than one indicates a race. */
const ATTEMPTS = 8;

/** The control socket cannot be created; the message gives the reason. */
export class ControlSocketError extends Error {
  readonly code = 'CONTROL_SOCKET';
}

/**
 * Refuses a path that cannot be a control socket's, or whose socket is in use by a running switch. Creates the directory but
 * not the socket, so that a start is refused before it opens a device.
 * @throws ControlSocketError
 */
export async function examineSocket(path: string): Promise<void> {
  const fault = controlPathFault(path);
  if (fault !== null) throw new ControlSocketError(`the control socket: ${fault}`);
  makeFolderOf(path);
  if (identify(path) !== null && (await answers(path))) throw taken(path);
}

/** A listening socket whose path is another process's still. */
export interface Successor {
  /** Gives it the path, at once: no client finds none. @throws NodeJS.ErrnoException */
  take(): SocketName;
  release(): void;
}

/** The path of a listening socket. */
export class SocketName {
  private constructor(
    private readonly path: string,
    private readonly own: string,
  ) {}

  /**
   * Links the socket opened by `listen` to the path.
   * @throws ControlSocketError when another switch uses the path or it is no socket; the caller then closes the listener
   */
  static async claim(path: string, listen: (temporary: string) => Promise<void>): Promise<SocketName> {
    makeFolderOf(path);
    const temporary = temporaryName(path);
    try {
      await listen(temporary);
    } catch (error) {
      remove(temporary);
      throw error instanceof ControlSocketError ? error : notMade(path, error);
    }
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (tryLink(temporary, path)) return new SocketName(path, identify(path) ?? '');
        await clearDead(path);
      }
      throw taken(path);
    } finally {
      remove(temporary);
    }
  }

  /**
   * Listens beside the path, which another process has; `take` then takes it from that process.
   * @throws ControlSocketError, also when the path is no socket's by now: `take` would replace a file
   */
  static async beside(path: string, listen: (temporary: string) => Promise<void>): Promise<Successor> {
    const fault = controlPathFault(path);
    if (fault !== null) throw new ControlSocketError(fault);
    const temporary = temporaryName(path);
    try {
      await listen(temporary);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error instanceof ControlSocketError ? error : notMade(path, error);
    }
    return {
      take() {
        renameSync(temporary, path);
        return new SocketName(path, identify(path) ?? '');
      },
      release: () => rmSync(temporary, { force: true }),
    };
  }

  /** Removes the path, unless it is another file by now. */
  release(): void {
    if (identify(this.path) === this.own) rmSync(this.path, { force: true });
  }
}

/** What may not be removed stays: another user has put it there, and then no socket can be made either. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // As told.
  }
}

/** @returns false when the path exists already */
function tryLink(from: string, path: string): boolean {
  try {
    linkSync(from, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw notMade(path, error);
  }
}

/** @throws ControlSocketError when the existing file is a socket in use, or no socket */
async function clearDead(path: string): Promise<void> {
  const fault = controlPathFault(path);
  if (fault !== null) throw new ControlSocketError(`the control socket: ${fault}`);
  const seen = identify(path);
  if (seen === null) return;
  if (await answers(path)) throw taken(path);
  bury(path, seen);
}

function notMade(path: string, error: unknown): ControlSocketError {
  const { message } = error as Error;
  return new ControlSocketError(`the control socket ${path} cannot be made: ${message}; choose another "control:"`);
}

const taken = (path: string): ControlSocketError =>
  new ControlSocketError(
    `a switch already answers on ${path}; stop it first, or give this one another "control:" in its configuration`,
  );

function makeFolderOf(path: string): void {
  try {
    makeFolder(dirname(path));
  } catch (error) {
    const { message } = error as Error;
    throw new ControlSocketError(`no directory for the control socket ${path}: ${message}; choose another "control:"`);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const finish = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(CONNECT_MS, () => finish(true)); // it listens, though slowly
    socket.once('connect', () => finish(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') return finish(false);
      if (error.code === 'EAGAIN') return finish(true); // its backlog is full
      reject(new ControlSocketError(`${path}: ${error.message}`));
    });
  });
}
