/** The table of multicast groups compared with a Map, over random sequences of changes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { Groups, MAX_GROUPS, QUERIER4, QUERIER6 } from '../../../src/dataplane/state/groups.js';

type Words = [number, number, number, number];
const v4 = (last: number): Words => [0, 0, 0xffff, (0xef000000 + last) | 0];
const members = (groups: Groups, bridge: number, vid: number, address: Words): number[] | null => {
  const row = groups.find(fidOf(bridge, vid), ...address);
  return row < 0 ? null : [...groups.destinationsAt(row)];
};

describe('a group', () => {
  it('has its destinations in ascending order, each once, and is replaced as a whole', () => {
    const groups = new Groups(1);
    groups.set(1, 10, { address: v4(1), destinations: [5, 3, 70_000_000, 3] });
    expect(members(groups, 1, 10, v4(1))).toEqual([3, 5, 70_000_000]);
    groups.set(1, 10, { address: v4(1), destinations: [9] });
    expect(members(groups, 1, 10, v4(1))).toEqual([9]);
    expect(groups.size).toBe(1);
  });

  it('is one of its bridge and VLAN', () => {
    const groups = new Groups(1);
    groups.set(1, 10, { address: v4(1), destinations: [1] });
    for (const [bridge, vid] of [
      [1, 0],
      [1, 11],
      [2, 10],
      [0, 10],
    ]) {
      expect(members(groups, bridge, vid, v4(1))).toBeNull();
    }
    groups.remove(1, 11, v4(1));
    expect(members(groups, 1, 10, v4(1))).toEqual([1]);
  });

  it('may have nobody, and that is not the same as none', () => {
    const groups = new Groups(1);
    groups.set(1, 0, { address: v4(1), destinations: [] });
    expect(members(groups, 1, 0, v4(1))).toEqual([]);
    groups.remove(1, 0, v4(1));
    expect(members(groups, 1, 0, v4(1))).toBeNull();
  });
});

it('routers and queriers of a VLAN are there until both are gone', () => {
  const groups = new Groups(1);
  const queriers = () => {
    const row = groups.findRouters(fidOf(3, 7));
    return row < 0 ? null : [groups.queriersAt(row), ...groups.destinationsAt(row)];
  };
  expect(queriers()).toBeNull();
  groups.setRouters(3, 7, [4, 2], true, false);
  expect(queriers()).toEqual([QUERIER4, 2, 4]);
  groups.setRouters(3, 7, [], true, true);
  expect(queriers()).toEqual([QUERIER4 | QUERIER6]);
  groups.setRouters(3, 7, [6], false, false);
  expect(queriers()).toEqual([0, 6]);
  groups.setRouters(3, 7, [], false, false);
  expect(queriers()).toBeNull();
  expect(groups.size).toBe(0);
});

it('a bridge goes with all its groups, its neighbours stay', () => {
  const groups = new Groups(1);
  for (let bridge = 1; bridge <= 3; bridge++) {
    for (let vid = 0; vid < 4096; vid += 91) groups.set(bridge, vid, { address: v4(vid), destinations: [bridge] });
    groups.setRouters(bridge, 4095, [bridge], true, true);
  }
  const each = groups.size / 3;
  groups.dropBridge(2);
  expect(groups.size).toBe(each * 2);
  for (let vid = 0; vid < 4096; vid += 91) {
    expect([1, 2, 3].map((bridge) => members(groups, bridge, vid, v4(vid)))).toEqual([[1], null, [3]]);
  }
  expect([1, 2, 3].map((bridge) => groups.findRouters(fidOf(bridge, 4095)) < 0)).toEqual([false, true, false]);
});

it('holds as many as it says, refuses one more, and has room again', () => {
  const groups = new Groups(1);
  for (let last = 0; last < MAX_GROUPS; last++) groups.set(1, 1, { address: v4(last), destinations: [last & 1023] });
  expect(() => groups.set(1, 1, { address: v4(MAX_GROUPS), destinations: [1] })).toThrow(
    'the table of multicast groups is full: 98304 rows',
  );
  expect(members(groups, 1, 1, v4(MAX_GROUPS - 1))).toEqual([1023]);
  groups.remove(1, 1, v4(5));
  groups.set(1, 1, { address: v4(MAX_GROUPS), destinations: [1] });
  expect(members(groups, 1, 1, v4(MAX_GROUPS))).toEqual([1]);
});

it('keeps groups apart that a guest has chosen to collide without a seed', () => {
  // An unseeded `a1 ^ a0` is the same for all of them.
  const address = (i: number): Words => [0xff050000 | i, 0x12340000 ^ i, 0, 1];
  const groups = new Groups(20261129);
  for (let i = 0; i < 20_000; i++) groups.set(1, 1, { address: address(i), destinations: [i & 1023] });
  for (let i = 0; i < 20_000; i++) {
    const held = members(groups, 1, 1, address(i));
    if (held === null || held[0] !== (i & 1023)) expect.fail(`group ${i} is lost`);
  }
  expect(members(groups, 1, 2, address(7))).toBeNull();
});

describe('the sources of a group', () => {
  const to = (groups: Groups, group: Words, source: Words): number[] => {
    const row = groups.find(fidOf(1, 10), ...group);
    return [...groups.destinationsAt(groups.rowFor(row, ...source))];
  };
  const from = (last: number): Words => [0, 0, 0xffff, 0x0a000000 + last];
  const row = (last: number, ...destinations: number[]) => ({ address: from(last), destinations });

  it('have destinations of their own; others go as the group', () => {
    const groups = new Groups(1);
    groups.set(1, 10, { address: v4(1), destinations: [1] }, [row(1, 1, 2), row(2)]);
    groups.set(1, 10, { address: v4(2), destinations: [] }, [row(1, 9)]);
    expect([1, 2, 3].map((last) => to(groups, v4(1), from(last)))).toEqual([[1, 2], [], [1]]);
    expect(to(groups, v4(2), from(1))).toEqual([9]);
    expect(to(groups, v4(3), from(1))).toEqual([]);
    expect(groups.size).toBe(5);
  });

  it('are replaced with it, and go with it and with its bridge', () => {
    const groups = new Groups(1);
    groups.set(1, 10, { address: v4(1), destinations: [1] }, [row(1, 2), row(2, 3)]);
    groups.set(1, 10, { address: v4(1), destinations: [1] }, [row(2, 4)]);
    expect([1, 2].map((last) => to(groups, v4(1), from(last)))).toEqual([[1], [4]]);
    groups.set(1, 10, { address: v4(1), destinations: [1] });
    expect([groups.size, ...to(groups, v4(1), from(2))]).toEqual([1, 1]);
    groups.set(1, 10, { address: v4(1), destinations: [1] }, [row(2, 4)]);
    groups.remove(1, 10, v4(1));
    expect(groups.size).toBe(0);
    groups.set(1, 10, { address: v4(1), destinations: [1] }, [row(2, 4)]);
    groups.dropBridge(1);
    expect(groups.size).toBe(0);
    // The number of a list is given again: no source of another group comes with it.
    groups.set(1, 10, { address: v4(5), destinations: [1] }, [row(3, 7)]);
    expect([2, 3].map((last) => to(groups, v4(5), from(last)))).toEqual([[1], [7]]);
  });

  it('do what a map does', () => {
    const change = fc.record({
      remove: fc.boolean(),
      last: fc.nat(12),
      sources: fc.uniqueArray(fc.tuple(fc.nat(9), fc.nat(1000)), { maxLength: 5, selector: ([source]) => source }),
    });
    fc.assert(
      fc.property(fc.nat(0xffff), fc.array(change, { maxLength: 120 }), (seed, changes) => {
        const groups = new Groups(seed);
        const model = new Map<number, Map<number, number>>();
        for (const { remove, last, sources } of changes) {
          if (remove) groups.remove(1, 10, v4(last));
          else
            groups.set(
              1,
              10,
              { address: v4(last), destinations: [last] },
              sources.map(([s, d]) => row(s, d)),
            );
          if (remove) model.delete(last);
          else model.set(last, new Map(sources));
        }
        expect(groups.size).toBe([...model.values()].reduce((sum, sources) => sum + 1 + sources.size, 0));
        for (let last = 0; last <= 12; last++) {
          for (let source = 0; source <= 9; source++) {
            const sources = model.get(last);
            const expected = sources === undefined ? [] : [sources.get(source) ?? last];
            expect(to(groups, v4(last), from(source))).toEqual(expected);
          }
        }
      }),
      { seed: 8, numRuns: 100 },
    );
  });
});

it('does what a map does', () => {
  const change = fc.record({
    remove: fc.boolean(),
    vid: fc.nat(2),
    last: fc.nat(40),
    destinations: fc.uniqueArray(fc.nat(1_000_000), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.nat(0xffff), fc.array(change, { maxLength: 400 }), (seed, changes) => {
      const groups = new Groups(seed);
      const model = new Map<string, number[]>();
      for (const { remove, vid, last, destinations } of changes) {
        if (remove) groups.remove(1, vid, v4(last));
        else groups.set(1, vid, { address: v4(last), destinations });
        if (remove) model.delete(`${vid} ${last}`);
        else
          model.set(
            `${vid} ${last}`,
            [...destinations].sort((a, b) => a - b),
          );
      }
      expect(groups.size).toBe(model.size);
      for (let vid = 0; vid <= 2; vid++) {
        for (let last = 0; last <= 40; last++) {
          expect(members(groups, 1, vid, v4(last))).toEqual(model.get(`${vid} ${last}`) ?? null);
        }
      }
    }),
    { seed: 7, numRuns: 200 },
  );
});
