/** A TUN at the PacketIo: packets come behind an Ethernet header of zeros, frames go without theirs, offsets and all. */
import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/packet-io.js';
import {
  captureIn,
  cleanUp,
  command,
  makeNamespace,
  makePacketIo,
  nextFrame,
  outcome,
  put,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';

afterEach(cleanUp);

const EINVAL = 22;
const WAYS = [true, false];

/** UDP from 10.0.0.2 to 10.0.0.1, its checksum open: the field has the sum of the pseudo-header. */
const OPEN = Buffer.from('4500002000004000401126cb0a0000020a0000010009000a000c1420aabbccdd', 'hex');
const FINISHED = Buffer.from('4500002000004000401126cb0a0000020a0000010009000a000c7427aabbccdd', 'hex');

function tun(vnetHeader: boolean) {
  const ns = makeNamespace();
  const io = makePacketIo();
  const device = tapIn(ns, 'tun0', { layer3: true, vnetHeader, addresses: [{ address: '10.0.0.1', prefix: 24 }] });
  io.attachTap(0, device.fd, device.vnetHeaderSize, true);
  return { io, wire: captureIn(ns, 'tun0') };
}

const ethernet = (tag = ''): Buffer => Buffer.from(`020000000002020000000001${tag}0800`, 'hex');

describe.each(WAYS)('a TUN, with a virtio-net header: %s', (vnetHeader) => {
  test('a packet comes behind 14 zeros', () => {
    const { io, wire } = tun(vnetHeader);
    wire.write(FINISHED);
    expect(receiveSome(io)).toBe(1);
    expect(rxBytes(io, 0)).toEqual(Buffer.concat([Buffer.alloc(14), FINISHED]));
    expect(rx(io, 0, L.RX_OFFSET) % 4).toBe(2);
    expect(rx(io, 0, L.RX_VNET)).toBe(0);
  });

  test.each([
    ['as it is', '', L.TAG_KEEP],
    ['with its tag popped', '81006002', L.TAG_POP],
  ])('a frame goes without its header, %s, and the arena stays as it was', (_name, tag, operation) => {
    const { io, wire } = tun(vnetHeader);
    const frame = Buffer.concat([ethernet(tag), FINISHED]);
    put(io, 4096, Buffer.concat([Buffer.alloc(32, 0xee), frame]));
    const words = { TX_KIND: L.KIND_FRAME, TX_OFFSET: 4096 + 32, TX_LENGTH: frame.length, TX_TAG: operation };
    command(io, 0, words);
    expect(io.transmit(1)).toBe(0);
    expect(nextFrame(wire)).toEqual(FINISHED);
    expect(Buffer.from(io.arena, 4096, 32 + frame.length)).toEqual(Buffer.concat([Buffer.alloc(32, 0xee), frame]));
  });

  test("an open checksum is the kernel's to finish, or is finished here", () => {
    const { io, wire } = tun(vnetHeader);
    const frame = Buffer.concat([ethernet('81000005'), OPEN]);
    put(io, 4096, frame);
    const offload = { TX_VNET: L.VNET_NEEDS_CSUM, TX_CSUM: (18 + 20) | (6 << 16) };
    const words = { TX_KIND: L.KIND_FRAME, TX_OFFSET: 4096, TX_LENGTH: frame.length, TX_TAG: L.TAG_POP, ...offload };
    command(io, 0, words);
    expect(io.transmit(1)).toBe(0);
    expect(nextFrame(wire)).toEqual(vnetHeader ? OPEN : FINISHED);
  });

  test.each([
    ['a pushed tag', L.TAG_PUSH | 5, 60],
    ['a replaced tag', L.TAG_REPLACE | 5, 60],
    ['no packet', L.TAG_KEEP, 14],
    ['no packet behind the tag', L.TAG_POP, 18],
    ['half a header', L.TAG_KEEP, 9],
    ['nothing', L.TAG_KEEP, 0],
  ])('%s is refused', (_name, tag, length) => {
    const { io } = tun(vnetHeader);
    put(io, 4096, Buffer.concat([ethernet(), Buffer.alloc(46, 0x45)]));
    command(io, 0, { TX_KIND: L.KIND_FRAME, TX_OFFSET: 4096, TX_LENGTH: length, TX_TAG: tag });
    expect(io.transmit(1)).toBe(1);
    expect(outcome(io, 0)).toBe(EINVAL);
  });

  test.each([0, 13])('offload offsets that lie in the header that it does not get: csum_start %i', (start) => {
    const { io } = tun(vnetHeader);
    const frame = Buffer.concat([ethernet(), OPEN]);
    put(io, 4096, frame);
    const offload = { TX_VNET: L.VNET_NEEDS_CSUM, TX_CSUM: start | (6 << 16) };
    command(io, 0, { TX_KIND: L.KIND_FRAME, TX_OFFSET: 4096, TX_LENGTH: frame.length, ...offload });
    expect(io.transmit(1)).toBe(1);
    expect(outcome(io, 0)).not.toBe(0);
  });
});

test('consecutive segments become one packet, whose offsets begin at the IP header', () => {
  const { io, wire } = tun(true);
  const segment = (index: number): Buffer => {
    const payload = Buffer.alloc(100, index);
    const tcp = Buffer.from(
      `1389138a0000${(0x1000 + index * 100).toString(16).padStart(4, '0')}00000001501001f400000000`,
      'hex',
    );
    const ip = Buffer.from('4500008c000040004006000a0a0000020a000001', 'hex');
    ip.writeUInt16BE(0, 10);
    ip.writeUInt16BE(sum(ip), 10);
    const pseudo = Buffer.concat([ip.subarray(12, 20), Buffer.from('00060078', 'hex')]);
    tcp.writeUInt16BE(sum(Buffer.concat([pseudo, tcp, payload])), 16);
    return Buffer.concat([ethernet(), ip, tcp, payload]);
  };
  for (let i = 0; i < 3; i++) {
    const bytes = segment(i);
    put(io, 4096 + i * 512, bytes);
    command(io, i, { TX_KIND: L.KIND_FRAME, TX_OFFSET: 4096 + i * 512, TX_LENGTH: bytes.length });
  }
  expect(io.transmit(3)).toBe(0);
  const seen = nextFrame(wire);
  expect(seen.length).toBe(40 + 300);
  expect(seen.subarray(0, 4).toString('hex')).toBe('45000154');
  expect(seen.subarray(40)).toEqual(Buffer.concat([0, 1, 2].map((fill) => Buffer.alloc(100, fill))));
});

/** The Internet checksum of an even number of bytes (RFC 1071). */
function sum(bytes: Buffer): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += bytes.readUInt16BE(at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
