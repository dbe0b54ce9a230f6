/**
 * The receive ring of an attached interface: what is special about it. That frames come as by the socket's queue is in
 * netdev.test.ts, which runs both ways.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { closeFd, netdevMissed, netdevState, openNetdev } from '../../src/native/binding.js';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { long } from '../long.js';
import {
  cleanUp,
  command,
  frame,
  ip,
  ipBatch,
  later,
  makeNamespace,
  makePacketIo,
  needRoot,
  put,
  random,
  receiveSome,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';
import { build } from './packets.js';

beforeAll(needRoot);
afterEach(cleanUp);

const SEED = Number(process.env.OVERTAP_SEED ?? 1);
const FRAME = 200_002;
/** Slots of a ring, and the longest frame of one (devices/packet-ring.h). */
const SLOTS = 1280;
const LONGEST = 1524;
const MTU = 9000;

let near: string;
let far: string;

beforeEach(() => {
  near = makeNamespace();
  far = makeNamespace();
  ipBatch([`link add e0 mtu ${MTU} type veth peer name e1 mtu ${MTU} netns ${far}`, 'link set e0 up'], near);
  ip('-n', far, 'link', 'set', 'e1', 'up');
});

function attach(io: NativePacketIo, at: number, netns: string, ifname: string, ring: boolean): number {
  const [fd] = openNetdev({ netns: `/run/netns/${netns}`, ifname, queues: 1, silence: false, ring }).fds;
  later(() => closeFd(fd));
  io.attachTap(at, fd);
  expect(netdevState(fd)?.carrier).toBe(true);
  return fd;
}

/** Two PacketIos: what the second one sends, the first one receives by its ring. */
function pair(): { io: NativePacketIo; fd: number; sender: NativePacketIo } {
  const [io, sender] = [makePacketIo(), makePacketIo()];
  const fd = attach(io, 0, near, 'e0', true);
  attach(sender, 0, far, 'e1', false);
  return { io, fd, sender };
}

interface Sent {
  bytes: Buffer;
  words?: Parameters<typeof command>[2];
}

function sendAll(io: NativePacketIo, frames: readonly Sent[]): void {
  for (let at = 0; at < frames.length; at += 256) {
    const part = frames.slice(at, at + 256);
    part.forEach(({ bytes, words }, i) => {
      const offset = FRAME + i * 70_000;
      put(io, offset, bytes);
      command(io, i, { TX_KIND: L.KIND_FRAME, TX_OFFSET: offset, TX_LENGTH: bytes.length, ...words });
    });
    expect(io.transmit(part.length)).toBe(0);
  }
}

/** All that comes until nothing has for a while. */
function receiveAll(io: NativePacketIo): Buffer[] {
  const seen: Buffer[] = [];
  for (let count = receiveSome(io); count > 0; count = receiveSome(io, 50))
    for (let i = 0; i < count; i++) seen.push(Buffer.from(rxBytes(io, i)));
  return seen;
}

/** A superframe whose segments are numbered by its first bytes; of a flow of its own, so that none is merged with another. */
function superframe(length: number, number: number): Sent {
  const payload = Buffer.alloc(length, number);
  payload.writeUInt32BE(number);
  const packet = build({ payload, checksum: 'open', ports: [1000 + number, 80] });
  const words = {
    TX_VNET: L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8),
    TX_GSO: 1000 | (packet.payload << 16),
    TX_CSUM: packet.l4 | (16 << 16),
  };
  return { bytes: packet.bytes, words };
}

const numbered = (length: number, number: number): Sent => {
  const bytes = frame(length);
  bytes.writeUInt32BE(number, 14);
  return { bytes };
};

test(`frames of all lengths come in order, each once and whole, whichever way each takes (seed ${SEED})`, () => {
  const { io, fd, sender } = pair();
  const below = random(SEED);
  // Several times around the ring.
  const total = long(40_000, 4000);
  let number = 0;
  while (number < total) {
    const count = 1 + below(200);
    const frames = Array.from({ length: count }, () => {
      number++;
      const kind = below(10);
      if (kind < 2) return superframe(1100 + below(60_000), number);
      // Around the longest that a slot has room for.
      if (kind < 5) return numbered(LONGEST - 14 - 20 + below(40), number);
      if (kind < 6) return numbered(MTU - below(20), number);
      return numbered(46 + below(1500), number);
    });
    sendAll(sender, frames);
    const seen = receiveAll(io);
    expect(seen.length).toBe(frames.length);
    seen.forEach((bytes, i) => {
      expect(bytes.equals(frames[i].bytes), `frame ${number - count + i + 1}`).toBe(true);
    });
  }
  expect(netdevMissed(fd)).toBe(0);
});

