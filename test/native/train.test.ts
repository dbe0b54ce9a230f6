import { afterEach, describe, expect, test } from 'vitest';
import { closeFd } from '../../src/native/binding.js';
import type { NativePacketIo, NativePacketIoOptions } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { selfTest } from '../../src/port/self-test.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import {
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
} from './native-testbed.js';

afterEach(cleanUp);

const FRAME = 8 * 1024 * 1024 + 2;
const EMSGSIZE = 90;
const RANGE = [40000, 40099] as const;

interface Options extends NativePacketIoOptions {
  gro?: boolean;
  senders?: number;
}

function loopback(options: Options = {}) {
  const { gro = true, senders: count = 1, ...rest } = options;
  const ns = makeNamespace();
  const io = makePacketIo({ txCommands: 1024, ...rest });
  const receivers = [4789, 4790].map((port) => inside(ns, () => openReceiver({ local: '127.0.0.1', port, gro })));
  const senders = inside(ns, () => openSenders({ local: '127.0.0.1', range: RANGE, count, seed: 0 }));
  for (const socket of [...receivers, ...senders]) later(() => socket.close());
  receivers.forEach(({ fd, port }, i) => {
    io.attachSocket(i, fd);
    io.setRemote(i, 0, 0, 0xffff, 0x7f000001, port);
  });
  senders.forEach(({ fd }, i) => {
    io.attachSender(i, fd);
  });
  return { ns, io };
}

/** Datagram `i` is `i` again and again. */
function fill(io: NativePacketIo, sizes: number[], more: (i: number) => object = () => ({})): Buffer[] {
  let offset = FRAME;
  return sizes.map((size, i) => {
    const bytes = Buffer.alloc(size, i);
    put(io, offset, bytes);
    command(io, i, { TX_KIND: L.KIND_UDP, TX_OFFSET: offset, TX_LENGTH: size, ...more(i) });
    offset += size;
    return bytes;
  });
}

interface Datagram {
  bytes: Buffer;
  segment: number;
  train: number;
  tos: number;
  socket: number;
}

function take(io: NativePacketIo, count: number): Datagram[] {
  const got: Datagram[] = [];
  while (got.length < count) {
    const some = receiveSome(io);
    expect(some, `${got.length} of ${count} came`).toBeGreaterThan(0);
    for (let i = 0; i < some; i++)
      got.push({
        bytes: Buffer.from(rxBytes(io, i)),
        segment: rx(io, i, L.RX_SEGMENT),
        train: rx(io, i, L.RX_TRAIN),
        tos: rx(io, i, L.RX_TOS),
        socket: rx(io, i, L.RX_INDEX),
      });
  }
  return got;
}

/** The lengths of the trains, as they were taken in. */
function trains(got: Datagram[]): number[] {
  const lengths: number[] = [];
  for (const { train } of got) {
    if (train === 0) lengths.push(0);
    expect(train).toBe(lengths[lengths.length - 1]);
    lengths[lengths.length - 1]++;
  }
  return lengths;
}

