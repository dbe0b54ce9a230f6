/**
 * The name of the control socket in the file system: it is taken last, when the server listens already, and at the end only
 * the server's own socket is removed.
 *
 * The socket is made under a temporary name and gets its own by link(2), which never replaces a file; so of two switches
 * that start at once one is refused. A socket that a dead switch left is moved away first. Nothing but a socket is ever
 * moved or removed.
 */
import { type BigIntStats, linkSync, lstatSync, mkdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, resolve } from 'node:path';
import { controlPathFault, temporaryName } from '../../config/control-path.js';

const CONNECT_MS = 1000;
/** Dead sockets that are cleared away one after the other; more of them than one come from a race. */
const ATTEMPTS = 8;

/** The control socket cannot be had; the message says why. */
export class ControlSocketError extends Error {
  readonly code = 'CONTROL_SOCKET';
}

/**
 * Refuses a path that cannot be a control socket's, and one that a living switch answers on. It makes the directory and
 * takes nothing yet, so that a switch can be refused before it opens a device.
 * @throws ControlSocketError
 */
export async function examineSocket(path: string): Promise<void> {
  const fault = controlPathFault(path);
  if (fault !== null) throw new ControlSocketError(`the control socket: ${fault}`);
  makeFolder(path);
  if (identify(path) !== null && (await answers(path))) throw taken(path);
}

/** The name of a socket that is listened on. */
export class SocketName {
  private constructor(
    private readonly path: string,
    private readonly own: string,
  ) {}

  /**
   * Gives the path to the socket that `listen` opens. @throws ControlSocketError when another switch has it, or what is
   * there is no socket; whoever calls then closes what listens
   */
  static async claim(path: string, listen: (temporary: string) => Promise<void>): Promise<SocketName> {
    makeFolder(path);
    const temporary = temporaryName(path);
    rmSync(temporary, { force: true }); // of a dead process that had our number
    try {
      await listen(temporary);
    } catch (error) {
      throw notMade(path, error);
    }
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (tryLink(temporary, path)) return new SocketName(path, identify(path) ?? '');
        await clearDead(path);
      }
      throw taken(path);
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  /** Removes the name, unless another file has it by now. */
  release(): void {
    if (identify(this.path) === this.own) rmSync(this.path, { force: true });
  }
}

/** @returns false when something has the path already */
function tryLink(from: string, path: string): boolean {
  try {
    linkSync(from, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw notMade(path, error);
  }
}

/** @throws ControlSocketError when what is there is alive, or no socket */
async function clearDead(path: string): Promise<void> {
  const fault = controlPathFault(path);
  if (fault !== null) throw new ControlSocketError(`the control socket: ${fault}`);
  const seen = identify(path);
  if (seen === null) return;
  if (await answers(path)) throw taken(path);
  const grave = `${temporaryName(path)}x`;
  try {
    renameSync(path, grave);
  } catch {
    return; // another switch was faster
  }
  // Between the look and the move another switch may have taken the name: then it gets it back.
  if (identify(grave) !== seen) tryLink(grave, path);
  unlinkSync(grave);
}

function notMade(path: string, error: unknown): ControlSocketError {
  const { message } = error as Error;
  return new ControlSocketError(`the control socket ${path} cannot be made: ${message}; choose another "control:"`);
}

const taken = (path: string): ControlSocketError =>
  new ControlSocketError(
    `a switch already answers on ${path}; stop it first, or give this one another "control:" in its configuration`,
  );

/** One socket has one of these, whatever it is called; null: no socket is there. */
function identify(path: string): string | null {
  let there: BigIntStats;
  try {
    there = lstatSync(path, { bigint: true });
  } catch {
    return null;
  }
  return there.isSocket() ? `${there.dev} ${there.ino} ${there.mtimeNs}` : null;
}

/** As `mkdir -p`. Not Node's own, which tries for ever where the kernel answers ENOENT, as in /proc. */
function makeFolder(path: string): void {
  const missing: string[] = [];
  const isMissing = (folder: string): boolean => lstatSync(folder, { throwIfNoEntry: false }) === undefined;
  try {
    for (let folder = dirname(resolve(path)); isMissing(folder); folder = dirname(folder)) missing.unshift(folder);
    for (const folder of missing) if (isMissing(folder)) mkdirSync(folder);
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
      if (error.code === 'EAGAIN') return finish(true); // more clients are waiting than the socket takes
      reject(new ControlSocketError(`${path}: ${error.message}`));
    });
  });
}
