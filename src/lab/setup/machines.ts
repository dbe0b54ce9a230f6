/**
 * Owns the virtual machines of a lab: starting and ending QEMU, and keeping the process in the lab's state up to date. QEMU runs in
 * the namespace of the host, whose switch has the machine's port.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, type Started, startDetached, stopProcess } from '../testbed/detached.js';
import { addMacvtap } from '../testbed/namespaces.js';
import { refuseIfInterrupted } from '../testbed/wait.js';
import type { GuestImage } from '../vm/guest-image.js';
import { guestReady, logPath, qemuCommand, streamNetdev, type VirtualNic } from '../vm/virtual-machine.js';
import type { LabEnvironment } from './environment.js';
import { type LabState, labFolder, type MachineRecord, machineFolder, recordOf, saveState } from './state.js';
import type { Machine } from './topology.js';

/**
 * Starts QEMU with the macvtap of $2 as descriptor 3. Its device node is made in a file system of its own, which goes with QEMU: that of
 * the macvtap in /dev is named by the interface's index, which is another's in another namespace, and /run may forbid device nodes.
 */
const WITH_MACVTAP =
  'mkdir -p "$1"; mount -t tmpfs -o size=64k,mode=700 none "$1"; ' +
  'mknod "$1/tap" c $(tr : " " < "$(echo /sys/class/net/"$2"/macvtap/tap*/dev)"); ' +
  'exec 3<> "$1/tap"; shift 2; exec "$@"';

/** Path of the socket on which the QEMU of a machine listens for its switch. */
export function machineSocket(folder: string): string {
  return join(folder, 'net');
}

/** Path of what the QEMU of a machine says itself. */
export function qemuLog(folder: string): string {
  return join(folder, 'qemu.log');
}

/** Starts a machine and records it in the state; it is ready later. @param mtu of its NIC, which it cannot find out */
export async function startMachine(
  machine: Machine,
  image: GuestImage,
  mtu: number,
  environment: LabEnvironment,
  state: LabState,
): Promise<Started> {
  const folder = machineFolder(labFolder(environment.root, state.lab), machine.name);
  mkdirSync(folder);
  if (machine.attachment === 'macvtap')
    await addMacvtap({ netns: machine.netns, ifname: machine.name }, macvtapOf(machine));
  const command = commandOf(machine, image, mtu, folder);
  const { name, netns } = machine;
  return start({ name, netns, folder, command, pid: 0 }, environment, state);
}

/**
 * Waits until the guest of a machine can be used.
 * @throws LabError LAB_SWITCH_FAILED when QEMU has ended, LAB_TIMEOUT; Interrupted
 */
export async function machineReady({ folder }: MachineRecord, started: Started, signal?: AbortSignal): Promise<void> {
  await guestReady(folder, () => {
    refuseIfInterrupted(signal);
    return started.ending() === null;
  });
}

/** Ends the QEMU of a machine, without a word to its guest. @returns how it ended */
export function endMachine({ pid, folder }: MachineRecord): Promise<'not running' | 'ended' | 'killed'> {
  return stopProcess(pid, markOf(folder));
}

/** Starts a machine again as it was and waits until it is ready. No error if it is running. @throws as machineReady */
export async function machineAgain(
  state: LabState,
  name: string,
  environment: LabEnvironment,
  signal?: AbortSignal,
): Promise<void> {
  const record = recordOf(state.machines, name);
  if (isRunning(record.pid, markOf(record.folder))) return;
  const started = await start(record, environment, state);
  await machineReady(record, started, signal);
}

async function start(record: MachineRecord, environment: LabEnvironment, state: LabState): Promise<Started> {
  const { name, netns, folder, command } = record;
  rmSync(logPath(folder), { force: true }); // it has the words of the run before
  const started = await startDetached(netns, command, qemuLog(folder));
  state.machines = [...state.machines.filter((one) => one.name !== name), { ...record, pid: started.pid }];
  saveState(environment.root, state);
  return started;
}

/** A word of the command line that no other process has. */
const markOf = (folder: string): string => join(folder, 'pid');

const macvtapOf = ({ name }: Machine): string => `${name}-mv`;

function commandOf(machine: Machine, image: GuestImage, mtu: number, folder: string): string[] {
  const { mac, address, attachment } = machine;
  const netdev = attachment === 'socket' ? streamNetdev(machineSocket(folder)) : 'tap,fd=3';
  const nics: VirtualNic[] = [{ netdev, mac, mtu }];
  const qemu = qemuCommand({ image, folder, nics, address: `${address}/24`, words: ['-pidfile', markOf(folder)] });
  if (attachment === 'socket') return qemu;
  return ['sh', '-ec', WITH_MACVTAP, 'sh', join(folder, 'dev'), macvtapOf(machine), ...qemu];
}
