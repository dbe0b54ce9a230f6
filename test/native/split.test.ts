import { afterEach, describe, expect, test } from 'vitest';
import type { NativePacketIoOptions } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import {
  captureIn,
  cleanUp,
  command,
  makeNamespace,
  makePacketIo,
  nextFrame,
  put,
  random,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';
import { build, homeAddress, noise, type PacketFields, slowSum, sourceRoute, TCP, UDP, withTag } from './packets.js';
import { splitSlowly } from './reference-split.js';
import {
  expectDatagrams,
  expected,
  FRAME,
  loopback,
  offload,
  randomSuperframe,
  type Superframe,
  send,
} from './superframes.js';

afterEach(cleanUp);

/** Options fill words. */
function padded(options: Buffer): Buffer {
  return Buffer.concat([options, Buffer.alloc(-options.length & 3)]);
}

const WAYS: [string, NativePacketIoOptions & { gro?: boolean; checksum?: boolean; v6?: boolean }][] = [
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
      const { io } = loopback(options);
      for (let round = 0; round < 40; round++) {
        const frames = Array.from({ length: 1 + below(6) }, () => randomSuperframe(below));
        const before = frames.map(({ packet }) => Buffer.from(packet.bytes));
        let offset = FRAME;
        frames.forEach((frame, i) => {
          offset += below(5);
          send(io, i, offset, frame);
          offset += frame.packet.bytes.length;
        });
        expect(io.transmit(frames.length), `seed ${seed}, round ${round}`).toBe(0);
        expect(io.status[L.STATUS_LATCHED]).toBe(0);
        expectDatagrams(io, frames.flatMap(expected), `seed ${seed}, round ${round}, ${way}`);
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
    const { io } = loopback({ gro: true });
    for (let round = 0; round < 20; round++) {
      const wanted: Buffer[] = [];
      let offset = FRAME;
      for (let i = 0; i < 30; i++) {
        const frame = randomSuperframe(below, 6000);
        const plain = below(2) === 0;
        if (plain) frame.words = { TX_VNET: 0, TX_GSO: 0, TX_CSUM: 0 };
        send(io, i, offset, frame);
        offset += frame.packet.bytes.length;
        wanted.push(...(plain ? [withTag(frame.packet.bytes, frame.operation, frame.tci)] : expected(frame)));
      }
      expect(io.transmit(30), `seed ${seed}, round ${round}`).toBe(0);
      expectDatagrams(io, wanted, `seed ${seed}, round ${round}`);
    }
  });

  test('of UDP say 0xffff where the sum comes to zero, which would say that there is none', () => {
    const { io } = loopback();
    const payload = noise(random(2), 3000);
    for (const at of [0, 1000, 2000]) payload.writeUInt16BE(0, at);
    const plain = build({ protocol: UDP, payload, checksum: 'open' });
    // What the segment's checksum is without it, in its first word, makes it zero.
    splitSlowly(plain, 1000).forEach((bytes, i) => {
      payload.writeUInt16BE(bytes.readUInt16BE(plain.l4 + 6), i * 1000);
    });
    const packet = build({ protocol: UDP, payload, checksum: 'open' });
    const words = offload(packet, 1000, false);
    send(io, 0, FRAME, { packet, segment: 1000, operation: 'keep', tci: 0, words });
    expect(io.transmit(1)).toBe(0);
    const wanted = splitSlowly(packet, 1000);
    expect(wanted.map((bytes) => bytes.readUInt16BE(packet.l4 + 6))).toEqual([0xffff, 0xffff, 0xffff]);
    expectDatagrams(io, wanted, 'sums of zero');
  });

  test('with a routing header keep the sum that the guest left, for it knows the last address', () => {
    const { io } = loopback();
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
    send(io, 0, FRAME, frame);
    expect(io.transmit(1)).toBe(0);
    const wanted = expected(frame).map((bytes) => {
      const checksum = ~bytes.readUInt16BE(field) & 0xffff;
      bytes.writeUInt16BE(~((checksum + 5) % 0xffff) & 0xffff, field);
      return bytes;
    });
    expectDatagrams(io, wanted, 'routed');
  });

  const there = Buffer.from([192, 0, 2, 9]);
  const home = Buffer.from('fd000009000000000000000000000009', 'hex');
  const routes: [string, Pick<PacketFields, 'family' | 'ipOptions'>, string][] = [
    [
      'a loose source route',
      { ipOptions: { first: 0, bytes: padded(sourceRoute(131, there, 4)) } },
      '0a000001c0000209',
    ],
    ['a strict one', { ipOptions: { first: 0, bytes: padded(sourceRoute(137, there, 4)) } }, '0a000001c0000209'],
    [
      'one that has come to its end',
      { ipOptions: { first: 0, bytes: padded(sourceRoute(131, there, 8)) } },
      '0a0000010a000002',
    ],
    [
      'a home address',
      { family: 6, ipOptions: { first: 60, bytes: homeAddress(TCP, home) } },
      `${home.toString('hex')}fd000002000000000000000000000002`,
    ],
  ];

  test.each(routes)('with %s have the checksum of the last addresses', (_, fields, addresses) => {
    const { io } = loopback();
    const packet = build({ ...fields, payload: noise(random(1), 3000), checksum: 'open' });
    send(io, 0, FRAME, { packet, segment: 1400, operation: 'keep', tci: 0, words: offload(packet, 1400, false) });
    expect(io.transmit(1)).toBe(0);
    for (let got = 0; got < 3; ) {
      const count = receiveSome(io);
      expect(count).toBeGreaterThan(0);
      for (let i = 0; i < count; i++, got++) {
        const tcp = rxBytes(io, i).subarray(8 + packet.l4);
        const rest = Buffer.from([0, TCP, tcp.length >> 8, tcp.length & 0xff]);
        expect(slowSum(Buffer.concat([Buffer.from(addresses, 'hex'), rest, tcp]))).toBe(0xffff);
      }
    }
  });
});

