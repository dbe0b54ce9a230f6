/**
 * The rights of a running switch: which capabilities it may need at any time, and giving up all others once it is ready. The
 * kernel limits what one that was taken over by a fault could do; no rule of the switch depends on it.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PortConfig, SwitchConfig } from '../../config/types.js';
import { CAPABILITIES, namesOf } from '../../port/capabilities.js';
import { keepCapabilities } from '../../port/process.js';
import type { Logger } from '../log/logger.js';

/** Of any switch, with its use; those that it does not have are not gained. */
const NEEDED = {
  NET_ADMIN: 'making TAPs and setting NICs',
  NET_RAW: 'binding sockets to devices',
  NET_BIND_SERVICE: 'UDP and TCP ports below 1024',
  SYS_ADMIN: 'entering network namespaces',
  BPF: 'tunnel_gso',
} as const;

/** Of root, who otherwise reads and enters only what is root's own; and of drivers of containers, whose namespaces are root's. */
const NEEDED_FOR_OTHERS = {
  DAC_READ_SEARCH: 'reading a configuration file of another user at SIGHUP',
  SYS_PTRACE: 'network namespaces of processes (/proc/PID/ns/net)',
} as const;

/**
 * Of root: removing the control socket at the end, in a folder where root may not write by its mode; connecting to the sockets of
 * virtual machines, which belong to their users.
 */
const OF_OTHERS = 'DAC_OVERRIDE';
/** Giving a socket that is made later its group: one of a port, and the control socket of the next process (`upgrade`). */
const GROUPS = 'CHOWN';

/** @returns numbers of capabilities */
export function neededCapabilities(
  config: Pick<SwitchConfig, 'control' | 'control_group' | 'bridges' | 'ports' | 'docker' | 'cni'>,
  isRoot: boolean,
): number[] {
  const ports = [...config.bridges.flatMap((bridge) => bridge.ports), ...config.ports];
  const isOthers = !isWritable(dirname(config.control)) || ports.some(usesPath);
  const hasGroup = (port: PortConfig): boolean => 'socket_group' in port && port.socket_group !== undefined;
  const hasContainers = config.docker !== undefined || config.cni !== undefined;
  const givesGroups = config.control_group !== undefined || ports.some(hasGroup);
  const names = [
    ...Object.keys(NEEDED),
    ...(isRoot || hasContainers ? Object.keys(NEEDED_FOR_OTHERS) : []),
    ...(isRoot && isOthers ? [OF_OTHERS] : []),
    ...(givesGroups ? [GROUPS] : []),
  ];
  return names.map((name) => CAPABILITIES.indexOf(name));
}

/** Whether a port uses the unix socket of another process, or makes one in a folder of another user. */
function usesPath(port: PortConfig): boolean {
  return port.type === 'qemu' || (port.type === 'udp' && port.remote.startsWith('/'));
}

/** Whether root may write to a folder without a capability. */
function isWritable(folder: string): boolean {
  try {
    const { uid, mode } = statSync(folder);
    return (mode & (uid === 0 ? 0o200 : 0o002)) !== 0;
  } catch {
    return false;
  }
}

/** Gives up what the switch does not need, and says what is left. A failure is no reason to end. */
export function giveUpRights(config: SwitchConfig, log: Logger): void {
  try {
    const needed = neededCapabilities(config, process.geteuid?.() === 0);
    if (!isLimited(needed)) keepCapabilities(needed);
    log.info({ capabilities: namesOf(ownSet('CapPrm')) }, 'rights');
  } catch (error) {
    log.warn({ err: error }, 'rights that the switch does not need could not be given up; it goes on with them');
  }
}

/** Whether there is nothing to give up: a service manager has limited the process at its start. */
function isLimited(needed: readonly number[]): boolean {
  const mask = needed.reduce((set, number) => set | (1n << BigInt(number)), 0n);
  const excess = ['CapPrm', 'CapInh', 'CapBnd'].some((name) => (ownSet(name) & ~mask) !== 0n);
  return !excess && /^NoNewPrivs:\s*1$/m.test(ownStatus());
}

const ownStatus = (): string => readFileSync('/proc/self/status', 'utf8');

function ownSet(name: string): bigint {
  return BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(ownStatus())?.[1] ?? '0'}`);
}
