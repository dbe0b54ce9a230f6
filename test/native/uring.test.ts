/** System calls in batches (nic/uring.c): over a kernel that fails in every way (fuzz-uring.c), and over this one. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { openReceiver, openSenders } from '../../src/port/underlay.js';
import { cases, long } from '../long.js';
import {
  captureIn,
  cleanUp,
  command,
  frame,
  inside,
  ioUring,
  ip,
  later,
  makeNamespace,
  makePacketIo,
  nextFrame,
  outcome,
  random,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const ROUNDS = long(1_000_000, 20_000);
const SEED = Number(process.env.OVERTAP_SEED ?? '1');
const EIO = 5;

test('a kernel that takes calls in part, late, twice or never loses none and changes no order', () => {
  const directory = mkdtempSync(join(tmpdir(), 'overtap-ring-'));
  try {
    const program = join(directory, 'fuzz');
    const options = ['-std=gnu11', '-D_GNU_SOURCE', '-U_FORTIFY_SOURCE', '-O1', '-g', '-o', program];
    const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
    const sources = ['fuzz-uring.c', '../../src/native/nic/uring.c'].map(place);
    execFileSync(process.env.CC ?? 'cc', [...options, ...checks, ...sources], { stdio: 'pipe' });
    const said = execFileSync(program, [String(SEED), String(ROUNDS)], { encoding: 'utf8', stdio: 'pipe' });
    const [rings, rounds, together] = said.split(' ').map(Number);
    expect(rounds).toBe(ROUNDS);
    expect(rings).toBeGreaterThan(ROUNDS / 20);
    expect(together).toBeGreaterThan(ROUNDS * 10);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** A thousand TAPs take their time to go. */
afterEach(cleanUp, 180_000);

/** Frames of all lengths, each with a number: most of them short, so that they are read and written together. */
function numberedFrames(count: number, longest: number): Buffer[] {
  const below = random(SEED);
  return Array.from({ length: count }, (_, i) => {
    const length = below(10) === 0 ? below(longest - 50) + 46 : below(600) + 46;
    const bytes = frame(length, { first: i });
    bytes.writeUInt32BE(i, 14);
    return bytes;
  });
}

/** Receives until so many frames have come, and gives each to `take`. */
function receiveAll(io: NativePacketIo, count: number, take: (at: number) => void): void {
  for (let came = 0; came < count; ) {
    const got = receiveSome(io);
    expect(got, `after ${came} frames`).toBeGreaterThan(0);
    for (let at = 0; at < got; at++) take(at);
    came += got;
  }
}

const MODES = [{ ioUring: true }, { ioUring: false }].filter((mode) => ioUring || !mode.ioUring);

