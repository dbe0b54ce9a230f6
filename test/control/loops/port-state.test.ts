/** The option `state` of ports, and of VLANs at them, on whole switches in memory: what passes in each state, changes, and who else has a say. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PORT_STATES } from '../../../src/values/port-state.js';
import { viewVlans } from '../../../src/control/views/vlans.js';
import { viewLinks } from '../../../src/control/views/views.js';
import { A, B, BROADCAST, frame } from '../../dataplane/support/frames.js';
import { Network } from './network.js';

const PASSES = 'forwarding';
const OTHER = '192.0.2.9';
const isProbe = (bytes: Uint8Array): boolean => bytes[0] === 0x03;

let net: Network;

beforeEach(() => {
  net = new Network();
});

afterEach(() => net.stop());

/** Copies at `to` of a broadcast from `source` that comes in by `at`. */
async function copies(at: string, to: string, source = A, from?: string): Promise<number> {
  net.take(`s ${to}`);
  net.put(`s ${at}`, frame({ source, destination: BROADCAST }), from);
  await net.pass(100);
  return net.take(`s ${to}`, (bytes) => !isProbe(bytes)).length;
}

/** Whether frames to `mac` leave by `t2` only: it was learned there. */
async function isLearned(mac: string): Promise<boolean> {
  net.take('s t3');
  net.put('s t1', frame({ source: '02:00:00:00:00:77', destination: mac }));
  await net.pass(100);
  return net.take('s t3', (bytes) => !isProbe(bytes)).length === 0;
}

const set = (name: string, options: object) => net.of('s').controls.link({ op: 'set', name, options: { ...options } });

describe.each(PORT_STATES)('%s', (state) => {
  const passes = state === PASSES ? 1 : 0;

  it('of a local port: what comes in, what goes out, what is learned', async () => {
    await net.add('s', { t1: {}, t2: { state }, t3: {} });
    expect([await copies('t2', 't1', B), await copies('t1', 't2')]).toEqual([passes, passes]);
    expect(await isLearned(B)).toBe(['learning', 'forwarding'].includes(state));
    expect(await copies('t1', 't3')).toBe(1);
    expect(closed('t2') > 0).toBe(passes === 0);
  });

  it('of a tunnel port', async () => {
    await net.add('s', { t1: {}, vx: { state, remotes: [OTHER] } });
    expect([await copies('vx', 't1', B, OTHER), await copies('t1', 'vx')]).toEqual([passes, passes]);
  });
});

it('learns at a tunnel port nothing from what would not be taken in: a tag within a VNI that has none', async () => {
  const vlans = [{ vid: 10, tunnel_info: 42 }];
  const vx = { id: undefined, vlan_tunnel: true, state: 'learning', remotes: [OTHER], vlans };
  await net.add('s', { t1: { vlans: [{ vid: 10 }] }, vx }, { vlan_filtering: true });
  const learned = (): number =>
    net.of('s').sources.fdb.learnedByGroup[net.of('s').model.bridges.get('br0')?.index ?? 0];
  net.put('s vx', frame({ source: B, destination: BROADCAST, tci: 10 }), OTHER);
  await net.pass(100);
  expect(learned()).toBe(0);
  net.put('s vx', frame({ source: B, destination: BROADCAST }), OTHER);
  await net.pass(100);
  expect(learned()).toBe(1);
});

/** Frames that the port has dropped as `stp_blocked`, in either direction. */
function closed(name: string): number {
  const { model, sources } = net.of('s');
  return sources.counters.portDrops(model.ports.get(name)?.index ?? 0).drops.stp_blocked ?? 0;
}

it('is in force at once, and is listed where it is set', async () => {
  await net.add('s', { t1: {}, t2: {} });
  const state = (details: boolean) =>
    viewLinks(net.of('s').sources, details).find(({ ifname }) => ifname === 't2')?.state;
  expect([state(false), state(true), await copies('t1', 't2')]).toEqual([undefined, 'forwarding', 1]);
  await set('t2', { state: 'blocking' });
  expect([state(false), state(true), await copies('t1', 't2')]).toEqual(['blocking', 'blocking', 0]);
  for (const up of [false, true]) await set('t2', { up });
  expect(await copies('t1', 't2')).toBe(0);
  await set('t2', { state: null });
  expect([state(false), await copies('t1', 't2')]).toEqual([undefined, 1]);
});

it('goes with its port, and when the port leaves its bridge', async () => {
  const sw = await net.add('s', { t1: {}, t2: { state: 'disabled' } });
  const { index } = sw.model.ports.get('t2') ?? {};
  await sw.controls.link({ op: 'del', name: 't2' });
  await sw.controls.link({ op: 'add', name: 'next', type: 'tap', master: 'br0', options: {} });
  expect(sw.model.ports.get('next')?.index).toBe(index);
  expect(await copies('t1', 'next')).toBe(1);
  await set('next', { state: 'blocking' });
  expect(await copies('t1', 'next')).toBe(0);
  await sw.controls.link({ op: 'set', name: 'next', master: null });
  await sw.controls.link({ op: 'set', name: 'next', master: 'br0' });
  expect(await copies('t1', 'next')).toBe(1);
});

