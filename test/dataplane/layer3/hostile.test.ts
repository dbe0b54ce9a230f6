/**
 * Hostile hosts and neighbours of a layer-3 port: nothing that they send throws, grows a table, or takes the host's address. The
 * accounts hold at the end, when nothing waits any more.
 */
import { describe, expect, it } from 'vitest';
import { ASKS_OF_PORT, HELD_OF_PORT, HELD_PACKETS } from '../../../src/dataplane/state/layer3.js';
import { FLAG_PERMANENT } from '../../../src/fdb/table.js';
import { NeighReader } from '../../../src/neigh/table.js';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { concatBytes, toHex, viewOf } from '../../../src/wire/bytes.js';
import { long } from '../../long.js';
import { A, B, BROADCAST, frame, packet } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  gratuitous,
  lladdrOf,
  PEER,
  solicitation,
} from '../support/neigh-frames.js';

const H = '02:00:00:00:00:aa';
const H4 = '198.18.0.1';
const H6 = '2001:db8::1';
const A4 = '198.18.0.10';
const tap = { type: 'tap' } as const;
/** Of the harness' neighbour table. */
const BINDINGS = 256;

function build(): TestSwitch {
  const host = { mac: H, addresses: [`${H4}/16`, `${H6}/64`], gateways: ['198.18.255.254'] };
  const tun = { type: 'tap', host, fdb: [{ mac: H, flags: FLAG_PERMANENT }] } as const;
  const vx: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER], neighSuppress: true };
  const sw = new TestSwitch({
    br0: {
      ports: {
        tun,
        tun2: { ...tun, host: { ...host, mac: B, addresses: ['198.18.0.2/16'] }, fdb: [] },
        t1: tap,
        t2: tap,
        vx,
      },
    },
  });
  sw.wait(3);
  return sw;
}

/** Everything that goes in is counted, once nothing waits any more. */
function expectBalance(sw: TestSwitch): void {
  for (let i = 0; i < 60; i++) {
    sw.io.advance(100);
    sw.engine.turn(0);
    sw.io.take();
  }
  const { counters } = sw;
  expect(sw.context.layer3.askCount).toBe(0);
  let balance = counters.replicated;
  for (const name of ['tun', 'tun2', 't1', 't2', 'vx']) {
    const { rx_packets: rx, tx_packets: tx } = counters.port(sw.port(name));
    const { rx_dropped: rxDropped, tx_dropped: txDropped } = counters.portDrops(sw.port(name));
    balance += rx - tx - rxDropped - txDropped;
  }
  expect(balance).toBe(0);
}

const put = (sw: TestSwitch, port: string, bytes: Uint8Array, offload = {}): void =>
  sw.io.arrive({ kind: KIND_FRAME, index: sw.port(port), bytes, ...offload });
const behindZeros = (bytes: Uint8Array): Uint8Array => concatBytes(new Uint8Array(14), bytes);
const toward = (address: string): Uint8Array =>
  behindZeros(packet({ sourceAddress: H4, destinationAddress: address }).slice(14));

it('a host that sends to invented addresses asks for few of them, and fills its own share', () => {
  const sw = build();
  let asked = 0;
  for (let i = 0; i < 2000; i++) {
    put(sw, 'tun', toward(`198.18.${1 + (i >> 8)}.${i & 255}`));
    if (i % 100 !== 99) continue;
    sw.engine.turn(0);
    asked += sw.io.take().filter(({ kind, index }) => kind === KIND_FRAME && index === sw.port('t1')).length;
    expect(sw.context.layer3.askCount).toBeLessThanOrEqual(ASKS_OF_PORT);
    expect([...sw.context.layer3.heldFor].filter((slot) => slot >= 0).length).toBeLessThanOrEqual(HELD_OF_PORT);
  }
  expect(asked).toBe(ASKS_OF_PORT);
  // Another host still gets its answer.
  put(sw, 'tun2', behindZeros(packet({ sourceAddress: '198.18.0.2', destinationAddress: A4 }).slice(14)));
  sw.engine.turn(0);
  sw.io.take();
  put(sw, 't1', arpReply(A, A4, B, '198.18.0.2'));
  sw.engine.turn(0);
  expect(sw.io.take().some(({ index, bytes }) => index === sw.port('t1') && bytes.length > 60)).toBe(true);
  expectBalance(sw);
});

