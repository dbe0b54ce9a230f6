/** Permanent group entries on a whole switch: their lifetime and their destinations. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MdbRequest } from '../../../src/api/api.js';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { toGroup } from '../../dataplane/support/group-traffic.js';
import { FDB_SIZE, LiveSwitch } from './live-switch.js';

const GROUP = '239.1.1.1';
const R1 = '192.0.2.1';
const R2 = '192.0.2.2';
const DOCUMENT = {
  name: 'live',
  fdb_size: FDB_SIZE,
  bridges: {
    br1: {
      ports: {
        t1: { type: 'tap' },
        t2: { type: 'tap' },
        t3: { type: 'tap' },
        v1: { type: 'vxlan', id: 50, remotes: [R1, R2] },
      },
    },
    br2: {
      vlan_filtering: true,
      ports: {
        t4: { type: 'tap', vlans: [{ vid: 2, pvid: true, untagged: true }, { vid: 3 }] },
        t5: { type: 'tap', vlans: [{ vid: 2, pvid: true, untagged: true }, { vid: 3 }] },
      },
    },
  },
};

let live: LiveSwitch;

beforeEach(async () => {
  live = await LiveSwitch.start(DOCUMENT);
});

afterEach(() => live.stop());

type Words = Omit<Partial<Extract<MdbRequest, { op: 'del' }>>, 'op'>;

const ask = (words: Words, op: 'add' | 'del' = 'add'): Promise<void> =>
  live.controls.mdb({ op, dev: 'br1', port: 't2', grp: GROUP, ...words });

/** Where a frame to the group from a port goes. */
function reaches(from = 't1', group = GROUP): string[] {
  live.inject(0, from, toGroup(group));
  return live.turn(0).map(({ to }) => to);
}

const rows = (): string[] =>
  live.groups().mdb.map(({ port, vid, dst }) => [port, vid ?? '-', ...(dst === undefined ? [] : [dst])].join(' '));

describe('mcast_snooping 0 and then 1', () => {
  const snoop = (on: boolean): Promise<void> =>
    live.controls.link({ op: 'set', name: 'br1', options: { mcast_snooping: on } });

  it('keeps what was put in by hand, which shows and acts again', async () => {
    await ask({});
    await ask({ port: 'v1' });
    await snoop(false);
    expect(rows()).toEqual([]);
    expect(reaches()).toHaveLength(4);
    await expect(ask({ port: 't3' })).rejects.toThrow(/mcast_snooping 1/);
    await snoop(true);
    expect(rows()).toEqual(['t2 -', 'v1 -']);
    expect(reaches()).toEqual([`v1>${R1}:4789 vni 50`, `v1>${R2}:4789 vni 50`, 't2']);
  });

  it('a port that goes meanwhile takes its own along', async () => {
    await ask({});
    await ask({ port: 't3' });
    await snoop(false);
    await live.controls.link({ op: 'del', name: 't2' });
    await snoop(true);
    expect(rows()).toEqual(['t3 -']);
    expect(reaches()).toEqual(['t3']);
  });
});

describe('a VTEP behind a vxlan port', () => {
  const STRANGER = '192.0.2.9';
  const ZERO = '00:00:00:00:00:00';

  it('may be named first by a group: it is sent to, and taken in', async () => {
    await ask({ port: 'v1', dst: STRANGER });
    expect(rows()).toEqual([`v1 - ${STRANGER}`]);
    expect(reaches()).toEqual([`v1>${STRANGER}:4789 vni 50`]);
    live.arrive('any 4 4789', STRANGER, 50, toGroup('239.9.9.9'));
    expect(live.turn(0).map(({ to }) => to)).toEqual(['t1', 't2', 't3']);
    await ask({ port: 'v1', dst: STRANGER }, 'del');
    live.arrive('any 4 4789', STRANGER, 50, toGroup('239.9.9.9'));
    expect(live.turn(0)).toEqual([]);
    expect(live.stats().drops.vtep_unknown).toBe(1);
  });

  it.each([
    ['its row of the flood list', () => live.controls.fdb({ op: 'del', mac: ZERO, dev: 'v1', dst: R1 })],
    ['a flush of all', () => live.controls.fdb({ op: 'flush', state: 'all' }).then(() => undefined)],
    ['the remotes of the port', () => live.controls.link({ op: 'set', name: 'v1', options: { remotes: [] } })],
  ])('stays a member without %s', async (_what, change) => {
    await ask({ port: 'v1', dst: R1 });
    await change();
    expect(rows()).toEqual([`v1 - ${R1}`]);
    expect(reaches()).toEqual([`v1>${R1}:4789 vni 50`]);
  });

  it('is needed until its last group has gone, one after the other', async () => {
    await ask({ port: 'v1', dst: STRANGER });
    await ask({ port: 'v1', dst: STRANGER, grp: '239.1.1.2' });
    await ask({ port: 'v1', dst: STRANGER }, 'del');
    expect(reaches('t1', '239.1.1.2')).toEqual([`v1>${STRANGER}:4789 vni 50`]);
    await live.controls.link({ op: 'set', name: 'v1', master: 'br2' });
    expect((live.model.ports.get('v1') as VxlanPort).vteps.has(STRANGER)).toBe(false);
  });

  it('is none where the entry is refused', async () => {
    await expect(ask({ port: 'v1', dst: STRANGER, grp: '224.0.0.1' })).rejects.toThrow(/always flooded/);
    await expect(ask({ port: 't2', dst: STRANGER })).rejects.toThrow(/no remotes/);
    await expect(ask({ port: 'v1', dst: '2001:db8::1' })).rejects.toThrow(/IPv6/);
    await expect(ask({ port: 'v1', dst: STRANGER }, 'del')).rejects.toThrow(/no member/);
    expect((live.model.ports.get('v1') as VxlanPort).vteps.has(STRANGER)).toBe(false);
  });
});

describe('without a VID, on a bridge that looks at VLANs', () => {
  const br2 = { dev: 'br2', port: 't5' };

  it('an entry is one of every VLAN of the port, not of those that it joins later', async () => {
    await ask(br2);
    expect(rows()).toEqual(['t5 2', 't5 3']);
    expect(reaches('t4')).toEqual(['t5']);
    await live.controls.vlan({ op: 'add', dev: 't5', vid: 4 });
    expect(rows()).toEqual(['t5 2', 't5 3']);
    await ask(br2);
    expect(rows()).toEqual(['t5 2', 't5 3', 't5 4']);
    await expect(ask(br2)).rejects.toThrow(/already/);
  });

  it('all of them are deleted', async () => {
    await ask(br2);
    await ask({ ...br2, vid: 3 }, 'del');
    await ask(br2, 'del');
    expect(rows()).toEqual([]);
    await expect(ask(br2, 'del')).rejects.toThrow(/no member/);
  });

  it('a port without any VLAN has no room for one', async () => {
    await live.controls.vlan({ op: 'del', dev: 't5', vid: 2, vidEnd: 3 });
    await expect(ask(br2)).rejects.toThrow(/no member of any VLAN/);
  });
});
