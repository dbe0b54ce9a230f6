/**
 * A full multicast database: no port, no place and no bridge keeps others out, and what was learned gives way to what is added by
 * command. The limits of one port (`mcast_max_groups`), and what is counted of it.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { bridgeOptions } from '../../../src/config/options/bridge.js';
import { defaultsOf } from '../../../src/config/options/option.js';
import { Mdb, type MdbPlace } from '../../../src/control/tables/mdb.js';
import { snoopSettings } from '../../../src/control/tables/mdb-settings.js';
import {
  MAX_DESTINATIONS_OF_GROUP,
  MAX_GROUPS_OF_BRIDGE,
  MAX_PAIRS_OF_BRIDGE,
  MAX_ROUTERS_OF_VLAN,
  MAX_ROWS,
} from '../../../src/control/tables/mdb-state.js';
import {
  ALLOW_NEW_SOURCES,
  BLOCK_OLD_SOURCES,
  type GroupAddress,
  joinRecord,
} from '../../../src/wire/group-message.js';
import { IPV4_MAPPED, parseAddress } from '../../../src/wire/ip-address.js';

const words = (text: string): GroupAddress => parseAddress(text)?.words as GroupAddress;
const numbered = (i: number): GroupAddress => [0, 0, IPV4_MAPPED, 0xef000000 + i] as unknown as GroupAddress;
const source = (i: number): GroupAddress => [0, 0, IPV4_MAPPED, 0x0a000000 + i] as unknown as GroupAddress;
const VXLAN = 9;
const SETTINGS = snoopSettings({ ...defaultsOf(bridgeOptions), mcast_igmp_version: 3, mcast_mld_version: 2 });
const IDENTITY = { mac: '02:00:00:00:00:99', addresses: { 4: words('0.0.0.0'), 6: words('fe80::99') } };

let mdb: Mdb;
const now = 1_000_000;

function addBridge(bridge: number, maxGroups?: number): void {
  mdb.setBridge(
    bridge,
    {
      settings: SETTINGS,
      identity: IDENTITY,
      vids: new Set([10, 20]),
      ...(maxGroups === undefined ? {} : { maxGroups }),
    },
    now,
  );
}
const addPort = (port: number, bridge: number): void => mdb.setPort(port, { bridge, router: 1, fastLeave: false });
const at = (port: number, remote = 0, vid = 10): MdbPlace => ({ port, remote, vid });
const join = (place: MdbPlace, group: GroupAddress): void =>
  mdb.hear({ kind: 'report', family: 4, records: [joinRecord(group)] }, place, now);
const ask = (place: MdbPlace, group: GroupAddress, sources: GroupAddress[]): void =>
  mdb.hear({ kind: 'report', family: 4, records: [{ type: ALLOW_NEW_SOURCES, group, sources }] }, place, now);
const list = (from: number, count: number): GroupAddress[] => Array.from({ length: count }, (_, i) => source(from + i));
const rowsOf = (port: string) => mdb.rows(now).mdb.filter((row) => row.port === port);

beforeEach(() => {
  mdb = new Mdb({
    bridge: (bridge) => `br${bridge}`,
    port: (port) => (port === VXLAN ? 'vxlan0' : `t${port}`),
    remote: (remote) => `192.0.2.${remote}`,
  });
  addBridge(1);
  for (const port of [1, 2, 3, VXLAN]) addPort(port, 1);
});

describe('learned routers of a VLAN', () => {
  const routers = (port: string): number => mdb.rows(now).router.filter((row) => row.port === port).length;

  it('many of one tunnel do not keep the router behind another port out', () => {
    for (let remote = 1; remote <= MAX_ROUTERS_OF_VLAN; remote++) mdb.hearRouter(at(VXLAN, remote), now + remote);
    mdb.hearRouter(at(1), now);
    mdb.hearRouter(at(2), now);
    expect([routers('t1'), routers('t2'), routers('vxlan0')]).toEqual([1, 1, MAX_ROUTERS_OF_VLAN - 2]);
    // Those that end first have given way; further ones of the tunnel have no room.
    for (let remote = 2000; remote < 2100; remote++) mdb.hearRouter(at(VXLAN, remote), now);
    expect([routers('t1'), routers('t2'), routers('vxlan0'), mdb.refused]).toEqual([
      1,
      1,
      MAX_ROUTERS_OF_VLAN - 2,
      100,
    ]);
    const destinations = mdb.rows(now).router.map(({ dst }) => dst);
    for (const [dst, isThere] of [
      ['192.0.2.1', false],
      ['192.0.2.2', false],
      ['192.0.2.3', true],
    ] as const)
      expect([dst, destinations.includes(dst)]).toEqual([dst, isThere]);
  });

  it('engines are told of those that have given way', () => {
    mdb.add(1, [10], numbered(1), 1);
    for (let remote = 1; remote <= MAX_ROUTERS_OF_VLAN; remote++) mdb.hearRouter(at(VXLAN, remote), now);
    mdb.take();
    mdb.hearRouter(at(1), now);
    const told = mdb.take().operations.find(({ op }) => op === 'routers');
    expect(told).toMatchObject({ destinations: expect.arrayContaining([1]) });
    expect(told?.op === 'routers' && told.destinations).toHaveLength(MAX_ROUTERS_OF_VLAN);
  });
});

describe('sources that members name', () => {
  /** All pairs of the bridge, by one guest. */
  function fill(port = 1): void {
    for (let group = 0; group < MAX_PAIRS_OF_BRIDGE / 32; group++) ask(at(port), numbered(group), list(0, 32));
    expect(rowsOf(`t${port}`).filter(({ src }) => src !== undefined)).toHaveLength(MAX_PAIRS_OF_BRIDGE);
  }

  it('give way to those of an entry by command, and their members get every source instead', () => {
    fill();
    expect(mdb.add(1, [10], words('238.0.0.1'), 2, { source: source(1) })).toBe('added');
    expect(mdb.add(1, [10], words('238.0.0.2'), 2, { isInclude: true, sources: list(0, 31) })).toBe('added');
    expect(rowsOf('t2').filter(({ src, state }) => src !== undefined && state === 'permanent')).toHaveLength(32);
    const members = rowsOf('t1').filter(({ src }) => src === undefined);
    expect(members).toHaveLength(MAX_PAIRS_OF_BRIDGE / 32);
    expect(members.filter(({ filter_mode }) => filter_mode === 'exclude').length).toBeGreaterThan(0);
    for (let i = 0; i < MAX_PAIRS_OF_BRIDGE - 32; i++)
      expect(mdb.add(1, [10], words('238.0.0.3'), 2, { source: source(i) })).toBe('added');
    expect(rowsOf('t1').filter(({ src, flags }) => src !== undefined && flags.length === 0)).toEqual([]);
    expect(mdb.add(1, [10], words('238.0.0.4'), 2, { source: source(1) })).toBe('full');
    ask(at(1), words('238.0.0.5'), [source(1)]);
    expect(rowsOf('t1').at(-1)).toMatchObject({ grp: '238.0.0.5', filter_mode: 'exclude' });
  });

  it('of one guest do not keep those of another out', () => {
    fill();
    ask(at(2), words('238.0.0.1'), list(100, 4));
    expect(rowsOf('t2')[0]).toMatchObject({ filter_mode: 'include' });
    expect(rowsOf('t2').filter(({ src }) => src !== undefined)).toHaveLength(4);
    // One that has most gives way to nobody for itself.
    ask(at(1), words('238.0.0.2'), [source(0), ...list(200, 30)]);
    expect(rowsOf('t2').filter(({ src }) => src?.startsWith('10.0.0.10') === true)).toHaveLength(4);
  });
});

