/** Group entries that were put in by hand, on a whole switch: what keeps them, what ends them, and where they send. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MdbRequest } from '../../../src/control/api.js';
import { toGroup } from '../../dataplane/group-traffic.js';
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

const ask = (words: Omit<Partial<MdbRequest>, 'op'>, op: 'add' | 'del' = 'add'): Promise<void> =>
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
