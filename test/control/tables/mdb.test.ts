/** The multicast database by itself: each timer with a warped clock, detection of routers and members, limits. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Mdb, type MdbPlace, MEMBERSHIP_MS, QUERIER_MS } from '../../../src/control/tables/mdb.js';
import {
  MAX_GROUPS_OF_BRIDGE,
  MAX_MEMBERS_OF_BRIDGE,
  MAX_ROUTERS_OF_VLAN,
} from '../../../src/control/tables/mdb-state.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { type GroupAddress, type GroupQuery, joinRecord, leaveRecord } from '../../../src/wire/group-message.js';
import { parseAddress } from '../../../src/wire/ip-address.js';

const words = (text: string): GroupAddress => parseAddress(text)?.words as GroupAddress;
const GROUP = '239.1.1.1';
const GROUP6 = 'ff0e::123';
const VXLAN = 9;

let mdb: Mdb;
let now: number;

/** Places of VLAN 10: a TAP by its number, or a remote behind port 9. */
const at = (port: number, remote = 0, vid = 10): MdbPlace => ({ port, remote, vid });
const behind = (remote: number): MdbPlace => at(VXLAN, remote);

beforeEach(() => {
  now = 1_000_000;
  mdb = new Mdb({
    bridge: (bridge) => `br${bridge}`,
    port: (port) => (port === VXLAN ? 'vxlan0' : `t${port}`),
    remote: (remote) => `192.0.2.${remote}`,
  });
  for (const port of [1, 2, 3, VXLAN]) mdb.setPort(port, { bridge: 1, router: 1, fastLeave: false });
  mdb.take();
});

function wait(ms: number): void {
  now += ms;
  mdb.tick(now);
}

const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);
const join = (place: MdbPlace, group = GROUP): void =>
  mdb.hear({ kind: 'report', family: familyOf(group), records: [joinRecord(words(group))] }, place, now);
const leave = (place: MdbPlace, group = GROUP): void =>
  mdb.hear({ kind: 'report', family: familyOf(group), records: [leaveRecord(words(group))] }, place, now);
const query = (
  place: MdbPlace,
  fields: Partial<Omit<GroupQuery, 'group' | 'source'>> & { group?: string; source?: string } = {},
): void => {
  const { group, source = fields.family === 6 ? 'fe80::1' : '198.18.0.1', ...rest } = fields;
  const common = { kind: 'query', family: 4, maxDelay: 1000, sources: 0, suppress: false } as const;
  mdb.hear({ ...common, ...rest, source: words(source), group: group === undefined ? null : words(group) }, place, now);
};

/** `port>remote grp timer` of each member, `dst` and VLAN left out where there is none. */
const members = (): string[] =>
  mdb
    .rows(now)
    .mdb.map(({ port, dst, vid, grp, timer }) =>
      [`${port}${dst === undefined ? '' : `>${dst}`}`, `${vid ?? '-'}`, grp, `${timer ?? 'permanent'}`].join(' '),
    );
const routers = (): string[] =>
  mdb
    .rows(now)
    .router.map(({ port, dst, timer }) => `${port}${dst === undefined ? '' : `>${dst}`} ${timer ?? 'permanent'}`);
/** The last word to the engines about the routers of VLAN 10; undefined: they were told nothing. */
const told = () =>
  mdb
    .take()
    .operations.filter(({ op }) => op === 'routers')
    .at(-1);