describe('consecutive datagrams to one remote', () => {
  const many = (count: number, size: number): number[] => new Array<number>(count).fill(size);

  test.each([
    ['of one size are a train', many(10, 72), [10]],
    ['are a train of 64 at most', many(130, 72), [64, 64, 2]],
    ['are a train of 65,507 bytes at most', many(100, 1472), [44, 44, 12]],
    ['may end with a shorter one', [100, 100, 60, 100, 100], [3, 2]],
    ['do not go on with a longer one', [100, 100, 120, 120], [2, 2]],
    ['of sizes that only fall are pairs', [90, 80, 70, 60], [2, 2]],
    ['that are too large for it are no train', many(3, 40000), [1, 1, 1]],
    ['of half of that are two', [32700, 32700], [2]],
    ['that just do not are not', [32754, 32754], [1, 1]],
  ])('%s', (_, sizes, expected) => {
    const { io } = loopback();
    const sent = fill(io, sizes);
    expect(io.transmit(sizes.length)).toBe(0);
    const got = take(io, sizes.length);
    got.forEach(({ bytes }, i) => {
      expect(bytes.equals(sent[i])).toBe(true);
    });
    expect(trains(got)).toEqual(expected);
    let at = 0;
    for (const length of expected) {
      for (let i = 0; i < length; i++) expect(got[at + i].segment).toBe(length > 1 ? sizes[at] : 0);
      at += length;
    }
  });

  test('are parted by type of service, and by another remote', () => {
    const { io } = loopback();
    fill(io, many(12, 100), (i) => ({ TX_TOS: i < 4 ? 0 : 0xb8, TX_REMOTE: i < 8 ? 0 : 1 }));
    expect(io.transmit(12)).toBe(0);
    const got = take(io, 12);
    expect(trains(got)).toEqual([4, 4, 4]);
    const seen = got.map(({ tos, socket, bytes }) => `${bytes[0]} ${tos} ${socket}`);
    expect(seen.sort()).toEqual(
      Array.from({ length: 12 }, (_, i) => `${i} ${i < 4 ? 0 : 0xb8} ${i < 8 ? 0 : 1}`).sort(),
    );
  });

  test('of each sender are trains of their own, in its order', () => {
    const { io } = loopback({ senders: 2 });
    fill(io, many(40, 100), (i) => ({ TX_INDEX: i % 2 }));
    expect(io.transmit(40)).toBe(0);
    const got = take(io, 40);
    expect(trains(got)).toEqual([20, 20]);
    const numbers = got.map(({ bytes }) => bytes[0]);
    expect(numbers.filter((n) => n % 2 === 0)).toEqual(Array.from({ length: 20 }, (_, i) => i * 2));
    expect(numbers.filter((n) => n % 2 === 1)).toEqual(Array.from({ length: 20 }, (_, i) => i * 2 + 1));
  });

  test('that are more than one call takes come complete and in order (seed 5)', () => {
    const below = random(5);
    for (const gro of [true, false]) {
      const { io } = loopback({ gro });
      for (let round = 0; round < 5; round++) {
        let size = 100;
        const sizes = Array.from({ length: 1000 }, () => {
          if (below(4) === 0) size = 14 + below(300);
          return size;
        });
        const sent = fill(io, sizes);
        expect(io.transmit(1000)).toBe(0);
        const got = take(io, 1000);
        got.forEach(({ bytes }, i) => {
          expect(bytes.equals(sent[i]), `round ${round}, datagram ${i}`).toBe(true);
        });
      }
    }
  });

  test('are the same datagrams whether trains are made, or taken in, or not (seed 6)', () => {
    const seen = [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ].map(([udpSegment, gro]) => {
      const below = random(6);
      const { io } = loopback({ udpSegment, gro });
      const sizes = Array.from({ length: 300 }, () => 14 + 50 * below(3));
      fill(io, sizes, (i) => ({ TX_TOS: i % 7 === 0 ? 4 : 0, TX_TAG: i % 5 === 0 ? L.TAG_PUSH | i : 0 }));
      expect(io.transmit(300)).toBe(0);
      return take(io, 300).map(({ bytes, tos }) => `${tos} ${bytes.toString('hex')}`);
    });
    for (const other of seen.slice(1)) expect(other).toEqual(seen[0]);
  });
});

describe('a train that is taken in', () => {
  test('is never cut by the end of a batch', () => {
    const { io } = loopback({ maxFrames: 150 });
    const count = 640;
    fill(io, new Array<number>(count).fill(60));
    expect(io.transmit(count)).toBe(0);
    let total = 0;
    while (total < count) {
      const some = receiveSome(io);
      expect(some).toBe(64);
      expect(rx(io, 0, L.RX_TRAIN)).toBe(0);
      expect(rx(io, some - 1, L.RX_TRAIN)).toBe(63);
      expect(io.status[L.STATUS_MORE]).toBe(1);
      total += some;
    }
    expect(io.receive(0)).toBe(0);
  });

  test('does not go to a PacketIo that could not hold it', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ maxFrames: 127 });
    const [gro, plain] = [true, false].map((on) =>
      inside(ns, () => openReceiver({ local: '127.0.0.1', port: 0, gro: on })),
    );
    for (const socket of [gro, plain]) later(() => socket.close());
    expect(() => io.attachSocket(0, gro.fd)).toThrow('at least 128 frames');
    io.attachSocket(0, plain.fd);
  });
});

