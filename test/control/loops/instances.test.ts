/** Instances of the spanning tree (`mst_enabled`) on whole switches in memory: what passes by the states of ports in them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VlansRequest } from '../../../src/api/api.js';
import { viewVlans } from '../../../src/control/views/vlans.js';
import { PORT_STATES, type PortStateName } from '../../../src/values/port-state.js';
import { A, B, BROADCAST, frame } from '../../dataplane/support/frames.js';
import { Network } from './network.js';

const TRUNK = [{ vid: 1, pvid: true, untagged: true }, { vid: 10 }, { vid: 11 }, { vid: 20 }];
/** VLANs 10 and 11 are in instance 1, VLAN 20 in instance 2, VLAN 1 in the common tree. */
const INSTANCES = {
  vlan_filtering: true,
  mst_enabled: true,
  vlan_global: [
    { vid: '10-11', msti: 1 },
    { vid: 20, msti: 2 },
  ],
};
const isOwn = (bytes: Uint8Array): boolean => bytes[0] === 0x03 || bytes[0] === 0x01;
const inState = (msti: number, state: PortStateName) => [{ msti, state }];
const ALL_OPEN = { vlans: TRUNK, mst: [...inState(1, 'forwarding'), ...inState(2, 'forwarding')] };

let net: Network;

beforeEach(() => {
  net = new Network();
});

afterEach(() => net.stop());

/** Copies at `to` of a broadcast in a VLAN that comes in by `at`; VLAN 1 is untagged. */
async function copies(vid: number, at: string, to: string, source = A): Promise<number> {
  net.take(`s ${to}`);
  net.put(`s ${at}`, frame({ source, destination: BROADCAST, ...(vid === 1 ? {} : { tci: vid }) }));
  await net.pass(100);
  return net.take(`s ${to}`, (bytes) => !isOwn(bytes)).length;
}

/** Whether frames to `mac` in a VLAN leave by `t2` only. */
async function isLearned(vid: number, mac: string): Promise<boolean> {
  net.take('s t3');
  const tag = vid === 1 ? {} : { tci: vid };
  net.put('s t1', frame({ source: '02:00:00:00:00:77', destination: mac, ...tag }));
  await net.pass(100);
  return net.take('s t3', (bytes) => !isOwn(bytes)).length === 0;
}

const set = (name: string, options: object) => net.of('s').controls.link({ op: 'set', name, options: { ...options } });
const vlan = (request: VlansRequest) => net.of('s').controls.vlan(request);
const states = () => Object.fromEntries((viewVlans(net.of('s').sources).mst ?? []).map((row) => [row.ifname, row.mst]));

describe.each(PORT_STATES)('%s', (state) => {
  const passes = state === 'forwarding' ? 1 : 0;
  const learns = state === 'learning' || state === 'forwarding';

  it('in an instance: the state of its VLANs, and of no other one', async () => {
    const mst = [...inState(1, state), ...inState(2, 'forwarding')];
    await net.add('s', { t1: ALL_OPEN, t2: { vlans: TRUNK, mst }, t3: ALL_OPEN }, INSTANCES);
    for (const vid of [10, 11])
      expect([await copies(vid, 't2', 't1', B), await copies(vid, 't1', 't2')]).toEqual([passes, passes]);
    expect(await isLearned(10, B)).toBe(learns);
    for (const vid of [1, 20])
      expect([await copies(vid, 't2', 't1', B), await copies(vid, 't1', 't2')]).toEqual([1, 1]);
    expect(await copies(10, 't1', 't3')).toBe(1);
  });

  it('of the port: the state of the VLANs of instance 0 alone', async () => {
    await net.add('s', { t1: ALL_OPEN, t2: { ...ALL_OPEN, state }, t3: ALL_OPEN }, INSTANCES);
    expect([await copies(1, 't2', 't1', B), await copies(1, 't1', 't2')]).toEqual([passes, passes]);
    expect(await isLearned(1, B)).toBe(learns);
    for (const vid of [10, 20]) expect([await copies(vid, 't2', 't1'), await copies(vid, 't1', 't2')]).toEqual([1, 1]);
  });

  it('set while the switch runs, and taken back', async () => {
    await net.add('s', { t1: ALL_OPEN, t2: ALL_OPEN, t3: ALL_OPEN }, INSTANCES);
    await vlan({ op: 'mst', dev: 't2', msti: 1, state });
    await vlan({ op: 'mst', dev: 't2', msti: 0, state });
    expect([await copies(1, 't1', 't2'), await copies(10, 't1', 't2'), await copies(20, 't1', 't2')]).toEqual([
      passes,
      passes,
      1,
    ]);
    expect(states().t2).toEqual([...inState(0, state), ...inState(1, state), ...inState(2, 'forwarding')]);
    for (const msti of [0, 1]) await vlan({ op: 'mst', dev: 't2', msti, state: 'forwarding' });
    expect([await copies(1, 't1', 't2'), await copies(10, 't1', 't2')]).toEqual([1, 1]);
  });
});

