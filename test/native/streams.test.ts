import { closeSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { acceptStream, connectStream, listenStream, openTail } from '../../src/native/binding.js';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import { long } from '../long.js';
import * as L from '../../src/port/packet-io.js';
import {
  cleanUp,
  command,
  frame,
  later,
  makePacketIo,
  outcome,
  put,
  random,
  receiveSome,
  rx,
  rxBytes,
} from './native-testbed.js';
import { readNow } from './streams.js';
import { expected, FRAME, randomSuperframe, TAGS } from './superframes.js';

afterEach(cleanUp);

const EAGAIN = 11;
const EPIPE = 32;
const EPROTO = 71;
const PORT = 3;

interface Wire {
  io: NativePacketIo;
  /** The peer's end. */
  peer: number;
  fd: number;
  tail: number;
}

/** A PacketIo with a stream as port 3. */
function wire(options?: Parameters<typeof makePacketIo>[0]): Wire {
  const io = makePacketIo(options);
  const folder = mkdtempSync(join(tmpdir(), 'ott-stream-'));
  later(() => rmSync(folder, { recursive: true }));
  const listener = listenStream(join(folder, 'socket'));
  const fd = connectStream(join(folder, 'socket'));
  const peer = acceptStream(listener) as number;
  const tail = openTail();
  for (const one of [listener, fd, tail]) later(() => closeSync(one));
  later(() => closeOnce(peer));
  io.attachStream(PORT, fd, tail, true);
  later(() => io.detachTap(PORT));
  return { io, peer, fd, tail };
}

const closed = new Set<number>();
function closeOnce(fd: number): void {
  if (!closed.delete(fd)) closeSync(fd);
}
function hangUp(fd: number): void {
  closeSync(fd);
  closed.add(fd);
}

function framed(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Splits what came over the socket into frames; what is left is half a frame. */
function unframed(bytes: Buffer): { frames: Buffer[]; rest: Buffer } {
  const frames: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= 4 && bytes.length - at - 4 >= bytes.readUInt32BE(at)) {
    const length = bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** Everything that waits, batch after batch. @param lost gets the errno of each loss */
function receiveAll(io: NativePacketIo, lost: number[] = []): Buffer[] {
  const frames: Buffer[] = [];
  for (let count = io.receive(0); ; count = io.receive(0)) {
    if (io.status[L.STATUS_LOST_ERRNO] !== 0) lost.push(io.status[L.STATUS_LOST_ERRNO]);
    if (count === 0) return frames;
    for (let i = 0; i < count; i++) {
      expect([rx(io, i, L.RX_KIND), rx(io, i, L.RX_INDEX), rx(io, i, L.RX_VNET)]).toEqual([L.KIND_FRAME, PORT, 0]);
      frames.push(Buffer.from(rxBytes(io, i)));
    }
  }
}

const text = (frames: readonly Uint8Array[]): string[] => frames.map((one) => Buffer.from(one).toString('base64'));

const someFrame = fc
  .tuple(fc.oneof(fc.integer({ min: 14, max: 120 }), fc.integer({ min: 14, max: L.LONGEST_STREAM_FRAME })), fc.nat(255))
  .map(([length, first]) => Buffer.from(Array.from({ length }, (_, i) => (first + i * 7) & 0xff)));

describe('frames of a stream', () => {
  test('are found wherever the reads are cut', () => {
    const { io, peer } = wire();
    fc.assert(
      fc.property(
        fc.array(someFrame, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(70_000), { maxLength: 12 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(framed));
          const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
          const got: Buffer[] = [];
          let from = 0;
          for (const end of ends) {
            writeAll(peer, bytes.subarray(from, end), () => got.push(...receiveAll(io)));
            got.push(...receiveAll(io));
            from = end;
          }
          expect(text(got)).toEqual(text(frames));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('are taken in batches, each after its turn, though the socket is empty already', () => {
    const { io, peer } = wire({ maxFrames: 16 });
    const frames = Array.from({ length: 100 }, (_, i) => frame(46, { first: i }));
    writeSync(peer, Buffer.concat(frames.map(framed)));
    expect(io.receive(1000)).toBe(16);
    expect(io.status[L.STATUS_MORE]).toBe(1);
    const got: Buffer[] = Array.from({ length: 16 }, (_, i) => Buffer.from(rxBytes(io, i)));
    got.push(...receiveAll(io));
    expect(text(got)).toEqual(text(frames));
  });

  test('one with many frames leaves another port its share', () => {
    const { io, peer } = wire({ maxFrames: 16 });
    const other = wire();
    other.io.detachTap(PORT);
    io.attachStream(5, other.fd, other.tail, true);
    later(() => io.detachTap(5));
    const few = Buffer.concat([framed(frame(46)), framed(frame(46))]);
    writeSync(peer, Buffer.concat(Array.from({ length: 200 }, () => framed(frame(46)))));
    io.receive(1000);
    writeSync(other.peer, few);
    const count = io.receive(1000);
    const ports = Array.from({ length: count }, (_, i) => rx(io, i, L.RX_INDEX));
    expect(ports.filter((port) => port === 5)).toHaveLength(2);
    expect(count).toBe(16);
  });

  test('half a frame holds nobody, and costs no turn', () => {
    const { io, peer } = wire();
    const bytes = framed(frame(1000));
    for (let at = 0; at < bytes.length - 1; at++) {
      writeSync(peer, bytes.subarray(at, at + 1));
      expect(io.receive(0)).toBe(0);
    }
    expect(io.receive(20)).toBe(0);
    writeSync(peer, bytes.subarray(-1));
    expect(io.receive(0)).toBe(1);
    expect(rxBytes(io, 0)).toEqual(frame(1000));
  });

  test.each([0, 1, 13, L.LONGEST_STREAM_FRAME + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])(
    'a length of %i ends the connection, after the frames before it',
    (length) => {
      const { io, peer } = wire();
      const wrong = Buffer.alloc(20);
      wrong.writeUInt32BE(length);
      writeSync(peer, Buffer.concat([framed(frame(46)), wrong]));
      expect(io.receive(1000)).toBe(1);
      if (io.status[L.STATUS_LOST_ERRNO] === 0) io.receive(1000);
      expect(io.status[L.STATUS_LOST_ERRNO]).toBe(EPROTO);
      expect([io.status[L.STATUS_LOST_KIND], io.status[L.STATUS_LOST_INDEX]]).toEqual([L.KIND_FRAME, PORT]);
      expect(readNow(peer)).toBe('end');
      expect(io.receive(0)).toBe(0);
    },
  );

  test('two faults at once are both reported', () => {
    const { io, peer } = wire();
    const other = wire();
    other.io.detachTap(PORT);
    io.attachStream(5, other.fd, other.tail, true);
    for (const one of [peer, other.peer]) writeSync(one, Buffer.alloc(64));
    const lost: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      io.receive(0);
      if (io.status[L.STATUS_LOST_ERRNO] === EPROTO) lost.push(io.status[L.STATUS_LOST_INDEX]);
    }
    expect(lost.sort()).toEqual([PORT, 5]);
  });

  test('those before the end of the connection are taken, and the end is reported once', () => {
    const { io, peer } = wire({ maxFrames: 16 });
    writeSync(peer, Buffer.concat(Array.from({ length: 40 }, () => framed(frame(46)))));
    writeSync(peer, Buffer.from([0, 0]));
    hangUp(peer);
    const lost: number[] = [];
    expect(receiveAll(io, lost)).toHaveLength(40);
    receiveAll(io, lost);
    expect(lost).toEqual([EPIPE]);
  });
});

/** Writes all of it; `drain` is called while the socket is full. */
function writeAll(fd: number, bytes: Uint8Array, drain: () => void): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      drain();
    }
  }
}

const TO_PEER = { TX_KIND: L.KIND_FRAME, TX_INDEX: PORT, TX_OFFSET: FRAME };

/** All that has come to a peer. */
function readAll(fd: number): Buffer {
  const parts: Buffer[] = [];
  for (let part = readNow(fd); part !== 'nothing' && part !== 'end'; part = readNow(fd)) parts.push(part);
  return Buffer.concat(parts);
}

describe('frames to a stream', () => {
  test('have their length before them, tags as the command leaves them, and complete checksums', () => {
    const { io, peer } = wire();
    const bytes = frame(60);
    put(io, FRAME, bytes);
    command(io, 0, { ...TO_PEER, TX_LENGTH: 74 });
    command(io, 1, { ...TO_PEER, TX_LENGTH: 74, TX_TAG: L.TAG_PUSH | 7 });
    put(io, FRAME + 100, bytes);
    command(io, 2, {
      ...TO_PEER,
      TX_OFFSET: FRAME + 100,
      TX_LENGTH: 74,
      TX_VNET: L.VNET_NEEDS_CSUM,
      TX_CSUM: 34 | (16 << 16),
    });
    expect(io.transmit(3)).toBe(0);
    const { frames, rest } = unframed(readAll(peer));
    expect(rest).toHaveLength(0);
    expect(frames.map(({ length }) => length)).toEqual([74, 78, 74]);
    expect([...frames[1].subarray(12, 16)]).toEqual([0x81, 0, 0, 7]);
    expect(frames[1].subarray(16)).toEqual(bytes.subarray(12));
    expect(frames[2].readUInt16BE(50)).not.toBe(bytes.readUInt16BE(50));
  });

  test('superframes are split as the slow reference does it', () => {
    const { io, peer } = wire();
    const below = random(20_261_129);
    for (let round = 0; round < 30; round++) {
      const given = Array.from({ length: 1 + below(4) }, () => randomSuperframe(below));
      given.forEach((one, i) => {
        const at = FRAME + i * 80_000;
        put(io, at, one.packet.bytes);
        const to = { ...TO_PEER, TX_OFFSET: at, TX_LENGTH: one.packet.bytes.length };
        command(io, i, { ...to, TX_TAG: TAGS[one.operation] | one.tci, ...one.words });
      });
      expect(io.transmit(given.length)).toBe(0);
      expect(text(unframed(readAll(peer)).frames)).toEqual(text(given.flatMap((one) => expected(one))));
    }
  });

  test('none is sent in part: what a full socket takes and what is counted agree, and go on in order', () => {
    const { io, peer } = wire();
    const count = 100;
    // Large enough for a write to be cut within a frame.
    const given = Array.from({ length: count }, (_, i) => frame(60_000, { first: i }));
    const got: Buffer[] = [];
    const sent: string[] = [];
    let partly = 0;
    let left = Buffer.alloc(0);
    for (let i = 0; i < count; i += 10) {
      for (let j = 0; j < 10; j++) {
        put(io, FRAME + j * 70_000, given[i + j]);
        command(io, j, { ...TO_PEER, TX_OFFSET: FRAME + j * 70_000, TX_LENGTH: given[i + j].length });
      }
      io.transmit(10);
      for (let j = 0; j < 10; j++) {
        expect([0, EAGAIN]).toContain(outcome(io, j));
        if (outcome(io, j) === 0) sent.push(given[i + j].toString('base64'));
      }
      // The peer reads a little, so that the next frame finds room behind the rest of the last one.
      if (i >= 50) {
        const part = readNow(peer, 150_000);
        if (part !== 'nothing' && part !== 'end') left = Buffer.concat([left, part]);
        io.receive(0);
      }
      const { frames, rest } = unframed(left);
      got.push(...frames);
      left = Buffer.from(rest);
      if (rest.length > 0) partly++;
    }
    for (let turn = 0; turn < 200; turn++) {
      left = Buffer.concat([left, readAll(peer)]);
      io.receive(0);
    }
    const { frames, rest } = unframed(left);
    got.push(...frames);
    expect(rest).toHaveLength(0);
    expect(sent.length).toBeGreaterThan(20);
    expect(sent.length).toBeLessThan(count);
    expect(partly).toBeGreaterThan(0);
    expect(text(got)).toEqual(sent);
  });

  test('the rest of a frame goes out with no further frame, and costs no turns meanwhile', () => {
    const { io, peer } = wire();
    put(io, FRAME, frame(60_000));
    let sent = 0;
    for (let i = 0; i < 200; i++) {
      command(io, 0, { ...TO_PEER, TX_LENGTH: 60_014 });
      if (io.transmit(1) === 0) sent++;
    }
    const began = performance.now();
    expect(io.receive(50)).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(40);
    let bytes = 0;
    for (let turn = 0; turn < 100; turn++) {
      bytes += readAll(peer).length;
      io.receive(0);
    }
    expect(bytes).toBe(sent * 60_018);
  });

  test('what is under way goes on in a PacketIo that takes its place: rests each way, and frames that were read already', () => {
    const { io, peer, fd, tail } = wire({ maxFrames: 2, arenaBytes: 16 << 20 });
    const next = makePacketIo();
    // Attached while nothing is under way; what comes now, the first one reads.
    next.attachStream(PORT, fd, tail, true);
    later(() => next.detachTap(PORT));
    const frames = [60, 200, 1514, 70].map((length, index) => frame(length, { first: index }));
    const bytes = Buffer.concat(frames.map(framed));
    writeSync(peer, bytes.subarray(0, bytes.length - 30));
    expect(receiveSome(io)).toBe(2);
    put(io, FRAME, frame(60_000));
    let sent = 0;
    for (let i = 0; i < 50; i++) {
      command(io, 0, { ...TO_PEER, TX_LENGTH: 60_014 });
      if (io.transmit(1) === 0) sent++;
    }
    io.detachTap(PORT);
    expect(text(receiveAll(next))).toEqual(text(frames.slice(2, 3)));
    writeSync(peer, bytes.subarray(bytes.length - 30));
    expect(receiveSome(next)).toBe(1);
    expect(text([rxBytes(next, 0)])).toEqual(text(frames.slice(3)));
    let out = 0;
    for (let turn = 0; turn < 100; turn++) {
      out += readAll(peer).length;
      next.receive(0);
    }
    expect(out).toBe(sent * 60_018);
  });

  test('two that write to one socket never mix their frames', () => {
    const { io, peer, fd, tail } = wire();
    const other = makePacketIo();
    other.attachStream(PORT, fd, tail, false);
    later(() => other.detachTap(PORT));
    const ios = [io, other];
    const sent: number[] = [];
    const got: Buffer[] = [];
    let left = Buffer.alloc(0);
    for (let round = 0; round < 200; round++) {
      const from = ios[round % 2];
      put(from, FRAME, frame(50_000, { first: round }));
      command(from, 0, { ...TO_PEER, TX_LENGTH: 50_014 });
      if (from.transmit(1) === 0) sent.push(round & 0xff);
      if (round % 3 === 0) {
        const part = readNow(peer, 70_000);
        if (part !== 'nothing' && part !== 'end') left = Buffer.concat([left, part]);
      }
      const { frames, rest } = unframed(left);
      got.push(...frames);
      left = Buffer.from(rest);
    }
    for (let turn = 0; turn < 100; turn++) {
      left = Buffer.concat([left, readAll(peer)]);
      for (const one of ios) one.receive(0);
    }
    const { frames, rest } = unframed(left);
    got.push(...frames);
    expect(rest).toHaveLength(0);
    expect(sent.length).toBeLessThan(200);
    expect(got.map((one) => one[14])).toEqual(sent);
    for (const one of got) expect(one.equals(frame(50_000, { first: one[14] }))).toBe(true);
  });

  test('a peer that has hung up is a fault of the frames, not of the process', () => {
    const { io, peer } = wire();
    hangUp(peer);
    command(io, 0, { ...TO_PEER, TX_LENGTH: 60 });
    command(io, 1, { ...TO_PEER, TX_LENGTH: 60 });
    expect(io.transmit(2)).toBe(2);
    expect([outcome(io, 0), outcome(io, 1)]).toEqual([EPIPE, EPIPE]);
    expect(receiveSome(io, 10)).toBe(0);
  });
});

/** A thread that sends numbered frames of one byte each, ten a call, and repeats what the socket refuses. */
const WRITER = `
const { workerData: { addon, fd, tail, mark, count, stride, kind } } = require('node:worker_threads');
const native = require(addon);
const SIZE = 9000, TEN = 10;
const arena = new ArrayBuffer(1 << 20), bytes = new Uint8Array(arena), view = new DataView(arena);
const tx = new Int32Array(64 * stride), status = new Int32Array(16), rx = new Int32Array(64 * 16);
const nic = native.createNic({ arena, headerBytes: 0, rx, tx, status, batchBytes: 4096, maxFrames: 64, vnetHeaderSize: 10 });
native.attachStream(nic, 0, fd, tail, false);
let next = 0;
while (next < count) {
  const frames = Math.min(TEN, count - next);
  tx.fill(0);
  for (let i = 0; i < frames; i++) {
    const at = 2048 + i * SIZE;
    bytes.fill(mark, at, at + SIZE);
    view.setUint32(at, next + i);
    tx.set([kind, 0, at, SIZE], i * stride);
  }
  native.transmit(nic, frames, false);
  // The first refused frame and all behind it: the order is kept.
  let sent = 0;
  while (sent < frames && tx[sent * stride + 12] === 0) sent++;
  next += sent;
  if (sent < frames) native.receive(nic, 1);
}
for (let i = 0; i < 2000; i++) native.receive(nic, 1);
native.closeNic(nic);
`;
const ADDON = fileURLToPath(new URL('../../build/Release/overtap.node', import.meta.url));

test('threads that write to one socket at the same time never mix their frames, and lose none', async () => {
  const { peer, fd, tail } = wire();
  const count = long(20_000, 1000);
  const marks = [1, 2, 3];
  const workers = marks.map(
    (mark) =>
      new Worker(WRITER, {
        eval: true,
        workerData: { addon: ADDON, fd, tail, mark, count, stride: L.TX_STRIDE, kind: L.KIND_FRAME },
      }),
  );
  const next = new Map(marks.map((mark) => [mark, 0]));
  let left = Buffer.alloc(0);
  const isOver = (): boolean => [...next.values()].every((number) => number === count);
  for (let idle = 0; !isOver() && idle < 2000; idle++) {
    const part = readNow(peer, 300_000);
    if (part === 'nothing' || part === 'end') {
      await new Promise((resolve) => setTimeout(resolve, 5));
      continue;
    }
    idle = 0;
    const { frames, rest } = unframed(Buffer.concat([left, part]));
    left = Buffer.from(rest);
    for (const one of frames) {
      const mark = one[4];
      expect([one.length, one.readUInt32BE()]).toEqual([9000, next.get(mark)]);
      expect(one.subarray(4).every((byte) => byte === mark)).toBe(true);
      next.set(mark, one.readUInt32BE() + 1);
    }
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  expect([...next.values()]).toEqual(marks.map(() => count));
  expect(left).toHaveLength(0);
});

test('a lock whose holder was killed is taken over', () => {
  const { io, peer, tail } = wire();
  const word = Buffer.alloc(4);
  const child = spawnSync('true');
  word.writeUInt32LE(child.pid);
  writeSync(tail, word, 0, 4, 0);
  put(io, FRAME, frame(46));
  for (let i = 0; i < 2; i++) {
    command(io, 0, { ...TO_PEER, TX_LENGTH: 60 });
    expect(io.transmit(1)).toBe(0);
  }
  expect(unframed(readAll(peer)).frames).toEqual([frame(46), frame(46)]);
});

test('what is no tail is refused', () => {
  const { io, fd } = wire();
  expect(() => io.attachStream(7, fd, fd, true)).toThrow(/is no tail/);
});
