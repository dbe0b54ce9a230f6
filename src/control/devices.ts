/**
 * Opens what a configuration asks for: TAPs and underlay sockets, all or nothing. The only place that knows which
 * devices there are; the engine gets their descriptors as numbers.
 */
import type { NicSettings, OffloadConfig, TapConfig, VxlanConfig } from '../config/types.js';
import { MAX_SOCKETS } from '../dataplane/forwarding.js';
import { ALL_OFFLOADS, openTap, TUN_F_CSUM } from '../port/tap.js';
import { DEFAULT_SENDERS, openGroupReceiver, openReceiver, openSenders, pathMtu } from '../port/underlay.js';
import { ETHERNET_HEADER } from '../wire/ethernet.js';
import { VLAN_TAG } from '../wire/vlan.js';
import { VXLAN_HEADER } from '../wire/vxlan.js';
import { DeviceError } from './device-error.js';
import type { OpenTap, OpenUnderlay, SenderPools } from './model.js';
import { Numbers } from './numbers.js';

export const DEFAULT_MTU = 1500;
/** As many as the Nic's tables hold. */
const MAX_SENDERS = 65_536;
/** In the place of what a receiving socket is shared by. */
const OUTDATED = '';
/** In the place of a descriptor: this engine has none. */
const NO_FD = -1;
const UDP_HEADER = 8;
const IP_HEADER = { 4: 20, 6: 40 } as const;

interface Sender {
  fd: number;
  close(): void;
}

/** The receiving sockets of one local address and port: one for each engine. */
interface Receiver {
  /** What ports share it by. */
  key: string;
  fds: number[];
  /** Ports that have it. */
  users: number;
  close(): void;
}

export interface DeviceOptions {
  /** Engines; each gets a queue of every TAP and a receiving socket of its own. */
  workers: number;
  offloads: OffloadConfig;
  /** Where in its `srcport` range a pool of senders starts. */
  seed: number;
}

/** What an underlay had to itself, and is closed by `close` once the engines have let it go. */
export interface Released {
  /** Numbers of the receiving sockets that no other port has. */
  sockets: number[];
  senders: number[];
  close(): void;
}

/** What a change of the switch opens devices with. */
export type DeviceSource = Pick<
  Devices,
  'guestTap' | 'underlay' | 'poolsOf' | 'receiverFds' | 'senderFd' | 'release' | 'vxlanMtu'
>;

export class Devices {
  /** By number. */
  private readonly receivers: (Receiver | undefined)[] = [];
  private readonly senders: (Sender | undefined)[] = [];
  private readonly socketNumbers = new Numbers('local addresses and dstports', 0, MAX_SOCKETS);
  private readonly senderNumbers = new Numbers('sending sockets', 0, MAX_SENDERS);
  private readonly taps = new Set<OpenTap>();

  constructor(private readonly options: DeviceOptions) {}

  /** The TAP of a tap port. */
  guestTap(port: TapConfig, mtu: number): OpenTap {
    return this.openTap(
      port.name,
      { ...port, mtu, ...(port.netns === undefined ? {} : { netns: port.netns }) },
      port.ifname,
    );
  }

  private openTap(name: string, nic: NicSettings & { mtu: number; netns?: string }, ifname: string): OpenTap {
    const { offloads, workers } = this.options;
    return guard(name, () => {
      const tap = openTap({
        vnetHeader: offloads.vnetHeader,
        offload: offloads.tso ? ALL_OFFLOADS : TUN_F_CSUM,
        queues: workers,
        ifname,
        addresses: nic.addresses,
        mtu: nic.mtu,
        persist: nic.persist,
        ...(nic.netns === undefined ? {} : { netns: nic.netns }),
        ...(nic.mac === undefined ? {} : { mac: nic.mac }),
      });
      const open: OpenTap = {
        fds: [tap.fd],
        vnetHeaderSize: tap.vnetHeaderSize,
        ifname: tap.ifname,
        get mac() {
          return tap.mac;
        },
        get mtu() {
          return tap.mtu;
        },
        setMtu: (bytes) => tap.setMtu(bytes),
        setMac: (mac) => tap.setMac(mac),
        addAddresses: (addresses) => tap.addAddresses(addresses),
        removeAddresses: (addresses) => tap.removeAddresses(addresses),
        setPersist: (persist) => tap.setPersist(persist),
        close: () => {
          this.taps.delete(open);
          tap.close();
        },
      };
      this.taps.add(open);
      try {
        while (open.fds.length < workers) open.fds.push(tap.openQueue());
      } catch (error) {
        open.close();
        throw error;
      }
      return open;
    });
  }

