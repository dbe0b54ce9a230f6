/** Which queue of a TAP gets a frame of the guest: src/native/devices/steer.c. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Capture } from '../../src/port/capture.js';
import * as L from '../../src/port/packet-io.js';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import { captureIn, cleanUp, command, makeNamespace, makePacketIo, put, rxBytes, tapIn } from './native-testbed.js';

afterEach(cleanUp);

const FRAME = 8 * 1024 * 1024 + 2;
const FLOWS = 1000;
/** Five standard deviations of a fair coin; the program is the same in each run, and so is the result. */
const SPREAD = 5 * Math.sqrt(FLOWS / 4);
/** Fits the queue of a TAP, of 1,000 frames. */
const AT_ONCE = 250;

interface Flow {
  source: string;
  destination: string;
}

const MACS = '020000000002020000000001';
const u16 = (value: number): string => value.toString(16).padStart(4, '0');

function udp4(number: number, tag = ''): Flow {
  const packet = (from: string, to: string, ports: string): string =>
    `${MACS}${tag}0800` + `4500001c000000004011` + `0000${from}${to}` + `${ports}00080000`;
  const [guest, peer] = ['0a000002', `0a01${u16(number % 7)}`];
  const [from, to] = [u16(20_000 + number), '0007'];
  return { source: packet(guest, peer, from + to), destination: packet(peer, guest, to + from) };
}

function tcp6(number: number): Flow {
  const [guest, peer] = [`fd00${'0'.repeat(24)}0002`, `fd00${'0'.repeat(24)}${u16(number % 7)}`];
  const [from, to] = [u16(20_000 + number), '01bb'];
  const packet = (source: string, destination: string, ports: string): string =>
    `${MACS}86dd` + `6000000000140640${source}${destination}` + `${ports}0000000000000000500200000000` + '0000';
  return { source: packet(guest, peer, from + to), destination: packet(peer, guest, to + from) };
}

/** The queue that gets each frame, by its bytes. */
function queuesOf(wire: Capture, ios: readonly NativePacketIo[], frames: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (let first = 0; first < frames.length; first += AT_ONCE) {
    const some = frames.slice(first, first + AT_ONCE);
    for (const text of some) wire.write(Buffer.from(text, 'hex'));
    const end = performance.now() + 5000;
    while (found.size < first + some.length && performance.now() < end) {
      for (const [queue, io] of ios.entries()) {
        const count = io.receive(0);
        for (let i = 0; i < count; i++) found.set(rxBytes(io, i).toString('hex'), queue);
      }
    }
  }
  return found;
}

function write(io: NativePacketIo, text: string): void {
  const bytes = Buffer.from(text, 'hex');
  put(io, FRAME, bytes);
  command(io, 0, { TX_KIND: L.KIND_FRAME, TX_OFFSET: FRAME, TX_LENGTH: bytes.length });
  expect(io.transmit(1)).toBe(0);
}

function twoQueues(): { wire: Capture; ios: NativePacketIo[] } {
  const ns = makeNamespace();
  const tap = tapIn(ns, 'tap0', { queues: 2 });
  expect(tap.isUnsteered).toBe(false);
  const ios = [tap.fd, tap.openQueue()].map((fd) => {
    const io = makePacketIo();
    io.attachTap(0, fd, tap.vnetHeaderSize);
    return io;
  });
  return { wire: captureIn(ns, 'tap0'), ios };
}

describe('the queues of a TAP', () => {
  test.each([
    ['UDP over IPv4', (number: number) => udp4(number)],
    ['UDP over IPv4 with a tag', (number: number) => udp4(number, '8100000a')],
    ['TCP over IPv6', tcp6],
  ])('get an even part of 1,000 flows each, and a flow stays where it is: %s', (_, flow) => {
    const { wire, ios } = twoQueues();
    const flows = Array.from({ length: FLOWS }, (_, number) => flow(number));
    const frames = flows.map(({ source }) => source);
    const before = queuesOf(wire, ios, frames);
    expect(before.size).toBe(FLOWS);
    const first = [...before.values()].filter((queue) => queue === 0).length;
    expect(Math.abs(first - FLOWS / 2)).toBeLessThan(SPREAD);
    // Each answer is written by the other engine: the kernel itself would move the flow there.
    for (const { source, destination } of flows) write(ios[1 - (before.get(source) as number)], destination);
    expect([...queuesOf(wire, ios, frames)].sort()).toEqual([...before].sort());
  });

  test('get all fragments of a datagram in one of them, and frames that are no IP, or cut short', () => {
    const { wire, ios } = twoQueues();
    const fragment = (offset: number, more: number, payload: string): string =>
      `${MACS}0800` + `4500001c0001${u16((more << 13) | offset)}4011` + `00000a0000020a010003${payload}`;
    const pieces = [
      fragment(0, 1, '4e200007ffff0000'),
      fragment(1, 1, '1111222233334444'),
      fragment(2, 0, '5555666677778888'),
    ];
    expect(new Set(queuesOf(wire, ios, pieces).values()).size).toBe(1);
    const others = [
      `${MACS}0806${'00'.repeat(28)}`,
      `${MACS}080045`,
      `${MACS}86dd60`,
      `${MACS}88b5${'07'.repeat(46)}`,
      `${MACS}8100`,
    ];
    expect(queuesOf(wire, ios, others).size).toBe(others.length);
  });
});