describe('a member', () => {
  it('comes with a report, told once to engines and listeners', () => {
    join(at(1));
    join(behind(2));
    join(at(1));
    expect(mdb.take()).toEqual({
      operations: [
        { op: 'group', bridge: 1, vid: 10, address: [...words(GROUP)], destinations: [1, destinationOf(VXLAN, 2)] },
      ],
      events: [
        { event: 'mdb', change: 'added', dev: 'br1', port: 't1', vid: 10, grp: GROUP },
        { event: 'mdb', change: 'added', dev: 'br1', port: 'vxlan0', vid: 10, dst: '192.0.2.2', grp: GROUP },
      ],
    });
    expect(mdb.take()).toEqual({ operations: [], events: [] });
  });

  it('stays for 260 seconds after its last report', () => {
    join(at(1));
    wait(100_000);
    join(at(1));
    mdb.take();
    wait(MEMBERSHIP_MS - 1);
    expect(members()).toEqual([`t1 10 ${GROUP} 0`]);
    expect(mdb.take().operations).toEqual([]);
    wait(1);
    expect(members()).toEqual([]);
    expect(mdb.take()).toEqual({
      operations: [{ op: 'group-del', bridge: 1, vid: 10, address: [...words(GROUP)] }],
      events: [{ event: 'mdb', change: 'deleted', dev: 'br1', port: 't1', vid: 10, grp: GROUP }],
    });
  });

  it('is shown with its time, and without VLAN filtering without a VID', () => {
    join(at(1, 0, 0), GROUP6);
    join(behind(3));
    wait(500);
    expect(members()).toEqual([`t1 - ${GROUP6} 259.5`, `vxlan0>192.0.2.3 10 ${GROUP} 259.5`]);
  });

  it('goes by one operation with the others, or alone', () => {
    join(at(1));
    join(at(2));
    mdb.take();
    wait(1000);
    join(at(2));
    wait(MEMBERSHIP_MS - 1000);
    expect(mdb.take().operations).toMatchObject([{ op: 'group', destinations: [2] }]);
  });

  it.each(['224.0.0.1', '224.0.0.251', 'ff02::1', '198.18.0.1', '2001:db8::1'])('of %s is none', (group) => {
    join(at(1), group);
    expect(mdb.take()).toEqual({ operations: [], events: [] });
    expect(mdb.rows(now).mdb).toEqual([]);
  });

  it('on a port that nobody told of is none', () => {
    join(at(77));
    query(at(77));
    mdb.hearRouter(at(77), now);
    expect([mdb.take().operations, mdb.rows(now)]).toEqual([[], { mdb: [], router: [] }]);
  });
});

describe('leaving', () => {
  beforeEach(() => {
    join(at(1));
    join(at(2));
    join(behind(3));
  });

  it('without a querier ends a membership after two seconds', () => {
    leave(at(1));
    wait(1999);
    expect(members()).toHaveLength(3);
    wait(1);
    expect(members()).toEqual([`t2 10 ${GROUP} 258`, `vxlan0>192.0.2.3 10 ${GROUP} 258`]);
  });

  it('is undone by a report', () => {
    leave(at(1));
    wait(1500);
    join(at(1));
    wait(MEMBERSHIP_MS - 1500 - 1);
    expect(members()).toHaveLength(3);
  });

  it('with a querier waits for its question, which all must answer', () => {
    query(at(3));
    leave(at(1));
    wait(10_000);
    expect(members()).toHaveLength(3);
    query(at(3), { group: GROUP });
    wait(500);
    join(behind(3));
    wait(1500);
    expect(members()).toEqual([`vxlan0>192.0.2.3 10 ${GROUP} 258.5`]);
  });

  it('takes as long as the question says, twice over, and never longer than it would have been', () => {
    query(at(3));
    query(at(3), { group: GROUP, maxDelay: 3000 });
    wait(5999);
    expect(members()).toHaveLength(3);
    query(at(3), { group: GROUP, maxDelay: 100_000 });
    wait(1);
    expect(members()).toEqual([]);
  });

  it.each<[string, { vid?: number; group?: string; sources?: number; suppress?: boolean }]>([
    ['for sources', { sources: 1 }],
    ['with the S flag', { suppress: true }],
    ['for another group', { group: '239.1.1.2' }],
    ['in another VLAN', { vid: 11 }],
  ])('is not asked for by a question %s', (_name, { vid = 10, ...fields }) => {
    query(at(3, 0, vid), { group: GROUP, ...fields });
    wait(10_000);
    expect(members()).toHaveLength(3);
  });

  it('is immediate on a port with mcast_fast_leave, remote by remote', () => {
    join(behind(4));
    mdb.setPort(VXLAN, { bridge: 1, router: 1, fastLeave: true });
    query(at(1));
    leave(behind(3));
    leave(at(2));
    expect(members().map((row) => row.split(' ')[0])).toEqual(['t1', 't2', 'vxlan0>192.0.2.4']);
  });

  it('of somebody else, or of another group, changes nothing', () => {
    mdb.take();
    leave(at(3));
    leave(behind(4));
    leave(at(1), '239.1.1.2');
    wait(5000);
    expect(members()).toHaveLength(3);
    expect(mdb.take().operations).toEqual([]);
  });
});

