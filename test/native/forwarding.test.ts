import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/packet-io.js';
import {
  captureIn,
  cleanUp,
  command,
  deleteNamespace,
  frame,
  ip,
  makeNamespace,
  makePacketIo,
  nextFrame,
  outcome,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';

afterEach(cleanUp);

const EIO = 5;

function twoTaps() {
  const ns = makeNamespace();
  const io = makePacketIo();
  const taps = [0, 1].map((i) => {
    const tap = tapIn(ns, `tap${i}`);
    io.attachTap(i, tap.fd);
    return tap;
  });
  return { ns, io, taps, wires: [captureIn(ns, 'tap0'), captureIn(ns, 'tap1')] };
}

describe('from TAP to TAP', () => {
  const tagged = (tci: number) => frame(60, { tci });
  const untagged = frame(60);
  const cases: [string, Buffer, number, Buffer][] = [
    ['as it is', untagged, L.TAG_KEEP, untagged],
    ['as it is, tag and all', tagged(0x6002), L.TAG_KEEP, tagged(0x6002)],
    ['with a tag pushed', untagged, L.TAG_PUSH | 0xe003, tagged(0xe003)],
    [
      'with a second tag pushed',
      tagged(7),
      L.TAG_PUSH | 3,
      Buffer.concat([tagged(3).subarray(0, 16), tagged(7).subarray(12)]),
    ],
    ['with its tag popped', tagged(0x6002), L.TAG_POP, untagged],
    ['with its tag replaced', tagged(0x6002), L.TAG_REPLACE | 0x2fff, tagged(0x2fff)],
  ];

  test.each(cases)('a frame goes %s', (_, sent, tag, expected) => {
    const { io, wires } = twoTaps();
    wires[0].write(sent);
    expect(receiveSome(io)).toBe(1);
    expect(rx(io, 0, L.RX_KIND)).toBe(L.KIND_FRAME);
    expect(rx(io, 0, L.RX_INDEX)).toBe(0);
    expect(rxBytes(io, 0)).toEqual(sent);
    const offset = rx(io, 0, L.RX_OFFSET);
    expect(offset % 4).toBe(2);
    expect(offset - io.headerBytes).toBeGreaterThanOrEqual(L.HEADROOM);
    command(io, 0, { TX_KIND: L.KIND_FRAME, TX_INDEX: 1, TX_OFFSET: offset, TX_LENGTH: sent.length, TX_TAG: tag });
    expect(io.transmit(1)).toBe(0);
    expect(outcome(io, 0)).toBe(0);
    expect(nextFrame(wires[1])).toEqual(expected);
    // The frame in the arena is for other commands too.
    expect(rxBytes(io, 0)).toEqual(sent);
  });

  test('one frame goes out several ways in one call, in order', () => {
    const { io, wires } = twoTaps();
    wires[0].write(tagged(5));
    receiveSome(io);
    const from = {
      TX_KIND: L.KIND_FRAME,
      TX_INDEX: 1,
      TX_OFFSET: rx(io, 0, L.RX_OFFSET),
      TX_LENGTH: rx(io, 0, L.RX_LENGTH),
    };
    [L.TAG_KEEP, L.TAG_POP, L.TAG_REPLACE | 9].forEach((TX_TAG, i) => {
      command(io, i, { ...from, TX_TAG });
    });
    expect(io.transmit(3)).toBe(0);
    expect([0, 1, 2].map(() => nextFrame(wires[1]))).toEqual([tagged(5), untagged, tagged(9)]);
  });

  test('a frame of a large MTU arrives whole', () => {
    const { io, taps, wires } = twoTaps();
    for (const tap of taps) tap.setMtu(65000);
    wires[0].write(frame(65000));
    receiveSome(io);
    expect(rxBytes(io, 0).equals(frame(65000))).toBe(true);
  });
});

describe('a batch', () => {
  test('lays frames side by side, each with headroom of its own', () => {
    const { io, wires } = twoTaps();
    for (let i = 0; i < 10; i++) wires[0].write(frame(46 + i, { first: i }));
    expect(receiveSome(io)).toBe(10);
    for (let i = 0; i < 10; i++) {
      expect(rxBytes(io, i)).toEqual(frame(46 + i, { first: i }));
      expect(rx(io, i, L.RX_OFFSET) % 4).toBe(2);
      if (i === 0) continue;
      const end = rx(io, i - 1, L.RX_OFFSET) + rx(io, i - 1, L.RX_LENGTH);
      expect(rx(io, i, L.RX_OFFSET) - end).toBeGreaterThanOrEqual(L.HEADROOM);
    }
    expect(io.status[L.STATUS_MORE]).toBe(0);
  });

  test('ends at its number of frames and says that more is waiting', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ maxFrames: 8, txCommands: 8 });
    io.attachTap(3, tapIn(ns, 'tap0').fd);
    const wire = captureIn(ns, 'tap0');
    for (let i = 0; i < 20; i++) wire.write(frame(46, { first: i }));
    const sizes = [io.receive(1000)];
    expect(io.status[L.STATUS_MORE]).toBe(1);
    sizes.push(io.receive(1000), io.receive(1000));
    expect(sizes).toEqual([8, 8, 4]);
    expect(io.status[L.STATUS_MORE]).toBe(0);
    expect(rxBytes(io, 3)).toEqual(frame(46, { first: 19 }));
  });

  test('ends at its number of bytes', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ batchBytes: 4000, txCommands: 8 });
    io.attachTap(0, tapIn(ns, 'tap0').fd);
    const wire = captureIn(ns, 'tap0');
    for (let i = 0; i < 10; i++) wire.write(frame(1486));
    expect(io.receive(1000)).toBe(3);
    expect(io.status[L.STATUS_MORE]).toBe(1);
  });

  test('is shared between devices: a noisy one leaves room for a quiet one', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ maxFrames: 16, txCommands: 8 });
    const wires = [0, 1].map((i) => {
      io.attachTap(i, tapIn(ns, `tap${i}`).fd);
      return captureIn(ns, `tap${i}`);
    });
    for (let turn = 0; turn < 4; turn++) {
      for (let i = 0; i < 60; i++) wires[0].write(frame(46));
      wires[1].write(frame(46));
      expect(io.receive(1000)).toBe(16);
      const from = Array.from({ length: 16 }, (_, i) => rx(io, i, L.RX_INDEX));
      expect(from.filter((index) => index === 1)).toHaveLength(1);
      expect(io.status[L.STATUS_MORE]).toBe(1);
    }
  });

  test('is looked out for after another one, and slept for after none', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ txCommands: 8, spinMicroseconds: 1_000_000 });
    io.attachTap(0, tapIn(ns, 'tap0').fd);
    const wire = captureIn(ns, 'tap0');
    // Milliseconds in which this thread, not one of V8's own, had the CPU or queued for it: looking out gives way to others.
    const awake = (): number => {
      const [ran, queued] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ').map(Number);
      return (ran + queued) / 1e6;
    };
    const busy = (): number => {
      const before = awake();
      expect(io.receive(100)).toBe(0);
      return awake() - before;
    };
    // Waking up takes its time on a machine that is in use: the best of three tells.
    const ratios = [1, 2, 3].map(() => {
      wire.write(frame(46));
      expect(receiveSome(io)).toBe(1);
      const first = busy();
      return first / Math.max(busy(), 1);
    });
    expect(Math.max(...ratios)).toBeGreaterThan(5);
    wire.write(frame(46));
    expect(io.receive(100)).toBe(1);
  });

  test('tells the time', () => {
    const io = makePacketIo();
    io.receive(0);
    const before = io.status[L.STATUS_NOW];
    io.receive(50);
    expect(io.status[L.STATUS_NOW] - before).toBeGreaterThanOrEqual(49);
    expect(io.status[L.STATUS_NOW] - before).toBeLessThan(2000);
  });
});

