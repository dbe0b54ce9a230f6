/** The command line of a virtual machine, and the files by which it is reached. Starts nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../testbed/wait.js';
import type { GuestImage } from './guest-image.js';
import { READY } from './guest-init.js';

/** With TCG on a busy machine; 5 to 8 s on an idle one. */
const BOOT_LIMIT_MS = 180_000;

export interface VirtualNic {
  /** The backend as of `-netdev`, without its id: `stream,server=on,addr.type=unix,addr.path=PATH`. */
  netdev: string;
  mac: string;
  /** Its MTU, of which virtio-net tells the guest; without it the guest has 1500. */
  mtu?: number;
  /** QEMU's name of the device; default virtio-net-pci. */
  model?: string;
}

export interface VirtualMachineOptions {
  image: GuestImage;
  /** An existing folder of its own: its console and log. */
  folder: string;
  nics: readonly VirtualNic[];
  /** Of its first NIC, with prefix length. */
  address?: string;
  /** Megabytes; default 128. */
  memory?: number;
  /** Default `tcg`, which works everywhere; `kvm` fails in many virtual machines although they have /dev/kvm. */
  accelerator?: 'tcg' | 'kvm';
  /** Further words of QEMU. */
  words?: readonly string[];
}

/** The backend of a NIC whose QEMU listens on a unix socket, to which a `qemu` port connects. */
export function streamNetdev(path: string): string {
  return `stream,server=on,addr.type=unix,addr.path=${path}`;
}

/** Path of the socket on which commands are taken. */
export const consolePath = (folder: string): string => join(folder, 'console');

/** Path of what the guest writes on its console. */
export const logPath = (folder: string): string => join(folder, 'console.log');

/** The command line. */
export function qemuCommand({
  image,
  folder,
  nics,
  address,
  memory = 128,
  accelerator = 'tcg',
  words = [],
}: VirtualMachineOptions): string[] {
  // On a busy host the interrupts of TCG's timer come too late for the kernel's check, which then panics.
  const timer = ['tsc=unstable', 'no_timer_check'];
  const kernel = ['console=ttyS0', 'quiet', 'loglevel=3', 'panic=-1', 'mitigations=off', ...timer];
  const append = [...kernel, 'random.trust_cpu=on', ...(address === undefined ? [] : [`ip4=${address}`])].join(' ');
  return [
    'qemu-system-x86_64',
    ...['-accel', accelerator, '-machine', 'pc', '-cpu', 'max', '-m', String(memory)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', image.kernel, '-initrd', image.initrd, '-append', append],
    ...['-chardev', `file,id=s0,path=${logPath(folder)}`, '-serial', 'chardev:s0'],
    ...['-chardev', `socket,id=s1,path=${consolePath(folder)},server=on,wait=off`, '-serial', 'chardev:s1'],
    ...nics.flatMap(({ netdev, mac, mtu, model = 'virtio-net-pci' }, i) => {
      const [kind, ...options] = netdev.split(',');
      const device = `${model},romfile=,netdev=n${i},mac=${mac}${mtu === undefined ? '' : `,host_mtu=${mtu}`}`;
      return ['-netdev', [kind, `id=n${i}`, ...options].join(','), '-device', device];
    }),
    ...words,
  ];
}

/**
 * Waits until the guest can be used.
 * @param isRunning false once QEMU has ended @returns the line with which the guest announced itself
 * @throws LabError LAB_TIMEOUT; Error with the console's last words when QEMU has ended
 */
export function guestReady(folder: string, isRunning: () => boolean, limitMs = BOOT_LIMIT_MS): Promise<string> {
  return until(
    `the guest of ${folder} has started`,
    () => {
      const log = existsSync(logPath(folder)) ? readFileSync(logPath(folder), 'latin1') : '';
      const line = log.split(/\r?\n/).find((one) => one.startsWith(READY));
      if (line === undefined && !isRunning()) throw new Error(`QEMU has ended; the console says: ${log.slice(-500)}`);
      return line;
    },
    limitMs,
  );
}
