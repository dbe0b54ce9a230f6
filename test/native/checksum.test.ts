import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/nic.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import {
  captureIn,
  cleanUp,
  command,
  inside,
  ip,
  later,
  makeNamespace,
  makeNic,
  outcome,
  put,
  random,
  receiveSome,
  rxBytes,
  tapIn,
} from './helpers.js';

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
  const nic = makeNic();
  const receiver = inside(ns, () => openReceiver({ local: '127.0.0.1', port: 4789 }));
  const [sender] = inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40099], count: 1, seed: 0 }));
  for (const socket of [receiver, sender]) later(() => socket.close());
  nic.attachSocket(0, receiver.fd);
  nic.attachSender(0, sender.fd);
  nic.setRemote(0, 0, 0, 0xffff, 0x7f000001, 4789);
  return { ns, nic };
}

const vnet = (start: number, offset: number) => ({ TX_VNET: L.VNET_NEEDS_CSUM, TX_CSUM: start | (offset << 16) });

describe('a checksum that the guest left open', () => {
  test(`is completed as the slow reference does it (seed ${SEED})`, () => {
    const { nic } = loopback();
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
        put(nic, at, frame);
        command(nic, i, { TX_KIND: L.KIND_UDP, TX_OFFSET: at, TX_LENGTH: frame.length, ...vnet(start, offset) });
        wanted.push(completed(frame, start, offset));
        at += frame.length;
      }
      expect(nic.transmit(20)).toBe(0);
      for (let got = 0; got < 20; ) {
        const count = receiveSome(nic);
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++)
          expect(rxBytes(nic, i).equals(wanted[got + i]), `round ${round}, frame ${got + i}`).toBe(true);
        got += count;
      }
    }
  });

  test('that comes to zero is sent as 0xffff by UDP and as zero by TCP', () => {
    const { nic } = loopback();
    for (const [offset, expected] of [
      [6, 0xffff],
      [16, 0],
    ]) {
      const frame = Buffer.alloc(14 + 40);
      // The one word that makes the sum 0xffff.
      frame.writeUInt16BE(0xffff, 14 + 20);
      put(nic, FRAME, frame);
      command(nic, 0, { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: frame.length, ...vnet(14, offset) });
      expect(nic.transmit(1)).toBe(0);
      receiveSome(nic);
      expect(rxBytes(nic, 0).readUInt16BE(14 + offset)).toBe(expected);
    }
  });

  test('is completed once for all commands of a call that share the frame, whatever they do to its tag', () => {
    const { nic } = loopback();
    const frame = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 31) & 0xff));
    put(nic, FRAME, frame);
    const shared = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 200, ...vnet(38, 16) };
    [L.TAG_KEEP, L.TAG_POP, L.TAG_PUSH | 5, L.TAG_KEEP].forEach((TX_TAG, i) => {
      command(nic, i, { ...shared, TX_TAG });
    });
    expect(nic.transmit(4)).toBe(0);
    expect(receiveSome(nic)).toBe(4);
    const whole = completed(frame, 38, 16);
    expect(rxBytes(nic, 0)).toEqual(whole);
    expect(rxBytes(nic, 1)).toEqual(Buffer.concat([whole.subarray(0, 12), whole.subarray(16)]));
    expect(rxBytes(nic, 2)).toEqual(
      Buffer.concat([whole.subarray(0, 12), Buffer.from([0x81, 0, 0, 5]), whole.subarray(12)]),
    );
    expect(rxBytes(nic, 3)).toEqual(whole);
  });

  test('is completed once for all calls of a batch that share the frame, and anew in the next batch', () => {
    const { nic } = loopback();
    const frame = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 29) & 0xff));
    const shared = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 200, ...vnet(38, 16) };
    const whole = completed(frame, 38, 16);
    for (let batch = 0; batch < 2; batch++) {
      put(nic, FRAME, frame);
      for (const more of [true, true, false]) {
        command(nic, 0, shared);
        expect(nic.transmit(1, more)).toBe(0);
      }
      expect(receiveSome(nic)).toBe(3);
      for (let i = 0; i < 3; i++) expect(rxBytes(nic, i)).toEqual(whole);
    }
  });

  test('is completed in a batch also when the one before it announced more and had no more', () => {
    const { nic } = loopback();
    const frame = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 29) & 0xff));
    for (const more of [true, false]) {
      put(nic, FRAME, frame);
      command(nic, 0, { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 200, ...vnet(38, 16) });
      expect(nic.transmit(1, more)).toBe(0);
      expect(receiveSome(nic)).toBe(1);
      expect(rxBytes(nic, 0)).toEqual(completed(frame, 38, 16));
    }
  });

  test('that points past the frame is refused', () => {
    const { nic } = loopback();
    put(nic, FRAME, Buffer.alloc(60));
    const base = { TX_KIND: L.KIND_UDP, TX_OFFSET: FRAME, TX_LENGTH: 60 };
    command(nic, 0, { ...base, ...vnet(50, 16) });
    command(nic, 1, { ...base, ...vnet(0xffff, 0xffff) });
    command(nic, 2, { ...base, ...vnet(13, 6) });
    command(nic, 3, { ...base, ...vnet(42, 16) });
    expect(nic.transmit(4)).toBe(3);
    expect([0, 1, 2, 3].map((i) => outcome(nic, i))).toEqual([L.OFFLOAD_MISFIT, L.OFFLOAD_MISFIT, L.OFFLOAD_MISFIT, 0]);
  });
});

