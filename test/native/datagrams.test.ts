import { closeSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { bindDatagrams, connectDatagrams, listenStream, socketAnswers } from '../../src/native/binding.js';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import {
  cleanUp,
  command,
  frame,
  inside,
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
import { expected, FRAME, randomSuperframe, TAGS } from './superframes.js';

afterEach(cleanUp);

const ENOENT = 2;
const EAGAIN = 11;
const EMSGSIZE = 90;
const ECONNREFUSED = 111;
const PORT = 4;
const TO_PORT = { TX_KIND: L.KIND_FRAME, TX_INDEX: PORT, TX_OFFSET: FRAME };

let made = 0;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'ott-datagrams-'));
  later(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface End {
  io: NativePacketIo;
  close(): void;
}

/** A PacketIo with a datagram socket as port 4. */
function end(fd: number, remote?: string, reads = true): End {
  const io = makePacketIo({ txCommands: 512 });
  io.attachDatagrams(PORT, fd, reads, remote);
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  later(close);
  later(() => io.detachTap(PORT));
  return { io, close };
}

const PORTS = 20_000 + (process.pid % 10_000);

/** Two ends joined, over unix sockets or over UDP. */
const JOINED: [string, () => [End, End]][] = [
  [
    'unix sockets',
    () => {
      const path = folder();
      const [a, b] = [join(path, 'a'), join(path, 'b')];
      return [end(bindDatagrams(a), b), end(bindDatagrams(b), a)];
    },
  ],
  ['UDP over IPv4', () => overUdp(4, '127.0.0.1')],
  ['UDP over IPv6', () => overUdp(6, '::1')],
];

function overUdp(family: 4 | 6, address: string): [End, End] {
  const ns = makeNamespace({ ipv6: true });
  const [one, other] = [PORTS + made++, PORTS + made++];
  const at = (localPort: number, remotePort: number): number =>
    inside(ns, () => connectDatagrams({ family, local: address, localPort, remote: address, remotePort }));
  return [end(at(one, other)), end(at(other, one))];
}

function take({ io }: End): Buffer[] {
  const count = receiveSome(io, 100);
  return Array.from({ length: count }, (_, i) => {
    expect([rx(io, i, L.RX_KIND), rx(io, i, L.RX_INDEX), rx(io, i, L.RX_VNET)]).toEqual([L.KIND_FRAME, PORT, 0]);
    return Buffer.from(rxBytes(io, i));
  });
}

describe.each(JOINED)('frames over %s', (way, make) => {
  test('are datagrams, with tags as the command leaves them', () => {
    const [a, b] = make();
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      put(from.io, FRAME, frame(28));
      command(from.io, 0, { ...TO_PORT, TX_LENGTH: 42 });
      command(from.io, 1, { ...TO_PORT, TX_LENGTH: 42, TX_TAG: L.TAG_PUSH | 7 });
      expect(from.io.transmit(2)).toBe(0);
      const [first, second] = take(to);
      expect(first).toEqual(frame(28));
      expect(second).toEqual(frame(28, { tci: 7 }));
      expect(rx(to.io, 0, L.RX_STRANGER)).toBe(0);
    }
  });

  test('superframes are split as the slow reference does it', () => {
    const [a, b] = make();
    const below = random(20_261_130);
    for (let round = 0; round < 20; round++) {
      // The queue of a unix socket holds few.
      const one = randomSuperframe(below, 7000);
      put(a.io, FRAME, one.packet.bytes);
      const wanted = expected(one);
      if (wanted.length > 10) continue;
      const to = { ...TO_PORT, TX_LENGTH: one.packet.bytes.length };
      command(a.io, 0, { ...to, TX_TAG: TAGS[one.operation] | one.tci, ...one.words });
      expect(a.io.transmit(1)).toBe(0);
      const got: Buffer[] = [];
      while (got.length < wanted.length) {
        const some = take(b);
        expect(some.length).toBeGreaterThan(0);
        got.push(...some);
      }
      expect(got.map((bytes) => bytes.toString('hex'))).toEqual(wanted.map((bytes) => bytes.toString('hex')));
    }
  });

  test('a full queue refuses them one by one, and goes on when there is room', () => {
    const [a, b] = make();
    put(a.io, FRAME, frame(1486));
    let sent = 0;
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 100; i++) command(a.io, i, { ...TO_PORT, TX_LENGTH: 1500 });
      a.io.transmit(100);
      for (let i = 0; i < 100; i++) {
        expect([0, EAGAIN]).toContain(outcome(a.io, i));
        if (outcome(a.io, i) === 0) sent++;
      }
    }
    let got = 0;
    for (let some = take(b); some.length > 0; some = take(b)) got += some.length;
    // UDP drops at the receiver, which no sender is told.
    if (way === 'unix sockets') expect(got).toBe(sent);
    else expect(got).toBeLessThanOrEqual(sent);
    expect(got).toBeGreaterThan(5);
    command(a.io, 0, { ...TO_PORT, TX_LENGTH: 1500 });
    expect(a.io.transmit(1)).toBe(0);
    expect(take(b)).toHaveLength(1);
  });

  test('the far side may go: that is an error of frames, and no loss of the port', () => {
    const [a, b] = make();
    b.io.detachTap(PORT);
    b.close();
    let refused = 0;
    for (let i = 0; i < 20; i++) {
      command(a.io, 0, { ...TO_PORT, TX_LENGTH: 60 });
      if (a.io.transmit(1) > 0) {
        expect(outcome(a.io, 0)).toBe(ECONNREFUSED);
        refused++;
      }
      if (i % 2 === 0) a.io.receive(0);
      expect(a.io.status[L.STATUS_LOST_ERRNO]).toBe(0);
    }
    expect(refused).toBeGreaterThan(way === 'unix sockets' ? 19 : 0);
    a.io.receive(0); // the last error
    const began = performance.now();
    expect(a.io.receive(30)).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(20);
  });
});

