import { afterEach, describe, expect, test } from 'vitest';
import type { NativeNic, NativeNicOptions } from '../../src/port/native-nic.js';
import * as L from '../../src/port/nic.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import {
  captureIn,
  cleanUp,
  command,
  inside,
  later,
  makeNamespace,
  makeNic,
  nextFrame,
  outcome,
  put,
  random,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './helpers.js';
import { type Below, build, ipOptions, noise, type Packet, TCP, UDP, withTag } from './packets.js';
import { splitSlowly } from './reference-split.js';

afterEach(cleanUp);

const FRAME = 8 * 1024 * 1024 + 2;
const VXLAN = Buffer.from('0800000000002a00', 'hex');
const OPERATIONS = ['keep', 'pop', 'push', 'replace'] as const;
type Operation = (typeof OPERATIONS)[number];
const TAGS = { keep: L.TAG_KEEP, pop: L.TAG_POP, push: L.TAG_PUSH, replace: L.TAG_REPLACE };

function gsoType({ protocol, family }: Packet): number {
  if (protocol === UDP) return L.VNET_GSO_UDP_L4;
  return family === 4 ? L.VNET_GSO_TCPV4 : L.VNET_GSO_TCPV6;
}

/** The offload words of a superframe; `hdr_len` is nonsense on purpose. */
function offload(packet: Packet, segment: number, ecn: boolean) {
  const type = gsoType(packet) | (ecn ? L.VNET_GSO_ECN : 0);
  return {
    TX_VNET: L.VNET_NEEDS_CSUM | (type << 8),
    TX_GSO: segment | (0x7777 << 16),
    TX_CSUM: packet.l4 | ((packet.protocol === TCP ? 16 : 6) << 16),
  };
}

interface Superframe {
  packet: Packet;
  segment: number;
  operation: Operation;
  tci: number;
  words: ReturnType<typeof offload>;
}

