/**
 * What the tests of multicast groups share: two hosts on one link, a vxlan device of the kernel with a group on the far one,
 * and what a PacketIo or the wire between them saw. Owns no expectation.
 */
import type { Capture } from '../../src/port/capture.js';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import type { Receiver, Sender } from '../../src/port/underlay.js';
import {
  command,
  frame,
  inside,
  ip,
  later,
  makeNamespace,
  outcome,
  put,
  receiveSome,
  rx,
  rxBytes,
  type Words,
} from '../native/native-testbed.js';

export type Family = 4 | 6;

export const ADDRESSES = {
  4: { own: '192.0.2.1', peer: '192.0.2.2', prefix: 24, group: '239.1.1.1', other: '239.1.1.2' },
  6: { own: '2001:db8::1', peer: '2001:db8::2', prefix: 64, group: 'ff05::42', other: 'ff05::43' },
} as const;

/** Words of the descriptors: RX_ADDRESS, or what setRemote takes. */
export const WORDS: Record<Family, Record<'own' | 'peer' | 'group', [number, number, number, number]>> = {
  4: {
    own: [0, 0, 0xffff, 0xc0000201 | 0],
    peer: [0, 0, 0xffff, 0xc0000202 | 0],
    group: [0, 0, 0xffff, 0xef010101 | 0],
  },
  6: { own: [0x20010db8, 0, 0, 1], peer: [0x20010db8, 0, 0, 2], group: [0xff050000 | 0, 0, 0, 0x42] },
};

export const VXLAN = Buffer.from('0800000000002a00', 'hex');

export interface Hosts {
  readonly family: Family;
  /** The host of our sockets, with the device `a0`. */
  readonly own: string;
  /** The far host, with the device `b0`. */
  readonly peer: string;
}

export function sysctl(netns: string, path: string, value: string): void {
  ip('netns', 'exec', netns, 'sh', '-c', `echo ${value} >/proc/sys/net/${path}`);
}

/** Two namespaces on one link, with addresses that are in use at once. No route leads to any group. */
export function twoHosts(family: Family): Hosts {
  const [own, peer] = [makeNamespace({ ipv6: family === 6 }), makeNamespace({ ipv6: family === 6 })];
  if (family === 6) for (const netns of [own, peer]) sysctl(netns, 'ipv6/conf/default/accept_dad', '0');
  const hosts = { family, own, peer };
  link(hosts, 'a0', 'b0');
  const { own: near, peer: far, prefix } = ADDRESSES[family];
  ip('-n', own, 'addr', 'add', `${near}/${prefix}`, 'dev', 'a0');
  ip('-n', peer, 'addr', 'add', `${far}/${prefix}`, 'dev', 'b0');
  // Whatever is made from now on, the vxlan device for one, says nothing of its own accord.
  if (family === 6) for (const netns of [own, peer]) sysctl(netns, 'ipv6/conf/default/disable_ipv6', '1');
  return hosts;
}

/** A pair of devices between the hosts, up. */
export function link({ family, own, peer }: Hosts, near: string, far: string): void {
  ip('-n', own, 'link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', peer);
  for (const [netns, name] of [
    [own, near],
    [peer, far],
  ]) {
    if (family === 6) sysctl(netns, `ipv6/conf/${name}/disable_ipv6`, '0');
    ip('-n', netns, 'link', 'set', name, 'up');
  }
  if (family === 6)
    for (const end of [
      [own, near],
      [peer, far],
    ])
      carriesGroups(end[0], end[1]);
}

/** Waits until IPv6 sends to groups by way of a device: the kernel takes note of a carrier a while after it is there. */
export function carriesGroups(netns: string, dev: string): void {
  const end = performance.now() + 5000;
  while (!ip('-n', netns, '-6', 'route', 'show', 'table', 'local', 'dev', dev).includes('ff00::/8'))
    if (performance.now() > end) throw new Error(`no IPv6 multicast by way of ${dev}`);
}

/** The kernel's vxlan device `vx0` with VNI 42 and a group, on the far host. */
export function kernelPeer(
  hosts: Hosts,
  options: { dev?: string; group?: string; port?: number; more?: string } = {},
): void {
  const { group: usual, peer } = ADDRESSES[hosts.family];
  const { dev = 'b0', group = usual, port = 4789, more = '' } = options;
  const words = `link add vx0 type vxlan id 42 group ${group} local ${peer} dev ${dev} dstport ${port} ${more}`;
  ip('-n', hosts.peer, ...words.trim().split(/\s+/));
  ip('-n', hosts.peer, 'link', 'set', 'vx0', 'up');
}

/** Runs in our host's namespace, and closes what comes of it when the test is over. */
export function onOwn<T extends Receiver | Sender[]>(hosts: Hosts, open: () => T): T {
  return closedLater(inside(hosts.own, open));
}

export function closedLater<T extends Receiver | Sender[]>(sockets: T): T {
  for (const socket of Array.isArray(sockets) ? sockets : [sockets]) later(() => socket.close());
  return sockets;
}

export interface Taken {
  socket: number;
  bytes: Buffer;
  tos: number;
  from: number[];
  segment: number;
}

function describe(io: NativePacketIo, at: number): Taken {
  return {
    socket: rx(io, at, L.RX_INDEX),
    bytes: Buffer.from(rxBytes(io, at)),
    tos: rx(io, at, L.RX_TOS),
    from: [0, 1, 2, 3].map((word) => rx(io, at, L.RX_ADDRESS + word)),
    segment: rx(io, at, L.RX_SEGMENT),
  };
}

