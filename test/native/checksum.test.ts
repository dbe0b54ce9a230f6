import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/packet-io.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import {
  captureIn,
  cleanUp,
  command,
  inside,
  ip,
  later,
  makeNamespace,
  makePacketIo,
  outcome,
  put,
  random,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';

afterEach(cleanUp);

const FRAME = 8 * 1024 * 1024 + 2;
const SEED = 20240229;

/** RFC 1071 the slow way: one big-endian word after the other, the carry put back each time. */
function slowSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function completed(frame: Buffer, start: number, offset: number): Buffer {
  const result = Buffer.from(frame);
  let checksum = ~slowSum(frame.subarray(start)) & 0xffff;
  if (checksum === 0 && offset === 6) checksum = 0xffff;
  result.writeUInt16BE(checksum, start + offset);
  return result;
}

function loopback() {
  const ns = makeNamespace();
  const io = makePacketIo();
  const receiver = inside(ns, () => openReceiver({ local: '127.0.0.1', port: 4789 }));
  const [sender] = inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40099], count: 1, seed: 0 }));
  for (const socket of [receiver, sender]) later(() => socket.close());
  io.attachSocket(0, receiver.fd);
  io.attachSender(0, sender.fd);
  io.setRemote(0, 0, 0, 0xffff, 0x7f000001, 4789);
  return { ns, io };
}

const vnet = (start: number, offset: number) => ({ TX_VNET: L.VNET_NEEDS_CSUM, TX_CSUM: start | (offset << 16) });

describe('a checksum that the guest left open', () => {
  test(`is completed as the slow reference does it (seed ${SEED})`, () => {
    const { io } = loopback();
    const below = random(SEED);
    for (let round = 0; round < 25; round++) {
      const wanted: Buffer[] = [];
      let at = FRAME;
      for (let i = 0; i < 20; i++) {
        const start = 14 + below(60);
        const offset = below(2) ? 6 : 16;
        const frame = Buffer.from(
          Array.from({ length: start + offset + 2 + below(i === 0 ? 9000 : 1400) }, () => below(256)),
        );
        // Any place in memory, odd ones too.
        at += below(7);
        put(io, at, frame);
        command(io, i, { TX_KIND: L.KIND_UDP, TX_OFFSET: at, TX_LENGTH: frame.length, ...vnet(start, offset) });
        wanted.push(completed(frame, start, offset));
        at += frame.length;
      }
      expect(io.transmit(20)).toBe(0);
      for (let got = 0; got < 20; ) {
        const count = receiveSome(io);
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++)
          expect(rxBytes(io, i).equals(wanted[got + i]), `round ${round}, frame ${got + i}`).toBe(true);
        got += count;
      }
    }
  });

  test('that comes to zero is sent as 0xffff by UDP and as zero by TCP', () => {
    const { io } = loopback();
    for (const [offset, expected] of [
      [6, 0xffff],
      [16, 0],
    ]) {
      const frame = Buffer.alloc(14 + 40);
      // The one word that makes the sum 0xffff.
      frame.writeUInt16BE(0xffff, 14 + 20);
      put(io, FRAME, frame);
      command(io, 0, { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: frame.length, ...vnet(14, offset) });
      expect(io.transmit(1)).toBe(0);
      receiveSome(io);
      expect(rxBytes(io, 0).readUInt16BE(14 + offset)).toBe(expected);
    }
  });

  test('is completed once for all commands of a call that share the frame, whatever they do to its tag', () => {
    const { io } = loopback();
    const frame = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 31) & 0xff));
    put(io, FRAME, frame);
    const shared = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 200, ...vnet(38, 16) };
    [L.TAG_KEEP, L.TAG_POP, L.TAG_PUSH | 5, L.TAG_KEEP].forEach((TX_TAG, i) => {
      command(io, i, { ...shared, TX_TAG });
    });
    expect(io.transmit(4)).toBe(0);
    expect(receiveSome(io)).toBe(4);
    const whole = completed(frame, 38, 16);
    expect(rxBytes(io, 0)).toEqual(whole);
    expect(rxBytes(io, 1)).toEqual(Buffer.concat([whole.subarray(0, 12), whole.subarray(16)]));
    expect(rxBytes(io, 2)).toEqual(
      Buffer.concat([whole.subarray(0, 12), Buffer.from([0x81, 0, 0, 5]), whole.subarray(12)]),
    );
    expect(rxBytes(io, 3)).toEqual(whole);
  });

  test('is completed once for all calls of a batch that share the frame, and anew in the next batch', () => {
    const { io } = loopback();
    const frame = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 29) & 0xff));
    const shared = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 200, ...vnet(38, 16) };
    const whole = completed(frame, 38, 16);
    for (let batch = 0; batch < 2; batch++) {
      put(io, FRAME, frame);
      for (const more of [true, true, false]) {
        command(io, 0, shared);
        expect(io.transmit(1, more)).toBe(0);
      }
      expect(receiveSome(io)).toBe(3);
      for (let i = 0; i < 3; i++) expect(rxBytes(io, i)).toEqual(whole);
    }
  });

  test('is completed in a batch also when the one before it announced more and had no more', () => {
    const { io } = loopback();
    const frame = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 29) & 0xff));
    for (const more of [true, false]) {
      put(io, FRAME, frame);
      command(io, 0, { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 200, ...vnet(38, 16) });
      expect(io.transmit(1, more)).toBe(0);
      expect(receiveSome(io)).toBe(1);
      expect(rxBytes(io, 0)).toEqual(completed(frame, 38, 16));
    }
  });

  test('that points past the frame is refused', () => {
    const { io } = loopback();
    put(io, FRAME, Buffer.alloc(60));
    const base = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 60 };
    command(io, 0, { ...base, ...vnet(50, 16) });
    command(io, 1, { ...base, ...vnet(0xffff, 0xffff) });
    command(io, 2, { ...base, ...vnet(13, 6) });
    command(io, 3, { ...base, ...vnet(42, 16) });
    expect(io.transmit(4)).toBe(3);
    expect([0, 1, 2, 3].map((i) => outcome(io, i))).toEqual([L.OFFLOAD_MISFIT, L.OFFLOAD_MISFIT, L.OFFLOAD_MISFIT, 0]);
  });
});

