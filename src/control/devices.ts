/**
 * Opens what a configuration asks for: TAPs and underlay sockets, all or nothing. The only place that knows which
 * devices there are; the engine gets their descriptors as numbers.
 */
import type { BridgeConfig, NicSettings, OffloadConfig, TapConfig, VxlanConfig } from '../config/types.js';
import { MAX_SOCKETS } from '../dataplane/forwarding.js';
import { ALL_OFFLOADS, openTap, TUN_F_CSUM } from '../port/tap.js';
import { openReceiver, openSenders, pathMtu } from '../port/underlay.js';
import { ETHERNET_HEADER } from '../wire/ethernet.js';
import { VXLAN_HEADER } from '../wire/vxlan.js';
import type { OpenTap, OpenUnderlay } from './model.js';

const DEFAULT_MTU = 1500;
const UDP_HEADER = 8;
const IP_HEADER = { 4: 20, 6: 40 } as const;

/** A device could not be opened; the message names the port and says what to do. */
export class DeviceError extends Error {
  readonly code = 'DEVICE_UNAVAILABLE';
}

interface Sender {
  fd: number;
  close(): void;
}

/** The receiving sockets of one local address and port: one for each engine. */
interface Receiver {
  /** What ports share it by. */
  key: string;
  fds: number[];
  close(): void;
}

export interface DeviceOptions {
  /** Engines; each gets a queue of every TAP and a receiving socket of its own. */
  workers: number;
  offloads: OffloadConfig;
  /** Where in its `srcport` range a pool of senders starts. */
  seed: number;
}

export class Devices {
  /** By number. */
  readonly receivers: Receiver[] = [];
  readonly senders: Sender[] = [];
  private readonly taps: OpenTap[] = [];

  constructor(private readonly options: DeviceOptions) {}

  /** The TAP of a tap port. */
  guestTap(port: TapConfig, mtu: number): OpenTap {
    return this.openTap(
      port.name,
      { ...port, mtu, ...(port.netns === undefined ? {} : { netns: port.netns }) },
      port.ifname,
    );
  }

  /** The host's own TAP, in the switch's namespace, of a bridge or a vxlan port. */
  hostTap(link: BridgeConfig | VxlanConfig, mtu: number): OpenTap {
    return this.openTap(link.name, { ...nicOf(link), mtu }, link.name);
  }

  private openTap(name: string, nic: NicSettings & { mtu: number; netns?: string }, ifname: string): OpenTap {
    const { offloads, workers } = this.options;
    const tap = guard(name, () =>
      openTap({
        vnetHeader: offloads.vnetHeader,
        offload: offloads.tso ? ALL_OFFLOADS : TUN_F_CSUM,
        queues: workers,
        ifname,
        addresses: nic.addresses,
        mtu: nic.mtu,
        persist: nic.persist,
        ...(nic.netns === undefined ? {} : { netns: nic.netns }),
        ...(nic.mac === undefined ? {} : { mac: nic.mac }),
      }),
    );
    const { ifname: actual, mac, mtu, vnetHeaderSize } = tap;
    const fds = guard(name, () => [tap.fd, ...Array.from({ length: workers - 1 }, () => tap.openQueue())]);
    const open = { fds, vnetHeaderSize, ifname: actual, mac, mtu, close: () => tap.close() };
    this.taps.push(open);
    return open;
  }

  /** The sockets of a vxlan port: a receiving one, shared where it can be, and a pool of sending ones. */
  underlay(port: VxlanConfig): OpenUnderlay {
    return guard(port.name, () => {
      const socket = this.receiver(port);
      const pool = openSenders({
        family: port.family,
        range: port.srcport,
        seed: this.options.seed + this.senders.length,
        df: port.df !== 'unset',
        checksum: port.udpcsum,
        ...(port.local === undefined ? {} : { local: port.local }),
        ...(port.dev === undefined ? {} : { dev: port.dev }),
        ...(port.ttl === undefined ? {} : { ttl: port.ttl }),
      });
      const first = this.senders.length;
      this.senders.push(...pool);
      return { socket, senders: pool.map((_, index) => first + index) };
    });
  }

  private receiver(port: VxlanConfig): number {
    const key = `${port.local ?? 'any'} ${port.family} ${port.dstport}`;
    const shared = this.receivers.findIndex((receiver) => receiver.key === key);
    if (shared >= 0) return shared;
    if (this.receivers.length >= MAX_SOCKETS) throw new Error(`at most ${MAX_SOCKETS} local addresses and dstports`);
    const { offloads, workers } = this.options;
    const place = {
      family: port.family,
      port: port.dstport,
      gro: offloads.udpGro,
      ...(port.local === undefined ? {} : { local: port.local }),
    };
    // Sockets that share a port would share it with another switch's too: first see that nobody has it.
    if (workers > 1) openReceiver(place).close();
    const opened = Array.from({ length: workers }, () => openReceiver({ ...place, reusePort: workers > 1 }));
    const fds = opened.map(({ fd }) => fd);
    return this.receivers.push({ key, fds, close: () => void opened.map((receiver) => receiver.close()) }) - 1;
  }

  /** Closes everything; a TAP that is not persistent goes with it. Doing it twice does nothing. */
  close(): void {
    for (const device of [...this.taps, ...this.receivers, ...this.senders]) device.close();
    this.taps.length = 0;
    this.receivers.length = 0;
    this.senders.length = 0;
  }
}

function nicOf(link: NicSettings): NicSettings {
  const { addresses, mtu, persist, mac } = link;
  return { addresses, mtu, persist, ...(mac === undefined ? {} : { mac }) };
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

/**
 * The MTU of a vxlan port: the largest that reaches every remote unfragmented, from the route to each of them.
 * Without a remote, or without a route to one, what a plain Ethernet underlay would carry.
 */
export function vxlanMtu(port: VxlanConfig, addresses: Iterable<string>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const remote of addresses) {
    try {
      least = Math.min(
        least,
        pathMtu({
          remote,
          ...(port.local === undefined ? {} : { local: port.local }),
          ...(port.dev === undefined ? {} : { dev: port.dev }),
        }),
      );
    } catch {
      // No route yet: nothing is known of that path.
    }
  }
  return (Number.isFinite(least) ? least : DEFAULT_MTU) - overhead(port.family);
}

/** `auto` for the NICs of a bridge: the least of its vxlan ports, or an Ethernet's own. */
export function automaticMtu(vxlanMtus: readonly number[]): number {
  return vxlanMtus.length === 0 ? DEFAULT_MTU : Math.min(...vxlanMtus);
}