  /**
   * The sockets of a vxlan port: a receiving one, shared where it can be, and a pool of sending ones.
   * @param deaf what the port had, where its group cannot be heard by it any more; nobody comes to share that
   */
  underlay(port: VxlanConfig, deaf?: OpenUnderlay): OpenUnderlay {
    const outdated = deaf?.group == null ? undefined : this.receivers[deaf.group];
    if (outdated !== undefined) outdated.key = OUTDATED;
    return guard(port.name, () => {
      const socket = this.receiver(port);
      let group: number | null = null;
      try {
        group = this.groupReceiver(port);
        return { socket, group, pools: this.pools(port) };
      } catch (error) {
        this.release({ sockets: [socket, group], senders: [] }).close();
        throw error;
      }
    });
  }

  /** Sending sockets of a vxlan port, in place of those it has. */
  poolsOf(port: VxlanConfig): SenderPools {
    return guard(port.name, () => this.pools(port));
  }

  private pools(port: VxlanConfig): SenderPools {
    // Over IPv6 nothing is ever fragmented on the way: one pool is all there is to choose from.
    if (port.df !== 'inherit' || port.family === 6)
      return { senders: this.pool(port, port.df === 'set'), dfSenders: [] };
    const [low, high] = port.srcport;
    const half = Math.floor((high - low + 1) / 2);
    if (half === 0)
      throw new Error(
        `df: inherit needs two source ports, one for frames of either kind; widen srcport ${low}-${high}`,
      );
    const count = Math.min(DEFAULT_SENDERS, half);
    const senders = this.pool(port, false, count);
    try {
      return { senders, dfSenders: this.pool(port, true, count) };
    } catch (error) {
      this.release({ sockets: [], senders }).close();
      throw error;
    }
  }

  private pool(port: VxlanConfig, df: boolean, count?: number): number[] {
    const pool = openSenders({
      ...(count === undefined ? {} : { count }),
      family: port.family,
      range: port.srcport,
      seed: this.options.seed + this.senders.length,
      df,
      checksum: port.udpcsum,
      ...(port.local === undefined ? {} : { local: port.local }),
      ...(port.dev === undefined || port.group !== undefined ? {} : { dev: port.dev }),
      ...(port.ttl === undefined ? {} : { ttl: port.ttl }),
      ...(port.group === undefined || port.dev === undefined ? {} : { multicast: { dev: port.dev } }),
    });
    const numbers: number[] = [];
    try {
      for (const sender of pool) {
        const number = this.senderNumbers.take();
        numbers.push(number);
        this.senders[number] = sender;
      }
    } catch (error) {
      for (const number of numbers) this.senderNumbers.give(number);
      for (const sender of pool) sender.close();
      throw error;
    }
    return numbers;
  }

  private receiver(port: VxlanConfig): number {
    const key = receiverKey(port);
    const shared = this.share(key);
    if (shared !== null) return shared;
    const { offloads, workers } = this.options;
    const place = {
      family: port.family,
      port: port.dstport,
      gro: offloads.udpGro,
      ...(port.local === undefined ? {} : { local: port.local }),
    };
    // Sockets that share a port would share it with another switch's too: first see that nobody has it.
    if (workers > 1) openReceiver(place).close();
    return this.keep(
      key,
      Array.from({ length: workers }, () => openReceiver({ ...place, reusePort: workers > 1 })),
    );
  }

  /** The socket of a port's multicast group. Every socket of a group gets every datagram, so one engine has it. */
  private groupReceiver(port: VxlanConfig): number | null {
    const { group, dev, dstport } = port;
    if (group === undefined || dev === undefined) return null;
    const key = `group ${group} ${dev} ${receiverKey(port)}`;
    return (
      this.share(key) ??
      this.keep(key, [openGroupReceiver({ group, dev, port: dstport, gro: this.options.offloads.udpGro })])
    );
  }

