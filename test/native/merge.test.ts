import { afterEach, describe, expect, test } from 'vitest';
import type { NativePacketIo } from '../../src/port/native-packet-io.js';
import * as L from '../../src/port/packet-io.js';
import { TUN_F_CSUM } from '../../src/port/tap.js';
import { openSenders } from '../../src/port/underlay.js';
import { item, randomRun } from './flows.js';
import {
  captureIn,
  cleanUp,
  command,
  inside,
  ip,
  later,
  makeNamespace,
  makePacketIo,
  nextFrame,
  outcome,
  put,
  random,
  rx,
  rxBytes,
  tapIn,
} from './native-testbed.js';
import { type PacketFields, UDP, withTag } from './packets.js';
import { type Item, mergeSlowly } from './reference-merge.js';
import { splitSlowly } from './reference-split.js';

afterEach(cleanUp);

const FRAME = 8 * 1024 * 1024 + 2;
const IN = 0;
const OUT = 1;

/** tap0 and tap1 in a kernel bridge: what is written to one comes out of the other, superframes whole or, without offloads, split. */
function bridged(options: { offload?: number; merge?: boolean } = {}) {
  const ns = makeNamespace();
  const io = makePacketIo({ txCommands: 512, merge: options.merge ?? true });
  ip('-n', ns, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
  ip('-n', ns, 'link', 'set', 'br0', 'up');
  // Where the bridge shows its frames to netfilter, it drops broken ones and trims others.
  const quiet = 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 >$f; done';
  ip('netns', 'exec', ns, 'sh', '-c', quiet);
  const taps = [
    tapIn(ns, 'tap0', { mtu: 9000 }),
    tapIn(ns, 'tap1', { mtu: 9000, ...(options.offload === undefined ? {} : { offload: options.offload }) }),
  ];
  taps.forEach((tap, i) => {
    io.attachTap(i, tap.fd);
    ip('-n', ns, 'link', 'set', tap.ifname, 'master', 'br0');
  });
  return { ns, io };
}

interface Got {
  bytes: Buffer;
  vnet: number;
  gso: number;
  csum: number;
}

/** Reads what tap1 hands over until it has been silent for a while. */
function drain(io: NativePacketIo): Got[] {
  const got: Got[] = [];
  for (let silent = 0; silent < 2; ) {
    const count = io.receive(40);
    silent = count === 0 ? silent + 1 : 0;
    for (let i = 0; i < count; i++) {
      if (rx(io, i, L.RX_INDEX) !== OUT) continue;
      const words = { vnet: rx(io, i, L.RX_VNET), gso: rx(io, i, L.RX_GSO), csum: rx(io, i, L.RX_CSUM) };
      got.push({ bytes: Buffer.from(rxBytes(io, i)), ...words });
    }
  }
  return got;
}

function write(io: NativePacketIo, items: Item[]): void {
  let offset = FRAME;
  items.forEach(({ packet, open, tag }, i) => {
    put(io, offset, packet.bytes);
    command(io, i, {
      TX_KIND: L.KIND_FRAME,
      TX_INDEX: IN,
      TX_OFFSET: offset,
      TX_LENGTH: packet.bytes.length,
      TX_TAG: tag,
    });
    if (open) {
      io.tx[i * L.TX_STRIDE + L.TX_VNET] = L.VNET_NEEDS_CSUM;
      io.tx[i * L.TX_STRIDE + L.TX_CSUM] = packet.l4 | (16 << 16);
    }
    offset += packet.bytes.length + 1;
  });
  expect(io.transmit(items.length)).toBe(0);
  items.forEach(({ packet }, i) => {
    expect(outcome(io, i)).toBe(0);
    const at = io.tx[i * L.TX_STRIDE + L.TX_OFFSET];
    expect(Buffer.from(io.arena, at, packet.bytes.length).equals(packet.bytes), 'the arena was written to').toBe(true);
  });
}

/** A tag operation as the engine gives it, on a whole frame. */
function leave(bytes: Buffer, tag: number): Buffer {
  const operation = ({ [L.TAG_POP]: 'pop', [L.TAG_PUSH]: 'push', [L.TAG_REPLACE]: 'replace' } as const)[
    tag & L.TAG_REPLACE
  ];
  return withTag(bytes, operation ?? 'keep', tag & 0xffff);
}

describe('segments of TCP flows, written to a TAP in one call,', () => {
  test('become the writes that the slow reference makes', () => {
    const seed = 20250302;
    const below = random(seed);
    const { io } = bridged();
    let merged = 0;
    for (let round = 0; round < 60; round++) {
      const what = `seed ${seed}, round ${round}`;
      const items = randomRun(below, 1 + below(150));
      write(io, items);
      const got = drain(io);
      const wanted = mergeSlowly(items);
      expect(got.length, what).toBe(wanted.length);
      wanted.forEach(({ items: members, bytes, segment }, i) => {
        const [{ packet, tag, open }] = members;
        const frame = leave(bytes, tag);
        const shift = frame.length - bytes.length;
        expect(got[i].bytes.equals(frame), `${what}, write ${i}`).toBe(true);
        if (segment === 0) {
          expect(got[i].vnet & ~2, `${what}, write ${i}`).toBe(open ? L.VNET_NEEDS_CSUM : 0);
          return;
        }
        merged += members.length;
        expect(got[i].vnet & ~(L.VNET_GSO_ECN << 8)).toBe(
          L.VNET_NEEDS_CSUM | ((packet.family === 4 ? L.VNET_GSO_TCPV4 : L.VNET_GSO_TCPV6) << 8),
        );
        expect(got[i].gso & 0xffff).toBe(segment);
        expect(got[i].csum).toBe((packet.l4 + shift) | (16 << 16));
        // And taken apart again they are what they were, but for identifications that no one looks at.
        const again = splitSlowly({ ...packet, bytes }, segment);
        members.forEach((member, k) => {
          const original = Buffer.from(member.packet.bytes);
          if (packet.family === 4) original.set(again[k].subarray(packet.l3 + 4, packet.l3 + 6), packet.l3 + 4);
          if (packet.family === 4) original.set(again[k].subarray(packet.l3 + 10, packet.l3 + 12), packet.l3 + 10);
          if (member.open) original.set(again[k].subarray(packet.l4 + 16, packet.l4 + 18), packet.l4 + 16);
          expect(again[k].equals(original), `${what}, write ${i}, member ${k}`).toBe(true);
        });
      });
    }
    expect(merged).toBeGreaterThan(1000);
  }, 60_000);

  test('are split by the kernel into the very frames that they were', () => {
    const seed = 20250303;
    const below = random(seed);
    const { io } = bridged({ offload: 0 });
    for (let round = 0; round < 30; round++) {
      const what = `seed ${seed}, round ${round}`;
      const items = randomRun(below, 1 + below(120));
      write(io, items);
      const got = drain(io).map(({ bytes }) => bytes);
      const wanted = mergeSlowly(items).flatMap(({ items: members }) => members);
      expect(got.length, what).toBe(wanted.length);
      wanted.forEach(({ packet, open, tag }, i) => {
        const { l3, l4, family } = packet;
        const frame = Buffer.from(packet.bytes);
        const shift = got[i].length - frame.length;
        if (family === 4 && packet.protocol !== UDP && (frame[l3 + 6] & 0x40) !== 0) {
          // The kernel counts identifications up where DF said that they do not matter.
          frame.set(got[i].subarray(l3 + shift + 4, l3 + shift + 6), l3 + 4);
          frame.set(got[i].subarray(l3 + shift + 10, l3 + shift + 12), l3 + 10);
        }
        if (open) frame.set(got[i].subarray(l4 + shift + 16, l4 + shift + 18), l4 + 16);
        expect(got[i].equals(leave(frame, tag)), `${what}, frame ${i}`).toBe(true);
      });
    }
  }, 60_000);
});

describe('a merge', () => {
  const run = (count: number, fields: Partial<PacketFields> = {}, size = 100): Item[] =>
    Array.from({ length: count }, (_, i) =>
      item({ payload: Buffer.alloc(size, i), sequence: 1 + i * size, id: 5 + i, ...fields }),
    );
  const lengths = (io: NativePacketIo): number[] => drain(io).map(({ bytes }) => bytes.length - 54);

  test('is switched off', () => {
    const { io } = bridged({ merge: false });
    write(io, run(10));
    expect(lengths(io)).toEqual(new Array(10).fill(100));
  });

  test('ends at 64 members, and at the length of an IP packet', () => {
    const { io } = bridged();
    write(io, run(70));
    expect(lengths(io)).toEqual([6400, 600]);
    write(io, run(50, {}, 1455));
    expect(lengths(io)).toEqual([45 * 1455, 5 * 1455]);
    // 65,535 to the byte.
    write(io, run(20, { tcpOptions: Buffer.alloc(16, 1) }, 5040));
    expect(lengths(io)).toEqual([12 * 5040 + 16, 8 * 5040 + 16]);
  });

  test('of nine flows at a time is written by first arrival', () => {
    const { io } = bridged();
    const flows = Array.from({ length: 9 }, (_, i) => run(2, { ports: [i, 1] }, 100 + i));
    write(io, [...flows.map(([first]) => first), ...flows.map(([, second]) => second)]);
    // The ninth flow takes the place of the first, whose second segment takes that of the second, and so on.
    expect(lengths(io)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => 100 + i));
    write(io, [...flows.slice(1).map(([first]) => first), ...flows.slice(1).map(([, second]) => second)]);
    expect(lengths(io)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((i) => 2 * (100 + i)));
  });

  test('is open for more TAPs than there are places', () => {
    const ns = makeNamespace();
    const io = makePacketIo({ txCommands: 2048 });
    const wires = Array.from({ length: 20 }, (_, i) => {
      io.attachTap(i, tapIn(ns, `tap${i}`).fd);
      return captureIn(ns, `tap${i}`);
    });
    const flows = Array.from({ length: 5 }, (_, i) => run(3, { ports: [i, 1] }));
    let at = 0;
    for (let turn = 0; turn < 3; turn++)
      for (let tap = 0; tap < 20; tap++)
        for (const flow of flows) {
          const { bytes } = flow[turn].packet;
          const offset = FRAME + at * 256;
          put(io, offset, bytes);
          command(io, at++, { TX_KIND: L.KIND_FRAME, TX_INDEX: tap, TX_OFFSET: offset, TX_LENGTH: bytes.length });
        }
    expect(io.transmit(at)).toBe(0);
    for (const wire of wires) {
      const seen = new Map<number, Buffer[]>();
      for (let total = 0; total < 15; ) {
        const bytes = nextFrame(wire);
        const port = bytes.readUInt16BE(34);
        seen.set(port, [...(seen.get(port) ?? []), bytes.subarray(54)]);
        total += (bytes.length - 54) / 100;
      }
      flows.forEach((flow, port) => {
        expect(Buffer.concat(seen.get(port) ?? [])).toEqual(
          Buffer.concat(flow.map(({ packet }) => packet.bytes.subarray(54))),
        );
      });
    }
  });

  test('gives the outcome of its write to each of its members', () => {
    const { ns, io } = bridged();
    ip('-n', ns, 'link', 'set', 'tap0', 'down');
    const items = run(6);
    items.forEach(({ packet }, i) => {
      put(io, FRAME + i * 256, packet.bytes);
      command(io, i, { TX_KIND: L.KIND_FRAME, TX_OFFSET: FRAME + i * 256, TX_LENGTH: packet.bytes.length });
    });
    expect(io.transmit(6)).toBe(6);
    expect(items.map((_, i) => outcome(io, i))).toEqual([5, 5, 5, 5, 5, 5]);
  });

  test('takes frames whose checksums another command of the call has completed meanwhile', () => {
    const { ns, io } = bridged({ offload: TUN_F_CSUM });
    const [sender] = inside(ns, () => openSenders({ local: '127.0.0.1', range: [40000, 40099], count: 1, seed: 0 }));
    later(() => sender.close());
    io.attachSender(0, sender.fd);
    io.setRemote(0, 0, 0, 0xffff, 0x7f000001, 9);
    // The last one is alone: its flow was ended before.
    const items = [...run(3, { checksum: 'open' }), ...run(1, { checksum: 'open', ports: [5, 5] })];
    items.forEach(({ packet }, i) => {
      const words = {
        TX_OFFSET: FRAME + i * 256,
        TX_LENGTH: packet.bytes.length,
        TX_VNET: L.VNET_NEEDS_CSUM,
        TX_CSUM: packet.l4 | (16 << 16),
      };
      put(io, FRAME + i * 256, packet.bytes);
      command(io, 2 * i, { TX_KIND: L.KIND_FRAME, ...words });
      command(io, 2 * i + 1, { TX_KIND: L.KIND_UDP, ...words });
    });
    expect(io.transmit(8)).toBe(0);
    const got = drain(io);
    expect(got.map(({ vnet }) => vnet)).toEqual([1, 1, 1, 0]);
    const whole = [...run(3), ...run(1, { ports: [5, 5] })];
    whole.forEach(({ packet }, i) => {
      const frame = Buffer.from(got[i].bytes);
      if (i < 3) frame.set(packet.bytes.subarray(50, 52), 50);
      expect(frame).toEqual(packet.bytes);
    });
  });
});
