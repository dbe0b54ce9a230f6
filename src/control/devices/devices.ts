/**
 * Opens the devices of a configuration, TAPs and underlay sockets, all or nothing. The only module that tracks open devices;
 * engines get descriptors as numbers.
 */
import type { NicConfig, OffloadConfig, VxlanConfig } from '../../config/types.js';
import {
  ALL_OFFLOADS,
  adoptTap,
  continueTap,
  openTap,
  TapError,
  type TapFacts,
  type TapHandle,
  type TapOptions,
  TUN_F_CSUM,
} from '../../port/tap.js';
import type { FlowDevice } from '../../port/native-flow-table.js';
import { pathMtu } from '../../port/underlay.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { progress } from '../guard.js';
import type { Custody } from '../model/bequest.js';
import { DeviceError } from '../model/device-error.js';
import type { OpenTap, OpenUnderlay, SenderPools } from '../model/model.js';
import { absentTap } from './absent-tap.js';
import type { FlowDevices, FlowPlace } from './flow-devices.js';
import type { Inherited } from './inherited.js';
import { asOpenTap } from './open-tap.js';
import { type GivenSockets, type Released, UnderlaySockets } from './underlay-sockets.js';

export { type GivenSockets, receivingVrf, type Released, receiverKey } from './underlay-sockets.js';

export const DEFAULT_MTU = 1500;
const UDP_HEADER = 8;
const IP_HEADER = { 4: 20, 6: 40 } as const;

export interface DeviceOptions {
  /** Engines; each gets a queue of every TAP and a receiving socket of its own. */
  workers: number;
  offloads: OffloadConfig;
  /** The MAC of a NIC that is created for a port without a configured one. */
  macOf(port: string): string;
  /** First port that a pool of sending sockets tries in its `srcport` range. */
  seed: number;
  /** Open descriptors that ports may take. */
  inherited: Inherited;
  /** Absent: no flow is carried by the kernel. */
  flows?: FlowDevices | null;
}

/** A device that consists of one descriptor for each engine. */
export interface PlainDevice {
  /** Idempotent. */
  close(): void;
}

/** Options for opening devices during a change. */
export type DeviceSource = Pick<
  Devices,
  | 'workers'
  | 'packetRing'
  | 'flowDevice'
  | 'guestTap'
  | 'absentTap'
  | 'absentUnderlay'
  | 'underlay'
  | 'groupsOf'
  | 'poolsOf'
  | 'receiverFds'
  | 'senderFds'
  | 'senderPort'
  | 'release'
  | 'vxlanMtu'
  | 'keep'
  | 'drop'
  | 'continueTap'
  | 'adoptUnderlay'
>;

export class Devices {
  private readonly sockets: UnderlaySockets;
  /** Each with the names of its ports. */
  private readonly taps = new Map<OpenTap, string>();

  private readonly plain = new Set<PlainDevice>();

  constructor(private readonly options: DeviceOptions) {
    this.sockets = new UnderlaySockets(options);
  }

  /** Engines: descriptors of each device. */
  get workers(): number {
    return this.options.workers;
  }

  /** Whether attached interfaces deliver frames by a ring. */
  get packetRing(): boolean {
    return this.options.offloads.packet_ring;
  }

  /** The programs that carry known flows of an interface; null: none do. */
  flowDevice(place: FlowPlace): FlowDevice | null {
    return this.options.flows?.join(place) ?? null;
  }

  /** The TAP of a TAP port, or the TUN of a TUN port. */
  guestTap(port: NicConfig, mtu: number): OpenTap {
    const { name, ifname, netns, fd } = port;
    const options = this.tapOptions(port, mtu);
    return guard(name, () => {
      const handle =
        fd === undefined
          ? this.orOwner(ifname, netns, () => openTap(options))
          : this.adopt(this.options.inherited.take(fd, name), options);
      const tap = asOpenTap(handle, (closing) => this.taps.delete(closing));
      this.taps.set(tap, name);
      try {
        while (tap.fds.length < this.options.workers) tap.fds.push(handle.openQueue());
      } catch (error) {
        tap.discard();
        throw error;
      }
      return tap;
    });
  }

