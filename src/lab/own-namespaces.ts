/**
 * `overtap lab` of an ordinary user: labs are made in namespaces of the user's own, and a lab that is up is reached by entering
 * those of its switches.
 */
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isPrivate, userFolder } from '../config/user-folder.js';
import { enterOwn, joinOwn, ownCommand } from '../port/enter-own.js';
import { makeFolder } from '../port/folder.js';
import { OWN_FOLDER, obstacle } from '../port/rootless.js';
import { loadState } from './setup/state.js';
import { LabError } from './testbed/errors.js';

const LABS = 'lab';
const uid = (): number => process.geteuid?.() ?? 0;

/** Of root. Not in /run/overtap, which may belong to the user of the service: state.json names processes that `down` ends. */
const ROOTS = '/run/overtap-lab';

/** The folder of the labs of this user. */
export function labsFolder(): string {
  const own = process.env[OWN_FOLDER];
  if (own !== undefined) return join(own, LABS);
  return uid() === 0 ? ROOTS : join(userFolder(process.env, uid()), LABS);
}

/** As `labsFolder`, if what is there may be believed: any user may have made a folder of that name in /tmp. */
export function trustedLabsFolder(): string | undefined {
  const inside = process.env[OWN_FOLDER] !== undefined;
  return uid() === 0 || inside || isPrivate(userFolder(process.env, uid()), uid()) ? labsFolder() : undefined;
}

/**
 * Replaces the process by the same one in the namespaces that it needs. Returns if it is root, and if there is nothing to enter.
 * @param say takes one line about what is done
 * @throws LabError LAB_NEEDS_ROOT: this host does not allow it
 */
export function goRootless(verb: string, name: string, say: (line: string) => void): void {
  if (uid() === 0) return;
  const folder = userFolder(process.env, uid());
  if (verb !== 'up' && verb !== 'run') {
    // What another user has written there names processes and namespaces of its choice.
    const pid = isOwn(folder) ? aliveSwitch(name) : undefined;
    if (pid !== undefined) joinOwn(pid, folder, ownCommand());
    return;
  }
  const found = obstacle();
  if (found !== undefined) {
    const words = 'labs need root, or namespaces of your own, which are not possible';
    throw new LabError('LAB_NEEDS_ROOT', `${words}: ${found.reason}; ${found.remedy}, or try sudo`);
  }
  makeOwnFolder(folder);
  say('not root: the lab is made in user, network and mount namespaces of its own');
  enterOwn(folder, ownCommand());
}

/** Whether the user's folder is there. @throws LabError LAB_NEEDS_ROOT: it is another user's, and nothing is read in it */
function isOwn(folder: string): boolean {
  if (isPrivate(folder, uid())) return true;
  if (!existsSync(folder)) return false;
  throw new LabError('LAB_NEEDS_ROOT', `${folder} belongs to others: set XDG_RUNTIME_DIR to a folder of your own`);
}

/** @throws LabError LAB_NEEDS_ROOT */
function makeOwnFolder(folder: string): void {
  try {
    makeFolder(folder, 0o700);
  } catch (error) {
    throw new LabError(
      'LAB_NEEDS_ROOT',
      `${folder} cannot be made (${(error as NodeJS.ErrnoException).code}): set XDG_RUNTIME_DIR to a folder of your own`,
    );
  }
  isOwn(folder);
}

/** A process of the lab whose namespaces this user may enter. */
function aliveSwitch(name: string): number | undefined {
  return loadState(labsFolder(), name)?.switches.find(({ pid }) => mayEnter(pid))?.pid;
}

function mayEnter(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync('/proc/self/ns/user');
  } catch {
    return false;
  }
}
