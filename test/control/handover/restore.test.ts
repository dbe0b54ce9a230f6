/**
 * Tables cross from one process to another that has other indexes: each row is where its names are there, and words that no process
 * would send neither end the restoring in silence nor spoil a table.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  groupsOf,
  removeEntries,
  type Restored,
  restoreBindings,
  restoreCounts,
  restoreEntries,
  Translation,
} from '../../../src/control/handover/restore.js';
import type { Counts, Names, State } from '../../../src/control/handover/estate.js';
import { BINDING_SENT_WORDS, learnedBindings } from '../../../src/control/handover/tables.js';
import type { SwitchModel, VxlanPort } from '../../../src/control/model/model.js';
import { CounterReader, Counters, RETIRED } from '../../../src/dataplane/state/counters.js';
import { ABSENT_HOST_PORT, destinationOf, GROUP_REMOTES } from '../../../src/dataplane/state/destination.js';
import { fidOf, pinFidOf } from '../../../src/dataplane/state/fid.js';
import { createRemotes, type RemoteTable, STATIC_REMOTES } from '../../../src/encap/remotes.js';
import { createFdb, differenceOf, FdbReader, FLAG_PERMANENT, KEY_WORDS, SENT_WORDS } from '../../../src/fdb/table.js';
import { createNeighbours, HEARD_BY_TUNNEL, NeighReader } from '../../../src/neigh/table.js';

const NOW = 50_000;
const VTEP = [0, 0, 0xffff, 0xc0000201 | 0];
const STRANGER = [0, 0, 0xffff, 0xc0000299 | 0];

/** The indexes of the former process: br0 is bridge 1, tap0 port 0, vx port 1, its VTEPs remotes 3 and STATIC_REMOTES. */
const names: Names = {
  bridges: [
    [1, 'br0'],
    [2, 'gone'],
  ],
  ports: [
    [0, 'tap0'],
    [1, 'vx'],
    [2, 'gone0'],
  ],
  remotes: [
    { index: 3, port: 'vx', address: '192.0.2.1', udpPort: 4789 },
    { index: 4, port: 'vx', address: '192.0.2.1', udpPort: 4789, vni: 7 },
    { index: 5, port: 'vx', address: '192.0.2.1', udpPort: 1234 },
    { index: STATIC_REMOTES, port: 'vx', address: '192.0.2.153', udpPort: 4789, heard: 70 },
    { index: 9, port: 'gone0', address: '192.0.2.1', udpPort: 4789 },
    { index: 10, port: 'tap0', address: '192.0.2.1', udpPort: 4789 },
    { index: 11, port: 'vx', address: 'nonsense', udpPort: 4789 },
  ],
  groups: [
    { index: 2, port: 'vx', nhid: 10 },
    { index: 3, port: 'vx', nhid: 11 },
    { index: 4, port: 'tap0', nhid: 10 },
  ],
};

let to: Restored;
let by: Translation;
let remotes: RemoteTable;

beforeEach(() => {
  // Here br0 is bridge 5, tap0 port 8, vx port 6, and its VTEP remotes 21 and 22.
  const vteps = new Map([
    [
      '192.0.2.1',
      {
        ...{ address: '192.0.2.1', home: 21, udpPort: 4789, said: new Map(), users: 1 },
        others: new Map([['4789 7', { remote: 22, udpPort: 4789, sent: { vni: 7, header: 0, counter: 3 } }]]),
      },
    ],
  ]);
  const vlans = new Map([[5, { untagged: false, suppresses: false, isolated: false, state: undefined, counter: 40 }]]);
  const nexthops = new Map([[10, { nhid: 10, index: 7, users: 1, members: [] }]]);
  const vx = { kind: 'vxlan', name: 'vx', index: 6, vteps, vlans, vnis: [{ vni: 42, vid: 5, header: 0, counter: 2 }] };
  const ports = new Map<string, unknown>([
    ['tap0', { kind: 'tap', name: 'tap0', index: 8, vlans: new Map() }],
    ['vx', { ...vx, sentVnis: new Map(), nexthops } as Partial<VxlanPort>],
  ]);
  const model = { bridges: new Map([['br0', { index: 5 }]]), ports } as unknown as SwitchModel;
  remotes = createRemotes(1);
  remotes.add(21, 6, VTEP, 4789, true);
  const tables = { fdb: createFdb({ capacity: 64, groups: 16 }), neigh: createNeighbours(), counters: new Counters() };
  to = { model, remotes, tables, tick: NOW };
  by = new Translation(names, to);
});

