import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENT_WORDS, HEAD_EVENTS, viewsOf } from '../../src/fdb/layout.js';
import {
  CAUSE_EVICTED,
  CAUSE_FLUSHED,
  CAUSE_LIMIT,
  CAUSE_NONE,
  CAUSE_REMOVED,
  createFdb,
  EVENT_ADDED,
  EVENT_AGED,
  EVENT_CHANGED,
  EVENT_DELETED,
  EVENT_LEARNED,
  EVENT_MOVED,
  type Fdb,
  type FdbEvent,
  FdbEvents,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_STATIC,
} from '../../src/fdb/table.js';
import { translateRoom } from '../shared-memory/translate-room.js';

const HIGH = 0xfe00;

const all = (events: FdbEvents, max?: number): FdbEvent[] => {
  const seen: FdbEvent[] = [];
  events.read((event) => void seen.push(event), max);
  return seen;
};

describe('the events of an FDB', () => {
  it('tell each change once, with what it was about', () => {
    const fdb = createFdb({ capacity: 2 });
    const events = FdbEvents.attach(fdb.memory);
    fdb.learn(HIGH, -1, 7, 10, 1, 100);
    fdb.learn(HIGH, -1, 7, 10, 1, 101);
    fdb.learn(HIGH, -1, 7, 11, 2, 102);
    fdb.set(HIGH, -1, 7, 12, 2, FLAG_STATIC, 103);
    fdb.set(HIGH, -1, 7, 12, 2, FLAG_STATIC, 104);
    const key = { high: HIGH, low: -1, fid: 7 };
    const learned = {
      kind: EVENT_LEARNED,
      cause: CAUSE_NONE,
      destination: 10,
      oldDestination: 10,
      flags: 0,
      tick: 100,
    };
    const moved = { kind: EVENT_MOVED, cause: CAUSE_NONE, destination: 11, oldDestination: 10, flags: 0, tick: 102 };
    const changed = {
      ...moved,
      kind: EVENT_CHANGED,
      destination: 12,
      oldDestination: 11,
      flags: FLAG_STATIC,
      tick: 103,
    };
    expect(all(events)).toEqual([learned, moved, changed].map((one, sequence) => ({ ...one, ...key, sequence })));
    expect(all(events)).toEqual([]);
  });

  it.each<[string, (fdb: Fdb) => unknown, number, number, number]>([
    ['removed by key', (fdb) => fdb.remove(HIGH, 1, 1), EVENT_DELETED, CAUSE_REMOVED, 50],
    ['removed by row', (fdb) => fdb.removeRow(fdb.lookup(HIGH, 1, 1)), EVENT_DELETED, CAUSE_REMOVED, 50],
    ['flushed', (fdb) => fdb.flush({ owner: 1 }), EVENT_DELETED, CAUSE_FLUSHED, 50],
    ['aged', (fdb) => fdb.sweep(9000, fdb.slots), EVENT_AGED, CAUSE_NONE, 9000],
    ['evicted by learning', (fdb) => fdb.learn(HIGH, 9, 1, 1, 1, 60), EVENT_DELETED, CAUSE_EVICTED, 60],
    ['evicted by control', (fdb) => fdb.set(HIGH, 9, 1, 1, 1, 0, 60), EVENT_DELETED, CAUSE_EVICTED, 60],
    ['moved to where there is no room', (fdb) => fdb.learn(HIGH, 1, 1, 30, 3, 60), EVENT_DELETED, CAUSE_LIMIT, 60],
  ])('tell why an entry is gone: %s', (_name, act, kind, cause, tick) => {
    const fdb = createFdb({ capacity: 2 });
    fdb.ownerLimit[3] = 1;
    fdb.learn(HIGH, 3, 1, 30, 3, 40);
    fdb.learn(HIGH, 1, 1, 10, 1, 50);
    fdb.remove(HIGH, 3, 1);
    fdb.set(HIGH, 3, 1, 30, 3, FLAG_STATIC, 50);
    if (cause === CAUSE_LIMIT) {
      fdb.set(HIGH, 3, 1, 30, 4, FLAG_STATIC, 50);
      fdb.remove(HIGH, 3, 1);
      fdb.learn(HIGH, 4, 1, 30, 3, 50);
    }
    const events = FdbEvents.attach(fdb.memory);
    act(fdb);
    const about = { high: HIGH, low: 1, fid: 1, destination: 10, oldDestination: 10, flags: 0 };
    expect(all(events)[0]).toMatchObject({ kind, cause, tick, ...about });
  });

  it('tell of entries that control puts in, with their flags', () => {
    const fdb = createFdb({ capacity: 4 });
    const events = FdbEvents.attach(fdb.memory);
    fdb.set(HIGH, 1, 1, 10, 1, 0, 5);
    fdb.set(HIGH, 2, 1, 10, 1, FLAG_EXTERN_LEARN, 5);
    fdb.learn(HIGH, 2, 1, 11, 2, 6);
    expect(all(events).map(({ kind, low, flags }) => [kind, low, flags])).toEqual([
      [EVENT_ADDED, 1, FLAG_ADDED],
      [EVENT_ADDED, 2, FLAG_EXTERN_LEARN],
      [EVENT_MOVED, 2, FLAG_ADDED],
    ]);
  });

  it('begin for a reader with what comes after it', () => {
    const fdb = createFdb({ capacity: 4 });
    fdb.learn(HIGH, 1, 1, 1, 1, 0);
    const events = FdbEvents.attach(fdb.memory);
    expect(all(events)).toEqual([]);
    fdb.learn(HIGH, 2, 1, 1, 1, 0);
    expect(all(events).map(({ low }) => low)).toEqual([2]);
  });

  it('are read in pieces, by several readers each at its own pace', () => {
    const fdb = createFdb({ capacity: 16 });
    const [one, other] = [FdbEvents.attach(fdb.memory), FdbEvents.attach(fdb.memory)];
    for (let low = 0; low < 10; low++) fdb.learn(HIGH, low, 1, 1, 1, 0);
    expect([all(one, 4), all(one, 4), all(one, 4)].map((part) => part.map(({ low }) => low))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect([one.pending, other.pending]).toEqual([0, 10]);
    expect(all(other)).toHaveLength(10);
  });

  it('are lost where they are overwritten, the oldest, and counted', () => {
    const fdb = createFdb({ capacity: 64, events: 8 });
    const events = FdbEvents.attach(fdb.memory);
    for (let low = 0; low < 20; low++) fdb.learn(HIGH, low, 1, 1, 1, 0);
    const seen: number[] = [];
    expect(events.read(({ low }) => void seen.push(low))).toBe(14);
    expect(seen).toEqual([14, 15, 16, 17, 18, 19]);
    expect(events.read(() => expect.fail('read twice'))).toBe(0);
  });

  it.each([
    [1, 4],
    [5, 8],
    [undefined, 16_384],
  ])('have room for %s and more: %i', (asked, kept) => {
    const fdb = createFdb({ capacity: 8, events: asked });
    expect(viewsOf(fdb.memory).events.length).toBe(kept * EVENT_WORDS);
    const events = FdbEvents.attach(fdb.memory);
    fdb.learn(HIGH, 1, 1, 1, 1, 0);
    expect(all(events)).toHaveLength(1);
  });

  it('go on where their number wraps', () => {
    const fdb = createFdb({ capacity: 64, events: 8 });
    fdb.header[HEAD_EVENTS] = 0x7ffffffd;
    const events = FdbEvents.attach(fdb.memory);
    for (let low = 0; low < 6; low++) fdb.learn(HIGH, low, 1, 1, 1, 0);
    expect(all(events).map(({ low, sequence }) => [low, sequence & 7])).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => [i, (5 + i) & 7]),
    );
    for (let low = 10; low < 30; low++) fdb.learn(HIGH, low, 1, 1, 1, 0);
    expect(events.read(() => undefined)).toBe(14);
  });
});