test('tags: of a frame in a slot, of one in the queue, and of a superframe of either size', () => {
  const { io, sender } = pair();
  const tag = { TX_TAG: L.TAG_PUSH | 0x600a };
  const frames = [
    { bytes: frame(60), words: tag },
    { bytes: frame(5000), words: tag },
    { ...superframe(1400, 1), words: { ...superframe(1400, 1).words, ...tag } },
    { ...superframe(50_000, 2), words: { ...superframe(50_000, 2).words, ...tag } },
  ];
  sendAll(sender, frames);
  expect(receiveSome(io)).toBe(4);
  frames.forEach(({ bytes }, i) => {
    const seen = rxBytes(io, i);
    expect(seen.subarray(12, 16).toString('hex')).toBe('8100600a');
    expect(Buffer.concat([seen.subarray(0, 12), seen.subarray(16)])).toEqual(bytes);
  });
  for (const at of [2, 3]) {
    expect(rx(io, at, L.RX_VNET)).toBe(L.VNET_NEEDS_CSUM | (L.VNET_GSO_TCPV4 << 8));
    expect(rx(io, at, L.RX_CSUM) & 0xffff).toBe(34 + 4);
  }
});

test('a full ring loses what comes then, and goes on; superframes that the queue has no room for are counted too', () => {
  const { io, fd, sender } = pair();
  sendAll(
    sender,
    Array.from({ length: SLOTS + 300 }, (_, i) => numbered(46, i)),
  );
  const seen = receiveAll(io);
  expect(seen.map((bytes) => bytes.readUInt32BE(14))).toEqual(Array.from({ length: SLOTS }, (_, i) => i));
  expect(netdevMissed(fd)).toBe(300);
  const large = Array.from({ length: 500 }, (_, i) => superframe(60_000, i));
  sendAll(sender, large);
  const whole = receiveAll(io);
  expect(whole.length).toBeGreaterThan(100);
  expect(whole.length + netdevMissed(fd)).toBe(500);
  const after = numbered(50, 7);
  sendAll(sender, [after]);
  expect(receiveAll(io)).toEqual([after.bytes]);
});

describe('another PacketIo goes on where the one before has stopped', () => {
  test.each([0, 1, 500, SLOTS])('%i frames wait', (waiting) => {
    const { io, fd, sender } = pair();
    const first = Array.from({ length: 700 }, (_, i) => numbered(46, i));
    sendAll(sender, first);
    expect(receiveAll(io)).toHaveLength(700);
    const rest = Array.from({ length: waiting }, (_, i) => (i % 7 === 3 ? numbered(4000, i) : numbered(46, i)));
    sendAll(sender, rest);
    const next = makePacketIo();
    next.attachTap(3, fd);
    // Both have it, as two processes have: the one before stands still.
    const seen = waiting > 0 ? receiveAll(next) : [];
    expect(seen.map((bytes) => bytes.readUInt32BE(14))).toEqual(rest.map((_, i) => i));
    io.close();
    sendAll(sender, [numbered(50, 1)]);
    expect(receiveAll(next)).toHaveLength(1);
  });
});

/** Superframe of fragmented UDP, for which no virtio-net header has a word (VIRTIO_NET_HDR_GSO_UDP of old guests). */
const GSO_UDP = 3;

test('a superframe that stops the ring of the kernel costs the port its ring, not its frames', () => {
  const io = makePacketIo();
  const tap = tapIn(near, 'vnet0');
  const machine = makePacketIo();
  machine.attachTap(0, tap.fd);
  const fd = attach(io, 0, near, 'vnet0', true);
  const packet = build({ payload: Buffer.alloc(5000, 1), udp: true, checksum: 'open' } as Parameters<typeof build>[0]);
  const fragmented = {
    bytes: packet.bytes,
    words: { TX_VNET: L.VNET_NEEDS_CSUM | (GSO_UDP << 8), TX_GSO: 1000 | (42 << 16), TX_CSUM: 34 | (6 << 16) },
  };
  sendAll(machine, [numbered(46, 0)]);
  expect(receiveAll(io)).toHaveLength(1);
  sendAll(machine, [fragmented]);
  expect(netdevMissed(fd)).toBe(1);
  let latched = 0;
  const until = performance.now() + 20_000;
  let lost = 1;
  let sent = 0;
  const seen: number[] = [];
  while (latched === 0 && performance.now() < until) {
    sendAll(machine, [numbered(46, ++sent)]);
    lost += netdevMissed(fd);
    const count = io.receive(20);
    for (let i = 0; i < count; i++) seen.push(rxBytes(io, i).readUInt32BE(14));
    latched = io.status[L.STATUS_LATCHED];
  }
  expect(latched).toBe(L.LATCHED_PACKET_RING);
  sendAll(machine, [fragmented, numbered(46, ++sent), numbered(5000, ++sent)]);
  for (const bytes of receiveAll(io)) if (bytes.length > 14) seen.push(bytes.readUInt32BE(14));
  lost += netdevMissed(fd);
  expect(seen.slice(-2)).toEqual([sent - 1, sent]);
  expect(seen.length + lost).toBe(sent + 1);
});