  /** A number may stand for a descriptor that the switch itself has opened. */
  private adopt(fd: number, options: TapOptions): TapHandle {
    const owner = [...this.taps].find(([tap]) => tap.fds.includes(fd))?.[1];
    if (owner !== undefined)
      throw new Error(
        `descriptor ${fd} is the NIC that the switch has made for port ${owner}; give one that it inherits`,
      );
    const handle = adoptTap(fd, options);
    try {
      this.refuseSecond(fd, handle);
    } catch (error) {
      handle.discard();
      throw error;
    }
    return handle;
  }

  /** Each of two descriptors of one NIC would get a part of its frames. */
  private refuseSecond(fd: number, handle: TapHandle): void {
    const nic = handle.state();
    if (nic === null) return;
    for (const [tap, port] of this.taps) {
      const other = tap.state();
      if (other?.ifname !== nic.ifname || other.netns !== nic.netns) continue;
      throw new Error(
        `descriptor ${fd} is the NIC ${nic.ifname}, which port ${port} has already; give each NIC to one port`,
      );
    }
  }

  /** Goes on with the TAP of the process before. @param facts as its `bequeath` gave them; changes nothing about the device */
  continueTap(port: NicConfig, { facts, fds }: { facts: TapFacts; fds: number[] }, custody: Custody): OpenTap {
    const handle = continueTap(this.tapOptions(port, facts.mtu), facts, fds, custody);
    const tap = asOpenTap(handle, (closing) => this.taps.delete(closing));
    this.taps.set(tap, port.name);
    while (tap.fds.length < fds.length) tap.fds.push(handle.openQueue());
    return tap;
  }

  private tapOptions(nic: NicConfig, mtu: number): TapOptions {
    const { offloads, workers, macOf } = this.options;
    const { name, ifname } = nic;
    return {
      vnetHeader: offloads.vnet_header,
      offload: offloads.tso ? ALL_OFFLOADS : TUN_F_CSUM,
      queues: workers,
      layer3: nic.type === 'tun',
      ifname,
      addresses: nic.addresses,
      mtu,
      persist: nic.persist,
      ...(nic.netns === undefined ? {} : { netns: nic.netns }),
      ...(nic.mac === undefined ? { newMac: macOf(name) } : { mac: nic.mac }),
    };
  }

