/**
 * Random superframes with their offload words, and a loopback path for tests of splitting.
 */
import { expect } from 'vitest';
import type { NativePacketIo, NativePacketIoOptions } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import { command, inside, later, makeNamespace, makePacketIo, put, receiveSome, rxBytes } from './native-testbed.js';
import { type Below, build, ipOptions, noise, type Packet, TCP, UDP, withTag } from './packets.js';
import { splitSlowly } from './reference-split.js';

export const FRAME = 8 * 1024 * 1024 + 2;
const VXLAN = Buffer.from('0800000000002a00', 'hex');
const OPERATIONS = ['keep', 'pop', 'push', 'replace'] as const;
type Operation = (typeof OPERATIONS)[number];
export const TAGS = { keep: L.TAG_KEEP, pop: L.TAG_POP, push: L.TAG_PUSH, replace: L.TAG_REPLACE };

function gsoType({ protocol, family }: Packet): number {
  if (protocol === UDP) return L.VNET_GSO_UDP_L4;
  return family === 4 ? L.VNET_GSO_TCPV4 : L.VNET_GSO_TCPV6;
}

/** The offload words of a superframe; `hdr_len` is nonsense on purpose. */
export function offload(packet: Packet, segment: number, ecn: boolean) {
  const type = gsoType(packet) | (ecn ? L.VNET_GSO_ECN : 0);
  return {
    TX_VNET: L.VNET_NEEDS_CSUM | (type << 8),
    TX_GSO: segment | (0x7777 << 16),
    TX_CSUM: packet.l4 | ((packet.protocol === TCP ? 16 : 6) << 16),
  };
}

export interface Superframe {
  packet: Packet;
  segment: number;
  operation: Operation;
  tci: number;
  words: ReturnType<typeof offload>;
}

export function randomSuperframe(below: Below, most = 65_000): Superframe {
  const family = below(2) ? 4 : 6;
  const protocol = below(3) ? TCP : UDP;
  const tagged = below(3) === 0;
  const operation = tagged ? OPERATIONS[below(4)] : OPERATIONS[below(2) * 2];
  const tci = below(0x10000);
  const packet = build({
    family,
    protocol,
    tags: tagged ? [[below(4) ? 0x8100 : 0x88a8, below(0x10000)]] : [],
    ...(below(3) ? {} : { ipOptions: ipOptions(below, family, protocol) }),
    id: below(0x10000),
    df: below(2) === 0,
    tos: below(256),
    sequence: below(0x7fffffff) * 2 + 1,
    ack: below(0x7fffffff),
    flags: below(256),
    urgent: below(0x10000),
    tcpOptions: Buffer.alloc(4 * below(11), 1),
    payload: noise(below, below(4) ? below(most) : below(3000)),
    checksum: 'open',
  });
  const payload = packet.bytes.length - packet.payload;
  const segment = Math.max(1 + below(below(2) ? 9000 : 1460), Math.ceil(payload / 2000));
  return { packet, segment, operation, tci, words: offload(packet, segment, below(2) === 0) };
}

export function expected({ packet, segment, operation, tci }: Superframe): Buffer[] {
  return splitSlowly(packet, segment).map((bytes) => withTag(bytes, operation, tci));
}

/** Sender and receiver over the loopback of a namespace of their own. */
export function loopback(options: NativePacketIoOptions & { gro?: boolean; checksum?: boolean; v6?: boolean } = {}) {
  const { gro = false, checksum = true, v6 = false, ...rest } = options;
  const ns = makeNamespace({ ipv6: v6 });
  const local = v6 ? '::1' : '127.0.0.1';
  const io = makePacketIo({ txCommands: 512, ...rest });
  const receiver = inside(ns, () => openReceiver({ local, port: 4789, gro, receiveBuffer: 64 << 20 }));
  const [sender] = inside(ns, () => openSenders({ local, range: [40000, 40099], count: 1, seed: 0, checksum }));
  for (const socket of [receiver, sender]) later(() => socket.close());
  io.attachSocket(0, receiver.fd);
  io.attachSender(0, sender.fd);
  if (v6) io.setRemote(0, 0, 0, 0, 1, 4789);
  else io.setRemote(0, 0, 0, 0xffff, 0x7f000001, 4789);
  put(io, 0, VXLAN);
  return { ns, io };
}

export function send(io: NativePacketIo, at: number, offset: number, frame: Superframe): void {
  put(io, offset, frame.packet.bytes);
  command(io, at, {
    TX_KIND: L.KIND_UDP,
    TX_OFFSET: offset,
    TX_LENGTH: frame.packet.bytes.length,
    TX_TAG: TAGS[frame.operation] | (frame.operation === 'keep' ? 0 : frame.tci),
    TX_HEADER_LENGTH: 8,
    ...frame.words,
  });
}

/** Takes in as many datagrams as are wanted, and checks that each is the next one. */
export function expectDatagrams(io: NativePacketIo, wanted: Buffer[], what: string): void {
  for (let got = 0; got < wanted.length; ) {
    const count = receiveSome(io);
    expect(count, `${what}: ${got} of ${wanted.length} came`).toBeGreaterThan(0);
    for (let i = 0; i < count; i++, got++) {
      const bytes = rxBytes(io, i);
      if (bytes.equals(Buffer.concat([VXLAN, wanted[got] ?? Buffer.alloc(0)]))) continue;
      expect(bytes.subarray(8).toString('hex'), `${what}: datagram ${got} of ${wanted.length}`).toBe(
        wanted[got]?.toString('hex'),
      );
    }
  }
}