describe('superframes written to a TAP without a virtio-net header', () => {
  test('are split as the slow reference does it', () => {
    const seed = 99;
    const below = random(seed);
    const ns = makeNamespace();
    const io = makePacketIo({ txCommands: 64 });
    const tap = tapIn(ns, 'tap0', { vnetHeader: false, mtu: 9600 });
    expect(tap).toMatchObject({ vnetHeaderSize: 0, offload: 0 });
    io.attachTap(0, tap.fd, tap.vnetHeaderSize);
    const wire = captureIn(ns, 'tap0');
    for (let round = 0; round < 60; round++) {
      const frame = randomSuperframe(below, 20_000);
      frame.segment = Math.max(frame.segment, 100);
      frame.words = offload(frame.packet, frame.segment, false);
      send(io, 0, FRAME, frame);
      io.tx[L.TX_KIND] = L.KIND_FRAME;
      expect(io.transmit(1), `seed ${seed}, round ${round}`).toBe(0);
      for (const bytes of expected(frame))
        expect(nextFrame(wire).equals(bytes), `seed ${seed}, round ${round}`).toBe(true);
    }
  });

  test('and frames come from it as they are, their checksums completed on the way to it', () => {
    const ns = makeNamespace();
    const io = makePacketIo();
    const tap = tapIn(ns, 'tap0', { vnetHeader: false });
    io.attachTap(3, tap.fd, tap.vnetHeaderSize);
    const wire = captureIn(ns, 'tap0');
    const fields = { protocol: UDP, payload: Buffer.from('odd') };
    wire.write(build(fields).bytes);
    expect(receiveSome(io)).toBe(1);
    expect([L.RX_INDEX, L.RX_VNET, L.RX_GSO, L.RX_CSUM].map((word) => rx(io, 0, word))).toEqual([3, 0, 0, 0]);
    expect(rxBytes(io, 0)).toEqual(build(fields).bytes);
    const open = build({ ...fields, checksum: 'open' });
    put(io, FRAME, open.bytes);
    command(io, 0, { TX_KIND: L.KIND_FRAME, TX_INDEX: 3, TX_OFFSET: FRAME, TX_LENGTH: open.bytes.length });
    io.tx[L.TX_VNET] = L.VNET_NEEDS_CSUM;
    io.tx[L.TX_CSUM] = open.l4 | (6 << 16);
    expect(io.transmit(1)).toBe(0);
    expect(nextFrame(wire)).toEqual(build(fields).bytes);
  });
});
