/**
 * Simulated devices for whole switches in tests: TAPs and sockets with invented descriptors.
 *
 * They record what is open and what is attached to a PacketIo, and enforce the order required of real ones: attached while
 * open, detached before closing. Opening can be made to fail. Nothing here touches the host.
 */
import type { NicAddress, TapConfig, VxlanConfig } from '../../../src/config/types.js';
import { absentTap, NO_FD } from '../../../src/control/devices/absent-tap.js';
import {
  type DeviceSource,
  type PlainDevice,
  type Released,
  receiverKey,
} from '../../../src/control/devices/devices.js';
import { groupsOf } from '../../../src/control/devices/underlay-sockets.js';
import { DeviceError } from '../../../src/control/model/device-error.js';
import type { OpenTap, OpenUnderlay, SenderPools } from '../../../src/control/model/model.js';
import { type Departure, MemoryPacketIo } from '../../../src/port/memory.js';
import { KIND_FRAME, KIND_UDP } from '../../../src/port/packet-io.js';
import { UnderlayError } from '../../../src/port/underlay.js';

/** The MTU that every vxlan port has. */
export const VXLAN_MTU = 1450;
const SENDERS = 2;
const EBADF = 9;
/** The reason of a port that waits. */
export const NOT_THERE = 'not there yet';

/** What a descriptor is of. */
interface Device {
  kind: 'tap' | 'receiver' | 'sender';
  /** The port; of a receiver the key that ports share it by. */
  name: string;
  isOpen: boolean;
  /** How many PacketIos have it. */
  attached: number;
}

export interface FakeTap extends OpenTap {
  config: TapConfig;
  addresses: string[];
  persist: boolean;
}

interface Receiver {
  key: string;
  fds: number[];
  users: number;
}

/** The address that the kernel would choose for a NIC. */
export function automaticMac(name: string): string {
  const bytes = [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) & 0xffff, 7);
  return `02:ee:00:00:${(bytes >> 8).toString(16).padStart(2, '0')}:${(bytes & 0xff).toString(16).padStart(2, '0')}`;
}

export class FakeDevices implements DeviceSource {
  readonly packetRing = true;

  flowDevice(): null {
    return null;
  }
  /** By port. */
  readonly taps = new Map<string, FakeTap>();
  /** By descriptor; those that were closed too. */
  readonly devices: Device[] = [];
  /** Opening so many from now fails; 0: none does. */
  failIn = 0;
  /** An opening was made to fail. */
  failed = false;
  /** Ports whose devices are not there yet: opening them says so. */
  absent = new Set<string>();
  /** An opening said so. */
  missed = false;
  /** Ports that got something in the place of their devices when they were opened last. */
  waiting = new Set<string>();
  /** NICs that are there, by namespace and name: there is one of a name, as in a kernel. */
  private readonly nics = new Set<string>();
  private readonly receivers: (Receiver | undefined)[] = [];
  private readonly senders: (number | undefined)[] = [];

  constructor(readonly workers: number) {}

  /** What is open, as sorted texts: one for each TAP, receiving socket and pool of senders. */
  get open(): string[] {
    const texts = this.devices.filter(({ isOpen }) => isOpen).map(({ kind, name }) => `${kind} ${name}`);
    return [...new Set(texts)].sort();
  }

  /** How many sending sockets are open: all engines use the same ones. */
  get openSenders(): number {
    return this.devices.filter(({ isOpen, kind }) => isOpen && kind === 'sender').length;
  }

  /** How many descriptors are open. */
  get openCount(): number {
    return this.devices.filter(({ isOpen }) => isOpen).length;
  }

  private device(kind: Device['kind'], name: string): number {
    return this.devices.push({ kind, name, isOpen: true, attached: 0 }) - 1;
  }

  private maybeFail(name: string): void {
    if (this.failIn === 0 || --this.failIn > 0) return;
    this.failed = true;
    throw new DeviceError(`${name}: made to fail`);
  }

  private find(name: string): void {
    if (!this.absent.has(name)) {
      this.waiting.delete(name);
      return;
    }
    this.missed = true;
    this.lastMissed = name;
    const cause = Object.assign(new Error('no such device'), { code: 'ENODEV', errno: 19, syscall: 'bind' });
    throw new DeviceError(`${name}: ${NOT_THERE}`, { cause: new UnderlayError(NOT_THERE, cause) });
  }

  private lastMissed = '';