describe('a querier', () => {
  it('restricts groups once its first question must have been answered', () => {
    query(at(3), { maxDelay: 10_000 });
    expect(told()).toMatchObject({ querier4: false, destinations: [] });
    wait(9999);
    expect(told()).toBeUndefined();
    wait(1);
    expect(told()).toEqual({ op: 'routers', bridge: 1, vid: 10, destinations: [3], querier4: true, querier6: false });
  });

  it('is gone 255 seconds after its last question, and so is the router', () => {
    query(at(3));
    wait(125_000);
    query(at(3));
    expect(told()).toMatchObject({ querier4: true, destinations: [3] });
    wait(QUERIER_MS - 1);
    expect(told()).toBeUndefined();
    wait(1);
    expect(told()).toMatchObject({ querier4: false, destinations: [] });
    expect(routers()).toEqual([]);
    expect(mdb.due).toBe(Number.POSITIVE_INFINITY);
  });

  it('is one of its family and its VLAN', () => {
    query(at(3), { family: 6 });
    wait(1000);
    expect(told()).toMatchObject({ vid: 10, querier4: false, querier6: true });
    query(at(2, 0, 20));
    wait(1000);
    expect(told()).toMatchObject({ vid: 20, querier4: true, querier6: false, destinations: [2] });
  });

  it('gives way to one with a lower address, not to one with a higher', () => {
    query(at(2), { source: '198.18.0.2' });
    query(at(3), { source: '198.18.0.3' });
    expect(routers()).toEqual(['t2 255']);
    query(behind(7), { source: '198.18.0.1' });
    expect(routers()).toEqual(['t2 255', 'vxlan0>192.0.2.7 255']);
    wait(200_000);
    query(at(2), { source: '198.18.0.2' });
    expect(routers()).toEqual(['t2 55', 'vxlan0>192.0.2.7 55']);
    wait(55_000);
    query(at(2), { source: '198.18.0.2' });
    expect(routers()).toEqual(['t2 255']);
  });

  it('compares addresses as numbers without a sign', () => {
    query(at(2), { source: '10.0.0.1' });
    query(at(3), { source: '198.18.0.1' });
    expect(routers()).toEqual(['t2 255']);
    query(at(1), { source: '9.255.255.255' });
    expect(routers()).toEqual(['t2 255', 't1 255']);
  });

  it('without an address is one as well, and gives way to any', () => {
    query(at(2), { source: '0.0.0.0' });
    query(at(3), { source: '198.18.0.3' });
    expect(routers()).toEqual(['t2 255', 't3 255']);
  });
});

describe('a question about a group', () => {
  it('ends memberships only where the querier asks it', () => {
    query(at(2), { source: '198.18.0.1' });
    for (const place of [at(1), at(3), behind(4)]) join(place);
    const before = members();
    // Of a guest, also in the name of the querier; of another VTEP.
    for (const place of [at(1), at(3), behind(5)]) query(place, { group: GROUP, source: '198.18.0.1', maxDelay: 100 });
    expect(members()).toEqual(before);
    query(at(2), { group: GROUP, maxDelay: 1000 });
    expect(members()).toEqual(before.map((row) => row.replace(/\d+$/, '2')));
  });

  it('follows the querier to another port, and to the next one', () => {
    query(at(2), { source: '198.18.0.1' });
    join(at(1));
    query(at(3), { source: '198.18.0.1' });
    query(at(2), { group: GROUP });
    expect(members()[0]).toMatch(/ 260$/);
    query(at(1), { source: '198.18.0.0' });
    query(at(3), { group: GROUP });
    expect(members()[0]).toMatch(/ 260$/);
    query(at(1), { group: GROUP });
    expect(members()[0]).toMatch(/ 2$/);
  });
});

