import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import * as native from '../../src/native/binding.js';
import { openCapture } from '../../src/port/capture.js';
import { createNativePacketIo, type NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { openTap } from '../../src/port/tap.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import {
  cleanUp,
  command,
  frame,
  inside,
  later,
  makeNamespace,
  makePacketIo,
  needRoot,
  outcome,
  put,
  random,
  tapIn,
  type Words,
} from './native-testbed.js';

beforeAll(needRoot);
afterEach(cleanUp);

const ADDON = fileURLToPath(new URL('../../build/Release/overtap.node', import.meta.url));
const [EBADF, EINVAL, EDESTADDRREQ, EAFNOSUPPORT] = [9, 22, 89, 97];

function ready() {
  const ns = makeNamespace();
  const io = makePacketIo();
  io.attachTap(0, tapIn(ns, 'tap0').fd);
  const [sender] = inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40099], count: 1, seed: 0 }));
  later(() => sender.close());
  io.attachSender(0, sender.fd);
  io.setRemote(0, 0, 0, 0xffff, 0x7f000001, 9);
  io.setRemote(1, 0x20010db8, 0, 0, 1, 9);
  return { ns, io };
}

describe('a command that cannot be carried out has its outcome, and no other suffers', () => {
  const size = createNativePacketIo().arena.byteLength;
  const tap: Words = { TX_KIND: L.KIND_FRAME, TX_OFFSET: 70000, TX_LENGTH: 60 };
  const udp: Words = { ...tap, TX_KIND: L.KIND_UDP, TX_HEADER_LENGTH: 8 };
  const cases: [string, Words, number][] = [
    ['a kind that is none', { ...tap, TX_KIND: 3 }, EINVAL],
    ['a TAP that is not attached', { ...tap, TX_INDEX: 1 }, EBADF],
    ['a TAP far out of range', { ...tap, TX_INDEX: 0x7fffffff }, EBADF],
    ['a TAP before the first', { ...tap, TX_INDEX: -1 }, EBADF],
    ['a sender that is not attached', { ...udp, TX_INDEX: 9 }, EBADF],
    ['a frame before the arena', { ...tap, TX_OFFSET: -1 }, EINVAL],
    ['a frame behind the arena', { ...tap, TX_OFFSET: size - 59 }, EINVAL],
    ['a frame of negative length', { ...tap, TX_LENGTH: -60 }, EINVAL],
    ['a frame whose end overflows', { ...tap, TX_OFFSET: 0x7fffffff, TX_LENGTH: 0x7fffffff }, EINVAL],
    ['a frame without a whole header', { ...tap, TX_LENGTH: 13 }, EINVAL],
    ['a tag popped that does not fit', { ...tap, TX_LENGTH: 17, TX_TAG: L.TAG_POP }, EINVAL],
    ['a tag replaced that does not fit', { ...udp, TX_LENGTH: 15, TX_TAG: L.TAG_REPLACE }, EINVAL],
    [
      'a checksum that a pop would leave inside the header',
      { ...tap, TX_TAG: L.TAG_POP, TX_VNET: 1, TX_CSUM: 14 },
      L.OFFLOAD_MISFIT,
    ],
    ['an encapsulation header before the arena', { ...udp, TX_HEADER: -8 }, EINVAL],
    ['an encapsulation header behind the arena', { ...udp, TX_HEADER: size - 7 }, EINVAL],
    ['an encapsulation header of negative length', { ...udp, TX_HEADER_LENGTH: -1 }, EINVAL],
    ['a remote that was never set', { ...udp, TX_REMOTE: 2 }, EDESTADDRREQ],
    ['a remote out of range', { ...udp, TX_REMOTE: 0x7fffffff }, EDESTADDRREQ],
    ['a remote of another family', { ...udp, TX_REMOTE: 1 }, EAFNOSUPPORT],
    [
      'a superframe to a socket that holds no TCP',
      { ...udp, TX_VNET: L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8), TX_GSO: 1400 },
      L.OFFLOAD_MISFIT,
    ],
  ];

  test.each(cases)('%s', (_, words, errno) => {
    const { io } = ready();
    put(io, 70000, frame(46));
    command(io, 0, udp);
    command(io, 1, words);
    command(io, 2, tap);
    expect(io.transmit(3)).toBe(1);
    expect([0, 1, 2].map((i) => outcome(io, i))).toEqual([0, errno, 0]);
  });

  test('nonsense of any kind harms nothing (seed 4711)', () => {
    const { io } = ready();
    const below = random(4711);
    const around = [0, 1, -1, 14, 60, size, size - 60, 0x7fffffff, -0x80000000];
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 64 * L.TX_STRIDE; i++)
        io.tx[i] = below(2) ? around[below(around.length)] : (below(0x10000) << 16) | below(0x10000);
      for (let i = 0; i < 64; i++) io.tx[i * L.TX_STRIDE] = 1 + below(2);
      for (let i = 0; i < 64; i++) io.tx[i * L.TX_STRIDE + L.TX_INDEX] = below(2);
      const failed = io.transmit(64);
      expect(Array.from({ length: 64 }, (_, i) => outcome(io, i)).filter((errno) => errno !== 0)).toHaveLength(failed);
    }
  });
});

