/** Reused indexes have no state of their former use; bridges changed and deleted. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { A, B, BROADCAST, C, D, frame } from '../support/frames.js';
import { type TapSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
const OTHER = '192.0.2.3';
const tap = { type: 'tap' } as const;
const vxlan: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER] };
const hello = (source: string): Uint8Array => frame({ source, destination: BROADCAST });

function make(): TestSwitch {
  return new TestSwitch({
    br0: { ports: { t1: tap, t2: tap, t3: tap, vx: vxlan } },
    br1: { ports: { u1: tap, u2: tap } },
  });
}

function remove(sw: TestSwitch, port: string): void {
  sw.apply(sw.topology.removePort(port));
}

describe('a number that is given again', () => {
  const everything: TapSpec = {
    type: 'tap',
    off: ['learning', 'flood', 'mcast_flood', 'bcast_flood'],
    isolated: true,
    locked: true,
    mtu: 100,
    storm: { broadcast: 1, unknownUnicast: 1, multicast: 1 },
    vlans: ['2 pvid untagged', '3', '4094'],
    fdb: [{ mac: A, vlan: 2 }],
  };

  it('to a TAP, after one with everything: it is as the first in a new switch', () => {
    const sw = new TestSwitch({
      br0: { filtering: true, ports: { t1: everything, t2: { ...tap, vlans: ['2', '3'] } } },
    });
    const { number } = sw.topology.port('t1');
    sw.send('t1', frame({ source: A, tci: 3, destination: BROADCAST }));
    remove(sw, 't1');
    sw.apply(sw.topology.addPort('br0', 'new', tap));
    expect(sw.port('new')).toBe(number);
    expect(sw.counters.port(number)).toEqual({ rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 });
    expect(sw.counters.portDrops(number)).toEqual({ rx_dropped: 0, tx_dropped: 0, drops: {} });
    expect(sw.send('new', hello(A)).drops).toEqual(['new no_pvid']);
    expect(sw.send('new', frame({ tci: 3 })).drops).toEqual(['new vlan_not_allowed']);
    expect(sw.send('t2', frame({ tci: 2, source: B, destination: A })).drops).toEqual(['t2 no_destination']);
    sw.apply(sw.topology.vlans('new', ['3 pvid untagged']));
    for (let i = 0; i < 5; i++) expect(sw.send('new', hello(C)).to).toEqual(['t2']);
    expect(sw.vlan('new', 3)).toMatchObject({ rx_packets: 5, tx_packets: 0 });
    expect(sw.send('t2', frame({ tci: 3, source: B, destination: C, payload: new Uint8Array(1400) })).to).toEqual([
      'new',
    ]);
  });

  it('to a TAP after a vxlan port, and back', () => {
    const spec: VxlanSpec = { ...vxlan, acceptAny: true, mac: D, maxLearned: 1, ageingSeconds: 1 };
    const sw = new TestSwitch({ br0: { ports: { vx: spec, t1: tap } } });
    const number = sw.port('vx');
    sw.tunnel('vx', OTHER, 42, hello(C));
    remove(sw, 'vx');
    sw.apply(sw.topology.addPort('br0', 'new', tap));
    expect(sw.port('new')).toBe(number);
    for (const mac of [A, B, C, D]) expect(sw.send('new', hello(mac)).to).toEqual(['t1']);
    sw.wait(2);
    for (const mac of [A, B, C, D])
      expect(sw.send('t1', frame({ source: '02:00:00:00:00:77', destination: mac })).to).toEqual(['new']);
    remove(sw, 'new');
    sw.apply(sw.topology.addPort('br0', 'vy', { ...vxlan, vni: 43, remotes: [OTHER] }));
    expect(sw.port('vy')).toBe(number);
    expect(sw.receive('vy', OTHER, encodeVxlan(42, hello(D))).drops).toEqual(['vy vni_unknown']);
    expect(sw.tunnel('vy', PEER, 43, hello(D)).drops).toEqual(['vy vtep_unknown']);
    expect(sw.tunnel('vy', OTHER, 43, hello(D)).to).toEqual(['t1']);
    expect(sw.send('t1', hello(A)).to).toEqual([`vy>${OTHER}`]);
    expect(sw.counters.remote(1)).toMatchObject({ rx_packets: 1, tx_packets: 1 });
  });

  it('to a VTEP that is met: its address is told again, and its accounts start anew', () => {
    const any: VxlanSpec = { type: 'vxlan', vni: 42, acceptAny: true };
    const sw = new TestSwitch({ br0: { ports: { t1: tap, vx: any } } });
    sw.tunnel('vx', PEER, 42, hello(B));
    expect(sw.send('t1', frame()).to).toEqual([`vx>${PEER}`]);
    const [first] = sw.context.remotes.learned(sw.port('vx'));
    expect(sw.counters.remote(first)).toMatchObject({ rx_packets: 1, tx_packets: 1 });
    remove(sw, 'vx');
    sw.apply(sw.topology.addPort('br0', 'vx', any));
    sw.tunnel('vx', OTHER, 42, hello(B));
    expect([...sw.context.remotes.learned(sw.port('vx'))]).toEqual([first]);
    expect(sw.send('t1', frame()).to).toEqual([`vx>${OTHER}`]);
    expect(sw.counters.remote(first)).toMatchObject({ rx_packets: 1, tx_packets: 1 });
  });

  it('to a bridge', () => {
    const sw = make();
    sw.apply([sw.topology.bridge('br1', { filtering: true, maxLearned: 1, ageingSeconds: 1, groupFwdMask: 0x4000 })]);
    for (const port of ['u1', 'u2']) remove(sw, port);
    const number = sw.topology.bridgeNumber('br1');
    sw.apply(sw.topology.removeBridge('br1'));
    sw.apply(sw.topology.addBridge('br9', { ports: { u1: tap, u2: tap } }));
    expect(sw.topology.bridgeNumber('br9')).toBe(number);
    for (const mac of [A, B]) expect(sw.send('u1', hello(mac)).to).toEqual(['u2']);
    sw.wait(5);
    for (const mac of [A, B]) expect(sw.send('u2', frame({ source: C, destination: mac })).to).toEqual(['u1']);
    expect(sw.send('u1', frame({ destination: '01:80:c2:00:00:0e' })).drops).toEqual(['u1 link_local']);
  });
});

describe('bridges', () => {
  it('with ports are not ended, and number 0 is none', () => {
    const sw = make();
    expect(() => sw.apply([{ op: 'bridge-del', bridge: sw.topology.bridgeNumber('br1') }])).toThrow(/has ports/);
    const bridge = sw.topology.bridge('br1', {}) as Operation & { op: 'bridge' };
    expect(() => sw.apply([{ ...bridge, bridge: 0 }])).toThrow(/bridge 0 is none/);
  });

  it('change their limits and VLAN filtering while frames flow', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: { ...tap, vlans: ['2 pvid untagged'] } } } });
    const tagged = frame({ tci: 2, destination: BROADCAST });
    expect(sw.send('t1', tagged).out.map((out) => out.frame)).toEqual([tagged]);
    sw.apply([sw.topology.bridge('br0', { filtering: true })]);
    expect(sw.send('t1', tagged).drops).toEqual(['t1 vlan_not_allowed']);
    sw.apply(sw.topology.vlans('t1', ['2']));
    expect(sw.send('t1', tagged).out.map((out) => out.frame)).toEqual([hello(A)]);
    sw.apply([sw.topology.bridge('br0', {})]);
    expect(sw.send('t1', tagged).out.map((out) => out.frame)).toEqual([tagged]);
  });

  it('forward the link-local groups that group_fwd_mask names, and no others', () => {
    const sw = make();
    const lldp = frame({ destination: '01:80:c2:00:00:0e' });
    const pause = frame({ destination: '01:80:c2:00:00:03' });
    sw.apply([sw.topology.bridge('br1', { groupFwdMask: 1 << 14 })]);
    expect(sw.send('u1', lldp).to).toEqual(['u2']);
    expect(sw.send('u1', pause).drops).toEqual(['u1 link_local']);
    expect(sw.send('t1', lldp).drops).toEqual(['t1 link_local']);
    sw.apply([sw.topology.bridge('br1', { groupFwdMask: 1 << 3 })]);
    expect(sw.send('u1', pause).to).toEqual(['u2']);
    expect(sw.send('u1', lldp).drops).toEqual(['u1 link_local']);
  });
});
