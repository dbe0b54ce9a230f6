/**
 * Test bed for superframes sent unsegmented: a sending host, a wire in the middle, and a far host.
 *
 *   near: up0 (up1) --- in0 (in1), bridge, out0 :middle --- eth0 :far
 *
 * Such frames pass `in0` unsegmented; `out0` has no offloads, so the kernel segments there as a NIC would: the far host gets
 * segments with complete checksums.
 */
import { expect } from 'vitest';
import { type Capture, openCapture } from '../../src/port/capture.js';
import type { NativePacketIo, NativePacketIoOptions } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { openReceiver, openSenders, type SenderOptions } from '../../src/port/underlay.js';
import { inside, ip, ipBatch, later, makeNamespace, makePacketIo, put, random } from './native-testbed.js';
import { build, noise, type PacketFields, slowSum } from './packets.js';
import { expectDatagrams, expected, FRAME, offload, type Superframe, send } from './superframes.js';

const VXLAN = Buffer.from('0800000000002a00', 'hex');
export const VXLAN_PORT = 4789;
export const [SEGMENTATION, CSUM_SEGMENTATION] = ['tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'];

export const NEAR = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
export const FAR = { 4: '192.0.2.2', 6: '2001:db8::2' } as const;
/** Behind a route, not on the link. */
export const BEYOND = { 4: '198.51.100.1', 6: '2001:db8:1::1' } as const;

export function netnsExec(netns: string, ...command: string[]): string {
  return ip('netns', 'exec', netns, ...command);
}

export function features(netns: string, dev: string, names: string[], on: boolean): void {
  const words = names.flatMap((name) => [name, on ? 'on' : 'off']);
  netnsExec(netns, 'ethtool', '-K', dev, ...words);
}

export interface Wire {
  near: string;
  middle: string;
  far: string;
}

/** Nobody else is there, so nobody needs to be asked whether an address is free. */
function addressLines(dev: string, addresses: string[]): string[] {
  return addresses.map((address) => `addr add ${address} dev ${dev}${address.includes(':') ? ' nodad' : ''}`);
}

export function addAddresses(netns: string, dev: string, addresses: string[]): void {
  ipBatch(addressLines(dev, addresses), netns);
}

export function makeWire(options: { mtu?: number | undefined; second?: boolean | undefined } = {}): Wire {
  const { mtu = 1500, second = false } = options;
  const [near, far] = [makeNamespace({ ipv6: true }), makeNamespace({ ipv6: true })];
  const middle = makeNamespace();
  const ups = second ? [0, 1] : [0];
  const veth = (from: string, dev: string, to: string, peer: string): string =>
    `link add ${dev} netns ${from} mtu ${mtu} type veth peer name ${peer} netns ${to} mtu ${mtu}`;
  ipBatch([...ups.map((i) => veth(near, `up${i}`, middle, `in${i}`)), veth(middle, 'out0', far, 'eth0')]);
  const ends = [...ups.map((i) => `in${i}`), 'out0'];
  ipBatch(
    [
      `link add br0 mtu ${mtu} type bridge mcast_snooping 0`,
      'link set br0 up',
      ...ends.map((dev) => `link set ${dev} master br0 up`),
    ],
    middle,
  );
  features(middle, 'out0', ['tx', 'tso', 'tx-udp-segmentation', SEGMENTATION, CSUM_SEGMENTATION], false);
  ipBatch(
    [
      ...ups.map((i) => `link set up${i} up`),
      ...addressLines('up0', [`${NEAR[4]}/24`, `${NEAR[6]}/64`]),
      ...(second ? addressLines('up1', ['203.0.113.1/24', '2001:db8:2::1/64']) : []),
    ],
    near,
  );
  const more = second ? ['203.0.113.2/24', '2001:db8:2::2/64'] : [];
  const addresses = [`${FAR[4]}/24`, `${FAR[6]}/64`, `${BEYOND[4]}/32`, `${BEYOND[6]}/128`, ...more];
  ipBatch(['link set eth0 up', ...addressLines('eth0', addresses)], far);
  return { near, middle, far };
}

function wordsOf(address: string): [number, number, number, number] {
  if (!address.includes(':')) return [0, 0, 0xffff, Buffer.from(address.split('.').map(Number)).readInt32BE()];
  const [front, back = ''] = address.split('::');
  const [head, tail] = [front, back].map((part) => (part === '' ? [] : part.split(':')));
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  const bytes = Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
  return [0, 4, 8, 12].map((at) => bytes.readInt32BE(at)) as [number, number, number, number];
}

export function setRemote(io: NativePacketIo, index: number, address: string): void {
  io.setRemote(index, ...wordsOf(address), VXLAN_PORT);
}

/** Takes in what comes to the far host over either IP. */
export function listen(netns: string): NativePacketIo {
  const io = makePacketIo();
  ([4, 6] as const).forEach((family, i) => {
    const receiver = inside(netns, () => openReceiver({ family, port: VXLAN_PORT, receiveBuffer: 64 << 20 }));
    later(() => receiver.close());
    io.attachSocket(i, receiver.fd);
  });
  return io;
}

export interface Site extends Wire {
  /** Its descriptor. */
  sender: number;
  io: NativePacketIo;
  /** The same without the TAP, with the same sockets: what the tunnel's frames have to be like. */
  plain: NativePacketIo;
  listener: NativePacketIo;
}

export interface SiteOptions extends Partial<SenderOptions> {
  wire?: Wire;
  listener?: NativePacketIo;
  mtu?: number;
  second?: boolean;
  /** Of the sender, with `labels`. */
  flowLabel?: number;
  /** Default: FAR. */
  remote?: string;
  io?: NativePacketIoOptions;
}