describe('createNic', () => {
  test('takes what is not given to be its default', () => {
    const sizes = { headerBytes: 0, batchBytes: 1000, maxFrames: 4, vnetHeaderSize: 10 };
    const memory = { rx: new Int32Array(64), tx: new Int32Array(64), status: new Int32Array(L.STATUS_WORDS) };
    const descriptors = (options: { tunnelGso?: boolean }): number => {
      const before = readdirSync('/proc/self/fd').length;
      const io = native.createNic({ arena: new ArrayBuffer(1 << 20), ...memory, ...sizes, ...options });
      const opened = readdirSync('/proc/self/fd').length - before;
      native.closeNic(io);
      return opened;
    };
    // Twice, the second time after one that was asked for: what it left behind must not count.
    for (let i = 0; i < 2; i++) {
      expect(descriptors({})).toBe(1);
      // Two for netlink, one for ethtool.
      expect(descriptors({ tunnelGso: true })).toBe(4);
    }
  });
});

describe('misuse is refused', () => {
  test('by createNic', () => {
    expect(() => createNativePacketIo({ arenaBytes: 1000 })).toThrow('the arena must hold');
    expect(() => createNativePacketIo({ maxFrames: 0, arenaBytes: 1 << 20 })).toThrow('maxFrames');
    const sizes = { headerBytes: 0, batchBytes: 1000, maxFrames: 4, vnetHeaderSize: 10 };
    const arena = new ArrayBuffer(1 << 20);
    const [rx, tx, status] = [new Int32Array(64), new Int32Array(64), new Int32Array(L.STATUS_WORDS)];
    native.closeNic(native.createNic({ arena, rx, tx, status, ...sizes }));
    expect(() => native.createNic({ arena, rx: new Int32Array(63), tx, status, ...sizes })).toThrow('rx is too short');
    expect(() => native.createNic({ arena, rx, tx: new Int32Array(15), status, ...sizes })).toThrow('tx must hold');
    expect(() => native.createNic({ arena, rx, tx, status: new Int32Array(L.STATUS_WORDS - 1), ...sizes })).toThrow(
      'status is too short',
    );
    expect(() => native.createNic({ arena, rx, tx, status, ...sizes, vnetHeaderSize: 11 })).toThrow('vnetHeaderSize');
    const shared = new Int32Array(new SharedArrayBuffer(256));
    expect(() => native.createNic({ arena, rx: shared, tx, status, ...sizes })).toThrow('rx must lie');
    expect(() =>
      native.createNic({ arena: new Uint8Array(9) as unknown as ArrayBuffer, rx, tx, status, ...sizes }),
    ).toThrow('arena');
  });

  test('by the verbs on a PacketIo', () => {
    const io = makePacketIo({ txCommands: 4 });
    expect(() => io.transmit(5)).toThrow('count');
    expect(() => io.transmit(-1)).toThrow('count');
    expect(() => io.receive(Number.NaN)).toThrow('timeoutMs');
    expect(() => io.attachTap(-1, 0)).toThrow('index');
    expect(() => io.attachTap(70000, 0)).toThrow('index');
    expect(() => io.attachTap(0, 999999)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'epoll_ctl' }));
    expect(() => io.attachSender(0, 999999)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(() => io.setRemote(1048576, 0, 0, 0, 1, 9)).toThrow('index');
    expect(() => io.setRemote(0, 0, 0, 0, 1, 0)).toThrow('port');
    expect(() => native.receive({} as native.NicHandle, 0)).toThrow('createNic');
    io.close();
    expect(() => io.receive(0)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(() => io.attachEvent(0)).toThrow('closed');
    io.detachTap(0);
    io.close();
  });

  test('when the memory was given away', () => {
    const io = makePacketIo();
    structuredClone(io.arena, { transfer: [io.arena] });
    expect(() => io.receive(0)).toThrow('transferred');
    expect(() => io.transmit(0)).toThrow('transferred');
  });
});