  private share(key: string): number | null {
    const shared = this.receivers.findIndex((receiver) => receiver?.key === key);
    const known = this.receivers[shared];
    if (known === undefined) return null;
    known.users++;
    return shared;
  }

  private keep(key: string, opened: readonly { fd: number; close(): void }[]): number {
    const close = (): void => {
      for (const receiver of opened) receiver.close();
    };
    const number = this.socketNumbers.tryTake();
    if (number === null) {
      close();
      throw new Error(`at most ${MAX_SOCKETS} local addresses, groups and dstports`);
    }
    const { workers } = this.options;
    const fds = Array.from({ length: workers }, (_, engine) => opened[engine]?.fd ?? NO_FD);
    this.receivers[number] = { key, users: 1, fds, close };
    return number;
  }

  /** Descriptors of a receiving socket, one for each engine. */
  receiverFds(socket: number): number[] {
    return this.receivers[socket]?.fds ?? [];
  }

  senderFd(sender: number): number {
    return this.senders[sender]?.fd ?? -1;
  }

  /** Takes a port's sockets out of use. What it had to itself must be detached from the engines, and then be closed. */
  release({ sockets, senders }: { sockets: readonly (number | null)[]; senders: readonly number[] }): Released {
    const last: { number: number; receiver: Receiver }[] = [];
    for (const number of sockets) {
      const receiver = number === null ? undefined : this.receivers[number];
      if (number === null || receiver === undefined || --receiver.users > 0) continue;
      this.receivers[number] = undefined;
      last.push({ number, receiver });
    }
    const pool = senders.map((number) => this.senders[number]);
    for (const number of senders) this.senders[number] = undefined;
    return {
      sockets: last.map(({ number }) => number),
      senders: [...senders],
      close: () => {
        for (const sender of pool) sender?.close();
        for (const number of senders) this.senderNumbers.give(number);
        for (const { number, receiver } of last) {
          receiver.close();
          this.socketNumbers.give(number);
        }
      },
    };
  }

  /** The largest outer packet, in bytes, that reaches an address in one piece; null: there is no way to it. */
  pathMtu({ local, dev }: VxlanConfig, remote: string): number | null {
    try {
      return pathMtu({ remote, ...(local === undefined ? {} : { local }), ...(dev === undefined ? {} : { dev }) });
    } catch {
      return null;
    }
  }

  /**
   * The MTU of a vxlan port: the largest that reaches each of these addresses unfragmented, by the routes to them. Where no
   * route is known, what a plain Ethernet underlay would carry.
   */
  vxlanMtu(port: VxlanConfig, addresses: Iterable<string>): number {
    let least = Number.POSITIVE_INFINITY;
    for (const remote of addresses) least = Math.min(least, this.pathMtu(port, remote) ?? least);
    return (Number.isFinite(least) ? least : DEFAULT_MTU) - overhead(port.family) - tagInside(port);
  }

  /** Closes everything; a TAP that is not persistent goes with it. Doing it twice does nothing. */
  close(): void {
    for (const tap of [...this.taps]) tap.close();
    for (const device of [...this.receivers, ...this.senders]) device?.close();
    this.receivers.length = 0;
    this.senders.length = 0;
  }
}

/** What vxlan ports share a receiving socket by. */
export function receiverKey({ local, family, dstport }: VxlanConfig): string {
  return `${local ?? 'any'} ${family} ${dstport}`;
}

function guard<T>(name: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw new DeviceError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Bytes that a vxlan port puts around a frame's payload, on top of the underlay's MTU: 50 over IPv4, 70 over IPv6. */
export function overhead(family: 4 | 6): number {
  return IP_HEADER[family] + UDP_HEADER + VXLAN_HEADER + ETHERNET_HEADER;
}

/** Bytes of the tag that a frame keeps inside the tunnel: a port with a single VNI sends its tagged VLANs with theirs. */
function tagInside(port: VxlanConfig): number {
  return !port.vlanTunnel && port.vlans.some(({ untagged }) => !untagged) ? VLAN_TAG : 0;
}

/** `auto` for the NICs of a bridge: the least of its vxlan ports, or an Ethernet's own. */
export function automaticMtu(vxlanMtus: readonly number[]): number {
  return vxlanMtus.length === 0 ? DEFAULT_MTU : Math.min(...vxlanMtus);
}