describe('a router', () => {
  it('is told by a PIM hello too, for 255 seconds', () => {
    mdb.hearRouter(at(2), now);
    expect(routers()).toEqual(['t2 255']);
    wait(QUERIER_MS);
    expect(routers()).toEqual([]);
  });

  it('is never on a port with mcast_router 0, though its question counts', () => {
    mdb.setPort(3, { bridge: 1, router: 0, fastLeave: false });
    query(at(3));
    mdb.hearRouter(at(3), now);
    wait(1000);
    expect(told()).toMatchObject({ querier4: true, destinations: [] });
    expect(routers()).toEqual([]);
  });

  it('is always on a port with mcast_router 2: all remotes of a vxlan port', () => {
    mdb.setPort(VXLAN, { bridge: 1, router: 2, fastLeave: false });
    query(behind(4));
    wait(1000);
    expect(told()).toMatchObject({ querier4: true, destinations: [VXLAN] });
    expect(routers()).toEqual(['vxlan0 permanent']);
    mdb.setPort(VXLAN, { bridge: 1, router: 1, fastLeave: false });
    expect(told()).toMatchObject({ querier4: true, destinations: [] });
  });

  it('comes and goes while queriers are heard', () => {
    query(at(3));
    wait(1000);
    mdb.take();
    query(at(3));
    expect(told()).toBeUndefined();
    mdb.hearRouter(behind(4), now);
    expect(told()).toMatchObject({ destinations: [3, destinationOf(VXLAN, 4)] });
    mdb.setPort(1, { bridge: 1, router: 2, fastLeave: false });
    expect(told()).toMatchObject({ destinations: [1, 3, destinationOf(VXLAN, 4)] });
    mdb.setPort(3, { bridge: 1, router: 0, fastLeave: false });
    expect(told()).toMatchObject({ destinations: [1, destinationOf(VXLAN, 4)] });
    mdb.forgetPort(1);
    expect(told()).toMatchObject({ destinations: [destinationOf(VXLAN, 4)] });
  });
});

describe('a permanent member', () => {
  it('is put in and taken out by hand, and nothing else ends it', () => {
    expect(mdb.add(1, [10], words(GROUP), 1)).toBe('added');
    expect(mdb.add(1, [10], words(GROUP), 1)).toBe('exists');
    join(at(1));
    query(at(3), { group: GROUP });
    mdb.setPort(1, { bridge: 1, router: 1, fastLeave: true });
    leave(at(1));
    mdb.forgetLearned(1);
    wait(1_000_000);
    expect(members()).toEqual([`t1 10 ${GROUP} permanent`]);
    mdb.take();
    expect(mdb.remove(1, [10], words(GROUP), 1)).toBe(true);
    expect(mdb.remove(1, [10], words(GROUP), 1)).toBe(false);
    expect(mdb.take().operations).toMatchObject([{ op: 'group-del' }, { op: 'routers', destinations: [] }]);
  });

  it('makes its group one that no querier is needed for, with the routers beside it', () => {
    mdb.hearRouter(at(2), now);
    join(at(3));
    mdb.take();
    mdb.add(1, [10], words(GROUP), 1);
    expect(mdb.take().operations).toMatchObject([
      { op: 'group', destinations: [3, 1], permanent: true },
      { op: 'routers', destinations: [2], querier4: false, querier6: false },
    ]);
    mdb.remove(1, [10], words(GROUP), 1);
    const [group, routers] = mdb.take().operations;
    expect(group).toEqual({ op: 'group', bridge: 1, vid: 10, address: words(GROUP), destinations: [3] });
    expect(routers).toMatchObject({ op: 'routers', destinations: [] });
  });

  it('a learned one that is put in by hand too makes it so', () => {
    join(at(1));
    mdb.take();
    mdb.add(1, [10], words(GROUP), 1);
    expect(mdb.take().operations[0]).toMatchObject({ op: 'group', destinations: [1], permanent: true });
  });

  it('of several VLANs is one in those where it was none; refused where it was one in all, or has no room in one', () => {
    mdb.add(1, [10], words(GROUP), 1);
    expect(mdb.add(1, [10, 20], words(GROUP), 1)).toBe('added');
    expect(mdb.add(1, [10, 20], words(GROUP), 1)).toBe('exists');
    expect(members()).toEqual([`t1 10 ${GROUP} permanent`, `t1 20 ${GROUP} permanent`]);
    expect(mdb.remove(1, [20, 30], words(GROUP), 1)).toBe(true);
    for (let i = 2; i < MAX_GROUPS_OF_BRIDGE; i++) mdb.add(1, [20], words(`239.2.${i >> 8}.${i & 255}`), 2);
    expect(mdb.add(1, [30, 40], words('238.1.1.1'), 1)).toBe('full');
    expect(members().filter((row) => row.includes('238.1.1.1'))).toEqual([]);
  });

  it('takes the place of a learned one without an event', () => {
    join(at(1));
    mdb.take();
    expect(mdb.add(1, [10], words(GROUP), 1)).toBe('added');
    expect(mdb.take().events).toEqual([]);
    wait(MEMBERSHIP_MS);
    expect(members()).toEqual([`t1 10 ${GROUP} permanent`]);
  });

  it.each(['224.0.0.5', 'ff02::1', '10.0.0.1'])('of %s is refused', (group) => {
    expect(mdb.add(1, [10], words(group), 1)).toBe('invalid');
  });

  it('of a learned group can be taken out by hand too', () => {
    join(at(1));
    expect(mdb.remove(1, [10], words(GROUP), 1)).toBe(true);
    expect(members()).toEqual([]);
  });
});