describe.each(MODES)('with %o', (mode) => {
  function twoTaps(count = 2) {
    const ns = makeNamespace();
    const io = makePacketIo({ txCommands: 2048, ...mode });
    for (let i = 0; i < count; i++) {
      const tap = tapIn(ns, `tap${i}`);
      tap.setMtu(9000);
      ip('-n', ns, 'link', 'set', `tap${i}`, 'txqueuelen', '2000');
      io.attachTap(i, tap.fd);
    }
    return { ns, io };
  }

  test('frames of all lengths keep their bytes and their order, in and out', () => {
    const { ns, io } = twoTaps();
    const [from, to] = [captureIn(ns, 'tap0'), captureIn(ns, 'tap1')];
    const frames = numberedFrames(long(20_000, 900), 4000);
    for (let at = 0; at < frames.length; ) {
      const batch = frames.slice(at, at + 1 + ((at * 7) % 70));
      for (const bytes of batch) from.write(bytes);
      const came: Buffer[] = [];
      for (let left = batch.length; left > 0; ) {
        const count = receiveSome(io);
        expect(count).toBeGreaterThan(0);
        for (let i = 0; i < count; i++) {
          came.push(Buffer.from(rxBytes(io, i)));
          const where = { TX_OFFSET: rx(io, i, L.RX_OFFSET), TX_LENGTH: rx(io, i, L.RX_LENGTH) };
          command(io, i, { TX_KIND: L.KIND_FRAME, TX_INDEX: 1, ...where });
        }
        expect(io.transmit(count)).toBe(0);
        left -= count;
        for (let i = came.length - count; i < came.length; i++) expect(nextFrame(to).equals(batch[i])).toBe(true);
      }
      expect(came.length).toBe(batch.length);
      for (const [i, bytes] of came.entries()) expect(bytes.equals(batch[i])).toBe(true);
      at += batch.length;
    }
  });

  test('a frame for several TAPs is written as it was, whatever later commands do to it', () => {
    const { ns, io } = twoTaps(3);
    const wires = [0, 1, 2].map((i) => captureIn(ns, `tap${i}`));
    // Longer than what is copied whole, with a partial checksum in what is copied.
    const bytes = frame(1200);
    wires[0].write(bytes);
    receiveSome(io);
    const where = { TX_KIND: L.KIND_FRAME, TX_OFFSET: rx(io, 0, L.RX_OFFSET), TX_LENGTH: bytes.length };
    const tags = [L.TAG_KEEP, L.TAG_PUSH | 7, L.TAG_KEEP, L.TAG_PUSH | 8, L.TAG_KEEP, L.TAG_PUSH | 9];
    for (const [i, TX_TAG] of tags.entries()) command(io, i, { ...where, TX_INDEX: 1 + (i % 2), TX_TAG });
    expect(io.transmit(tags.length)).toBe(0);
    for (let i = 0; i < 3; i++) expect(nextFrame(wires[1])).toEqual(bytes);
    for (let i = 0; i < 3; i++) expect(nextFrame(wires[2])).toEqual(frame(1200, { tci: 7 + i }));
    expect(rxBytes(io, 0)).toEqual(bytes);
  });

  test('each failure is that of its command', () => {
    const { ns, io } = twoTaps(3);
    const wire = captureIn(ns, 'tap2');
    captureIn(ns, 'tap0').write(frame(60));
    receiveSome(io);
    ip('-n', ns, 'link', 'set', 'tap1', 'down');
    const where = { TX_KIND: L.KIND_FRAME, TX_OFFSET: rx(io, 0, L.RX_OFFSET), TX_LENGTH: 74 };
    for (let i = 0; i < 200; i++) command(io, i, { ...where, TX_INDEX: 1 + (i % 2) });
    expect(io.transmit(200)).toBe(100);
    for (let i = 0; i < 200; i++) expect(outcome(io, i)).toBe(i % 2 === 0 ? EIO : 0);
    for (let i = 0; i < 100; i++) expect(nextFrame(wire)).toEqual(frame(60));
    expect(io.status[L.STATUS_LATCHED]).toBe(0);
  });

  test('TAPs that are deleted while they are read and written are reported, each once; the others go on', async () => {
    const { ns, io } = twoTaps();
    const [from, to] = [captureIn(ns, 'tap0'), captureIn(ns, 'tap1')];
    for (let round = 0; round < long(50, 4); round++) {
      const index = 10 + round;
      io.attachTap(index, tapIn(ns, `gone${round}`).fd);
      const noisy = captureIn(ns, `gone${round}`);
      for (let i = 0; i < 400; i++) noisy.write(frame(60));
      const child = spawn('ip', ['-n', ns, 'link', 'del', `gone${round}`]);
      const ended = new Promise((resolve) => child.on('exit', resolve));
      const lost: number[] = [];
      const deadline = performance.now() + 5000;
      while (lost.length === 0 && performance.now() < deadline) {
        const count = io.receive(20);
        for (let i = 0; i < 64; i++) {
          const where = { TX_KIND: L.KIND_FRAME, TX_OFFSET: io.headerBytes + 64, TX_LENGTH: 60 };
          command(io, i, { ...where, TX_INDEX: index });
        }
        if (count > 0) io.transmit(64);
        if (io.status[L.STATUS_LOST_KIND] !== 0) lost.push(io.status[L.STATUS_LOST_INDEX]);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await ended;
      expect(lost).toEqual([index]);
      from.write(frame(60, { first: round }));
      expect(receiveSome(io)).toBe(1);
      const where = { TX_OFFSET: rx(io, 0, L.RX_OFFSET), TX_LENGTH: rx(io, 0, L.RX_LENGTH) };
      command(io, 0, { TX_KIND: L.KIND_FRAME, TX_INDEX: 1, ...where });
      expect(io.transmit(1)).toBe(0);
      expect(nextFrame(to)).toEqual(frame(60, { first: round }));
      expect(io.status[L.STATUS_LATCHED]).toBe(0);
    }
  });

  test.each(cases([24, 1024], 1))('%d TAPs are read and written in one turn', (count) => {
    const ns = makeNamespace();
    const io = makePacketIo({ txCommands: 2048, ...mode });
    const wires = Array.from({ length: count }, (_, i) => {
      io.attachTap(i, tapIn(ns, `t${i}`).fd);
      return captureIn(ns, `t${i}`);
    });
    for (const [i, wire] of wires.entries()) for (let k = 0; k < 3; k++) wire.write(frame(60 + k, { first: i }));
    const seen = new Array<number>(count).fill(0);
    receiveAll(io, 3 * count, (at) => {
      const index = rx(io, at, L.RX_INDEX);
      expect(rxBytes(io, at)).toEqual(frame(60 + seen[index]++, { first: index }));
    });
    expect(seen.every((frames) => frames === 3)).toBe(true);
    wires[0].write(frame(60));
    receiveSome(io);
    const where = { TX_KIND: L.KIND_FRAME, TX_OFFSET: rx(io, 0, L.RX_OFFSET), TX_LENGTH: 74 };
    for (let i = 0; i < count; i++) command(io, i, { ...where, TX_INDEX: i });
    expect(io.transmit(count)).toBe(0);
    for (const wire of wires) expect(nextFrame(wire)).toEqual(frame(60));
  });

  test('datagrams of many senders leave, in the order of each sender, and each failure is that of its command', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ txCommands: 2048, ...mode });
    const receiver = inside(ns, () => openReceiver({ local: '127.0.0.1', port: 4789 }));
    later(() => receiver.close());
    io.attachSocket(0, receiver.fd);
    const senders = inside(ns, () =>
      openSenders({ local: '127.0.0.1', range: [20_000, 20_999], count: 32, seed: SEED }),
    );
    expect(senders).toHaveLength(32);
    for (const [i, sender] of senders.entries()) {
      later(() => sender.close());
      io.attachSender(i, sender.fd);
    }
    io.setRemote(1, 0, 0, 0xffff, 0x7f000001, 4789);
    // No route leads there.
    io.setRemote(2, 0, 0, 0xffff, 0xcb007101, 4789);
    const bytes = new DataView(io.arena);
    const base = io.headerBytes + 64;
    const below = random(SEED);
    const sent = new Map<number, number[]>();
    for (let i = 0; i < 500; i++) {
      const [offset, sender, remote] = [base + i * 128, below(32), i % 10 === 3 ? 2 : 1];
      bytes.setUint32(offset, i);
      // Of unequal lengths, so that hardly any two are a train.
      command(io, i, {
        ...{ TX_KIND: L.KIND_UDP, TX_INDEX: sender, TX_OFFSET: offset, TX_LENGTH: 20 + ((i * 31) % 100) },
        TX_REMOTE: remote,
      });
      const { port } = senders[sender];
      if (remote === 1) sent.set(port, [...(sent.get(port) ?? []), i]);
    }
    expect(io.transmit(500)).toBe(50);
    for (let i = 0; i < 500; i++) expect(outcome(io, i) !== 0).toBe(i % 10 === 3);
    const came = new Map<number, number[]>();
    receiveAll(io, 450, (at) => {
      const port = rx(io, at, L.RX_SOURCE_PORT);
      const number = rxBytes(io, at).readUInt32BE(0);
      expect(rx(io, at, L.RX_LENGTH)).toBe(20 + ((number * 31) % 100));
      came.set(port, [...(came.get(port) ?? []), number]);
    });
    expect(came).toEqual(sent);
  });

  test('a wait lasts as long as it should, also when a ring was closed before', () => {
    const ns = makeNamespace();
    const io = makePacketIo(mode);
    io.attachTap(0, tapIn(ns, 'tap0').fd);
    const wire = captureIn(ns, 'tap0');
    for (let round = 0; round < 5; round++) {
      const other = makePacketIo(mode);
      other.attachTap(0, tapIn(ns, `other${round}`).fd);
      const noisy = captureIn(ns, `other${round}`);
      for (let i = 0; i < 20; i++) noisy.write(frame(60));
      receiveAll(other, 20, () => {});
      other.close();
      wire.write(frame(60));
      expect(receiveSome(io)).toBe(1);
      const start = performance.now();
      expect(io.receive(50)).toBe(0);
      expect(performance.now() - start).toBeGreaterThan(49);
    }
  });

  test('leaves no descriptor and no mapping behind', () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    makePacketIo(mode).close();
    const before = descriptors();
    for (let i = 0; i < 20; i++) makePacketIo(mode).close();
    expect(descriptors()).toBe(before);
  });
});
