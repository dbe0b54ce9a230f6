/**
 * A guest that joins and leaves without a pause, while the engines cannot be told: during a hand-over or a long change it may be half a
 * minute. What waits for them is bounded by the size of the tables, not by time.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { bridgeOptions } from '../../../src/config/options/bridge.js';
import { defaultsOf } from '../../../src/config/options/option.js';
import { Mdb } from '../../../src/control/tables/mdb.js';
import { snoopSettings } from '../../../src/control/tables/mdb-settings.js';
import { type GroupAddress, joinRecord, leaveRecord } from '../../../src/wire/group-message.js';
import { IPV4_MAPPED, parseAddress } from '../../../src/wire/ip-address.js';

const words = (text: string): GroupAddress => parseAddress(text)?.words as GroupAddress;
const numbered = (i: number): GroupAddress => [0, 0, IPV4_MAPPED, (0xef000000 + i) | 0] as unknown as GroupAddress;
const IDENTITY = { mac: '02:00:00:00:00:99', addresses: { 4: words('0.0.0.0'), 6: words('fe80::99') } };
const MAX_GROUPS = 32;
const place = { port: 1, remote: 0, vid: 0 };
const now = 1_000_000;
let mdb: Mdb;

beforeEach(() => {
  mdb = new Mdb({ bridge: () => 'br1', port: (port) => `t${port}`, remote: () => '' });
  const settings = snoopSettings(defaultsOf(bridgeOptions));
  mdb.setBridge(1, { settings, identity: IDENTITY, vids: new Set([0]), maxGroups: MAX_GROUPS }, now);
  for (const port of [1, 2]) mdb.setPort(port, { bridge: 1, router: 1, fastLeave: port === 1 });
});

const hear = (records: ReturnType<typeof joinRecord>[]): void =>
  mdb.hear({ kind: 'report', family: 4, records }, place, now);
const groupsOf = (): number[] =>
  mdb
    .take()
    .operations.flatMap((one) => (one.op === 'group' || one.op === 'group-del' ? [one.address[3] & 0xffff] : []));

describe('operations that wait', () => {
  it('are none for a group that came and went', () => {
    hear([joinRecord(numbered(1)), leaveRecord(numbered(1))]);
    expect(groupsOf()).toEqual([]);
  });

  it('are two for each group that there may be, however many came and went', () => {
    hear(Array.from({ length: MAX_GROUPS }, (_, i) => joinRecord(numbered(i + 1))));
    expect(groupsOf()).toHaveLength(MAX_GROUPS);
    // Each new one takes the place of another; so none of the first is left.
    for (let i = 1; i <= MAX_GROUPS; i++) hear([leaveRecord(numbered(i))]);
    for (let i = 100; i < 10_000; i++) hear([joinRecord(numbered(i)), leaveRecord(numbered(i))]);
    hear(Array.from({ length: MAX_GROUPS }, (_, i) => joinRecord(numbered(20_000 + i))));
    const { operations } = mdb.take();
    expect(operations.filter(({ op }) => op === 'group-del')).toHaveLength(MAX_GROUPS);
    expect(operations.filter(({ op }) => op === 'group')).toHaveLength(MAX_GROUPS);
  });

  it('end with the present state of a group that engines know, which went and came', () => {
    hear([joinRecord(numbered(1))]);
    expect(groupsOf()).toEqual([1]);
    hear([leaveRecord(numbered(1)), joinRecord(numbered(1)), leaveRecord(numbered(1))]);
    expect(mdb.take().operations.map(({ op }) => op)).toEqual(['group-del']);
    hear([joinRecord(numbered(1))]);
    expect(mdb.take().operations.map(({ op }) => op)).toEqual(['group']);
    hear([leaveRecord(numbered(1)), joinRecord(numbered(1))]);
    expect(mdb.take().operations.map(({ op }) => op)).toEqual(['group-del', 'group']);
  });
});

describe('groups of many members', () => {
  const GROUPS = 20;
  const MEMBERS = 50;

  it('are told in pieces, each of them once, as they are then', () => {
    for (let i = 1; i <= GROUPS; i++) {
      for (let remote = 1; remote <= MEMBERS; remote++)
        mdb.hear({ kind: 'report', family: 4, records: [joinRecord(numbered(i))] }, { ...place, port: 2, remote }, now);
    }
    const told: number[] = [];
    let pieces = 0;
    for (; pieces === 0 || mdb.isBehind; pieces++) {
      const { operations } = mdb.take(3 * MEMBERS);
      expect(operations.length).toBe(pieces < 6 ? 3 : 2);
      for (const one of operations) if (one.op === 'group') told.push(one.destinations.length);
      // The last one has one member more when its turn comes.
      if (pieces === 0) hear([joinRecord(numbered(GROUPS))]);
    }
    expect([pieces, told]).toEqual([7, [...Array.from({ length: GROUPS - 1 }, () => MEMBERS), MEMBERS + 1]]);
    expect(mdb.take().operations).toEqual([]);
  });

  it('are all told where nobody may know a place any more', () => {
    for (let i = 1; i <= GROUPS; i++) hear([joinRecord(numbered(i))]);
    expect(mdb.take(1).operations).toHaveLength(1);
    expect([mdb.isBehind, mdb.take().operations.length, mdb.isBehind]).toEqual([true, GROUPS - 1, false]);
  });
});

describe('events', () => {
  it('are taken without the operations, which wait', () => {
    hear([joinRecord(numbered(1)), leaveRecord(numbered(1)), joinRecord(numbered(2))]);
    expect(mdb.takeEvents().map((event) => 'change' in event && event.change)).toEqual(['added', 'deleted', 'added']);
    expect(mdb.takeEvents()).toEqual([]);
    const { events, operations } = mdb.take();
    expect([events, operations.map(({ op }) => op)]).toEqual([[], ['group']]);
  });
});