describe('a TAP gets a frame with an open checksum', () => {
  /**
   * tap0 and tap1 in a kernel bridge. tap1 was opened without checksum offload, so the kernel completes on the way to it what is
   * still open: its frames tell whether the virtio-net header written to tap0 was true.
   */
  function bridged() {
    const { ns, nic } = loopback();
    ip('-n', ns, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', ns, 'link', 'set', 'br0', 'up');
    nic.attachTap(0, tapIn(ns, 'tap0').fd);
    nic.attachTap(1, tapIn(ns, 'tap1', { offload: 0 }).fd);
    for (const tap of ['tap0', 'tap1']) ip('-n', ns, 'link', 'set', tap, 'master', 'br0');
    return { ns, nic };
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

  /** The frame that tap1 gets. */
  function arrived(nic: ReturnType<typeof makeNic>): Buffer {
    const end = performance.now() + 2000;
    while (performance.now() < end) {
      const count = nic.receive(200);
      for (let i = 0; i < count; i++)
        if (nic.rx[i * L.RX_STRIDE + L.RX_KIND] === L.KIND_FRAME && nic.rx[i * L.RX_STRIDE + L.RX_INDEX] === 1)
          return rxBytes(nic, i);
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
    const { nic } = bridged();
    const frame = datagram();
    put(nic, FRAME, frame);
    order.forEach((words, i) => {
      command(nic, i, { ...words, TX_LENGTH: frame.length, ...vnet(START, 6) });
    });
    expect(nic.transmit(order.length)).toBe(0);
    expect(arrived(nic)).toEqual(completed(frame, START, 6));
  });

  test.each([
    ['pushed', datagram(), START, L.TAG_PUSH | 7, completed(datagram(7), START + 4, 6)],
    ['popped', datagram(7), START + 4, L.TAG_POP, completed(datagram(), START, 6)],
    ['replaced', datagram(7), START + 4, L.TAG_REPLACE | 9, completed(datagram(9), START + 4, 6)],
  ])('with its tag %s: the header follows', (_, frame, start, TX_TAG, expected) => {
    const { nic } = bridged();
    put(nic, FRAME, frame);
    command(nic, 0, { ...TAP, TX_LENGTH: frame.length, TX_TAG, ...vnet(start, 6) });
    expect(nic.transmit(1)).toBe(0);
    expect(arrived(nic)).toEqual(expected);
  });

  test('and hands one over as the kernel gives it', () => {
    const ns = makeNamespace();
    const nic = makeNic();
    nic.attachTap(0, tapIn(ns, 'tap0', { addresses: [{ address: '10.0.0.1', prefix: 24 }] }).fd);
    ip('-n', ns, 'neigh', 'add', '10.0.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'tap0');
    captureIn(ns, 'tap0');
    const [sender] = inside(ns, () => openSenders({ local: '10.0.0.1', range: [40000, 40099], count: 1, seed: 0 }));
    later(() => sender.close());
    nic.attachSender(0, sender.fd);
    nic.setRemote(0, 0, 0, 0xffff, 0x0a000002, 9);
    put(nic, FRAME, Buffer.alloc(60, 1));
    command(nic, 0, { ...UDP, TX_LENGTH: 60 });
    expect(nic.transmit(1)).toBe(0);
    expect(receiveSome(nic)).toBe(1);
    expect(nic.rx[L.RX_VNET]).toBe(L.VNET_NEEDS_CSUM);
    expect(nic.rx[L.RX_CSUM]).toBe(START | (6 << 16));
    expect(nic.rx[L.RX_GSO]).toBe(0);
  });
});