/** Changes few entries as fast as it can; each record's destination and tick follow from its key and kind. */
const WRITER = `
import { workerData, parentPort } from 'node:worker_threads';
import { Fdb } from './fdb/table.js';
const fdb = Fdb.attach(workerData.memory);
const mix = (low, owner) => Math.imul(low * 31 + owner, 0x9e3779b1) >>> 1;
parentPort.once('message', () => {
  let state = 1;
  let changes = 0;
  for (let i = 0; i < workerData.rounds; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const low = (state >> 8) & 15;
    const owner = (state >> 12) & 3;
    if ((state >> 16) % 3 === 0) changes += fdb.remove(0x0200, low, 1) ? 1 : 0;
    else changes += fdb.learn(0x0200, low, 1, mix(low, owner), owner, mix(low, owner)) > 0 ? 1 : 0;
  }
  parentPort.postMessage(changes);
});
parentPort.postMessage('ready');
`;

describe('FdbEvents beside a writing thread', () => {
  let folder = '';

  beforeEach(() => {
    folder = translateRoom({ 'writer.js': WRITER }, 'fdb');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it.each([
    ['that has room', 65_536, 150_000],
    ['that is overwritten while it is read', 16, 1_000_000],
  ])(
    'in a ring %s: each change read once, whole and in order, or counted as lost',
    async (_name, room, rounds) => {
      const fdb = createFdb({ capacity: 24, owners: 4, events: room });
      const worker = new Worker(join(folder, 'writer.js'), { workerData: { memory: fdb.memory, rounds } });
      const next = (): Promise<unknown> =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      await next();
      const events = FdbEvents.attach(fdb.memory);
      const torn: FdbEvent[] = [];
      let [read, lost, last, disorder] = [0, 0, -1, 0];
      const take = (event: FdbEvent): void => {
        const { low, destination, tick, sequence } = event;
        read++;
        if (sequence <= last) disorder++;
        last = sequence;
        const mix = (owner: number): number => Math.imul(low * 31 + owner, 0x9e3779b1) >>> 1;
        const isWhole = [0, 1, 2, 3].some((owner) => mix(owner) === destination);
        if (!isWhole || (event.kind !== EVENT_DELETED && tick !== destination)) torn.push(event);
      };
      let changes: number | null = null;
      const done = next().then((count) => {
        changes = count as number;
      });
      worker.postMessage('go');
      while (changes === null) {
        for (let i = 0; i < 50; i++) lost += events.read(take, 1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await done;
      lost += events.read(take);
      await worker.terminate();
      expect(torn.slice(0, 3)).toEqual([]);
      expect(disorder).toBe(0);
      expect(read + lost).toBe(changes);
      expect(read).toBeGreaterThan(100);
      expect(viewsOf(fdb.memory).header[HEAD_EVENTS]).toBe(changes);
    },
    20_000,
  );
});
