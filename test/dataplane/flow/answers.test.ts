/**
 * Which way flows take that answer each other: the one on which they go back and forth more often (`dataplane/flow/answers.ts`). The table of
 * flows is in memory, and tells what the test says that it has carried.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { hasOutgrown } from '../../../src/dataplane/flow/answers.js';
import { FREE, ROW_STATE, SEEN_FRAMES } from '../../../src/dataplane/state/flows.js';
import { FlowSwitch } from '../support/memory-flow-table.js';

/** Ticks of a look, and from one to the next. */
const LOOK = 4;
const EACH = 600;

let host: FlowSwitch;

beforeEach(() => {
  host = new FlowSwitch({ ports: { a: { type: 'tap' }, b: { type: 'tap' } } });
});

function becomeCarried(): void {
  host.comes('a', 4);
  host.comes('b', 4);
  expect(host.carried).toBe('ab');
}

/** A look in which the engine hands on so many frames a tick in each direction. */
function looked(frames: number): void {
  for (let i = 0; i < LOOK; i++) {
    host.comes('a', frames);
    host.comes('b', frames);
    host.ticks(1);
  }
  host.comes('a', 1);
  host.comes('b', 1);
}

describe('flows that answer each other', () => {
  test('stay with the engine when it is sooner, and are carried again some time later', () => {
    becomeCarried();
    host.carriedTick(1000, 1000);
    expect(host.carried).toBe('ab'); // the first tick was not whole
    host.carriedTick(1000, 1001);
    expect(host.carried).toBe('');
    looked(1200);
    expect(host.carried).toBe('');
    host.comes('a', 10);
    host.comes('b', 10);
    host.ticks(EACH);
    expect(host.carried).toBe('');
    becomeCarried();
  });

  test('are carried again when the engine is not sooner by an eighth, and are left alone for some time', () => {
    becomeCarried();
    host.carriedTick(1000, 1000);
    host.carriedTick(1000, 1000);
    looked(1100);
    expect(host.carried).toBe('ab');
    for (let tick = 0; tick < EACH - 1; tick++) host.carriedTick(1000, 1000);
    expect(host.carried).toBe('ab');
    host.carriedTick(1000, 1000);
    expect(host.carried).toBe('');
  });

  test('are carried again as soon as there are superframes among them', () => {
    becomeCarried();
    host.carriedTick(1000, 1000);
    host.carriedTick(1000, 1000);
    looked(2000);
    expect(host.carried).toBe('');
    host.ticks(11);
    host.comes('a', 8);
    expect(host.carried).toBe('');
    host.comes('a', 1, { data: 1501 });
    host.comes('a', 4);
    expect(host.carried).toBe('a');
    host.ticks(EACH + 101);
    expect(host.flows.rows[ROW_STATE]).toBe(FREE);
  });

  test('are carried again when they are more than go back and forth one by one', () => {
    const seen = new Int32Array(16);
    seen[SEEN_FRAMES] = 50_000; // in a second
    expect(hasOutgrown(seen, 0, 60)).toBe(false);
    seen[SEEN_FRAMES] = 50_001;
    expect(hasOutgrown(seen, 0, 60)).toBe(true);
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
  for (let tick = 0; tick < 10; tick++) host.carriedTick(there, back, length);
  expect(host.carried).toBe('ab');
});
