/** Which flows between two attached interfaces are carried, and what speaks against it: one reason each. */
import { expect, test } from 'vitest';
import { applyOperations } from '../../../src/dataplane/operations/operations.js';
import { FLOOD, LEARNING, LOCKED, UP, XCONNECT } from '../../../src/dataplane/state/forwarding.js';
import type { BridgeSpec, TapSpec } from '../support/control-model.js';
import { FlowSwitch } from '../support/memory-flow-table.js';

const tap: TapSpec = { type: 'tap' };
const plain = (a: Partial<TapSpec> = {}, b: Partial<TapSpec> = {}): BridgeSpec => ({
  ports: { a: { ...tap, ...a }, b: { ...tap, ...b } },
});

function carriedOf(bridge: BridgeSpec, frames = 4): string {
  const host = new FlowSwitch(bridge);
  host.comes('a', frames);
  return host.carried;
}

test('a plain flow is carried from its fourth frame on', () => {
  expect(carriedOf(plain(), 3)).toBe('');
  expect(carriedOf(plain(), 4)).toBe('a');
});

const OPEN = UP | LEARNING | FLOOD;
const LIMIT = { rate: 1e9, burst: 1e6 };
const REASONS: { reason: string; bridge: BridgeSpec }[] = [
  { reason: 'a port that does not learn', bridge: plain({ off: ['learning'] }) },
  { reason: 'a port where it comes in that is policed', bridge: plain({ police: { input: LIMIT } }) },
  { reason: 'a port where it leaves that is policed', bridge: plain({}, { police: { output: LIMIT } }) },
  { reason: 'isolated ports', bridge: plain({ isolated: true }, { isolated: true }) },
  { reason: 'a cross-connect', bridge: plain({ xconnect: true }, { xconnect: true }) },
  { reason: 'a port that is locked', bridge: plain({ locked: true }) },
  { reason: 'a guard', bridge: plain({ guard: { addresses: ['198.18.0.0/15'] } }) },
  { reason: 'neighbour suppression', bridge: plain({}, { neighSuppress: true }) },
  {
    reason: 'a mirror',
    bridge: { ports: { ...plain().ports, m: { ...tap, mirror: { directions: 3, ports: ['a'] } } } },
  },
  { reason: 'MSS clamping', bridge: plain({}, { mss: 1000 }) },
];

test.each(REASONS)("$reason: its frames are the engine's", ({ bridge }) => {
  expect(carriedOf(bridge)).toBe('');
});

/** Where the MACs have become known before: not knowing them would be a reason by itself. */
test.each([
  { reason: 'a port that does not learn any more', flags: OPEN & ~LEARNING },
  { reason: 'a cross-connect', flags: OPEN | XCONNECT },
  { reason: 'a port that is locked', flags: OPEN | LOCKED },
])("$reason, and both MACs are known: its frames are the engine's", ({ flags }) => {
  for (const [now, carried] of [
    [OPEN, 'a'],
    [flags, ''],
  ] as const) {
    const host = new FlowSwitch(plain());
    applyOperations(
      host.sw.context,
      ['a', 'b'].map((name) => ({ op: 'port', port: host.sw.port(name), bridge: 1, flags: now, mtu: 1500 })),
    );
    host.comes('a', 4);
    expect(host.carried).toBe(carried);
  }
});

test('one reason at the other port speaks against no flow that it does not concern', () => {
  expect(carriedOf(plain({ police: { output: LIMIT } }))).toBe('a');
  expect(carriedOf(plain({}, { police: { input: LIMIT } }))).toBe('a');
});

test("frames that are no packets are the engine's, and packets of both versions are carried", () => {
  for (const [fields, carried] of [
    [{ version: 6 }, 'a'],
    [{ tci: 0 }, ''],
  ] as const) {
    const host = new FlowSwitch(plain());
    host.comes('a', 4, fields);
    expect(host.carried).toBe(carried);
  }
});

test('a change of a port takes all flows back', () => {
  const host = new FlowSwitch(plain());
  host.comes('a', 4);
  host.ticks(2);
  expect(host.carried).toBe('a');
  applyOperations(host.sw.context, [{ op: 'port', port: host.sw.port('b'), bridge: 1, flags: 0, mtu: 1500 }]);
  host.ticks(2);
  expect(host.carried).toBe('');
});

test("frames that go into the kernel's devices and do not come out for a second end all of it", () => {
  const host = new FlowSwitch(plain());
  host.table.inside = 3; // as many as may be on their way
  host.ticks(30);
  host.table.inside = 4;
  host.ticks(10);
  host.table.inside = 0; // one came out
  host.ticks(1);
  host.table.inside = 4;
  host.ticks(10);
  expect(host.flows.isBroken).toBe(false);
  host.ticks(1);
  expect(host.flows.isBroken).toBe(true);
  host.comes('a', 8);
  expect(host.carried).toBe('');
});

test('the flows of one guest take no more rows than they leave, and those of another are carried', () => {
  const host = new FlowSwitch(plain(), { fdbCapacity: 4096 });
  for (let guest = 0; guest < 700; guest++) {
    const source = `02:00:00:01:${(guest >> 8).toString(16)}:${(guest & 0xff).toString(16)}`.replace(
      /:(.)(?=:|$)/g,
      ':0$1',
    );
    host.comes('a', 4, { source });
  }
  expect(host.flows.end).toBe(512);
  host.comes('b', 4);
  expect(host.carried).toBe('b');
});

test('more flows become busy in a turn than it gives: the others do with their next frame', () => {
  const host = new FlowSwitch(plain(), { fdbCapacity: 4096 });
  const sources = Array.from({ length: 40 }, (_, at) => `02:00:00:02:00:${at.toString(16).padStart(2, '0')}`);
  host.burst('a', sources, 4);
  expect(host.flows.end).toBe(32);
  host.burst('a', sources, 1);
  expect(host.flows.end).toBeGreaterThan(32); // some share a place among the candidates
});