describe('what is no more takes its members along:', () => {
  beforeEach(() => {
    for (const place of [at(1), at(2), behind(3), behind(4), at(1, 0, 20)]) join(place);
    mdb.add(1, [10], words(GROUP6), 1);
    query(behind(3));
    wait(1000);
    mdb.take();
  });
  const left = (): string[] => members().map((row) => row.split(' ').slice(0, 3).join(' '));

  it('a port', () => {
    mdb.forgetPort(1);
    expect(left()).toEqual([`t2 10 ${GROUP}`, `vxlan0>192.0.2.3 10 ${GROUP}`, `vxlan0>192.0.2.4 10 ${GROUP}`]);
    expect(mdb.take().events).toHaveLength(3);
    join(at(1));
    expect(left()).toHaveLength(3);
  });

  it('a port that changes its bridge', () => {
    mdb.setPort(1, { bridge: 2, router: 1, fastLeave: false });
    expect(left()).toHaveLength(3);
    join(at(1));
    expect(mdb.rows(now).mdb.at(-1)).toMatchObject({ dev: 'br2', port: 't1' });
  });

  it('a port that is down, but for those put in by hand', () => {
    mdb.forgetLearned(1);
    expect(left()).toContain(`t1 10 ${GROUP6}`);
    expect(left()).toHaveLength(4);
  });

  it('several remotes, those that are members by hand too', () => {
    mdb.add(1, [10], words(GROUP), destinationOf(VXLAN, 4));
    expect([...mdb.permanentRemotes()].sort()).toEqual([0, 4]); // and a TAP, which has none
    mdb.forgetRemotes(
      new Map([
        [3, 0],
        [4, 0],
      ]),
    );
    expect(left().filter((row) => row.startsWith('vxlan0'))).toEqual([]);
  });

  it('a remote, and the router behind it', () => {
    mdb.forgetRemotes(new Map([[3, 0]]));
    expect(left()).not.toContain(`vxlan0>192.0.2.3 10 ${GROUP}`);
    expect(mdb.take().operations).toMatchObject([
      { op: 'group', destinations: [1, 2, destinationOf(VXLAN, 4)] },
      { op: 'routers', destinations: [], querier4: true },
    ]);
  });

  it('a membership of a VLAN', () => {
    mdb.forgetMembership(1, 10);
    expect(left()).toEqual([
      `t2 10 ${GROUP}`,
      `vxlan0>192.0.2.3 10 ${GROUP}`,
      `vxlan0>192.0.2.4 10 ${GROUP}`,
      `t1 20 ${GROUP}`,
    ]);
  });

  it('a bridge that does not snoop any more, but for those put in by hand', () => {
    mdb.forgetHeard(1);
    expect(left()).toEqual([`t1 10 ${GROUP6}`]);
    expect(mdb.rows(now).router).toEqual([]);
    const { operations } = mdb.take();
    expect(operations.at(-1)).toMatchObject({ op: 'routers', vid: 10, destinations: [], querier4: false });
  });

  it('a bridge, its queriers too', () => {
    mdb.forgetBridge(1);
    expect(mdb.rows(now)).toEqual({ mdb: [], router: [] });
    const { operations } = mdb.take();
    expect(operations.filter(({ op }) => op === 'group-del')).toHaveLength(3);
    expect(operations.at(-1)).toMatchObject({ op: 'routers', vid: 10, destinations: [], querier4: false });
    join(at(2));
    expect(left()).toEqual([`t2 10 ${GROUP}`]);
  });
});