it('a flood of forged ARP neither grows the table nor takes the address, and the neighbour in use stays known', () => {
  const sw = build();
  sw.send('t2', gratuitous(A, A4));
  for (let i = 0; i < long(20_000); i++) {
    const mac = `02:00:00:01:${hex(i >> 8)}:${hex(i)}`;
    put(sw, 't1', i % 3 === 0 ? gratuitous(mac, H4) : gratuitous(mac, `198.18.${1 + ((i >> 8) & 127)}.${i & 255}`));
    if (i % 50 === 49) sw.engine.turn(0);
    sw.io.take();
  }
  sw.engine.turn(0);
  sw.io.take();
  const reader = new NeighReader(sw.context.neigh.memory);
  expect(reader.counters().entries).toBeLessThanOrEqual(BINDINGS);
  expect(lladdrOf(sw, H4)).not.toMatch(/^02:00:00:01/);
  put(sw, 'tun', toward(A4));
  sw.engine.turn(0);
  expect(sw.io.take()).toMatchObject([{ index: sw.port('t2') }]);
  put(sw, 't2', arpRequest(A, A4, H4));
  sw.engine.turn(0);
  expect(sw.io.take().map(({ bytes }) => mac(bytes, 6))).toContain(H);
  expectBalance(sw);
});

const hex = (value: number): string => (value & 255).toString(16).padStart(2, '0');
const mac = (bytes: Uint8Array, at: number): string => [...bytes.slice(at, at + 6)].map(hex).join(':');

describe('random packets and messages', () => {
  it.each([1, 2, 3])('seed %i', (seed) => {
    const sw = build();
    const random = randomOf(seed);
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const samples = [
      () => toward(`198.18.0.${random(20)}`),
      () => toward(pick(['224.0.0.1', '198.18.255.255', '10.0.0.1', H4, '0.0.0.0'])),
      () =>
        behindZeros(
          packet({
            version: 6,
            sourceAddress: pick([H6, 'fe80::5']),
            destinationAddress: pick(['2001:db8::a', 'fe80::7', 'ff02::1', '::']),
          }).slice(14),
        ),
      () => behindZeros(advertisement(A, H6).slice(14)),
    ];
    const messages = [
      () => arpRequest(A, `198.18.0.${random(20)}`, pick([H4, '198.18.0.2', A4])),
      () => arpReply(A, `198.18.0.${random(20)}`, pick([H, B, BROADCAST]), H4),
      () => solicitation(A, pick(['2001:db8::a', '::']), pick([H6, 'fe80::5', '2001:db8::b'])),
      () => advertisement(A, pick(['2001:db8::a', 'fe80::7', H6]), { destination: pick([H, BROADCAST]) }),
      () => packet({ source: A, destination: pick([H, B, BROADCAST]), version: pick([4, 6]) }),
      () => frame({ source: pick([A, H]), destination: pick([H, BROADCAST]) }),
    ];
    for (let i = 0; i < long(30_000); i++) {
      const ofHost = random(2) === 0;
      const bytes = ofHost ? pick(samples)() : pick(messages)();
      // The Ethernet header of a packet is the addon's.
      const first = ofHost ? 14 : 0;
      for (let left = random(4); left > 0; left--) bytes[first + random(bytes.length - first)] = random(256);
      const cut = random(3) === 0 ? bytes.slice(0, first + random(bytes.length - first)) : bytes;
      const offload = random(5) === 0 ? { vnet: random(0x600), gso: random(0x7fffffff), csum: random(0x400040) } : {};
      put(sw, ofHost ? pick(['tun', 'tun2']) : pick(['t1', 't2']), cut, offload);
      if (random(20) === 0) sw.io.advance(random(400));
      if (random(8) === 0) sw.engine.turn(0);
      if (sw.io.waiting > 100) while (sw.engine.turn(0) > 0) sw.io.take();
      for (const { kind, index, bytes: out } of sw.io.take()) {
        if (kind !== KIND_FRAME) continue;
        if (index !== sw.port('tun') && index !== sw.port('tun2')) continue;
        expect([0x0800, 0x86dd], toHex(out)).toContain(viewOf(out).getUint16(12));
      }
      expect([...sw.context.layer3.heldFor].filter((slot) => slot >= 0).length).toBeLessThanOrEqual(HELD_PACKETS);
    }
    while (sw.engine.turn(0) > 0) sw.io.take();
    expectBalance(sw);
  });
});

/** Numbers below a bound, the same in each run (xorshift32). */
function randomOf(seed: number): (bound: number) => number {
  let state = seed * 0x9e3779b1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}
