/**
 * Which way flows take that answer each other: the one on which they go back and forth more often (`dataplane/flow/answers.ts`). The table of
 * flows is in memory, and tells what the test says that it has carried.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { watchFdb } from '../../../src/dataplane/flow/mirror.js';
import { CARRIED, Flows, FREE, ROW_FROM_LOW, ROW_SHIFT, ROW_STATE } from '../../../src/dataplane/state/flows.js';
import {
  COUNT_BYTES,
  COUNT_FRAMES,
  COUNT_NOTED,
  COUNT_WORDS,
  FLOW_STAMPS,
  type FlowTable,
} from '../../../src/port/flow-table.js';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { parseMac } from '../../../src/wire/ethernet.js';
import { A, B, packet } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const TICK_MS = 100;
/** Ticks of a look, and from one to the next. */
const LOOK = 4;
const EACH = 600;

class MemoryTable implements FlowTable {
  readonly counts = new Int32Array(1024 * COUNT_WORDS);
  private readonly stamps = new Int32Array(FLOW_STAMPS + 1);
  set = (): number => 0;
  remove = (): void => undefined;
  setFar = (): number => 0;
  removeFar = (): void => undefined;
  outer = (): number => 0;
  under = (): boolean => false;
  takesSuperframes = false;
  holds = (): number => 0;
  isWatched = (): boolean => false;
  stamp = (place: number): number => this.stamps[place + 1];
  touch = (place: number): void => {
    this.stamps[place + 1]++;
  };
  read = (words: Int32Array): void => words.set(this.counts);
  listen = (): number => 0;
}

let sw: TestSwitch;
let table: MemoryTable;
let flows: Flows;

beforeEach(() => {
  // An observer would take the flows back.
  sw = new TestSwitch({ br0: { ports: { a: { type: 'tap' }, b: { type: 'tap' } } } }, { observed: false });
  table = new MemoryTable();
  flows = new Flows(table, 0);
  sw.context.flows = flows;
  watchFdb(sw.context, flows);
  for (const [at, name] of ['a', 'b'].entries())
    flows.ports[sw.port(name)] = { device: at + 1, filter: 0, index: at + 10, place: 1, isHome: false };
  // Both MACs are known.
  comes('a', 1);
  comes('b', 1);
  ticks(20);
});

/** Frames that come to the engine. @param data bytes behind the UDP header */
function comes(from: 'a' | 'b', frames: number, data = 10): void {
  const ends = from === 'a' ? { source: A, destination: B } : { source: B, destination: A };
  const bytes = packet({ ...ends, protocol: 'udp', data });
  for (let i = 0; i < frames; i++) sw.io.arrive({ kind: KIND_FRAME, index: sw.port(from), bytes });
  while (sw.io.waiting > 0) sw.engine.turn(0);
  sw.io.take();
}

function ticks(count: number): void {
  for (let i = 0; i < count; i++) {
    sw.io.advance(TICK_MS);
    sw.engine.turn(0);
  }
}

function slotOf(from: 'a' | 'b'): number {
  const low = parseMac(from === 'a' ? A : B)?.low;
  for (let slot = 0; slot < flows.end; slot++) {
    const row = slot << ROW_SHIFT;
    if (flows.rows[row + ROW_STATE] === CARRIED && flows.rows[row + ROW_FROM_LOW] === low) return slot;
  }
  return -1;
}

const carriedFlows = (): string => (['a', 'b'] as const).filter((from) => slotOf(from) >= 0).join('');

/** A tick in which the table carries so many frames of each flow. */
function carriedTick(there: number, back: number, length = 60): void {
  for (const [from, frames] of [
    ['a', there],
    ['b', back],
  ] as const) {
    const at = slotOf(from) * COUNT_WORDS;
    table.counts[at + COUNT_NOTED] += frames;
    table.counts[at + COUNT_FRAMES] += frames;
    table.counts[at + COUNT_BYTES] += frames * length;
  }
  ticks(1);
}

function becomeCarried(): void {
  comes('a', 4);
  comes('b', 4);
  expect(carriedFlows()).toBe('ab');
}

/** A look in which the engine hands on so many frames a tick in each direction. */
function looked(frames: number): void {
  for (let i = 0; i < LOOK; i++) {
    comes('a', frames);
    comes('b', frames);
    ticks(1);
  }
  comes('a', 1);
  comes('b', 1);
}

describe('flows that answer each other', () => {
  test('stay with the engine when it is sooner, and are carried again some time later', () => {
    becomeCarried();
    carriedTick(1000, 1000);
    expect(carriedFlows()).toBe('ab'); // the first tick was not whole
    carriedTick(1000, 1001);
    expect(carriedFlows()).toBe('');
    looked(1200);
    expect(carriedFlows()).toBe('');
    comes('a', 10);
    comes('b', 10);
    ticks(EACH);
    expect(carriedFlows()).toBe('');
    becomeCarried();
  });

  test('are carried again when the engine is not sooner by an eighth, and are left alone for some time', () => {
    becomeCarried();
    carriedTick(1000, 1000);
    carriedTick(1000, 1000);
    looked(1100);
    expect(carriedFlows()).toBe('ab');
    for (let tick = 0; tick < EACH - 1; tick++) carriedTick(1000, 1000);
    expect(carriedFlows()).toBe('ab');
    carriedTick(1000, 1000);
    expect(carriedFlows()).toBe('');
  });

  test('are carried again as soon as they are more than that: superframes, or many frames', () => {
    for (const more of ['superframe', 'many'] as const) {
      becomeCarried();
      carriedTick(1000, 1000);
      carriedTick(1000, 1000);
      looked(2000);
      expect(carriedFlows()).toBe('');
      ticks(11);
      if (more === 'superframe') comes('a', 1, 1501);
      else comes('a', 50_001);
      comes('a', 4);
      expect(carriedFlows()).toBe('a');
      ticks(EACH + 101);
      expect(flows.rows[ROW_STATE]).toBe(FREE);
    }
  });
});

test.each([
  { what: 'few frames', there: 499, back: 499 },
  { what: 'more frames than go back and forth one by one', there: 5001, back: 5001 },
  { what: 'data and fewer acknowledgements', there: 1000, back: 900 },
  { what: 'one direction', there: 1000, back: 0 },
  { what: 'superframes', there: 1000, back: 1000, length: 1515 },
])('$what: the flows are carried on', ({ there, back, length }) => {
  becomeCarried();
  for (let tick = 0; tick < 10; tick++) carriedTick(there, back, length);
  expect(carriedFlows()).toBe('ab');
});