describe('rows of all bridges', () => {
  const BRIDGES = MAX_ROWS / (MAX_GROUPS_OF_BRIDGE + MAX_PAIRS_OF_BRIDGE);

  /** Guests of bridges 11 to 18 join and name all that they can. */
  function fill(): void {
    for (let i = 1; i <= BRIDGES; i++) {
      addBridge(10 + i);
      addPort(10 + i, 10 + i);
      for (let group = 0; group < MAX_PAIRS_OF_BRIDGE / 32; group++) ask(at(10 + i), numbered(group), list(0, 32));
      for (let group = MAX_PAIRS_OF_BRIDGE / 32; group < MAX_GROUPS_OF_BRIDGE; group++)
        join(at(10 + i), numbered(group));
    }
    expect(mdb.refused).toBe(0);
  }

  it('used up by guests of some, they leave room for guests of another', () => {
    fill();
    for (let group = 0; group < 100; group++) join(at(1), numbered(group));
    ask(at(2), words('238.0.0.1'), list(0, 4));
    // A member and its four sources.
    expect([mdb.entriesOf(1), mdb.entriesOf(2)]).toEqual([100, 5]);
  });

  it('used up by guests, they leave room for entries by command', () => {
    fill();
    for (let i = 0; i < 200; i++) expect(mdb.add(1, [10], numbered(i), 1)).toBe('added');
    expect(mdb.add(1, [10], words('238.0.0.1'), 1, { source: source(1) })).toBe('added');
    expect(mdb.entriesOf(1)).toBe(201);
  });
});