  private closeAll(fds: readonly number[]): void {
    for (const fd of fds) {
      if (fd === NO_FD) continue;
      const device = this.devices[fd];
      if (!device.isOpen) throw new Error(`${device.kind} of ${device.name} is closed twice`);
      if (device.attached > 0)
        throw new Error(`${device.kind} of ${device.name} is closed, and an engine has it still`);
      device.isOpen = false;
    }
  }

  guestTap(config: TapConfig, mtu: number): OpenTap {
    this.maybeFail(config.name);
    this.find(config.name);
    const nic = `${config.netns ?? ''} ${config.ifname}`;
    if (this.nics.has(nic)) throw new DeviceError(`${config.name}: ${config.ifname} is in use`);
    this.nics.add(nic);
    const text = ({ address, prefix }: NicAddress): string => `${address}/${prefix}`;
    const tap: FakeTap = {
      config,
      fds: Array.from({ length: this.workers }, () => this.device('tap', config.name)),
      vnetHeaderSize: 12,
      ifname: config.ifname,
      mac: config.mac ?? automaticMac(config.name),
      mtu,
      addresses: config.addresses.map(text).sort(),
      persist: config.persist,
      state: () => ({ ifname: config.ifname, netns: 0, up: true, mtu: tap.mtu, mac: tap.mac }),
      isAt: (ifname, netns) => nic === `${netns ?? ''} ${ifname}`,
      hasMoved: false,
      bequeath: () => ({ facts: null, fds: [] }),
      discard: () => tap.close(),
      setMtu(bytes) {
        tap.mtu = bytes;
      },
      setMac(mac) {
        tap.mac = mac;
      },
      addAddresses(more) {
        tap.addresses = [...tap.addresses, ...more.map(text)].sort();
      },
      removeAddresses(gone) {
        tap.addresses = tap.addresses.filter((one) => !gone.some((address) => text(address) === one));
      },
      setPersist(on) {
        tap.persist = on;
      },
      close: () => {
        this.closeAll(tap.fds);
        this.nics.delete(nic);
        // Another one of that name may have come meanwhile.
        if (this.taps.get(config.name) === tap) this.taps.delete(config.name);
      },
    };
    this.taps.set(config.name, tap);
    return tap;
  }

  absentTap(config: TapConfig, mtu: number): OpenTap {
    this.waiting.add(config.name);
    return absentTap(config, mtu, this.workers);
  }

  absentUnderlay(): OpenUnderlay {
    this.waiting.add(this.lastMissed);
    const fds = Array.from({ length: this.workers }, () => NO_FD);
    const socket = put(this.receivers, { key: 'absent', fds, users: 1 });
    return { socket, groups: new Map(), pools: { senders: [put(this.senders, NO_FD)], dfSenders: [] } };
  }

  underlay(port: VxlanConfig): OpenUnderlay {
    this.find(port.name);
    const socket = this.receiver(port);
    try {
      return { socket, groups: this.groupsOf(port, groupsOf(port)), pools: this.poolsOf(port) };
    } catch (error) {
      this.release({ sockets: [socket], senders: [] }).close();
      throw error;
    }
  }

  private receiver(port: VxlanConfig): number {
    const key = receiverKey(port);
    const shared = this.receivers.findIndex((receiver) => receiver?.key === key);
    const known = this.receivers[shared];
    if (known !== undefined) {
      known.users++;
      return shared;
    }
    this.maybeFail(port.name);
    const fds = Array.from({ length: this.workers }, () => this.device('receiver', key));
    return put(this.receivers, { key, fds, users: 1 });
  }

  continueTap(): never {
    throw new Error('nothing is taken over here');
  }

  adoptUnderlay(): never {
    throw new Error('nothing is taken over here');
  }

  groupsOf(port: VxlanConfig, addresses: readonly string[]): Map<string, number> {
    this.maybeFail(port.name);
    const fds = (): number[] => Array.from({ length: this.workers }, () => this.device('receiver', port.name));
    return new Map(
      addresses.map((group) => [
        group,
        put(this.receivers, { key: `group ${group} ${port.name}`, fds: fds(), users: 1 }),
      ]),
    );
  }

  poolsOf(port: VxlanConfig): SenderPools {
    this.maybeFail(port.name);
    const pool = (): number[] =>
      Array.from({ length: SENDERS }, () => put(this.senders, this.device('sender', port.name)));
    return { senders: pool(), dfSenders: port.df === 'inherit' ? pool() : [] };
  }

  receiverFds(socket: number): number[] {
    const receiver = this.receivers[socket];
    if (receiver === undefined) throw new Error(`no receiving socket has number ${socket}`);
    return receiver.fds;
  }