describe('the bell', () => {
  test('rung before the wait ends it at once, and only once', () => {
    const io = makePacketIo();
    const fd = native.createEventFd();
    later(() => native.closeFd(fd));
    io.attachEvent(fd);
    native.ring(fd);
    native.ring(fd);
    expect(io.receive(1000)).toBe(0);
    expect(io.status[L.STATUS_RUNG]).toBe(1);
    const start = performance.now();
    io.receive(50);
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(io.status[L.STATUS_RUNG]).toBe(0);
    expect(() => io.attachEvent(fd)).toThrow('already');
  });

  test('rung by another thread ends the wait of this one', async () => {
    const io = makePacketIo();
    const fd = native.createEventFd();
    later(() => native.closeFd(fd));
    io.attachEvent(fd);
    const flag = new Int32Array(new SharedArrayBuffer(4));
    // The addon is loaded a second time, in that thread.
    const worker = new Worker(
      `const { addon, fd, flag } = require('node:worker_threads').workerData;
       const { ring } = require(addon);
       Atomics.store(flag, 0, 1); Atomics.notify(flag, 0);
       Atomics.wait(flag, 0, 1);
       setTimeout(() => ring(fd), 50);`,
      { eval: true, workerData: { addon: ADDON, fd, flag } },
    );
    const ended = new Promise((resolve) => worker.on('exit', resolve));
    await new Promise((resolve) => worker.on('online', resolve));
    Atomics.wait(flag, 0, 0, 5000);
    Atomics.store(flag, 0, 2);
    Atomics.notify(flag, 0);
    const start = performance.now();
    expect(io.receive(5000)).toBe(0);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(io.status[L.STATUS_RUNG]).toBe(1);
    expect(await ended).toBe(0);
  });
});

describe('descriptors', () => {
  const open = (): number => readdirSync('/proc/self/fd').length;

  test('do not leak, whether what is opened succeeds or fails', () => {
    const ns = makeNamespace();
    const taps = (io: NativePacketIo): void => {
      const tap = openTap({ ifname: 'tap0' });
      const capture = openCapture({ ifname: 'tap0' });
      expect(() => openTap({ ifname: 'tap0' })).toThrow();
      expect(() => openTap({ ifname: 'tap1', mac: '01:00:00:00:00:01' })).toThrow();
      expect(() => openTap({ ifname: 'lo' })).toThrow();
      io.attachTap(0, tap.fd);
      io.receive(0);
      io.detachTap(0);
      tap.close();
      capture.close();
    };
    const round = (withTaps: boolean): void => {
      const io = createNativePacketIo({ maxFrames: 4, txCommands: 4 });
      if (withTaps) taps(io);
      const bell = native.createEventFd();
      const receiver = openReceiver({ local: '127.0.0.1', port: 0 });
      const senders = openSenders({ local: '127.0.0.1', range: [40000, 40009], seed: 1, count: 2 });
      expect(() => openTap({ netns: 'ott-none', ifname: 'tap1' })).toThrow();
      expect(() => openReceiver({ local: '127.0.0.1', port: receiver.port })).toThrow();
      expect(() => openCapture({ ifname: 'none' })).toThrow();
      io.attachEvent(bell);
      io.attachSocket(0, receiver.fd);
      senders.forEach((sender, i) => {
        io.attachSender(i, sender.fd);
      });
      io.receive(0);
      io.close();
      for (const device of [receiver, ...senders]) device.close();
      native.closeFd(bell);
    };
    inside(ns, () => {
      round(true);
      const before = open();
      for (let i = 0; i < 200; i++) round(i % 20 === 0);
      expect(open()).toBe(before);
    });
  }, 30_000);

  test('of a TAP in another namespace do not leak either', () => {
    const ns = makeNamespace();
    const before = open();
    for (let i = 0; i < 5; i++) {
      const tap = openTap({ netns: ns, ifname: 'tap0' });
      expect(() => openTap({ netns: ns, ifname: 'tap1', mac: '01:00:00:00:00:01' })).toThrow();
      tap.close();
    }
    expect(open()).toBe(before);
  });
});
