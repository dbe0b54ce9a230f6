/**
 * Underlays that carry multicast, over IPv4 and over IPv6: hosts on one cable or one bridge, the kernel's vxlan devices in
 * a group, who has joined what, and the outer headers of either family read from the bytes of a capture.
 */
import { readFileSync } from 'node:fs';
import type { World } from './host-testbed.js';
import type { Packet } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import type { Guest, Host } from './topologies.js';

export type Family = 4 | 6;

/** A multicast group of the underlay. */
export const GROUPS: Record<Family, readonly [string, string]> = {
  4: ['239.1.1.1', '239.1.1.2'],
  6: ['ff05::42', 'ff05::43'],
};

const underlayAddress = (family: Family, number: number): string =>
  family === 4 ? `192.0.2.${number}` : `2001:db8::${number}`;

/** Two hosts on one cable, with addresses of one family. */
export async function twoHostsOf(world: World, family: Family): Promise<[Host, Host]> {
  const make = async (number: number): Promise<Host> => ({
    netns: await world.netns(`h${number}`, { ipv6: family === 6 }),
    ifname: 'eth0',
    address: underlayAddress(family, number),
  });
  const hosts: [Host, Host] = [await make(1), await make(2)];
  await connect(world, hosts);
  return hosts;
}

/** Lays the cable between two hosts, and gives them their addresses. */
export async function connect(world: World, hosts: readonly [Host, Host]): Promise<void> {
  await world.veth(hosts[0], hosts[1]);
  for (const host of hosts) await world.address(host, `${host.address}/${host.address.includes(':') ? 64 : 24}`);
}

export interface DeviceOptions {
  id: number;
  /** Words that say where it sends to: `remote A` or `group G dev eth0`. */
  to: string;
  /** Of the overlay, with its prefix length. */
  addresses: readonly string[];
  name?: string;
  /** Further words of the vxlan device. */
  more?: string;
  /** A namespace that the device is moved to, as a guest's; its datagrams keep to the host. */
  into?: string;
}

/** A vxlan device of the kernel with an address on it. */
export async function kernelDevice(world: World, host: Host, options: DeviceOptions): Promise<Guest> {
  const { id, to, addresses, name = `vx${id}`, more = '', into = host.netns } = options;
  const mac = `02:00:00:00:99:${(id % 256).toString(16).padStart(2, '0')}`;
  const words = `link add ${name} address ${mac} type vxlan id ${id} ${to} local ${host.address} dstport 4789 ${more}`;
  await world.ip(host.netns, words.trim());
  if (into !== host.netns) await world.ip(host.netns, `link set ${name} netns ${into}`);
  await world.ip(into, `link set ${name} up`);
  const guest = { netns: into, ifname: name, address: addresses[0].split('/')[0], mac };
  for (const address of addresses) await world.address(guest, address);
  return guest;
}

/**
 * How many sockets of a program's namespace have joined a group on a device, by what its kernel tells in /proc; 0: it is not in
 * the group. @param pid of a program in that namespace
 */
export function joinsOf(pid: number, ifname: string, group: string): number {
  if (group.includes(':')) {
    const wanted = hexOf(group);
    const lines = readFileSync(`/proc/${pid}/net/igmp6`, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    return Number(lines.find(([, dev, address]) => dev === ifname && address === wanted)?.[3] ?? 0);
  }
  // A line of the device, and then one of each of its groups: as a word in the byte order of the machine.
  const bytes = group.split('.').map(Number).reverse();
  const wanted = Buffer.from(bytes).toString('hex').toUpperCase();
  let device = '';
  for (const line of readFileSync(`/proc/${pid}/net/igmp`, 'latin1').split('\n').slice(1)) {
    const words = line.trim().split(/\s+/);
    if (/^\d/.test(line)) device = words[1];
    else if (device === ifname && words[0] === wanted) return Number(words[1]);
  }
  return 0;
}

/** The groups of a switch's namespace that it has joined on eth0. */
export const joinsOn = (sw: RunningSwitch, group: string): number => joinsOf(sw.program.pid, 'eth0', group);

/** The 32 digits of an IPv6 address. */
export function hexOf(address: string): string {
  const [head, tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...(tail ?? [])].map((word) => word.padStart(4, '0')).join('');
}

/** What the outer headers of a datagram say, of whichever family. */
export interface Outer {
  readonly source: string;
  readonly destination: string;
  /** TTL or hop limit. */
  readonly ttl: number;
  readonly checksum: number;
  readonly vni: number;
  /** The first bytes of the frame inside. */
  readonly inner: Buffer;
}

/** Addresses of IPv6 come as 32 digits, those of IPv4 with dots. */
export function outerOf({ hex, ip, udp }: Packet): Outer {
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.readUInt16BE(12) === 0x86dd) {
    return {
      source: bytes.toString('hex', 22, 38),
      destination: bytes.toString('hex', 38, 54),
      ttl: bytes.readUInt8(21),
      checksum: bytes.readUInt16BE(60),
      vni: bytes.readUIntBE(66, 3),
      inner: bytes.subarray(70),
    };
  }
  if (ip === undefined || udp === undefined) throw new Error(`no UDP over IP: ${hex}`);
  const { source, destination, ttl } = ip;
  return { source, destination, ttl, checksum: udp.checksum, vni: bytes.readUIntBE(46, 3), inner: bytes.subarray(50) };
}

/** An address as `outerOf` gives it. */
export const onWire = (address: string): string => (address.includes(':') ? hexOf(address) : address);