  senderFds(sender: number): number[] {
    const fd = this.senders[sender];
    if (fd === undefined) throw new Error(`no sending socket has number ${sender}`);
    return Array.from({ length: this.workers }, () => fd);
  }

  senderPort(sender: number): number {
    return 40_000 + sender;
  }

  release({ sockets, senders }: Parameters<DeviceSource['release']>[0]): Released {
    const last: number[] = [];
    for (const socket of sockets) {
      const receiver = socket === null ? undefined : this.receivers[socket];
      if (socket === null || receiver === undefined || --receiver.users > 0) continue;
      receiver.key = 'released'; // nobody shares it any more; its number is given back with the closing
      last.push(socket);
    }
    const fds = senders.map((sender) => this.senderFds(sender)[0]);
    return {
      sockets: last,
      senders: [...senders],
      close: () => {
        this.closeAll([...fds, ...last.flatMap((socket) => this.receiverFds(socket))]);
        for (const sender of senders) this.senders[sender] = undefined;
        for (const socket of last) this.receivers[socket] = undefined;
      },
    };
  }

  keep<T extends PlainDevice>(_port: string, open: (queues: number) => T): T {
    return open(this.workers);
  }

  drop(device: PlainDevice): void {
    device.close();
  }

  vxlanMtu(): number {
    return VXLAN_MTU;
  }
}

/** Puts something at the first free place of a list. @returns the place */
function put<T>(list: (T | undefined)[], item: T): number {
  const free = list.indexOf(undefined);
  const at = free < 0 ? list.length : free;
  list[at] = item;
  return at;
}

class FaultsUnlessAttached extends Map<number, number> {
  override get(key: number): number {
    return super.get(key) ?? EBADF;
  }
}

/** A PacketIo that takes open devices only, and knows which device each of its numbers stands for. */
export class DevicePacketIo extends MemoryPacketIo {
  private readonly fds = new Map<string, number>();
  /** What is not attached cannot be sent to. */
  override readonly faults = new FaultsUnlessAttached();

  constructor(public devices: FakeDevices) {
    super();
  }

  private attach(kind: Device['kind'], index: number, fd: number): void {
    const device = this.devices.devices[fd];
    if (this.fds.has(`${kind} ${index}`)) throw new Error(`${kind} ${index} is in use`);
    if (device?.kind !== kind || !device.isOpen) throw new Error(`descriptor ${fd} is no open ${kind}`);
    // Each engine has its own queue of a TAP and its own receiving socket; they send through the same sockets.
    if (device.attached > 0 && kind !== 'sender') throw new Error(`the ${kind} of ${device.name} is attached twice`);
    device.attached++;
    this.fds.set(`${kind} ${index}`, fd);
    this.faults.set(faultKey(kind, index), 0);
  }

  private detach(kind: Device['kind'], index: number): void {
    const fd = this.fds.get(`${kind} ${index}`);
    if (fd === undefined) return;
    this.devices.devices[fd].attached--;
    this.fds.delete(`${kind} ${index}`);
    this.faults.delete(faultKey(kind, index));
  }

  /** The port that a frame went out of. */
  portOf({ kind, index }: Departure): string {
    const fd = this.fds.get(`${kind === KIND_FRAME ? 'tap' : 'sender'} ${index}`);
    return fd === undefined ? `nobody's ${kind} ${index}` : this.devices.devices[fd].name;
  }

  /** Number that the device of a name is attached under; undefined: it is not. */
  indexOf(kind: 'tap' | 'receiver', name: string): number | undefined {
    for (const [key, fd] of this.fds) {
      if (key.startsWith(`${kind} `) && this.devices.devices[fd].name === name) return Number(key.split(' ')[1]);
    }
    return undefined;
  }

  /** How many devices are attached. */
  get attachedCount(): number {
    return this.fds.size;
  }

  override attachTap(index: number, fd: number): void {
    this.attach('tap', index, fd);
  }

  override attachSocket(index: number, fd: number): void {
    this.attach('receiver', index, fd);
  }

  override attachSender(index: number, fd: number): void {
    this.attach('sender', index, fd);
  }

  override detachTap(index: number): void {
    this.detach('tap', index);
  }

  override detachSocket(index: number): void {
    this.detach('receiver', index);
  }

  override detachSender(index: number): void {
    this.detach('sender', index);
  }
}

/** Receiving sockets are never written to. */
function faultKey(kind: Device['kind'], index: number): number {
  const kinds = { tap: KIND_FRAME, sender: KIND_UDP, receiver: KIND_UDP + 1 };
  return (kinds[kind] << 16) | index;
}