describe('the groups of a bridge', () => {
  it('are as many as mcast_hash_max says', () => {
    addBridge(1, 3);
    for (let i = 0; i < 5; i++) join(at(1), numbered(i));
    expect([rowsOf('t1').length, mdb.refused]).toEqual([3, 2]);
    expect(mdb.add(1, [10], words('238.0.0.1'), 2, { source: source(1) })).toBe('added');
    expect(mdb.rows(now).mdb).toHaveLength(3);
    for (let i = 0; i < 2; i++) expect(mdb.add(1, [10], numbered(100 + i), 2)).toBe('added');
    expect(mdb.add(1, [10], numbered(102), 2)).toBe('full');
    addBridge(1, 4);
    expect(mdb.add(1, [10], numbered(102), 2)).toBe('added');
  });
});

describe('the entries of a port', () => {
  const limit = (all: number, vlans: [number, number][] = []): void =>
    mdb.setPort(1, { bridge: 1, router: 1, fastLeave: true, limits: { all, vlans: new Map(vlans) } });
  const counted = (): number[] => [mdb.entriesOf(1), mdb.entriesOf(1, 10), mdb.entriesOf(1, 20)];

  it('are memberships and sources, in all and by VLAN', () => {
    ask(at(1), numbered(1), list(0, 4));
    join(at(1, 0, 20), numbered(1));
    mdb.add(1, [10], numbered(2), 1, { source: source(1) });
    expect(counted()).toEqual([7, 6, 1]);
    // What others name is not the port's.
    ask(at(2), numbered(1), list(9, 4));
    expect(counted()).toEqual([7, 6, 1]);
    mdb.remove(1, [10], numbered(1), 1);
    expect(counted()).toEqual([2, 1, 1]);
    mdb.flush(1, () => true);
    expect(counted()).toEqual([0, 0, 0]);
  });

  it('are no more than allowed, whether learned or by command; present ones stay', () => {
    join(at(1), numbered(1));
    join(at(1), numbered(2));
    limit(1);
    expect(counted()[0]).toBe(2);
    join(at(1), numbered(3));
    expect([counted()[0], mdb.refused]).toEqual([2, 1]);
    expect(mdb.add(1, [10], numbered(3), 1)).toBe('max_groups');
    mdb.flush(1, () => true);
    expect(mdb.add(1, [10, 20], numbered(3), 1)).toBe('max_groups');
    expect(mdb.add(1, [10], numbered(3), 1)).toBe('added');
    expect(mdb.add(1, [10], numbered(3), 1, { replaces: true })).toBe('added');
    expect(mdb.add(1, [10], numbered(3), 1, { replaces: true, isInclude: true, sources: [source(1)] })).toBe(
      'max_groups',
    );
    join(at(2), numbered(4));
    expect(rowsOf('t2')).toHaveLength(1);
    limit(0);
    join(at(1), numbered(4));
    expect(counted()[0]).toBe(2);
  });

  it('have limits of their own in VLANs, beside that of the port', () => {
    limit(5, [[10, 2]]);
    for (let i = 0; i < 4; i++) for (const vid of [10, 20]) join(at(1, 0, vid), numbered(i));
    expect(counted()).toEqual([5, 2, 3]);
    // A member with more sources than it may name gets every one.
    mdb.flush(1, () => true);
    ask(at(1), numbered(1), list(0, 4));
    expect(counted()).toEqual([1, 1, 0]);
    expect(rowsOf('t1')).toMatchObject([{ filter_mode: 'exclude' }]);
  });
});

