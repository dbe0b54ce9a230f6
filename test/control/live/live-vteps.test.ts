/** UDP ports and VNIs in entries for a VTEP: destinations of entries, flood lists and learned MACs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { remotesOf } from '../../../src/control/reconcile/vteps.js';
import { frame } from '../../dataplane/support/frames.js';
import { toGroup } from '../../dataplane/support/group-traffic.js';
import { FDB_SIZE, LiveSwitch } from './live-switch.js';

const X = '192.0.2.1';
const ZERO = '00:00:00:00:00:00';
const LEARNED = '02:00:00:00:00:01';
const STATIC = '02:00:00:00:00:02';
const RECEIVER = 'any 4 4789';

let live: LiveSwitch;

const start = async (v1: object): Promise<void> => {
  const ports = { t1: { type: 'tap' }, v1: { type: 'vxlan', id: 50, ...v1 } };
  live = await LiveSwitch.start({ name: 'live', fdb_size: FDB_SIZE, bridges: { br1: { ports } } });
};

afterEach(() => live.stop());

/** Where a frame to a MAC goes, as `ADDRESS:PORT vni VNI` behind v1. */
function to(destination: string): string[] {
  live.inject(0, 't1', frame({ source: '02:00:00:00:00:99', destination }));
  return live.turn(0).map((left) => left.to.replace('v1>', ''));
}

function learn(from = X, source = LEARNED): void {
  live.arrive(RECEIVER, from, 50, frame({ source, destination: 'ff:ff:ff:ff:ff:ff' }));
  live.turn(0);
}

const change = (op: 'append' | 'replace' | 'del', mac: string, words: object = {}) =>
  live.controls.fdb({ op, dev: 'v1', mac, dst: X, ...words });

describe('a VTEP whose row of the flood list says a UDP port', () => {
  beforeEach(() => start({ fdb: [{ mac: ZERO, dst: X, port: 8472 }] }));

  it('gets all there, what goes to learned MACs and to groups too, each frame once', async () => {
    learn();
    expect(to('ff:ff:ff:ff:ff:ff')).toEqual([`${X}:8472 vni 50`]);
    expect(to(LEARNED)).toEqual([`${X}:8472 vni 50`]);
    expect(live.fdb().find(({ mac }) => mac === LEARNED)).toMatchObject({ dst: X, port: 8472 });
    await live.controls.mdb({ op: 'add', dev: 'br1', port: 'v1', grp: '239.1.1.1', dst: X });
    await live.controls.mdb({ op: 'add', dev: 'br1', port: 'v1', grp: '239.1.1.1' });
    live.inject(0, 't1', toGroup('239.1.1.1'));
    expect(live.turn(0).map((left) => left.to)).toEqual([`v1>${X}:8472 vni 50`]);
  });

  it('a row that says none is the default again, at once, and both get a copy', async () => {
    learn();
    await change('append', ZERO);
    expect(to(LEARNED)).toEqual([`${X}:4789 vni 50`]);
    expect(to('ff:ff:ff:ff:ff:ff')).toEqual([`${X}:8472 vni 50`, `${X}:4789 vni 50`]);
    await change('del', ZERO);
    expect(to(LEARNED)).toEqual([`${X}:8472 vni 50`]);
    expect(to('ff:ff:ff:ff:ff:ff')).toEqual([`${X}:8472 vni 50`]);
    expect([...remotesOf(live.model.ports.get('v1') as VxlanPort)]).toHaveLength(1);
  });

  it('an entry with another one keeps it for its MAC alone', async () => {
    learn();
    await change('replace', STATIC, { port: 5000 });
    expect([to(LEARNED), to(STATIC)]).toEqual([[`${X}:8472 vni 50`], [`${X}:5000 vni 50`]]);
    await change('append', ZERO, { port: 7000 });
    expect([to(LEARNED), to(STATIC)]).toEqual([[`${X}:7000 vni 50`], [`${X}:5000 vni 50`]]);
    await change('del', ZERO, { port: 7000 });
    await change('del', ZERO, { port: 8472 });
    expect([to(LEARNED), to(STATIC)]).toEqual([[`${X}:5000 vni 50`], [`${X}:5000 vni 50`]]);
  });

  it('one that was met before it was named is sent to there too', async () => {
    await live.controls.link({ op: 'set', name: 'v1', options: { accept_vteps: 'any' } });
    learn('192.0.2.7');
    expect(to(LEARNED)).toEqual(['192.0.2.7:4789 vni 50']);
    await live.controls.fdb({ op: 'append', dev: 'v1', mac: ZERO, dst: '192.0.2.7', port: 9999 });
    learn('192.0.2.7');
    expect(to(LEARNED)).toEqual(['192.0.2.7:9999 vni 50']);
  });
});

it('a peer says no port: the entry beside it does', async () => {
  await start({ peers: [X], fdb: [{ mac: STATIC, dst: X, port: 8472 }] });
  learn();
  expect([to(LEARNED), to(STATIC)]).toEqual([[`${X}:8472 vni 50`], [`${X}:8472 vni 50`]]);
  await change('del', STATIC, { port: 8472 });
  expect(to(LEARNED)).toEqual([`${X}:4789 vni 50`]);
});