it('a VLAN that changes its instance has the state of the port there, disabled where nobody has said one', async () => {
  await net.add('s', { t1: ALL_OPEN, t2: { vlans: TRUNK, mst: inState(1, 'forwarding') } }, INSTANCES);
  expect([await copies(10, 't1', 't2'), await copies(20, 't1', 't2')]).toEqual([1, 0]);
  await vlan({ op: 'global', dev: 'br0', vid: 10, options: { msti: 2 } });
  await vlan({ op: 'global', dev: 'br0', vid: 20, options: { msti: 1 } });
  expect([await copies(10, 't1', 't2'), await copies(20, 't1', 't2')]).toEqual([0, 1]);
  await vlan({ op: 'global', dev: 'br0', vid: 10, options: { msti: 0 } });
  expect(await copies(10, 't1', 't2')).toBe(1);
  expect(states().t2).toEqual([...inState(0, 'forwarding'), ...inState(1, 'forwarding')]);
});

it('goes when the mode is switched off, with the states of ports', async () => {
  const sw = await net.add('s', { t1: ALL_OPEN, t2: { vlans: TRUNK, mst: inState(1, 'blocking') } }, INSTANCES);
  await set('t2', { state: 'learning' });
  expect([await copies(10, 't1', 't2'), await copies(1, 't1', 't2')]).toEqual([0, 0]);
  await set('br0', { mst_enabled: false });
  // The state of the port is that of all its VLANs again.
  expect([await copies(10, 't1', 't2'), await copies(20, 't1', 't2')]).toEqual([0, 0]);
  await set('t2', { state: null });
  expect([await copies(10, 't1', 't2'), await copies(20, 't1', 't2'), states()]).toEqual([1, 1, {}]);
  await set('br0', { mst_enabled: true });
  expect([sw.model.ports.get('t2')?.config.mst, await copies(10, 't1', 't2'), await copies(1, 't1', 't2')]).toEqual([
    [],
    0,
    1,
  ]);
  await set('br0', { vlan_filtering: false });
  expect(await copies(10, 't1', 't2')).toBe(1);
});

it("with stp_state the switch's own tree says the state of instance 0, and hears BPDUs where its VLAN is closed", async () => {
  const bridge = { ...INSTANCES, stp_state: true };
  await net.add('s', { t1: { ...ALL_OPEN, stp: false }, t2: ALL_OPEN, t3: ALL_OPEN }, bridge);
  // The two ports are joined outside: the tree closes one of them, for the VLANs of instance 0.
  net.join('s t2', 's t3');
  await net.pass(5000);
  const tree = states();
  expect([tree.t2?.[0], tree.t3?.[0]].map((one) => one?.state).sort()).toEqual(['blocking', 'forwarding']);
  const [open, closed] = tree.t2?.[0]?.state === 'forwarding' ? ['t2', 't3'] : ['t3', 't2'];
  net.cut('s t2', 's t3');
  expect([await copies(1, 't1', open), await copies(1, 't1', closed)]).toEqual([1, 0]);
  expect([await copies(10, 't1', open), await copies(10, 't1', closed)]).toEqual([1, 1]);
  expect([await copies(10, closed, 't1', B), await copies(1, closed, 't1', B)]).toEqual([1, 0]);
});

it('what does not fit is refused with a remedy', async () => {
  await net.add('s', { t1: { vlans: TRUNK }, t2: {} }, { vlan_filtering: true });
  const mst = (dev: string): VlansRequest => ({ op: 'mst', dev, msti: 1, state: 'forwarding' });
  await expect(vlan(mst('t1'))).rejects.toThrow('switch them on first: link set br0 type bridge mst_enabled 1');
  await set('br0', { mst_enabled: true });
  await expect(vlan(mst('br0'))).rejects.toThrow('br0 is a bridge');
  await expect(vlan({ op: 'set', dev: 't1', vid: 10, state: 'blocking' })).rejects.toThrow(
    'give the state of the instance, in mst of the port',
  );
  await net.of('s').controls.link({ op: 'set', name: 't2', master: null });
  await expect(vlan(mst('t2'))).rejects.toThrow('belongs to no bridge');
  await vlan(mst('t1'));
  await net.of('s').controls.link({ op: 'set', name: 't1', master: null });
  await net.of('s').controls.link({ op: 'set', name: 't1', master: 'br0' });
  expect(net.of('s').model.ports.get('t1')?.config.mst).toEqual([]);
});
