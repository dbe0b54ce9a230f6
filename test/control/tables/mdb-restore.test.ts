/** A second MDB that goes on from what a first one has learned, at another time of its own clock. */
import { describe, expect, it } from 'vitest';
import { Mdb, MEMBERSHIP_MS, QUERIER_MS } from '../../../src/control/tables/mdb.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { type GroupAddress, joinRecord } from '../../../src/wire/group-message.js';
import { parseAddress } from '../../../src/wire/ip-address.js';
import { SnoopingSwitch } from '../../conformance/support/snooping.js';

const words = (text: string): GroupAddress => parseAddress(text)?.words as GroupAddress;
const GROUP = words('239.1.1.1');
const OTHER = words('239.1.1.2');

function makeMdb(): Mdb {
  const mdb = new Mdb({ bridge: (n) => `br${n}`, port: (n) => `t${n}`, remote: (n) => `192.0.2.${n}` });
  for (const port of [1, 2, 9]) mdb.setPort(port, { bridge: 1, router: 1, fastLeave: false });
  mdb.take();
  return mdb;
}

function heard(now: number): Mdb {
  const mdb = makeMdb();
  const query = { kind: 'query', family: 4, maxDelay: 1000, sources: 0, suppress: false, group: null } as const;
  mdb.hear({ ...query, source: words('198.18.0.1') }, { port: 2, remote: 0, vid: 10 }, now);
  mdb.hear({ kind: 'report', family: 4, records: [joinRecord(GROUP)] }, { port: 1, remote: 0, vid: 10 }, now);
  mdb.hear({ kind: 'report', family: 4, records: [joinRecord(GROUP)] }, { port: 9, remote: 3, vid: 10 }, now + 500);
  mdb.add(1, [10], GROUP, destinationOf(2, 0));
  mdb.add(1, [10], OTHER, destinationOf(2, 0));
  return mdb;
}

describe('an MDB that goes on from another one', () => {
  it('has its learned members, routers and queriers, with the time that was left', () => {
    const first = heard(1_000_000);
    first.tick(1_002_000);
    const second = makeMdb();
    second.add(1, [10], GROUP, destinationOf(2, 0));
    second.add(1, [10], OTHER, destinationOf(2, 0));
    second.restore(JSON.parse(JSON.stringify(first.heard(1_002_000))) as ReturnType<Mdb['heard']>, 7000);
    const rows = (mdb: Mdb, now: number): string[] =>
      mdb
        .rows(now)
        .mdb.map((row) => JSON.stringify(row))
        .sort();
    expect(rows(second, 7000)).toEqual(rows(first, 1_002_000));
    expect(second.rows(7000).router).toEqual(first.rows(1_002_000).router);
    // The engines restrict the groups at once: the querier's first answers were complete.
    const { operations } = second.take();
    expect(operations).toContainEqual(
      expect.objectContaining({ op: 'routers', vid: 10, destinations: [2], querier4: true, querier6: false }),
    );
    const members = [destinationOf(1, 0), destinationOf(2, 0), destinationOf(9, 3)].sort();
    const group = operations.find((one) => one.op === 'group' && one.address[3] === GROUP[3]);
    expect([...(group?.op === 'group' ? group.destinations : [])].sort()).toEqual(members);
    // Each expires when it would have.
    second.tick(7000 + QUERIER_MS - 2000 - 1);
    expect(second.rows(7000).router).toHaveLength(1);
    second.tick(7000 + QUERIER_MS - 2000);
    expect(second.rows(7000).router).toHaveLength(0);
    second.tick(7000 + MEMBERSHIP_MS - 2000 + 499);
    expect(
      second
        .rows(7000)
        .mdb.map(({ state }) => state)
        .sort(),
    ).toEqual(['permanent', 'permanent', 'temp']);
    second.tick(7000 + MEMBERSHIP_MS - 2000 + 500);
    expect(second.rows(7000).mdb.map(({ state }) => state)).toEqual(['permanent', 'permanent']);
  });

  it('waits for the rest of the response time of a querier that has just come', () => {
    const second = makeMdb();
    second.restore(heard(1_000_000).heard(1_000_400), 7000);
    expect(second.take().operations.some((one) => one.op === 'routers' && one.querier4)).toBe(false);
    second.tick(7599);
    expect(second.take().operations.some((one) => one.op === 'routers' && one.querier4)).toBe(false);
    second.tick(7600);
    expect(second.take().operations.some((one) => one.op === 'routers' && one.querier4)).toBe(true);
  });

  it('takes no group in that is never restricted, and makes no permanent member a learned one', () => {
    const second = makeMdb();
    second.add(1, [10], GROUP, destinationOf(1, 0));
    const members: [number, number][] = [[destinationOf(1, 0), 5000]];
    const groups = [GROUP, words('224.0.0.1'), words('10.0.0.1')].map((address) => ({ address, members }));
    second.restore([{ bridge: 1, vid: 10, groups, routers: [], queriers: [] }], 0);
    expect(second.rows(0).mdb).toEqual([expect.objectContaining({ grp: '239.1.1.1', state: 'permanent' })]);
  });

  it('has source filters, and a querier of its own whose first answers were complete', () => {
    const first = new SnoopingSwitch();
    first.report(4, '239.1.1.1', ['192.0.2.1', '192.0.2.2']);
    first.report(5, '239.1.1.1', ['192.0.2.2']);
    first.report(1, '239.1.1.2', ['192.0.2.1'], 't3');
    const second = new SnoopingSwitch({ mcast_querier: false });
    second.set({ mcast_querier: true });
    second.mdb.restore(JSON.parse(JSON.stringify(first.mdb.heard(first.now))) as ReturnType<Mdb['heard']>, second.now);
    second.settle();
    const rows = ({ mdb, now }: SnoopingSwitch): string[] => mdb.rows(now).mdb.map((row) => JSON.stringify(row));
    expect(rows(second).sort()).toEqual(rows(first).sort());
    for (const source of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
      for (const group of ['239.1.1.1', '239.1.1.2'])
        expect(second.reaches(group, source)).toEqual(first.reaches(group, source));
    }
  });
});