  /** EBUSY may come from another port of this switch, under another spelling of the NIC; the message then names that port. */
  private orOwner<T>(ifname: string, netns: string | undefined, open: () => T): T {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof TapError) || error.code !== 'EBUSY') throw error;
      const owner = [...this.taps].find(([tap]) => tap.isAt(ifname, netns))?.[1];
      if (owner === undefined) throw error;
      const place = netns === undefined ? ifname : `${ifname} in netns ${netns}`;
      throw new Error(`port ${owner} of this switch has the NIC ${place} already; choose another ifname`, {
        cause: error,
      });
    }
  }

  /** Placeholder for a TAP that cannot be opened yet. */
  absentTap(port: NicConfig, mtu: number): OpenTap {
    const { workers, macOf } = this.options;
    // The MAC of a TUN is the switch's, with or without the device.
    return absentTap(port, mtu, workers, port.type === 'tun' ? (port.mac ?? macOf(port.name)) : '');
  }

  /** Opens a device without state of its own here; it is closed by `drop`, or at the end. @param open gets the number of engines */
  keep<T extends PlainDevice>(port: string, open: (queues: number) => T): T {
    return guard(port, () => {
      const device = open(this.options.workers);
      this.plain.add(device);
      return device;
    });
  }

  drop(device: PlainDevice): void {
    this.plain.delete(device);
    device.close();
  }

  /** See UnderlaySockets, as for the next seven methods. */
  absentUnderlay(): OpenUnderlay {
    return this.sockets.absent();
  }

  underlay(port: VxlanConfig, deaf?: OpenUnderlay): OpenUnderlay {
    return guard(port.name, () => this.sockets.underlay(port, deaf));
  }

  adoptUnderlay(port: VxlanConfig, given: GivenSockets): OpenUnderlay {
    return guard(port.name, () => this.sockets.adopt(port, given));
  }

  groupsOf(port: VxlanConfig, addresses: readonly string[]): Map<string, number> {
    return guard(port.name, () => this.sockets.groupsOf(port, addresses));
  }

  poolsOf(port: VxlanConfig): SenderPools {
    return guard(port.name, () => this.sockets.poolsOf(port));
  }

  receiverFds(socket: number): number[] {
    return this.sockets.receiverFds(socket);
  }

  senderFds(sender: number): readonly number[] {
    return this.sockets.senderFds(sender);
  }

  senderPort(sender: number): number {
    return this.sockets.senderPort(sender);
  }

  release(held: { sockets: readonly (number | null)[]; senders: readonly number[] }): Released {
    return this.sockets.release(held);
  }

  /** Largest outer packet, in bytes, that reaches an address unfragmented; null: unreachable. */
  pathMtu(config: VxlanConfig, remote: string): number | null {
    const { local, dev } = config;
    try {
      const known = pathMtu({
        remote,
        ...(local === undefined ? {} : { local }),
        ...(dev === undefined ? {} : { dev }),
      });
      return this.probed(config, remote, known);
    } catch {
      return null;
    }
  }

  /** What probes say about a path whose MTU the kernel knows; set by who sends any. */
  probed: (config: VxlanConfig, remote: string, known: number) => number | null = (_config, _remote, known) => known;

  /**
   * The MTU of a vxlan port: the largest that reaches each of these addresses unfragmented by its route. Without a known route,
   * the MTU for a plain Ethernet underlay.
   */
  vxlanMtu(port: VxlanConfig, addresses: Iterable<string>): number {
    let least = Number.POSITIVE_INFINITY;
    for (const remote of addresses) least = Math.min(least, this.pathMtu(port, remote) ?? least);
    return tunnelMtu(port, Number.isFinite(least) ? least : DEFAULT_MTU);
  }

  /** Descriptors that no port has taken by now are none of the switch's. */
  startEnded(): void {
    this.options.inherited.end();
  }

  /** Closes all devices, and deletes TAPs that are not persistent. Idempotent. */
  close(): void {
    for (const tap of [...this.taps.keys()]) tap.close();
    for (const device of [...this.plain]) this.drop(device);
    this.sockets.close();
    this.options.flows?.close();
  }
}

function guard<T>(name: string, open: () => T): T {
  progress();
  try {
    return open();
  } catch (error) {
    throw new DeviceError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Overhead of a vxlan port in bytes, from inner payload to underlay MTU: 50 over IPv4, 70 over IPv6. */
export function overhead(family: 4 | 6): number {
  return IP_HEADER[family] + UDP_HEADER + VXLAN_HEADER + ETHERNET_HEADER;
}

/** The largest inner packet of a vxlan port over a path with this MTU. */
export function tunnelMtu(port: VxlanConfig, way: number): number {
  return way - overhead(port.family) - tagInside(port);
}

/** Bytes of the inner tag: a port with a single VNI sends its tagged VLANs with their tags. */
function tagInside(port: VxlanConfig): number {
  return !port.vlan_tunnel && port.vlans.some(({ untagged }) => !untagged) ? VLAN_TAG : 0;
}

/** `mtu: auto` for the NICs of a bridge: the minimum of its vxlan ports, else the Ethernet default. */
export function automaticMtu(vxlanMtus: readonly number[]): number {
  return vxlanMtus.length === 0 ? DEFAULT_MTU : Math.min(...vxlanMtus);
}