function randomSuperframe(below: Below, most = 65_000): Superframe {
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

function expected({ packet, segment, operation, tci }: Superframe): Buffer[] {
  return splitSlowly(packet, segment).map((bytes) => withTag(bytes, operation, tci));
}

/** Sender and receiver over the loopback of a namespace of their own. */
function loopback(options: NativeNicOptions & { gro?: boolean; checksum?: boolean; v6?: boolean } = {}) {
  const { gro = false, checksum = true, v6 = false, ...rest } = options;
  const ns = makeNamespace({ ipv6: v6 });
  const local = v6 ? '::1' : '127.0.0.1';
  const nic = makeNic({ txCommands: 512, ...rest });
  const receiver = inside(ns, () => openReceiver({ local, port: 4789, gro, receiveBuffer: 64 << 20 }));
  const [sender] = inside(ns, () => openSenders({ local, range: [40000, 40099], count: 1, seed: 0, checksum }));
  for (const socket of [receiver, sender]) later(() => socket.close());
  nic.attachSocket(0, receiver.fd);
  nic.attachSender(0, sender.fd);
  if (v6) nic.setRemote(0, 0, 0, 0, 1, 4789);
  else nic.setRemote(0, 0, 0, 0xffff, 0x7f000001, 4789);
  put(nic, 0, VXLAN);
  return { ns, nic };
}

function send(nic: NativeNic, at: number, offset: number, frame: Superframe): void {
  put(nic, offset, frame.packet.bytes);
  command(nic, at, {
    TX_KIND: L.KIND_UDP,
    TX_OFFSET: offset,
    TX_LENGTH: frame.packet.bytes.length,
    TX_TAG: TAGS[frame.operation] | (frame.operation === 'keep' ? 0 : frame.tci),
    TX_HEADER_LENGTH: 8,
    ...frame.words,
  });
}

/** Takes in as many datagrams as are wanted, and checks that each is the next one. */
function expectDatagrams(nic: NativeNic, wanted: Buffer[], what: string): void {
  for (let got = 0; got < wanted.length; ) {
    const count = receiveSome(nic);
    expect(count, `${what}: ${got} of ${wanted.length} came`).toBeGreaterThan(0);
    for (let i = 0; i < count; i++, got++) {
      const bytes = rxBytes(nic, i);
      if (bytes.equals(Buffer.concat([VXLAN, wanted[got] ?? Buffer.alloc(0)]))) continue;
      expect(bytes.subarray(8).toString('hex'), `${what}: datagram ${got} of ${wanted.length}`).toBe(
        wanted[got]?.toString('hex'),
      );
    }
  }
}

const WAYS: [string, NativeNicOptions & { gro?: boolean; checksum?: boolean; v6?: boolean }][] = [
  ['in trains', {}],
  ['in trains that are taken in whole', { gro: true }],
  ['in trains over IPv6', { gro: true, v6: true }],
  ['one by one', { udpSegment: false }],
  ['one by one, for want of an outer checksum', { checksum: false }],
  ['one by one over IPv6, for want of an outer checksum', { checksum: false, v6: true }],
];

describe('superframes sent to a socket', () => {
  test.each(WAYS)(
    'are split as the slow reference does it, %s',
    (way, options) => {
      const seed = 20250301;
      const below = random(seed);
      const { nic } = loopback(options);
      for (let round = 0; round < 40; round++) {
        const frames = Array.from({ length: 1 + below(6) }, () => randomSuperframe(below));
        const before = frames.map(({ packet }) => Buffer.from(packet.bytes));
        let offset = FRAME;
        frames.forEach((frame, i) => {
          offset += below(5);
          send(nic, i, offset, frame);
          offset += frame.packet.bytes.length;
        });
        expect(nic.transmit(frames.length), `seed ${seed}, round ${round}`).toBe(0);
        expect(nic.status[L.STATUS_LATCHED]).toBe(0);
        expectDatagrams(nic, frames.flatMap(expected), `seed ${seed}, round ${round}, ${way}`);
        // Other commands may share the frame.
        frames.forEach((frame, i) => {
          expect(frame.packet.bytes.equals(before[i])).toBe(true);
        });
      }
    },
    60_000,
  );

  test('go out with plain frames between them, in order', () => {
    const seed = 7;
    const below = random(seed);
    const { nic } = loopback({ gro: true });
    for (let round = 0; round < 20; round++) {
      const wanted: Buffer[] = [];
      let offset = FRAME;
      for (let i = 0; i < 30; i++) {
        const frame = randomSuperframe(below, 6000);
        const plain = below(2) === 0;
        if (plain) frame.words = { TX_VNET: 0, TX_GSO: 0, TX_CSUM: 0 };
        send(nic, i, offset, frame);
        offset += frame.packet.bytes.length;
        wanted.push(...(plain ? [withTag(frame.packet.bytes, frame.operation, frame.tci)] : expected(frame)));
      }
      expect(nic.transmit(30), `seed ${seed}, round ${round}`).toBe(0);
      expectDatagrams(nic, wanted, `seed ${seed}, round ${round}`);
    }
  });

  test('with a routing header keep the sum that the guest left, for it knows the last address', () => {
    const { nic } = loopback();
    const routing = Buffer.from(
      '0604000100000000fd00000900000000000000000000000900000000000000000000000000000000',
      'hex',
    );
    const packet = build({
      family: 6,
      ipOptions: { first: 43, bytes: routing },
      payload: noise(random(1), 3000),
      checksum: 'open',
    });
    // The guest's sum is over another address than the header's.
    const field = packet.l4 + 16;
    packet.bytes.writeUInt16BE((packet.bytes.readUInt16BE(field) + 5) % 0xffff, field);
    const frame: Superframe = { packet, segment: 1000, operation: 'keep', tci: 0, words: offload(packet, 1000, false) };
    send(nic, 0, FRAME, frame);
    expect(nic.transmit(1)).toBe(0);
    const wanted = expected(frame).map((bytes) => {
      const checksum = ~bytes.readUInt16BE(field) & 0xffff;
      bytes.writeUInt16BE(~((checksum + 5) % 0xffff) & 0xffff, field);
      return bytes;
    });
    expectDatagrams(nic, wanted, 'routed');
  });
});

describe('superframes written to a TAP without a virtio-net header', () => {
  test('are split as the slow reference does it', () => {
    const seed = 99;
    const below = random(seed);
    const ns = makeNamespace();
    const nic = makeNic({ txCommands: 64 });
    const tap = tapIn(ns, 'tap0', { vnetHeader: false, mtu: 9600 });
    expect(tap).toMatchObject({ vnetHeaderSize: 0, offload: 0 });
    nic.attachTap(0, tap.fd, tap.vnetHeaderSize);
    const wire = captureIn(ns, 'tap0');
    for (let round = 0; round < 60; round++) {
      const frame = randomSuperframe(below, 20_000);
      frame.segment = Math.max(frame.segment, 100);
      frame.words = offload(frame.packet, frame.segment, false);
      send(nic, 0, FRAME, frame);
      nic.tx[L.TX_KIND] = L.KIND_TAP;
      expect(nic.transmit(1), `seed ${seed}, round ${round}`).toBe(0);
      for (const bytes of expected(frame))
        expect(nextFrame(wire).equals(bytes), `seed ${seed}, round ${round}`).toBe(true);
    }
  });

  test('and frames come from it as they are, their checksums completed on the way to it', () => {
    const ns = makeNamespace();
    const nic = makeNic();
    const tap = tapIn(ns, 'tap0', { vnetHeader: false });
    nic.attachTap(3, tap.fd, tap.vnetHeaderSize);
    const wire = captureIn(ns, 'tap0');
    const fields = { protocol: UDP, payload: Buffer.from('odd') };
    wire.write(build(fields).bytes);
    expect(receiveSome(nic)).toBe(1);
    expect([L.RX_INDEX, L.RX_VNET, L.RX_GSO, L.RX_CSUM].map((word) => rx(nic, 0, word))).toEqual([3, 0, 0, 0]);
    expect(rxBytes(nic, 0)).toEqual(build(fields).bytes);
    const open = build({ ...fields, checksum: 'open' });
    put(nic, FRAME, open.bytes);
    command(nic, 0, { TX_KIND: L.KIND_TAP, TX_INDEX: 3, TX_OFFSET: FRAME, TX_LENGTH: open.bytes.length });
    nic.tx[L.TX_VNET] = L.VNET_NEEDS_CSUM;
    nic.tx[L.TX_CSUM] = open.l4 | (6 << 16);
    expect(nic.transmit(1)).toBe(0);
    expect(nextFrame(wire)).toEqual(build(fields).bytes);
  });
});

describe('an offload header that does not fit its frame', () => {
  const tcp = build({ payload: Buffer.alloc(3000), checksum: 'open' });
  const udp = build({ protocol: UDP, payload: Buffer.alloc(3000), checksum: 'open' });
  const right = offload(tcp, 1000, false);
  const type = (gso: number) => ({ TX_VNET: L.VNET_NEEDS_CSUM | (gso << 8) });
  const edit = (packet: Packet, change: (bytes: Buffer, packet: Packet) => void): Packet => {
    const bytes = Buffer.from(packet.bytes);
    change(bytes, packet);
    return { ...packet, bytes };
  };
  const cases: [string, Packet, Partial<ReturnType<typeof offload>> & { TX_TAG?: number }][] = [
    ['no segment size', tcp, { TX_GSO: 0 }],
    ['more than 4,096 segments', build({ payload: Buffer.alloc(4097), checksum: 'open' }), { TX_GSO: 1 }],
    ['IPv6 said of IPv4', tcp, type(L.VNET_GSO_TCPV6)],
    ['UDP said of TCP', tcp, type(L.VNET_GSO_UDP_L4)],
    ['TCP said of UDP', udp, { TX_CSUM: offload(udp, 1, false).TX_CSUM }],
    ['a kind that no one knows', tcp, type(3)],
    ['a checksum elsewhere', tcp, { TX_CSUM: right.TX_CSUM + 2 }],
    ['the checksum of UDP', tcp, { TX_CSUM: tcp.l4 | (6 << 16) }],
    ['a TCP header too short', edit(tcp, (bytes) => bytes.writeUInt8(0x40, tcp.l4 + 12)), {}],
    [
      'a TCP header past the end',
      edit(build({ payload: Buffer.alloc(8), checksum: 'open' }), (bytes) => bytes.writeUInt8(0xf0, tcp.l4 + 12)),
      {},
    ],
    ['an IP header too short', edit(tcp, (bytes) => bytes.writeUInt8(0x44, tcp.l3)), {}],
    ['an IP packet longer than the frame', edit(tcp, (bytes) => bytes.writeUInt16BE(9999, tcp.l3 + 2)), {}],
    ['an IP packet shorter than the frame', edit(tcp, (bytes) => bytes.writeUInt16BE(999, tcp.l3 + 2)), {}],
    ['a fragment', edit(tcp, (bytes) => bytes.writeUInt16BE(0x2000, tcp.l3 + 6)), {}],
    ['a tag popped that is not there', tcp, { TX_TAG: L.TAG_POP }],
    [
      'three tags',
      build({ tags: [1, 2, 3].map((tci) => [0x8100, tci]), payload: Buffer.alloc(3000), checksum: 'open' }),
      { TX_CSUM: (tcp.l4 + 12) | (16 << 16) },
    ],
    [
      'headers without an end',
      build({
        family: 6,
        ipOptions: { first: 60, bytes: Buffer.concat([Buffer.from([6, 135]), Buffer.alloc(1086)]) },
        payload: Buffer.alloc(3000),
        checksum: 'open',
      }),
      { ...type(L.VNET_GSO_TCPV6), TX_CSUM: (14 + 40 + 1088) | (16 << 16) },
    ],
  ];

  test.each(cases)('%s', (_, packet, words) => {
    const { nic } = loopback();
    put(nic, FRAME, packet.bytes);
    const base = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: packet.bytes.length, TX_HEADER_LENGTH: 8 };
    command(nic, 0, { ...base, ...right, ...words });
    command(nic, 1, { ...base, TX_LENGTH: 60 });
    expect(nic.transmit(2)).toBe(1);
    expect([outcome(nic, 0), outcome(nic, 1)]).toEqual([L.OFFLOAD_MISFIT, 0]);
    expect(receiveSome(nic)).toBe(1);
  });

  test('and no garbage leads out of the arena (seed 1848)', () => {
    const below = random(1848);
    const ns = makeNamespace();
    const { nic } = loopback();
    const bare = tapIn(ns, 'tap0', { vnetHeader: false });
    nic.attachTap(0, bare.fd, 0);
    nic.attachTap(1, tapIn(ns, 'tap1').fd);
    const end = nic.arena.byteLength;
    for (let round = 0; round < 400; round++) {
      const { packet, segment } = randomSuperframe(below, 2000);
      const bytes = packet.bytes;
      for (let i = below(4); i > 0; i--) bytes[12 + below(Math.min(bytes.length - 12, 120))] = below(256);
      const length = below(3) ? bytes.length : below(bytes.length + 1);
      put(nic, end - length, bytes.subarray(0, length));
      for (let i = 0; i < 12; i++) {
        const type = [0, 1, 4, 5, 0x81, 0x84, 0x85, below(256)][below(8)];
        command(nic, i, {
          TX_KIND: 1 + (i % 2),
          TX_INDEX: i % 4 === 2 ? 1 : 0,
          TX_OFFSET: end - length,
          TX_LENGTH: length,
          TX_TAG: (below(4) << 16) | below(0x10000),
          TX_HEADER_LENGTH: 8,
          TX_VNET: below(2) | (type << 8),
          TX_GSO: (below(4) ? Math.max(segment, 16) : below(0x10000)) | (below(0x10000) << 16),
          TX_CSUM: below(2) ? packet.l4 | (16 << 16) : below(0x7fffffff),
        });
      }
      const failed = nic.transmit(12);
      expect(Array.from({ length: 12 }, (_, i) => outcome(nic, i)).filter((errno) => errno !== 0)).toHaveLength(failed);
      nic.receive(0);
    }
  });
});