/** The datagrams that come: as many as are wanted within two seconds, and what else comes within a tenth of one. */
export function takeIn(io: NativePacketIo, wanted: number): Taken[] {
  const taken: Taken[] = [];
  for (let more = true; more; ) {
    const count = receiveSome(io, taken.length < wanted ? 2000 : 100);
    for (let i = 0; i < count; i++) taken.push(describe(io, i));
    more = count > 0;
  }
  return taken;
}

export interface OuterDatagram {
  ethernet: string;
  source: string;
  /** TTL or hop limit. */
  ttl: number;
  dontFragment: boolean;
  /** Of IPv4: more fragments follow, or this is not the first. */
  fragment: boolean;
  checksum: number;
  payload: Buffer;
}

/** Reads a frame of the wire by the RFCs' offsets; `undefined` when it is no UDP datagram. */
export function outerOf(frame: Buffer, family: Family): OuterDatagram | undefined {
  const v6 = family === 6;
  if (frame.readUInt16BE(12) !== (v6 ? 0x86dd : 0x0800) || frame[14 + (v6 ? 6 : 9)] !== 17) return undefined;
  const udp = 14 + (v6 ? 40 : 20);
  const flags = v6 ? 0 : frame.readUInt16BE(14 + 6);
  return {
    ethernet: frame.toString('hex', 0, 6),
    source: v6 ? frame.toString('hex', 22, 38) : frame.subarray(26, 30).join('.'),
    ttl: frame[14 + (v6 ? 7 : 8)],
    dontFragment: (flags & 0x4000) !== 0,
    fragment: (flags & 0x3fff) !== 0,
    checksum: frame.readUInt16BE(udp + 6),
    payload: frame.subarray(udp + 8),
  };
}

/** Frames of the wire: until as many as are wanted passed the filter, five seconds at most, and a tenth of one more. */
export function watch<T>(wire: Capture, wanted: number, filter: (frame: Buffer) => T | undefined): T[] {
  const seen: T[] = [];
  let end = performance.now() + 5000;
  let satisfied = wanted === 0;
  if (satisfied) end = performance.now() + 100;
  while (performance.now() < end) {
    for (let bytes = wire.read(); bytes !== null; bytes = wire.read()) {
      const kept = filter(Buffer.from(bytes));
      if (kept !== undefined) seen.push(kept);
    }
    if (!satisfied && seen.length >= wanted) {
      satisfied = true;
      end = performance.now() + 100;
    }
    wire.wait(Math.max(0, Math.min(100, Math.ceil(end - performance.now()))));
  }
  return seen;
}

/**
 * Whether a frame is a host's word that it joins a group or leaves it: IGMPv3 (RFC 3376 section 4.2) and MLDv2 (RFC 3810
 * section 5.2), whose first record is of type 4, "to exclude", or 3, "to include", with no source in either.
 */
export function reportOf(frame: Buffer, family: Family): 'joins' | 'leaves' | undefined {
  const { group } = ADDRESSES[family];
  const v6 = family === 6;
  if (frame.readUInt16BE(12) !== (v6 ? 0x86dd : 0x0800)) return undefined;
  // Over IPv6 a hop-by-hop header of 8 bytes with the router alert comes before; over IPv4 that is an option of 4 bytes.
  const at = v6 ? 14 + 40 + 8 : 14 + (frame[14] & 15) * 4;
  const report = v6
    ? frame[14 + 6] === 0 && frame[14 + 40] === 58 && frame[at] === 143
    : frame[14 + 9] === 2 && frame[at] === 0x22;
  if (!report) return undefined;
  const size = v6 ? 16 : 4;
  const wanted = v6 ? 'ff050000000000000000000000000042' : Buffer.from(group.split('.').map(Number)).toString('hex');
  for (let record = at + 8, left = frame.readUInt16BE(at + 6); left > 0; left--, record += 4 + size) {
    if (frame.toString('hex', record + 4, record + 4 + size) !== wanted) continue;
    if (frame.readUInt16BE(record + 2) !== 0) continue;
    if (frame[record] === 4) return 'joins';
    if (frame[record] === 3) return 'leaves';
  }
  return undefined;
}

/** Where the tests put what they send: far behind what a batch of theirs takes. */
const AT = 8 * 1024 * 1024 + 2;

/**
 * Sends datagrams of this length, the Ethernet frame in them not a short one, by the PacketIo's sender 0 to its remote 0, or as the
 * words say. The first byte behind the inner Ethernet header is the datagram's number. Returns the outcomes.
 */
export function sendAll(io: NativePacketIo, bytes: number, count: number, words: Words = {}): number[] {
  put(io, 0, VXLAN);
  for (let i = 0; i < count; i++) {
    put(io, AT + i * 4096, frame(bytes - VXLAN.length - 14, { first: i + 1 }));
    const common = { TX_KIND: L.KIND_UDP, TX_OFFSET: AT + i * 4096, TX_LENGTH: bytes - VXLAN.length };
    command(io, i, { ...common, TX_HEADER: 0, TX_HEADER_LENGTH: VXLAN.length, ...words });
  }
  io.transmit(count);
  return Array.from({ length: count }, (_, i) => outcome(io, i));
}