describe('a TAP gets a frame with an open checksum', () => {
  /**
   * tap0 and tap1 in a kernel bridge. tap1 was opened without checksum offload, so the kernel completes on the way to it what is
   * still open: its frames tell whether the virtio-net header written to tap0 was true. tap2, in the bridge too, has no such header.
   */
  function bridged() {
    const { ns, io } = loopback();
    // The bridge itself would join the group of snoopers (RFC 4286), at a moment of its own.
    ip('-n', ns, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    ip('-n', ns, 'link', 'set', 'br0', 'up');
    const taps = [tapIn(ns, 'tap0'), tapIn(ns, 'tap1', { offload: 0 }), tapIn(ns, 'tap2', { vnetHeader: false })];
    for (const [at, { fd, vnetHeaderSize }] of taps.entries()) io.attachTap(at, fd, vnetHeaderSize);
    for (const tap of ['tap0', 'tap1', 'tap2']) ip('-n', ns, 'link', 'set', tap, 'master', 'br0');
    return { ns, io, taps };
  }

  /** An IPv4 UDP frame, broadcast, its checksum field holding the sum of the pseudo-header. */
  function datagram(tci?: number): Buffer {
    const payload = Buffer.from('an odd number of bytes ');
    const udp = Buffer.alloc(8);
    udp.writeUInt16BE(1111, 0);
    udp.writeUInt16BE(2222, 2);
    udp.writeUInt16BE(8 + payload.length, 4);
    const header = Buffer.alloc(20);
    header.set([0x45, 0, 0, 28 + payload.length, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    header.writeUInt16BE(~slowSum(header) & 0xffff, 10);
    const pseudo = Buffer.concat([header.subarray(12, 20), Buffer.from([0, 17]), udp.subarray(4, 6)]);
    udp.writeUInt16BE(slowSum(pseudo), 6);
    const tag = tci === undefined ? '' : `8100${tci.toString(16).padStart(4, '0')}`;
    return Buffer.concat([Buffer.from(`ffffffffffff020000000001${tag}0800`, 'hex'), header, udp, payload]);
  }

  /** The frame that tap1 gets from 02:00:00:00:00:01; those of the kernel's own do not count. */
  function arrived(io: ReturnType<typeof makePacketIo>): Buffer {
    const end = performance.now() + 20_000;
    while (performance.now() < end) {
      const count = io.receive(200);
      for (let i = 0; i < count; i++) {
        if (rx(io, i, L.RX_KIND) !== L.KIND_FRAME || rx(io, i, L.RX_INDEX) !== 1) continue;
        const bytes = rxBytes(io, i);
        if (bytes.toString('hex', 6, 12) === '020000000001') return bytes;
      }
    }
    throw new Error('tap1 got no frame');
  }

  const START = 34;
  const TAP = { TX_KIND: L.KIND_FRAME, TX_INDEX: 0, TX_OFFSET: FRAME };
  const UDP = { TX_KIND: L.KIND_UDP, TX_INDEX: 0, TX_OFFSET: FRAME };

  test.each([
    ['before it goes to a socket', [TAP, UDP]],
    ['after it went to a socket', [UDP, TAP]],
    ['alone', [TAP]],
  ])('%s', (_, order) => {
    const { io } = bridged();
    const frame = datagram();
    put(io, FRAME, frame);
    order.forEach((words, i) => {
      command(io, i, { ...words, TX_LENGTH: frame.length, ...vnet(START, 6) });
    });
    expect(io.transmit(order.length)).toBe(0);
    expect(arrived(io)).toEqual(completed(frame, START, 6));
  });

  test.each([
    ['pushed', datagram(), START, L.TAG_PUSH | 7, completed(datagram(7), START + 4, 6)],
    ['popped', datagram(7), START + 4, L.TAG_POP, completed(datagram(), START, 6)],
    ['replaced', datagram(7), START + 4, L.TAG_REPLACE | 9, completed(datagram(9), START + 4, 6)],
  ])('with its tag %s: the header follows, whichever way it is written', (_, frame, start, TX_TAG, expected) => {
    const { io, taps } = bridged();
    const plain = makePacketIo({ txCommands: 512, ioUring: false });
    plain.attachTap(0, taps[0].fd, taps[0].vnetHeaderSize);
    plain.attachTap(2, taps[2].fd, 0);
    // Where the arena begins there is no room in front of the frame, and it is written in several pieces.
    for (const [writer, TX_INDEX, TX_OFFSET] of [
      [io, 0, FRAME],
      [plain, 0, FRAME],
      [plain, 0, 0],
      [io, 2, FRAME],
      [plain, 2, FRAME],
    ] as const) {
      put(writer, TX_OFFSET, frame);
      command(writer, 0, { ...TAP, TX_INDEX, TX_OFFSET, TX_LENGTH: frame.length, TX_TAG, ...vnet(start, 6) });
      expect(writer.transmit(1)).toBe(0);
      const way = `${writer === io ? 'together' : 'alone'}, tap${TX_INDEX}, at ${TX_OFFSET}`;
      expect(arrived(io), way).toEqual(expected);
    }
  });

  test('and hands one over as the kernel gives it', () => {
    const ns = makeNamespace();
    const io = makePacketIo();
    io.attachTap(0, tapIn(ns, 'tap0', { addresses: [{ address: '10.0.0.1', prefix: 24 }] }).fd);
    ip('-n', ns, 'neigh', 'add', '10.0.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'tap0');
    captureIn(ns, 'tap0');
    const [sender] = inside(ns, () => openSenders({ local: '10.0.0.1', range: [40000, 40099], count: 1, seed: 0 }));
    later(() => sender.close());
    io.attachSender(0, sender.fd);
    io.setRemote(0, 0, 0, 0xffff, 0x0a000002, 9);
    put(io, FRAME, Buffer.alloc(60, 1));
    command(io, 0, { ...UDP, TX_LENGTH: 60 });
    expect(io.transmit(1)).toBe(0);
    expect(receiveSome(io)).toBe(1);
    expect(io.rx[L.RX_VNET]).toBe(L.VNET_NEEDS_CSUM);
    expect(io.rx[L.RX_CSUM]).toBe(START | (6 << 16));
    expect(io.rx[L.RX_GSO]).toBe(0);
  });
});