describe('where a train is refused', () => {
  /** The sender's descriptor becomes another socket's, one that takes no trains, after it was attached. */
  function exchanged() {
    const made = loopback({ gro: false });
    const open = (port: number, checksum: boolean) =>
      inside(made.ns, () => openSenders({ local: '127.0.0.1', range: [port, port], seed: 0, checksum }))[0];
    const first = open(41000, true);
    made.io.attachSender(7, first.fd);
    closeFd(first.fd);
    const second = open(41001, false);
    later(() => second.close());
    expect(second.fd).toBe(first.fd);
    return made;
  }

  test('its datagrams go out one by one, nothing is lost, and it is told once', () => {
    const { io } = exchanged();
    const sizes = new Array<number>(200).fill(80);
    for (let round = 0; round < 2; round++) {
      const sent = fill(io, sizes, () => ({ TX_INDEX: 7, TX_TOS: 8, TX_TAG: L.TAG_PUSH | 5 }));
      expect(io.transmit(200)).toBe(0);
      const some = receiveSome(io);
      expect(io.status[L.STATUS_LATCHED]).toBe(round === 0 ? L.LATCHED_UDP_SEGMENT : 0);
      let got = 0;
      for (let count = some; got < 200; count = receiveSome(io)) {
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++, got++) {
          expect(rx(io, i, L.RX_TOS)).toBe(8);
          expect(rxBytes(io, i).subarray(16).equals(sent[got].subarray(12))).toBe(true);
        }
      }
    }
    // From now on other senders make none either.
    fill(io, [80, 80]);
    expect(io.transmit(2)).toBe(0);
    expect(take(io, 2)).toHaveLength(2);
  });

  test('for its length, what is short enough goes, and trains go on', () => {
    const { ns, io } = loopback();
    ip('-n', ns, 'link', 'set', 'lo', 'mtu', '1000');
    fill(io, [1200, 1200, 600, 500, 500]);
    expect(io.transmit(5)).toBe(2);
    expect([0, 1, 2, 3, 4].map((i) => outcome(io, i))).toEqual([EMSGSIZE, EMSGSIZE, 0, 0, 0]);
    const got = take(io, 3);
    expect(got.map(({ bytes }) => bytes.length)).toEqual([600, 500, 500]);
    expect(trains(got)).toEqual([1, 2]);
    expect(io.status[L.STATUS_LATCHED]).toBe(0);
  });
});

describe('the self-test', () => {
  test('finds on this kernel what the tests above use, and leaves nothing behind', () => {
    const ns = makeNamespace();
    const before = ip('-n', ns, '-br', 'link');
    const found = inside(ns, selfTest);
    expect(found).toMatchObject({ udpSegment: true, udpGro: true, vnetHeader: true, tso: true });
    expect(Object.keys(found.reasons)).toEqual(found.uso ? [] : ['uso']);
    expect(ip('-n', ns, '-br', 'link')).toBe(before);
  });

  test('takes the kernel at its word where there is no loopback', () => {
    const ns = makeNamespace();
    ip('-n', ns, 'link', 'set', 'lo', 'down');
    const found = inside(ns, selfTest);
    expect(found).toMatchObject({ udpSegment: true, udpGro: true });
    expect(found.reasons.udpSegment).toMatch(/^accepted, but not tried: no loopback/);
  });

  test('says what a process without rights lacks', () => {
    process.seteuid?.(65534);
    try {
      const found = selfTest();
      expect(found).toMatchObject({ vnetHeader: false, tso: false, uso: false });
      expect(found.reasons.vnetHeader).toMatch(/TAP|tun/);
    } finally {
      process.seteuid?.(0);
    }
  });
});