describe('the bounds', () => {
  const numbered = (i: number): string => `239.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

  it(`of ${MAX_GROUPS_OF_BRIDGE} groups a bridge: one more is refused and counted, and has room again`, () => {
    for (let i = 0; i < MAX_GROUPS_OF_BRIDGE; i++) join(at(1, 0, i & 1), numbered(i));
    join(at(1), '238.0.0.1');
    join(at(2, 0, 1), numbered(1)); // a group that is there has room for a member
    expect([mdb.refused, mdb.rows(now).mdb.length]).toEqual([1, MAX_GROUPS_OF_BRIDGE + 1]);
    mdb.setPort(5, { bridge: 2, router: 1, fastLeave: false });
    join(at(5), '238.0.0.1');
    mdb.remove(1, [0], words(numbered(0)), 1);
    join(at(1), '238.0.0.1');
    expect(mdb.refused).toBe(1);
  });

  it('of groups: a place that has joined most gives its earliest up for another place, and none for its own', () => {
    for (let i = 0; i < MAX_GROUPS_OF_BRIDGE; i++) join(at(1), numbered(i));
    const ofPort2 = ['238.0.0.1', '238.0.0.2', '238.0.0.3'];
    for (const group of ofPort2) join(at(2), group);
    expect(members().filter((row) => row.startsWith('t2'))).toEqual(ofPort2.map((group) => `t2 10 ${group} 260`));
    for (let i = 0; i < 100; i++) join(at(1), `237.0.0.${i}`);
    expect(members().filter((row) => row.startsWith('t2'))).toHaveLength(3);
    expect([mdb.refused, mdb.rows(now).mdb.length]).toEqual([100, MAX_GROUPS_OF_BRIDGE]);
    expect(members()).not.toContain(`t1 10 ${numbered(0)} 260`);
    expect(members()).toContain(`t1 10 ${numbered(3)} 260`);
  });

  it('of groups: learned ones give way to those by hand, and these to none', () => {
    for (let i = 0; i < MAX_GROUPS_OF_BRIDGE; i++) join(at(1), numbered(i));
    for (let i = 0; i < MAX_GROUPS_OF_BRIDGE; i++)
      expect(mdb.add(1, [10], words(`238.0.${i >> 8}.${i & 255}`), 2)).toBe('added');
    expect(mdb.add(1, [10], words('237.0.0.1'), 2)).toBe('full');
    join(at(3), '237.0.0.1');
    expect(members()).toHaveLength(MAX_GROUPS_OF_BRIDGE);
  });

  it(`of ${MAX_MEMBERS_OF_BRIDGE} members a bridge`, () => {
    for (let i = 0; i < MAX_MEMBERS_OF_BRIDGE; i++) join(behind(1 + (i >> 3)), numbered(i & 7));
    join(behind(60_000), numbered(1));
    join(behind(1), '238.0.0.1');
    // The first has nothing, the second as much as any other.
    expect([mdb.refused, mdb.rows(now).mdb.length]).toEqual([1, MAX_MEMBERS_OF_BRIDGE]);
  });

  it(`of ${MAX_ROUTERS_OF_VLAN} learned routers a VLAN`, () => {
    for (let remote = 1; remote <= MAX_ROUTERS_OF_VLAN + 5; remote++) mdb.hearRouter(behind(remote), now);
    expect([mdb.refused, mdb.rows(now).router.length]).toEqual([5, MAX_ROUTERS_OF_VLAN]);
  });
});