describe('an entry with a VNI of its own', () => {
  it('is sent with it, and counts under it; what is not known keeps to the VNI that it is of', async () => {
    await start({ remotes: [X] });
    await change('replace', STATIC, { vni: 60 });
    expect([to(STATIC), to('02:00:00:00:00:77')]).toEqual([[`${X}:4789 vni 60`], [`${X}:4789 vni 50`]]);
    expect(live.fdb().find(({ mac }) => mac === STATIC)).toMatchObject({ dst: X, vni: 60, src_vni: 50 });
    const { vnis } = live.stats();
    expect([vnis[50]?.tx_packets, vnis[60]?.tx_packets]).toEqual([1, 1]);
    // Where the MAC is it stays, whatever VNI it comes with.
    learn(X, STATIC);
    expect(to(STATIC)).toEqual([`${X}:4789 vni 60`]);
    await change('replace', STATIC);
    expect(to(STATIC)).toEqual([`${X}:4789 vni 50`]);
    expect(live.stats().vnis[60]).toBeUndefined();
  });

  it('may be a row of the flood list, beside one of the same VTEP, and is deleted by it', async () => {
    await start({ remotes: [X] });
    await change('append', ZERO, { vni: 60, src_vni: 50 });
    expect(to('ff:ff:ff:ff:ff:ff')).toEqual([`${X}:4789 vni 50`, `${X}:4789 vni 60`]);
    expect(live.fdb().filter(({ mac }) => mac === ZERO)).toEqual([
      expect.not.objectContaining({ vni: 60 }),
      expect.objectContaining({ vni: 60, src_vni: 50 }),
    ]);
    await change('del', ZERO);
    expect(to('ff:ff:ff:ff:ff:ff')).toEqual([`${X}:4789 vni 60`]);
    await expect(change('del', ZERO)).rejects.toThrow(/no such entry/);
    await change('del', ZERO, { vni: 60 });
    expect(to('ff:ff:ff:ff:ff:ff')).toEqual([]);
  });

  it('is one of a VLAN where the port maps them', async () => {
    const vlans = [{ vid: 2, pvid: true, untagged: true }];
    const v1 = { type: 'vxlan', vlan_tunnel: true, vlans: [{ vid: 2, tunnel_info: 12 }], remotes: [X] };
    const br1 = { vlan_filtering: true, ports: { t1: { type: 'tap', vlans }, v1 } };
    live = await LiveSwitch.start({ name: 'live', fdb_size: FDB_SIZE, bridges: { br1 } });
    await change('replace', STATIC, { src_vni: 12, vni: 99, port: 8472 });
    expect([to(STATIC), to('ff:ff:ff:ff:ff:ff')]).toEqual([[`${X}:8472 vni 99`], [`${X}:4789 vni 12`]]);
    expect(live.fdb().find(({ mac }) => mac === STATIC)).toMatchObject({ vlan: 2, vni: 99, src_vni: 12, port: 8472 });
    await expect(change('replace', STATIC, { vni: 99 })).rejects.toThrow(/mapped to VNI 99.*src_vni/);
  });
});

describe('an entry without a VTEP', () => {
  const Y = '192.0.2.2';

  it('keeps its MAC to the port: each VTEP of the flood list gets its frames, no other port does', async () => {
    await start({ remotes: [X, Y] });
    await live.controls.link({ op: 'add', name: 't2', type: 'tap', master: 'br1' });
    await live.controls.fdb({ op: 'add', mac: STATIC, dev: 'v1', state: 'static' });
    expect(to(STATIC)).toEqual([`${X}:4789 vni 50`, `${Y}:4789 vni 50`]);
    // From whichever VTEP it comes, there it stays.
    learn(Y, STATIC);
    expect(to(STATIC)).toEqual([`${X}:4789 vni 50`, `${Y}:4789 vni 50`]);
    expect(live.fdb().find(({ mac }) => mac === STATIC)).toMatchObject({ ifname: 'v1', state: 'static', moves: 0 });
    await live.controls.fdb({ op: 'flush', dev: 'v1', state: 'all' });
    expect(live.stats().drops).toEqual({});
  });

  it('that ages is young again with each frame from a VTEP of the port, and stays there', async () => {
    await start({ remotes: [X, Y] });
    await live.controls.fdb({ op: 'add', mac: STATIC, dev: 'v1', state: 'dynamic' });
    live.wait(200);
    learn(Y, STATIC);
    live.wait(200);
    expect(to(STATIC)).toEqual([`${X}:4789 vni 50`, `${Y}:4789 vni 50`]);
    live.wait(200);
    expect(live.fdb().find(({ mac }) => mac === STATIC)).toBeUndefined();
  });

  it('with an empty flood list leads nowhere, and is counted', async () => {
    await start({ fdb: [{ mac: STATIC }] });
    expect(to(STATIC)).toEqual([]);
    expect(live.stats().drops).toEqual({ no_destination: 1 });
  });

  it.each([
    [{ port: 8472 }, /^port: is the UDP port of dst/],
    [{ vni: 60 }, /^vni: is what frames to dst are sent with/],
    [{ mac: ZERO }, /^dst: is missing/],
  ])('%j is refused', async (words, message) => {
    await start({});
    await expect(live.controls.fdb({ op: 'add', mac: STATIC, dev: 'v1', ...words })).rejects.toThrow(message);
  });
});
