/**
 * `overtap run` of an ordinary user: whether it needs namespaces of its own, and going there.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasOwnNic } from '../../config/options/kinds.js';
import type { SwitchConfig } from '../../config/types.js';
import { isPrivate, userFolder, userSocket } from '../../config/user-folder.js';
import { enterOwn, ownCommand } from '../../port/enter-own.js';
import { makeFolder } from '../../port/folder.js';
import { LISTEN_FDS_START, listenedDescriptors } from '../../port/listened.js';
import { lacksRights, nsenter, type Obstacle, obstacle } from '../../port/rootless.js';

export type WhenRootless = 'auto' | 'always' | 'never';

export interface RootlessRun {
  when: WhenRootless;
  /** Its configuration; undefined: it was not read, since it can be read only once. */
  config?: SwitchConfig;
  /** The words say where the control socket is. */
  hasSocket: boolean;
  /** For one line about what is done. */
  say(line: string): void;
}

/** Whether a file can be read again by the process that replaces this one. */
export function isReadableAgain(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Whether this process may have to go into namespaces of its own. */
export const isRootless = (when: WhenRootless): boolean => when === 'always' || (when === 'auto' && lacksRights());

/**
 * Replaces the process by the same one in namespaces of its own, if it needs them and the host allows them; otherwise it returns,
 * and the switch does what it can where it is.
 */
export function goRootless(run: RootlessRun): void {
  const { when, config, say } = run;
  const uid = process.geteuid?.() ?? 0;
  if (when === 'auto' && config !== undefined && hasItsNics(config, uid)) return;
  const found = obstacle() ?? folderObstacle(uid);
  if (found !== undefined) {
    say(`not root, and namespaces of its own are not possible: ${found.reason}; ${found.remedy}, or run it as root`);
    return;
  }
  const socket = ownSocket(run);
  const enter = nsenter(process.pid).join(' ');
  say(
    `not root: runs in user, network and mount namespaces of its own, without the host's devices; "${enter}" enters them`,
  );
  enterOwn(userFolder(process.env, uid), ownCommand(socket === undefined ? [] : ['-s', socket]), inherited(config));
}

/**
 * The control socket of a switch for which none was named, when the user may not use the default one; undefined: use that which is
 * named. In namespaces of its own the default one is the same by another name.
 */
export function ownSocket({ config, hasSocket, say }: Omit<RootlessRun, 'when'>): string | undefined {
  if (hasSocket || config?.control !== DEFAULT_CONTROL || mayWrite(dirname(DEFAULT_CONTROL))) return undefined;
  const uid = process.geteuid?.() ?? 0;
  const found = folderObstacle(uid);
  if (found === undefined) return userSocket(process.env, uid);
  say(`no folder for the control socket: ${found.reason}; ${found.remedy}`);
  return undefined;
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const DEFAULT_CONTROL = '/run/overtap/overtap.sock';

/** Makes the user's folder. Another user may have made one of that name in /tmp. */
function folderObstacle(uid: number): Obstacle | undefined {
  const folder = userFolder(process.env, uid);
  const remedy = 'set XDG_RUNTIME_DIR to a folder of your own';
  try {
    makeFolder(folder, 0o700);
  } catch (error) {
    return { reason: `${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`, remedy };
  }
  return isPrivate(folder, uid) ? undefined : { reason: `${folder} belongs to others`, remedy };
}

/** Whether the switch needs to make no NIC: each is a TAP of this namespace that was made for the user (ip tuntap add ... user). */
function hasItsNics({ bridges, ports }: SwitchConfig, uid: number): boolean {
  const all = [...ports, ...bridges.flatMap((bridge) => bridge.ports)];
  if ([...bridges, ...all].some((one) => 'host_port' in one && one.host_port)) return false;
  return all.every(
    (port) => !hasOwnNic(port) || port.fd !== undefined || (port.netns === undefined && ownerOf(port.ifname) === uid),
  );
}

/** The descriptors that a switch is given: those that the file names by number, and those of a service manager (sd_listen_fds(3)). */
function inherited(config: SwitchConfig | undefined): number[] {
  const ports = config === undefined ? [] : [...config.ports, ...config.bridges.flatMap((bridge) => bridge.ports)];
  const named = ports.flatMap((port) => (hasOwnNic(port) && typeof port.fd === 'number' ? [port.fd] : []));
  const count = listenedDescriptors(process.env, process.pid);
  return [...named, ...Array.from({ length: count }, (_, at) => LISTEN_FDS_START + at)];
}

function ownerOf(ifname: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${ifname}/owner`, 'utf8'));
  } catch {
    return undefined;
  }
}