describe('hosts behind a port with mcast_to_unicast', () => {
  const SOME = 8;
  const from = (host: number): MdbPlace => ({ ...at(1), host });

  beforeEach(() => {
    addBridge(1, SOME);
    mdb.setPort(1, { bridge: 1, router: 1, fastLeave: false, toUnicast: true });
  });

  it('are one place, however many MACs they have: their port gives way to another one', () => {
    for (let host = 1; host <= SOME; host++) join(from(host), numbered(host));
    expect(rowsOf('t1')).toHaveLength(SOME);
    join(at(2), numbered(100));
    expect(rowsOf('t2')).toHaveLength(1);
    expect(rowsOf('t1')).toHaveLength(SOME - 1);
  });

  it('all of them lose the group that gives way', () => {
    for (let group = 1; group <= SOME; group++) for (const host of [1, 2, 3]) join(from(host), numbered(group));
    join(at(2), numbered(100));
    expect(rowsOf('t2')).toHaveLength(1);
    expect(rowsOf('t1')).toHaveLength(3 * (SOME - 1));
    expect(mdb.entriesOf(1)).toBe(3 * (SOME - 1));
  });
});

describe('a group of many members', () => {
  const MEMBERS = 1000;
  const block = (place: MdbPlace, sources: GroupAddress[]): void =>
    mdb.hear(
      { kind: 'report', family: 4, records: [{ type: BLOCK_OLD_SOURCES, group: numbered(1), sources }] },
      place,
      now,
    );
  /** Destinations of all rows of the group, as engines get them. */
  const destinations = (): number =>
    mdb
      .take()
      .operations.flatMap((one) => (one.op === 'group' ? (one.sources ?? []) : []))
      .reduce((sum, row) => sum + row.destinations.length, 0);
  const named = (port: string): number =>
    rowsOf(port).reduce((sum, row) => sum + (row.src === undefined ? (row.source_list?.length ?? 0) : 0), 0);

  it('has a bounded number of destinations, however many sources they name, and who names few keeps them', () => {
    join(at(1), numbered(1));
    block(at(1), list(1, 3));
    for (let remote = 1; remote < MEMBERS; remote++) join(at(VXLAN, remote), numbered(1));
    expect(destinations()).toBe(3 * MEMBERS);
    for (let remote = 1; remote <= 64; remote++) block(at(VXLAN, remote), list(1000 + remote * 32, 32));
    const sum = destinations();
    expect(sum).toBeGreaterThan(MAX_DESTINATIONS_OF_GROUP / 2);
    expect(sum).toBeLessThanOrEqual(MAX_DESTINATIONS_OF_GROUP);
    expect(named('t1')).toBe(3);
  });

  it('has as many when the sources are named before the members come', () => {
    join(at(1), numbered(1));
    block(at(1), list(1, 3));
    for (let remote = 1; remote <= 64; remote++) {
      join(at(VXLAN, remote), numbered(1));
      block(at(VXLAN, remote), list(1000 + remote * 32, 32));
    }
    for (let remote = 65; remote < MEMBERS; remote++) join(at(VXLAN, remote), numbered(1));
    expect(destinations()).toBeLessThanOrEqual(MAX_DESTINATIONS_OF_GROUP);
    expect(named('t1')).toBe(3);
    // Every member is there still.
    expect(new Set(rowsOf('vxlan0').map(({ dst }) => dst)).size).toBe(MEMBERS - 1);
  });
});