const entries = () => {
  const rows: object[] = [];
  new FdbReader(to.tables.fdb.memory).forEach(({ row: _, high: __, ...row }) => {
    rows.push(row);
  });
  return rows;
};

describe('indexes of the former process', () => {
  it('mean what their names mean here', () => {
    expect([by.bridge(1), by.bridge(2), by.bridge(3)]).toEqual([5, undefined, undefined]);
    expect([by.port(0), by.port(1), by.port(2), by.port(ABSENT_HOST_PORT)]).toEqual([
      8,
      6,
      undefined,
      ABSENT_HOST_PORT,
    ]);
    expect([3, 4, 5, 9, 10, 11].map((index) => by.remote(index))).toEqual([
      21,
      22,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(by.fid(fidOf(1, 5))).toBe(fidOf(5, 5));
    expect(by.fid(pinFidOf(1, 5))).toBeUndefined();
    expect(by.destination(destinationOf(1, 3))).toBe(destinationOf(6, 21));
    expect(by.destination(destinationOf(1, 5))).toBeUndefined();
    // A group of nexthops by its ID on the port; one that is not used here has no place.
    expect(by.destination(destinationOf(1, GROUP_REMOTES + 2))).toBe(destinationOf(6, GROUP_REMOTES + 7));
    for (const index of [3, 4]) expect(by.destination(destinationOf(1, GROUP_REMOTES + index))).toBeUndefined();
  });

  it('of learned VTEPs are made anew, with their age', () => {
    const found = remotes.find(6, STRANGER[0], STRANGER[1], STRANGER[2], STRANGER[3]);
    expect(found).toBeGreaterThanOrEqual(STATIC_REMOTES);
    expect(by.remote(STATIC_REMOTES)).toBe(found);
    expect(remotes.heardAt(found)).toBe(NOW - 70);
    // A second part of the tables means the same VTEP.
    expect(new Translation(names, to).remote(STATIC_REMOTES)).toBe(found);
    expect(remotes.learnedOf(6)).toBe(1);
  });
});

describe('rows', () => {
  it('of the FDB are where they were, by name; those without a place are left out', () => {
    const former = createFdb({ capacity: 64, groups: 16 });
    former.learn(0x200, 1, fidOf(1, 0), destinationOf(0, 0), 0, 900);
    former.learn(0x200, 2, fidOf(1, 5), destinationOf(1, STATIC_REMOTES), 1, 950);
    former.set(0x200, 3, fidOf(1, 0), ABSENT_HOST_PORT, ABSENT_HOST_PORT, FLAG_PERMANENT, 950);
    former.learn(0x200, 4, fidOf(2, 0), destinationOf(0, 0), 0, 900);
    former.learn(0x200, 5, fidOf(1, 0), destinationOf(2, 0), 2, 900);
    former.learn(0x200, 6, fidOf(1, 0), destinationOf(1, 5), 1, 900);
    const rows = new FdbReader(former.memory).words;
    expect(restoreEntries(differenceOf(rows, null, 1000).entries, by, to)).toBe(3);
    const remote = by.remote(STATIC_REMOTES) ?? 0;
    expect(entries()).toEqual(
      expect.arrayContaining([
        { low: 1, fid: fidOf(5, 0), destination: 8, owner: 8, flags: 0, stamp: NOW - 100, moves: 0 },
        {
          low: 2,
          fid: fidOf(5, 5),
          destination: destinationOf(6, remote),
          owner: 6,
          flags: 0,
          stamp: NOW - 50,
          moves: 0,
        },
        expect.objectContaining({ low: 3, owner: ABSENT_HOST_PORT, flags: FLAG_PERMANENT }),
      ]),
    );
    removeEntries(Int32Array.of(1, 0x200, fidOf(1, 0), 2, 0x200, fidOf(2, 5)), by, to);
    expect(entries()).toHaveLength(2);
  });

  it('of neighbours too; configured ones are not sent', () => {
    const former = createNeighbours();
    const before = new Int32Array(8);
    former.hear(fidOf(1, 5), [0, 0, 0xffff, 77], 0, 0x200, 9, 1, HEARD_BY_TUNNEL, 940, before);
    former.hear(fidOf(2, 5), [0, 0, 0xffff, 78], 0, 0x200, 9, 1, HEARD_BY_TUNNEL, 940, before);
    former.set(fidOf(1, 5), [0, 0, 0xffff, 79], 0x200, 9, false, 1, 940);
    const words = learnedBindings(new NeighReader(former.memory), 1000);
    expect(words).toHaveLength(2 * BINDING_SENT_WORDS);
    restoreBindings(words, by, to);
    const found: object[] = [];
    new NeighReader(to.tables.neigh.memory).forEach((row) => {
      found.push(row);
    });
    expect(found).toEqual([
      expect.objectContaining({ fid: fidOf(5, 5), address: [0, 0, 0xffff, 77], port: 6, stamp: NOW - 60 }),
    ]);
  });

  it('of groups too', () => {
    const members: [number, number][] = [0, destinationOf(1, 3), destinationOf(1, 5), destinationOf(2, 0)].map(
      (place) => [place, 9],
    );
    const address: [number, number, number, number] = [0, 0, 0xffff, 1];
    const vlan = { vid: 5, groups: [{ address, members }], routers: members, queriers: [] };
    const state = {
      groups: [
        { bridge: 1, ...vlan },
        { bridge: 2, ...vlan },
      ],
    } as unknown as State;
    const here = [
      [8, 9],
      [destinationOf(6, 21), 9],
    ];
    expect(groupsOf(state, by)).toEqual([
      { bridge: 5, vid: 5, groups: [{ address, members: here, filters: [] }], routers: here, queriers: [], own: [] },
    ]);
  });

  it('of counters are added up; those of links that are no more are retired', () => {
    const traffic = (n: number) => ({ rx_packets: n, rx_bytes: 100 * n, tx_packets: 2 * n, tx_bytes: 200 * n });
    const account = (n: number) => ({
      traffic: traffic(n),
      rx: { port_down: n },
      tx: { queue_full: 1, of_another_version: 5 },
    });
    const counts: Counts = {
      ports: [
        ['tap0', account(1)],
        ['gone0', account(2)],
      ],
      retired: account(4),
      losses: [],
      replicated: 11,
      tunnelled: 12,
      remotes: [
        [3, traffic(5)],
        [9, traffic(6)],
      ],
      vnis: [
        [42, traffic(7)],
        [43, traffic(8)],
      ],
      vlans: [
        ['vx', 5, traffic(9)],
        ['vx', 6, traffic(10)],
      ],
      fdb: [0, 21, 22, 23, 24, 25],
    };
    restoreCounts(counts, by, to);
    const read = new CounterReader([to.tables.counters.memory]);
    expect(read.account(8)).toMatchObject({ traffic: traffic(1), rx: { port_down: 1 } });
    expect(read.account(RETIRED)).toMatchObject({ traffic: traffic(6), rx: { port_down: 6 } });
    expect([read.replicated, read.tunnelled]).toEqual([11, 12]);
    expect([read.remote(21), read.vni(2), read.vlan(40)]).toEqual([traffic(5), traffic(7), traffic(9)]);
    const { learned, moved, aged, refused, evicted } = new FdbReader(to.tables.fdb.memory).counters();
    expect([learned, moved, aged, refused, evicted]).toEqual([21, 22, 23, 24, 25]);
  });

  it('of any words are refused as a whole, or leave the tables sound', () => {
    const word = fc.oneof(
      fc.nat(12),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.constantFrom(fidOf(1, 0), fidOf(1, 5)),
    );
    const words = (width: number) =>
      fc
        .array(fc.array(word, { minLength: width, maxLength: width }), { maxLength: 20 })
        .map((rows) => Int32Array.from(rows.flat()));
    fc.assert(
      fc.property(words(SENT_WORDS), words(KEY_WORDS), words(BINDING_SENT_WORDS), (rows, keys, bindings) => {
        for (const restore of [
          () => restoreEntries(rows, by, to),
          () => removeEntries(keys, by, to),
          () => restoreBindings(bindings, by, to),
        ]) {
          try {
            restore();
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
        const { fdb } = to.tables;
        let learned = 0;
        new FdbReader(fdb.memory).forEach(({ owner, flags, high, fid }) => {
          expect([8, 6, ABSENT_HOST_PORT]).toContain(owner);
          expect(fdb.lookup(high, 0, fid)).toBeLessThan(fdb.slots);
          if (flags === 0) learned++;
        });
        expect(fdb.learnedByOwner.reduce((sum, count) => sum + count, 0)).toBe(learned);
      }),
    );
  });
});