describe('a device that goes away', () => {
  test('with its namespace is reported once and detached', () => {
    const { ns, io } = twoTaps();
    const other = makeNamespace();
    io.attachTap(7, tapIn(other, 'tap7').fd);
    deleteNamespace(other);
    // Namespaces are taken down by a worker of the kernel.
    const end = performance.now() + 5000;
    while (io.status[L.STATUS_LOST_KIND] === 0 && performance.now() < end) io.receive(100);
    expect(io.status[L.STATUS_LOST_KIND]).toBe(L.KIND_FRAME);
    expect(io.status[L.STATUS_LOST_INDEX]).toBe(7);
    expect(io.status[L.STATUS_LOST_ERRNO]).toBeGreaterThan(0);
    const start = performance.now();
    expect(io.receive(50)).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(io.status[L.STATUS_LOST_KIND]).toBe(0);
    command(io, 0, { TX_KIND: L.KIND_FRAME, TX_INDEX: 7, TX_OFFSET: io.headerBytes, TX_LENGTH: 60 });
    expect(io.transmit(1)).toBe(1);
    expect(outcome(io, 0)).toBe(9);
    expect(ip('-n', ns, '-br', 'link')).toContain('tap0');
  });

  test('when several do at once, each is reported', () => {
    const { ns, io, taps } = twoTaps();
    ip('-n', ns, 'link', 'del', 'tap0');
    ip('-n', ns, 'link', 'del', 'tap1');
    const lost = [0, 1].map(() => {
      io.receive(1000);
      return io.status[L.STATUS_LOST_INDEX] + 10 * io.status[L.STATUS_LOST_KIND];
    });
    expect(lost.sort()).toEqual([10, 11]);
    expect(taps.map((tap) => tap.state())).toEqual([null, null]);
  });

  test('link down is an outcome of the write, and passes', () => {
    const { ns, io, wires } = twoTaps();
    wires[0].write(frame(60));
    receiveSome(io);
    const to1 = {
      TX_KIND: L.KIND_FRAME,
      TX_INDEX: 1,
      TX_OFFSET: rx(io, 0, L.RX_OFFSET),
      TX_LENGTH: rx(io, 0, L.RX_LENGTH),
    };
    ip('-n', ns, 'link', 'set', 'tap1', 'down');
    command(io, 0, to1);
    expect(io.transmit(1)).toBe(1);
    expect(outcome(io, 0)).toBe(EIO);
    ip('-n', ns, 'link', 'set', 'tap1', 'up');
    command(io, 0, to1);
    expect(io.transmit(1)).toBe(0);
  });

  test('detached, it is left alone; its index is free again', () => {
    const { io, taps, wires } = twoTaps();
    expect(() => io.attachTap(0, taps[1].fd)).toThrow(/in use.*EEXIST/);
    io.detachTap(0);
    io.detachTap(0);
    wires[0].write(frame(60));
    expect(io.receive(50)).toBe(0);
    io.attachTap(0, taps[0].fd);
    expect(io.receive(50)).toBe(1);
  });
});
