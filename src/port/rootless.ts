/**
 * Whether an ordinary user needs user, network and mount namespaces of their own, and whether this host allows them. Needs no
 * addon; `enter-own.ts` goes there.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

const CAP_NET_ADMIN = 12n;
/** By unshare(1) of util-linux, since a process with several threads may not enter a user namespace (setns(2)). */
export const UNSHARE = ['unshare', '--user', '--map-root-user', '--net', '--mount'];
/** Exit status of env(1) for a program that is not there. */
const NOT_FOUND = 127;
/** Set within, to the user's folder outside. */
export const OWN_FOLDER = 'OVERTAP_USER_FOLDER';

/** Why something cannot be, and what to do about it: one line together. */
export interface Obstacle {
  readonly reason: string;
  readonly remedy: string;
}

/** Whether this process can make no NIC: it is not root's, and nobody has given it the capability. */
export function lacksRights(): boolean {
  if (process.geteuid?.() === 0) return false;
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf('/proc/self/status') ?? '')?.[1] ?? '0';
  return ((BigInt(`0x${hex}`) >> CAP_NET_ADMIN) & 1n) === 0n;
}

/** What keeps an ordinary user from namespaces of their own, or from TAPs in them; undefined: nothing. Takes some milliseconds. */
export function obstacle(): Obstacle | undefined {
  const { status, stderr } = spawnSync('/usr/bin/env', [...UNSHARE, 'true'], { encoding: 'utf8' });
  if (status === NOT_FOUND) return { reason: 'there is no unshare(1)', remedy: 'install util-linux' };
  return status === 0 ? tunObstacle() : refusalOf(stderr?.trim().split('\n')[0] ?? '', settingOf);
}

/** Settings of hosts that forbid user namespaces: file below /proc/sys, the value that does, and the remedy. */
const FORBIDDEN = [
  ['user/max_user_namespaces', '0', 'sysctl -w user.max_user_namespaces=10000'],
  ['user/max_net_namespaces', '0', 'sysctl -w user.max_net_namespaces=10000'],
  ['kernel/unprivileged_userns_clone', '0', 'sysctl -w kernel.unprivileged_userns_clone=1'],
  ['kernel/apparmor_restrict_unprivileged_userns', '1', 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'],
] as const;

/**
 * Why unshare(1) was refused.
 * @param answer its error line @param setting value of a file below /proc/sys; undefined: there is none
 */
export function refusalOf(answer: string, setting: (file: string) => string | undefined): Obstacle {
  for (const [file, value, command] of FORBIDDEN) {
    if (setting(file) !== value) continue;
    return { reason: `${file.replace('/', '.')} is ${value} (${answer})`, remedy: `let root do "${command}"` };
  }
  return { reason: answer, remedy: 'a container or sandbox has to allow user namespaces' };
}

const settingOf = (file: string): string | undefined => textOf(`/proc/sys/${file}`)?.trim();

function tunObstacle(): Obstacle | undefined {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'));
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const remedy = code === 'EACCES' ? '"chmod 0666 /dev/net/tun", as udev has it' : '"modprobe tun"';
    return { reason: `/dev/net/tun cannot be opened (${code})`, remedy: `let root do ${remedy}` };
  }
}

/** The command line that enters the namespaces of a process. */
export function nsenter(pid: number): string[] {
  return ['nsenter', '-t', String(pid), '-U', '-m', '-n', '--preserve-credentials'];
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