it('is refused beside a spanning tree, whichever comes second', async () => {
  const sw = await net.add('s', { t1: {}, t2: {} }, { stp_state: true });
  await expect(set('t2', { state: 'learning' })).rejects.toThrow(
    'the spanning tree of br0 says the states of its ports',
  );
  await set('br0', { stp_state: false });
  await set('t2', { state: 'learning' });
  expect([await copies('t1', 't2'), sw.model.bridges.get('br0')?.config.stp_state]).toEqual([0, false]);
  await expect(set('br0', { stp_state: true })).rejects.toThrow('remove state or stp_state');
});

describe('of a VLAN at a port', () => {
  const FILTERS = { vlan_filtering: true };
  const TRUNK = [{ vid: 1, pvid: true, untagged: true }, { vid: 10 }, { vid: 11 }, { vid: 20 }];
  const trunk = (state: string) => TRUNK.map((one) => (one.vid === 10 ? { ...one, state } : one));
  const vlan = (vid: number, source: string, destination = BROADCAST) => frame({ source, destination, tci: vid });

  /** Copies at `to` of a broadcast in a VLAN that comes in by `at`. */
  async function copiesIn(vid: number, at: string, to: string, source = A, from?: string): Promise<number> {
    net.take(`s ${to}`);
    net.put(`s ${at}`, vlan(vid, source), from);
    await net.pass(100);
    return net.take(`s ${to}`, (bytes) => !isProbe(bytes)).length;
  }

  /** Whether frames to `mac` in VLAN 10 leave by `t2` only. */
  async function isLearnedIn(vid: number, mac: string): Promise<boolean> {
    net.take('s t3');
    net.put('s t1', vlan(vid, '02:00:00:00:00:77', mac));
    await net.pass(100);
    return net.take('s t3', (bytes) => !isProbe(bytes)).length === 0;
  }

  it.each(PORT_STATES)('%s: what comes in, what goes out, what is learned there, and nothing else', async (state) => {
    const passes = state === PASSES ? 1 : 0;
    await net.add('s', { t1: { vlans: TRUNK }, t2: { vlans: trunk(state) }, t3: { vlans: TRUNK } }, FILTERS);
    expect([await copiesIn(10, 't2', 't1', B), await copiesIn(10, 't1', 't2')]).toEqual([passes, passes]);
    expect(await isLearnedIn(10, B)).toBe(['learning', 'forwarding'].includes(state));
    expect([await copiesIn(20, 't2', 't1', B), await copiesIn(20, 't1', 't2')]).toEqual([1, 1]);
    expect([await copies('t2', 't1', B), await copiesIn(10, 't1', 't3')]).toEqual([1, 1]);
    expect(closed('t2') > 0).toBe(passes === 0);
  });

  it.each(PORT_STATES)('%s at a tunnel port', async (state) => {
    const passes = state === PASSES ? 1 : 0;
    const vx = { id: undefined, vlan_tunnel: true, remotes: [OTHER], vlans: [{ vid: 10, tunnel_info: 10, state }] };
    await net.add('s', { t1: { vlans: TRUNK }, vx }, FILTERS);
    const [out] = [await copiesIn(10, 't1', 'vx')];
    expect(out).toBe(passes);
  });

  it('is set and taken back by vlan set, and holds through that of the port', async () => {
    const sw = await net.add('s', { t1: { vlans: TRUNK }, t2: { vlans: TRUNK } }, FILTERS);
    const put = (state: (typeof PORT_STATES)[number]) =>
      sw.controls.vlan({ op: 'set', dev: 't2', vid: 10, vidEnd: 11, state });
    expect(await copiesIn(10, 't1', 't2')).toBe(1);
    await put('blocking');
    expect([await copiesIn(10, 't1', 't2'), await copiesIn(11, 't1', 't2')]).toEqual([0, 0]);
    const rows = () => viewVlans(net.of('s').sources).vlans.find(({ ifname }) => ifname === 't2')?.vlans;
    expect(rows()).toEqual([
      { vlan: 1, flags: ['PVID', 'Egress Untagged'], state: 'forwarding' },
      { vlan: 10, vlanEnd: 11, flags: [], state: 'blocking' },
      { vlan: 20, flags: [], state: 'forwarding' },
    ]);
    await set('t2', { state: 'disabled' });
    await put('forwarding');
    expect(await copiesIn(10, 't1', 't2')).toBe(0);
    await set('t2', { state: null });
    expect([await copiesIn(10, 't1', 't2'), rows()?.some(({ state }) => state !== undefined)]).toEqual([1, false]);
  });

  it('is refused beside a spanning tree, and for a host port', async () => {
    const sw = await net.add('s', { t1: {}, t2: { vlans: TRUNK } }, { ...FILTERS, stp_state: true });
    const put = sw.controls.vlan({ op: 'set', dev: 't2', vid: 10, state: 'learning' });
    await expect(put).rejects.toThrow('the spanning tree of br0 says the states of its ports, in all VLANs');
  });
});
