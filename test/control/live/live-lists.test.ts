/** Number of operation lists of a change: one, so that no frame sees an intermediate state, unless the FDB is very large. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { FDB_SIZE, LiveSwitch } from './live-switch.js';

const DOCUMENT = {
  name: 'live',
  fdb_size: FDB_SIZE,
  bridges: {
    br1: {
      ports: {
        t1: { type: 'tap', fdb: [{ mac: '02:00:00:00:00:0a' }] },
        t2: { type: 'tap' },
        v1: { type: 'vxlan', id: 50, remotes: ['192.0.2.1'] },
      },
    },
    br2: { ports: {} },
  },
};
/** Rows of one flush of a large table. */
const PIECE = 131_072;

/** The lists of one change: a port leaves its bridge for another, and its entries are flushed. */
async function listsOfMove(workers: number, fdbCapacity: number): Promise<Operation[][]> {
  const live = await LiveSwitch.start(DOCUMENT, { workers, fdbCapacity });
  const before = live.engines.lists.length;
  await live.controls.link({ op: 'set', name: 't1', master: 'br2' });
  live.stop();
  expect(live.fdb().filter(({ ifname }) => ifname === 't1')).toEqual([]);
  return live.engines.lists.slice(before);
}

function flushes(operations: readonly Operation[]): (Operation & { op: 'flush' })[] {
  return operations.flatMap((operation) => (operation.op === 'flush' ? [operation] : []));
}

describe.each([1, 2])('a change of a switch with %i engines', (workers) => {
  it('is one list where the FDB is small', async () => {
    const lists = await listsOfMove(workers, FDB_SIZE);
    expect(lists).toHaveLength(1);
    expect(flushes(lists[0])).toHaveLength(1);
  });

  it('is cut where flushing a large FDB would hold up frames, and each cut is short', async () => {
    const lists = await listsOfMove(workers, 200_000);
    const pieces = lists.flatMap(flushes);
    expect(pieces.length).toBeGreaterThan(1);
    expect(lists.every((list) => flushes(list).length <= 1)).toBe(true);
    expect(pieces.every(({ rowCount }) => rowCount <= PIECE)).toBe(true);
    // All rows, each once.
    expect(pieces.map(({ fromRow }) => fromRow)).toEqual(pieces.map((_, at) => at * PIECE));
    expect(pieces.length * PIECE).toBe(524_288);
    // What is gone is gone from the ports before its rows are, and nothing new is put in until they are.
    const first = lists.findIndex((list) => flushes(list).length > 0);
    expect(
      lists
        .slice(0, first)
        .flat()
        .some(({ op }) => op === 'port'),
    ).toBe(true);
    expect(
      lists
        .slice(0, first)
        .flat()
        .some(({ op }) => op === 'fdb'),
    ).toBe(false);
  });
});

describe('a change that comes to nothing', () => {
  it('does not reach the engines', async () => {
    const live = await LiveSwitch.start(DOCUMENT);
    const before = live.engines.lists.length;
    await live.controls.link({ op: 'set', name: 't1', master: 'br1' });
    await live.controls.apply({ config: DOCUMENT });
    live.stop();
    expect(live.engines.lists).toHaveLength(before);
  });
});
