import { afterEach, describe, expect, test } from 'vitest';
import * as L from '../../src/port/packet-io.js';
import { segmentsPerSend, TUN_F_CSUM, TUN_F_TSO4, tapState } from '../../src/port/tap.js';
import { openReceiver, openSenders, UnderlayError } from '../../src/port/underlay.js';
import {
  captureIn,
  cleanUp,
  command,
  deleteNamespace,
  frame,
  inside,
  ip,
  later,
  makeNamespace,
  makePacketIo,
  nextFrame,
  put,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';

afterEach(cleanUp);

const FRAME = 8 * 1024 * 1024 + 2;

function detail(ns: string, ifname: string): { numtxqueues?: number; gso_max_segs: number; gso_max_size: number } {
  return JSON.parse(ip('-n', ns, '-d', '-j', 'link', 'show', ifname))[0];
}

describe('queues of a TAP', () => {
  test.each([2, 1])(
    'every frame comes out of one of them, and each of them writes (opened with the TAP: %d)',
    (queues) => {
      const ns = makeNamespace();
      const tap = tapIn(ns, 'tap0', { queues });
      const fds = [tap.fd, tap.openQueue()];
      const ios = fds.map((fd) => {
        const io = makePacketIo();
        io.attachTap(0, fd, tap.vnetHeaderSize);
        return io;
      });
      const wire = captureIn(ns, 'tap0');
      for (let i = 0; i < 40; i++) wire.write(frame(46, { first: i }));
      const got = ios.flatMap((io) => {
        const count = io.receive(200);
        return Array.from({ length: count }, (_, i) => rxBytes(io, i)[14]);
      });
      expect(got.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
      ios.forEach((io, i) => {
        const bytes = frame(46, { first: 100 + i });
        put(io, FRAME, bytes);
        command(io, 0, { TX_KIND: L.KIND_FRAME, TX_OFFSET: FRAME, TX_LENGTH: bytes.length });
        expect(io.transmit(1)).toBe(0);
        expect(nextFrame(wire)).toEqual(bytes);
      });
      tap.close();
      expect(tapState('tap0', ns)).toBeNull();
    },
  );

  test('that were opened with it do not keep its namespace in being', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap0', { queues: 3 });
    const io = makePacketIo();
    [tap.fd, tap.openQueue(), tap.openQueue()].forEach((fd, i) => {
      io.attachTap(i, fd);
    });
    deleteNamespace(ns);
    const end = performance.now() + 5000;
    const lost = new Set<number>();
    while (lost.size < 3 && performance.now() < end) {
      io.receive(100);
      if (io.status[L.STATUS_LOST_KIND] !== 0) lost.add(io.status[L.STATUS_LOST_INDEX]);
    }
    expect([...lost].sort()).toEqual([0, 1, 2]);
  });

  test('are not to be had of a TAP of one queue', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap0', { multiQueue: false });
    expect(() => tap.openQueue()).toThrow(/cannot open a queue of the TAP tap0 in netns \S+: .*\((EBUSY|EINVAL)\)/);
    expect(() => tapIn(ns, 'tap1', { multiQueue: false, queues: 2 })).toThrow('multiQueue');
    const other = tapIn(ns, 'tap2');
    other.close();
    expect(() => other.openQueue()).toThrow('it was closed');
  });
});

describe('superframes of a TAP', () => {
  test('are limited to what one send takes', () => {
    const ns = makeNamespace();
    expect([1450, 1500, 9000, 68, 65521].map(segmentsPerSend)).toEqual([44, 43, 7, 64, 1]);
    const tap = tapIn(ns, 'tap0', { mtu: 1450 });
    expect(detail(ns, 'tap0')).toMatchObject({ gso_max_segs: 44, gso_max_size: 65536 });
    tap.setMtu(8950);
    expect(detail(ns, 'tap0').gso_max_segs).toBe(7);
    tapIn(ns, 'tap1', { gsoMaxSegs: 10 }).setMtu(1400);
    expect(detail(ns, 'tap1').gso_max_segs).toBe(10);
    tapIn(ns, 'tap2', { offload: TUN_F_CSUM });
    expect(detail(ns, 'tap2').gso_max_segs).toBe(65535);
    // More than any device may have: refused by the kernel, and let be.
    expect(tapIn(ns, 'tap3', { gsoMaxSegs: 65535, offload: TUN_F_CSUM | TUN_F_TSO4 }).fd).toBeGreaterThan(0);
  });
});

describe('receivers that share a port', () => {
  test('get a part of the flows each', () => {
    const ns = makeNamespace();
    const share = () => inside(ns, () => openReceiver({ local: '127.0.0.1', port: 4789, reusePort: true }));
    const receivers = [share(), share()];
    const senders = inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40099], count: 32, seed: 0 }));
    for (const socket of [...receivers, ...senders]) later(() => socket.close());
    const io = makePacketIo();
    receivers.forEach(({ fd }, i) => {
      io.attachSocket(i, fd);
    });
    io.setRemote(0, 0, 0, 0xffff, 0x7f000001, 4789);
    put(io, FRAME, Buffer.alloc(60));
    senders.forEach(({ fd }, i) => {
      io.attachSender(i, fd);
      command(io, i, { TX_KIND: L.KIND_UDP, TX_INDEX: i, TX_OFFSET: FRAME, TX_LENGTH: 60 });
    });
    expect(io.transmit(32)).toBe(0);
    const counts = [0, 0];
    while (counts[0] + counts[1] < 32) {
      const some = receiveSome(io);
      expect(some).toBeGreaterThan(0);
      for (let i = 0; i < some; i++) counts[rx(io, i, L.RX_INDEX)]++;
    }
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(() => inside(ns, () => openReceiver({ local: '127.0.0.1', port: 4789 }))).toThrow(UnderlayError);
  });
});