test('one that does not receive sends all the same', () => {
  const path = folder();
  const fd = bindDatagrams(join(path, 'a'));
  const [reader, writer] = [end(fd, join(path, 'b')), makePacketIo()];
  writer.attachDatagrams(PORT, fd, false, join(path, 'b'));
  later(() => writer.detachTap(PORT));
  const b = end(bindDatagrams(join(path, 'b')), join(path, 'a'));
  command(writer, 0, { ...TO_PORT, TX_LENGTH: 60 });
  expect(writer.transmit(1)).toBe(0);
  expect(take(b)).toHaveLength(1);
  command(b.io, 0, { ...TO_PORT, TX_LENGTH: 60 });
  expect(b.io.transmit(1)).toBe(0);
  expect(writer.receive(10)).toBe(0);
  expect(take(reader)).toHaveLength(1);
});

test('one end may come back under the same path', () => {
  const path = folder();
  const a = end(bindDatagrams(join(path, 'a')), join(path, 'b'));
  command(a.io, 0, { ...TO_PORT, TX_LENGTH: 60 });
  expect(a.io.transmit(1)).toBe(1);
  expect(outcome(a.io, 0)).toBe(ENOENT);
  for (let round = 0; round < 3; round++) {
    const b = end(bindDatagrams(join(path, 'b')), join(path, 'a'));
    expect(a.io.transmit(1)).toBe(0);
    expect(take(b)).toHaveLength(1);
    b.io.detachTap(PORT);
    b.close();
    rmSync(join(path, 'b'));
  }
});

test('a datagram of another sender is marked, and one that was cut off has a length that no frame has', () => {
  const path = folder();
  const a = end(bindDatagrams(join(path, 'a')), join(path, 'b'));
  const b = end(bindDatagrams(join(path, 'b')), join(path, 'a'));
  const longer = end(bindDatagrams(join(path, 'bb')), join(path, 'a'));
  const shorter = end(bindDatagrams(join(path, 'c')), join(path, 'a'));
  for (const from of [b, longer, shorter]) {
    command(from.io, 0, { ...TO_PORT, TX_LENGTH: 60 });
    expect(from.io.transmit(1)).toBe(0);
  }
  expect(receiveSome(a.io)).toBe(3);
  expect([0, 1, 2].map((at) => rx(a.io, at, L.RX_STRANGER))).toEqual([0, 1, 1]);
  command(b.io, 0, { ...TO_PORT, TX_LENGTH: L.LONGEST_STREAM_FRAME });
  command(b.io, 1, { ...TO_PORT, TX_LENGTH: L.LONGEST_STREAM_FRAME, TX_TAG: L.TAG_PUSH });
  expect(b.io.transmit(2)).toBe(1);
  expect(outcome(b.io, 1)).toBe(EMSGSIZE);
  expect(receiveSome(a.io)).toBe(1);
  expect(rx(a.io, 0, L.RX_LENGTH)).toBe(L.LONGEST_STREAM_FRAME);
});

test('of UDP, datagrams of other ports and addresses do not come in', () => {
  const ns = makeNamespace();
  const [here, there, other] = [PORTS + made++, PORTS + made++, PORTS + made++];
  const at = (local: string, localPort: number, remotePort: number): End =>
    end(inside(ns, () => connectDatagrams({ family: 4, local, localPort, remote: '127.0.0.1', remotePort })));
  const strangers = [at('127.0.0.1', other, here), at('127.0.0.2', there, here)];
  for (const { io } of strangers) {
    command(io, 0, { ...TO_PORT, TX_LENGTH: 60 });
    io.transmit(1);
  }
  const a = at('127.0.0.1', here, there);
  const b = at('127.0.0.1', there, here);
  for (const { io } of [...strangers, b]) {
    for (let i = 0; i < 2; i++) {
      command(io, 0, { ...TO_PORT, TX_LENGTH: 60 });
      io.transmit(1);
    }
  }
  expect(take(a)).toHaveLength(2);
  expect(take(a)).toHaveLength(0);
});

test('sockets are for their owner only, and it is known whether somebody has them open', () => {
  const path = join(folder(), 'a');
  expect(socketAnswers(path)).toBe(false);
  for (const open of [bindDatagrams, listenStream]) {
    const fd = open(path);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    expect(socketAnswers(path)).toBe(true);
    expect(() => open(path)).toThrow(/EADDRINUSE/);
    closeSync(fd);
    expect(socketAnswers(path)).toBe(false);
    rmSync(path);
  }
  expect(() => bindDatagrams('x'.repeat(108))).toThrow(/1 to 107 bytes/);
});
