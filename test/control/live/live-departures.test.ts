/** Remotes deleted while their frames are in flight: nothing leads there afterwards, and no index has two meanings. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { Transition } from '../../../src/control/model/transition.js';
import { remotesOf } from '../../../src/control/reconcile/vteps.js';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { STATIC_REMOTES } from '../../../src/encap/remotes.js';
import { parseAddress } from '../../../src/wire/ip-address.js';
import { igmpFrame } from '../../dataplane/support/group-traffic.js';
import { FDB_SIZE, LiveSwitch } from './live-switch.js';

const GONE = '192.0.2.1';
const STRANGER = '192.0.2.7';
const MAC = '02:00:00:00:00:1a';
const GROUP = '239.1.1.1';
const DOCUMENT = {
  name: 'live',
  fdb_size: FDB_SIZE,
  bridges: {
    br1: {
      mcast_snooping: true,
      ports: {
        t1: { type: 'tap' },
        v1: { type: 'vxlan', id: 50, fdb: [{ mac: MAC, dst: GONE }], accept_vteps: 'any' },
      },
    },
  },
};

let live: LiveSwitch;

beforeEach(async () => {
  live = await LiveSwitch.start(DOCUMENT, { workers: 2 });
});

afterEach(() => live.stop());

const port = (): number => live.model.ports.get('v1')?.index ?? -1;

/** Learns a MAC behind a remote, as a batch does that took its datagram in before the remote went. */
function learnLate(remote: number): void {
  const [{ context }] = live.engines.each;
  const segment = fidOf(live.model.bridges.get('br1')?.index ?? -1, 0);
  context.fdb.learn(0x0200, 0x99, segment, destinationOf(port(), remote), port(), 0);
}

/** Does something once the first list of the next change was carried out. */
function afterFirstList(step: () => void): Operation[][] {
  const { engines } = live;
  const lists: Operation[][] = [];
  const apply = engines.apply.bind(engines);
  engines.apply = async (operations) => {
    await apply(operations);
    if (lists.push(operations) === 1) step();
  };
  return lists;
}

const macs = (): string[] => live.fdb().map(({ mac }) => mac);

describe('a remote that was configured', () => {
  const del = { op: 'del', mac: MAC, dev: 'v1', dst: GONE } as const;

  it('leaves no entry, though a batch was still learning from it', async () => {
    const [remote] = [...remotesOf(live.model.ports.get('v1') as VxlanPort)].map(([number]) => number);
    const lists = afterFirstList(() => learnLate(remote));
    await live.controls.fdb(del);
    expect(lists.map((list) => list.map(({ op }) => op))).toEqual([
      expect.arrayContaining(['remote-del', 'fdb-del']),
      ['flush'],
      ['remote-free'],
    ]);
    expect(macs()).toEqual([]);
    expect(live.engines.remotes.udpPort(remote)).toBe(0);
  });

  it('takes the group memberships along that it has told of', async () => {
    live.arrive('any 4 4789', GONE, 50, igmpFrame(0x16, GROUP));
    live.turn(0);
    live.hearPunts();
    await live.controls.own(() => new Transition()); // what was heard is carried out before
    expect(live.groups().mdb).toMatchObject([{ port: 'v1', grp: GROUP, dst: GONE, state: 'temp' }]);
    const lists = afterFirstList(() => undefined);
    await live.controls.fdb(del);
    expect(lists[1].map(({ op }) => op)).toEqual(['group-del', 'flush']);
    expect(live.groups().mdb).toEqual([]);
  });

  it('stays as long as a group by hand needs it, and goes with that', async () => {
    const group = { dev: 'br1', port: 'v1', grp: GROUP, dst: GONE };
    await live.controls.mdb({ op: 'add', ...group });
    const lists = afterFirstList(() => undefined);
    await live.controls.fdb(del);
    expect(lists.map((list) => list.map(({ op }) => op))).toEqual([['fdb-del']]);
    await live.controls.mdb({ op: 'del', ...group });
    expect(lists.slice(1).map((list) => list.map(({ op }) => op))).toEqual([
      ['remote-del', 'group-del', 'routers'],
      ['flush'],
      ['remote-free'],
    ]);
  });
});

describe('VTEPs that a port has met', () => {
  const meet = (): number => live.engines.remotes.admit(port(), parseAddress(STRANGER)?.words ?? [], 0, 4789, 1);

  it('go when it takes none any more, with entries and memberships', async () => {
    const remote = meet();
    expect(remote).toBeGreaterThanOrEqual(STATIC_REMOTES);
    learnLate(remote);
    live.arrive('any 4 4789', STRANGER, 50, igmpFrame(0x16, GROUP));
    live.turn(0);
    live.hearPunts();
    await live.controls.own(() => new Transition());
    const lists = afterFirstList(() => {
      expect(live.engines.remotes.isFindable(port(), remote)).toBe(false);
      // Its address and port are still good for frames on their way.
      expect(live.engines.remotes.udpPort(remote)).toBe(4789);
      learnLate(remote);
    });
    await live.controls.link({ op: 'set', name: 'v1', options: { accept_vteps: 'known' } });
    expect(lists.slice(1).map((list) => list.map(({ op }) => op))).toEqual([['group-del', 'flush'], ['remote-free']]);
    expect(macs()).toEqual([MAC]);
    expect([...live.engines.remotes.learned(port())]).toEqual([]);
  });

  it('have the number that they are named with from then on, and are members of groups as before', async () => {
    const remote = meet();
    live.arrive('any 4 4789', STRANGER, 50, igmpFrame(0x16, GROUP));
    live.turn(0);
    live.hearPunts();
    await live.controls.own(() => new Transition());
    learnLate(remote);
    await live.controls.fdb({ op: 'append', mac: '00:00:00:00:00:00', dev: 'v1', dst: STRANGER, port: 8472 });
    const home = (live.model.ports.get('v1') as VxlanPort).vteps.get(STRANGER)?.home;
    expect(live.engines.remotes.find(port(), ...(parseAddress(STRANGER)?.words ?? [0, 0, 0, 0]))).toBe(home);
    expect([...live.engines.remotes.learned(port())]).toEqual([]);
    expect(live.groups().mdb).toMatchObject([{ port: 'v1', grp: GROUP, dst: STRANGER, state: 'temp' }]);
    // What was learned behind the number that it had is learned anew.
    expect(live.fdb().filter(({ state }) => state === 'dynamic')).toEqual([]);
  });
});