/** A PacketIo with one sender, at index 0, and the remote 0. */
export function makeSite(options: SiteOptions = {}): Site {
  const { wire: given, listener, mtu, second, remote, io: nicOptions = {}, flowLabel = 0, ...senderOptions } = options;
  const wire = given ?? makeWire({ mtu, second });
  const family = senderOptions.family ?? (senderOptions.local?.includes(':') ? 6 : 4);
  const place = senderOptions.family === undefined ? { local: NEAR[family] } : {};
  const [sender] = inside(wire.near, () =>
    openSenders({ ...place, range: [40000, 40099], count: 1, seed: 0, ...senderOptions }),
  );
  later(() => sender.close());
  const [io, plain] = [true, false].map((tunnelGso) =>
    inside(wire.near, () => makePacketIo({ txCommands: 512, tunnelGso, ...nicOptions })),
  );
  for (const one of [io, plain]) {
    inside(wire.near, () => one.attachSender(0, sender.fd, flowLabel));
    setRemote(one, 0, remote ?? FAR[family]);
    put(one, 0, VXLAN);
  }
  return { ...wire, sender: sender.fd, io, plain, listener: listener ?? listen(wire.far) };
}

/** The rules that a PacketIo goes by are those of the thread's namespace. */
export function transmit({ near }: Wire, io: NativePacketIo, count: number): number {
  return inside(near, () => io.transmit(count));
}

/** Lets the PacketIo's clock go on, which is what `receive` last saw. */
export function pass(io: NativePacketIo, ms: number): void {
  io.status[L.STATUS_NOW] = (io.status[L.STATUS_NOW] + ms) & 0x7fffffff;
}

export function tunnelled(io: NativePacketIo): number {
  return io.status[L.STATUS_TUNNELLED];
}

/** A TCP superframe, whose segments are 1300 bytes unless said otherwise. */
export function bulk(fields: Partial<PacketFields> & { segment?: number } = {}): Superframe {
  const { segment = 1300, payload = noise(random(5), 9000), ...rest } = fields;
  const packet = build({ checksum: 'open', flags: 0x18, id: 0xfffd, ...rest, payload });
  return { packet, segment, operation: 'keep', tci: 0, words: offload(packet, segment, false) };
}

/** Sends one superframe, sees to it that nothing of it is lost or changed, and tells how it left. */
export function leave(site: Site, frame: Superframe = bulk(), io = site.io): 'whole' | 'split' {
  const before = tunnelled(io);
  send(io, 0, FRAME, frame);
  expect(transmit(site, io, 1)).toBe(0);
  expectDatagrams(site.listener, expected(frame), 'a superframe');
  expect(site.listener.receive(0), 'datagrams that nobody sent').toBe(0);
  return tunnelled(io) === before ? 'split' : 'whole';
}

// ---- What passes on a wire ----

export interface Datagram {
  ethernet: Buffer;
  ip: Buffer;
  udp: Buffer;
  payload: Buffer;
}

/** VXLAN in IPv4 or IPv6, without extension headers; anything else is none of ours. */
function dissect(frame: Buffer): Datagram | undefined {
  const length = { 2048: 20, 34525: 40 }[frame.readUInt16BE(12)];
  if (length === undefined || frame[14 + (length === 20 ? 9 : 6)] !== 17) return undefined;
  const l4 = 14 + length;
  if (frame.readUInt16BE(l4 + 2) !== VXLAN_PORT) return undefined;
  const [ethernet, ip, udp] = [frame.subarray(0, 14), frame.subarray(14, l4), frame.subarray(l4, l4 + 8)];
  return { ethernet, ip, udp, payload: frame.subarray(l4 + 8) };
}

export function watch(netns: string, ifname: string): Capture {
  const capture = openCapture({ netns, ifname });
  later(() => capture.close());
  return capture;
}

/** What has passed by now. A veth hands on within the sender's call, so there is nothing to wait for once it has come to the far host. */
export function passed(capture: Capture): Datagram[] {
  const found: Datagram[] = [];
  for (let bytes = capture.read(); bytes !== null; bytes = capture.read()) {
    const datagram = dissect(Buffer.from(bytes));
    if (datagram) found.push(datagram);
  }
  return found;
}

/** Tells the sender of a datagram that the path is too narrow for it (RFC 792, RFC 4443 section 3.2), from its own destination. */
export function tooBig(wire: Capture, { ethernet, ip: header, udp }: Datagram, mtu: number): void {
  const v4 = header.length === 20;
  const back = Buffer.from(header);
  const [from, size] = v4 ? [12, 4] : [8, 16];
  back.set(header.subarray(from + size, from + 2 * size), from);
  back.set(header.subarray(from, from + size), from + size);
  const message = Buffer.concat([Buffer.from([v4 ? 3 : 2, v4 ? 4 : 0, 0, 0, 0, 0, mtu >> 8, mtu & 0xff]), header, udp]);
  back.set([message.length >> 8, message.length & 0xff], 4);
  if (v4) {
    back.writeUInt16BE(20 + message.length, 2);
    back.writeUInt16BE(0, 4);
    back[9] = 1;
    back.writeUInt16BE(0, 10);
    back.writeUInt16BE(~slowSum(back) & 0xffff, 10);
  } else {
    back[6] = 58;
  }
  const pseudo = v4 ? [] : [back.subarray(8), Buffer.from([0, message.length, 0, 58])];
  message.writeUInt16BE(~slowSum(Buffer.concat([...pseudo, message])) & 0xffff, 2);
  wire.write(Buffer.concat([ethernet.subarray(6, 12), ethernet.subarray(0, 6), ethernet.subarray(12), back, message]));
}
