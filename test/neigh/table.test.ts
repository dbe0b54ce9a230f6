/** The neighbour table alone: who wins, disputes, ageing, a full table, routers, flushes, and reading from outside. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  createNeighbours,
  HEARD_BY_TUNNEL,
  HEARD_CHANGED,
  HEARD_DISPUTE,
  HEARD_FULL,
  HEARD_KEPT,
  HEARD_NEW,
  HEARD_ROLE,
  HEARD_ROUTER,
  HEARD_SAME,
  HEARD_WEAK,
  NEIGH_DISPUTED,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  NEIGH_TUNNEL,
  Neighbours,
  NeighReader,
  type NeighRow,
} from '../../src/neigh/table.js';

const FID = 7;
const out = new Int32Array(4);
let table: Neighbours;

const address = (host: number): number[] => [0, 0, 0xffff, 0xc6120000 | host | 0];

function hear(host: number, low: number, now: number, port = 1, traits = 0, fid = FID): number {
  return table.hear(fid, address(host), 0, 0x0200, low, port, traits, now, out);
}

function row(host: number, fid = FID): NeighRow | null {
  return new NeighReader(table.memory).find(fid, address(host));
}

function all(): NeighRow[] {
  const rows: NeighRow[] = [];
  expect(new NeighReader(table.memory).forEach((binding) => void rows.push(binding))).toBe(0);
  return rows;
}

beforeEach(() => {
  table = createNeighbours({ capacity: 64, ports: 8, seed: 1 });
});

describe('a binding from another table', () => {
  it('is as it was there, and neither displaces another nor a configured one', () => {
    table = createNeighbours({ capacity: 4 });
    expect(table.restore(FID, address(1), 0x0200, 7, NEIGH_ROUTER | NEIGH_TUNNEL | NEIGH_DISPUTED, 2, 100)).toBe(true);
    expect(row(1)).toMatchObject({ low: 7, flags: NEIGH_ROUTER | NEIGH_TUNNEL, port: 2, stamp: 100 });
    expect(table.isRouter(FID, 0x0200, 7)).toBe(true);
    table.set(FID, address(2), 0x0200, 8, false, 1, 5);
    expect(table.restore(FID, address(2), 0x0200, 9, 0, 2, 100)).toBe(false);
    expect(row(2)).toMatchObject({ low: 8, flags: NEIGH_MANUAL });
    expect(table.restore(FID, address(3), 0x0200, 9, 0, 2, 100)).toBe(true);
    expect(table.restore(FID, address(4), 0x0200, 9, 0, 2, 100)).toBe(false);
    // It ages from its stamp on.
    table.sweep(100 + 2999, 100);
    expect(row(3)).not.toBeNull();
    table.sweep(100 + 3000, 100);
    expect(row(3)).toBeNull();
    expect(() => table.restore(0, address(5), 0, 1, 0, 1, 1)).toThrow(RangeError);
    expect(() => table.restore(FID, address(5), 0, 1, 0, 5000, 1)).toThrow(RangeError);
  });
});

describe('what is heard', () => {
  it('is known from then on, to every view on the memory', () => {
    expect(hear(1, 10, 5, 3, HEARD_BY_TUNNEL)).toBe(HEARD_NEW);
    expect(Neighbours.attach(table.memory).read(FID, address(1), 0, out)).toBe(true);
    expect([...out]).toEqual([0x0200, 10, NEIGH_TUNNEL, 3]);
    const expected = { fid: FID, address: address(1), high: 0x0200, low: 10, port: 3, stamp: 5 };
    expect(all()).toEqual([{ ...expected, flags: NEIGH_TUNNEL }]);
    expect(table.read(FID + 1, address(1), 0, out)).toBe(false);
    expect(table.read(FID, address(2), 0, out)).toBe(false);
  });

  it('again makes it young', () => {
    hear(1, 10, 5);
    expect(hear(1, 10, 9)).toBe(HEARD_SAME);
    expect(row(1)?.stamp).toBe(9);
  });

  it('elsewhere, or by another way, moves it', () => {
    hear(1, 10, 5);
    expect(hear(1, 10, 6, 2)).toBe(HEARD_CHANGED);
    expect(hear(1, 10, 7, 2, HEARD_BY_TUNNEL)).toBe(HEARD_CHANGED);
    expect(row(1)).toMatchObject({ port: 2, flags: NEIGH_TUNNEL, low: 10 });
    expect(new NeighReader(table.memory).counters()).toMatchObject({ entries: 1, learned: 1, changed: 0 });
  });

  it('from another MAC wins, unless it says that it should not', () => {
    hear(1, 10, 5);
    expect(hear(1, 11, 6, 1, HEARD_WEAK)).toBe(HEARD_KEPT);
    expect(hear(1, 11, 6)).toBe(HEARD_CHANGED);
    expect(row(1)).toMatchObject({ low: 11, stamp: 6 });
  });

  it('tells a router, who stays one until another MAC or the router itself says otherwise', () => {
    hear(1, 10, 1, 1, HEARD_ROLE | HEARD_ROUTER);
    expect(hear(1, 10, 2)).toBe(HEARD_SAME);
    expect(row(1)?.flags).toBe(NEIGH_ROUTER);
    expect(table.isRouter(FID, 0x0200, 10)).toBe(true);
    expect(table.isRouter(FID + 1, 0x0200, 10)).toBe(false);
    hear(1, 10, 3, 1, HEARD_ROLE);
    expect([row(1)?.flags, table.isRouter(FID, 0x0200, 10)]).toEqual([0, false]);
    hear(1, 10, 4, 1, HEARD_ROLE | HEARD_ROUTER);
    hear(1, 11, 5);
    expect([row(1)?.flags, table.isRouter(FID, 0x0200, 10), table.isRouter(FID, 0x0200, 11)]).toEqual([
      0,
      false,
      false,
    ]);
  });
});

describe('two MACs that claim one address', () => {
  const claims = (from: number, count: number, apart: number): number[] =>
    Array.from({ length: count }, (_, i) => hear(1, 10 + ((i + 1) & 1), from + i * apart));

  it('are told once; the binding stays until they are calm, and then the newest wins again', () => {
    hear(1, 10, 100);
    expect(claims(101, 8, 1)).toEqual([
      ...Array(4).fill(HEARD_CHANGED),
      HEARD_DISPUTE,
      HEARD_SAME, // the holder
      HEARD_KEPT,
      HEARD_SAME,
    ]);
    expect([out[1], row(1)?.low, row(1)?.flags]).toEqual([10, 10, NEIGH_DISPUTED]);
    for (let now = 110; now < 1000; now += 50) expect(hear(1, 11, now)).toBe(HEARD_KEPT);
    expect(hear(1, 11, 1050)).toBe(HEARD_CHANGED);
    expect(row(1)).toMatchObject({ low: 11, flags: 0 });
    expect(new NeighReader(table.memory).counters().conflicts).toBe(1);
  });

  it('are told of again after a calm', () => {
    hear(1, 10, 0);
    claims(1, 5, 1);
    expect(hear(1, 11, 200)).toBe(HEARD_CHANGED);
    const again = Array.from({ length: 5 }, (_, i) => hear(1, 10 + (i & 1), 201 + i));
    expect(again.filter((outcome) => outcome === HEARD_DISPUTE)).toHaveLength(1);
  });

  it('in their own time are no dispute', () => {
    hear(1, 10, 100);
    expect(claims(200, 40, 13)).not.toContain(HEARD_DISPUTE);
  });

  it('are calm in a listing after a sweep', () => {
    hear(1, 10, 0);
    claims(1, 5, 1);
    table.sweep(50, 1000);
    expect(row(1)?.flags).toBe(NEIGH_DISPUTED);
    table.sweep(57, 1000);
    expect(row(1)?.flags).toBe(0);
  });
});

describe('what is put in by hand', () => {
  const set = (host: number, low: number, router = false, port = 2): boolean =>
    table.set(FID, address(host), 0x0200, low, router, port, 50);

  it('stays whatever is heard, and never ages', () => {
    hear(1, 10, 1);
    expect(set(1, 20)).toBe(true);
    for (let now = 60; now < 80; now++) expect(hear(1, 10 + (now & 1), now)).toBe(HEARD_KEPT);
    table.sweep(1_000_000, 1000);
    expect(row(1)).toMatchObject({ low: 20, flags: NEIGH_MANUAL, port: 2, stamp: 50 });
  });

  it('is replaced and removed by hand', () => {
    set(1, 20, true);
    set(1, 21, true);
    expect([table.isRouter(FID, 0x0200, 20), table.isRouter(FID, 0x0200, 21)]).toEqual([false, true]);
    expect([table.remove(FID, address(1)), table.remove(FID, address(1))]).toEqual([true, false]);
    expect([row(1), table.isRouter(FID, 0x0200, 21)]).toEqual([null, false]);
    expect(hear(1, 10, 60)).toBe(HEARD_NEW);
  });

  it('makes its MAC a router’s for as long as some binding says so', () => {
    set(1, 20, true);
    set(2, 20, true);
    table.remove(FID, address(1));
    expect(table.isRouter(FID, 0x0200, 20)).toBe(true);
    set(2, 20, false);
    expect(table.isRouter(FID, 0x0200, 20)).toBe(false);
    expect(all()).toHaveLength(1);
  });

  it.each([
    ['a fid', [0, 0x0200, 1]],
    ['a MAC', [FID, 0x10000, 1]],
    ['a port', [FID, 0x0200, 8]],
  ])('is refused with %s out of range', (_name, [fid, high, port]) => {
    expect(() => table.set(fid, address(1), high, 1, false, port, 0)).toThrow(RangeError);
  });
});

describe('a full table', () => {
  it('has the oldest of the port that holds most give way', () => {
    for (let host = 0; host < 10; host++) hear(host, host, 10 + host, 1);
    for (let host = 10; host < 64; host++) hear(host, host, 100 + host, 2);
    for (let host = 100; host < 140; host++) expect(hear(host, host, 300, 2)).toBe(HEARD_NEW);
    // The flood came from port 2, whose own have made room.
    expect(all().filter(({ port }) => port === 1)).toHaveLength(10);
    expect(new NeighReader(table.memory).counters()).toMatchObject({ entries: 64, evicted: 40, refused: 0 });
  });

  it('takes what is put in by hand in place of what was learned, and nothing where all is by hand', () => {
    for (let host = 0; host < 64; host++) hear(host, host, host);
    for (let host = 0; host < 64; host++)
      expect(table.set(FID, address(1000 + host), 2, host, false, 1, 99)).toBe(true);
    expect(all().every(({ flags }) => flags === NEIGH_MANUAL)).toBe(true);
    expect(table.set(FID, address(2000), 2, 1, false, 1, 99)).toBe(false);
    expect(hear(1, 1, 100)).toBe(HEARD_FULL);
    expect(all()).toHaveLength(64);
  });

  it('is one of rows: routers take one each', () => {
    for (let host = 0; host < 64; host++) hear(host, host, host, 1, HEARD_ROLE | HEARD_ROUTER);
    const routers = all().filter(({ flags }) => (flags & NEIGH_ROUTER) !== 0);
    for (const { low } of routers) expect(table.isRouter(FID, 0x0200, low)).toBe(true);
    expect(routers.length).toBeGreaterThanOrEqual(31);
    expect(all().length).toBeLessThanOrEqual(33);
    table.flush({});
    expect([all(), table.counters[7]]).toEqual([[], 0]);
  });
});

describe('ageing', () => {
  it('counts from when a binding was heard last', () => {
    hear(1, 10, 0);
    hear(2, 11, 100);
    expect(table.sweep(2999, 1000)).toBe(0);
    expect(table.sweep(3000, 1000)).toBe(1);
    expect([row(1), row(2)?.low]).toEqual([null, 11]);
  });

  it('goes on where the clock wraps', () => {
    hear(1, 10, 0x7fffffff);
    expect(table.sweep(2998, 1000)).toBe(0);
    expect(table.sweep(2999, 1000)).toBe(1);
  });
});

describe('a flush', () => {
  beforeEach(() => {
    hear(1, 10, 0, 1);
    hear(2, 11, 0, 2);
    hear(3, 12, 0, 2, 0, 9);
    table.set(FID, address(4), 2, 2, false, 2, 0);
  });

  it.each([
    [{}, 4],
    [{ port: 2 }, 3],
    [{ port: 2, learnedOnly: true }, 2],
    [{ fids: [8, 9] as [number, number] }, 1],
    [{ port: 3 }, 0],
  ])('%j takes %i', (match, count) => {
    expect(table.flush(match)).toBe(count);
    expect(all()).toHaveLength(4 - count);
  });
});

it('refuses memory that is not its own, and sizes that make no sense', () => {
  expect(() => Neighbours.attach(new SharedArrayBuffer(4096))).toThrow(TypeError);
  expect(() => new NeighReader(new SharedArrayBuffer(8))).toThrow(TypeError);
  expect(() => createNeighbours({ capacity: 0 })).toThrow(/give an integer/);
});
