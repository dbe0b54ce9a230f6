/** Ports and bridges added, changed and deleted while frames flow: forwarding, and indexes without leftovers. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { RETIRED as RETIRED_ROW } from '../../../src/dataplane/state/counters.js';
import { FLAG_STATIC, FLAG_STICKY } from '../../../src/fdb/table.js';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { NO_BRIDGE } from '../support/control-model.js';
import { A, B, BROADCAST, C, D, frame, MULTICAST } from '../support/frames.js';
import { RETIRED, type TapSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
const OTHER = '192.0.2.3';
const EBADFD = 77;
const tap = { type: 'tap' } as const;
const vxlan: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER] };
const hello = (source: string): Uint8Array => frame({ source, destination: BROADCAST });

function make(): TestSwitch {
  return new TestSwitch({
    br0: { ports: { t1: tap, t2: tap, t3: tap, vx: vxlan } },
    br1: { ports: { u1: tap, u2: tap } },
  });
}

function set(sw: TestSwitch, port: string, spec: TapSpec | VxlanSpec, bridge = sw.topology.port(port).bridge): void {
  sw.apply(sw.topology.setPort(port, bridge, spec));
}

function remove(sw: TestSwitch, port: string): void {
  sw.apply(sw.topology.removePort(port));
}

describe('the options of a port, while frames flow', () => {
  it('down and up again', () => {
    const sw = make();
    sw.send('t2', hello(B));
    set(sw, 't2', { ...tap, off: ['up'] });
    expect(sw.send('t1', frame()).drops).toEqual(['t1 port_down']);
    expect(sw.send('t2', frame()).drops).toEqual(['t2 port_down']);
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
    set(sw, 't2', tap);
    expect(sw.send('t1', frame()).to).toEqual(['t2']);
    expect(sw.send('t2', hello(B)).to).toEqual(['t1', 't3', `vx>${PEER}`]);
  });

  it.each([
    ['flood', '02:00:00:00:00:99'],
    ['mcast_flood', MULTICAST],
    ['bcast_flood', BROADCAST],
  ] as const)('%s off and on again', (kind, destination) => {
    const sw = make();
    const all = ['t2', 't3', `vx>${PEER}`];
    for (const port of ['t2', 'vx']) {
      const spec = port === 'vx' ? vxlan : tap;
      expect(sw.send('t1', frame({ destination })).to).toEqual(all);
      set(sw, port, { ...spec, off: [kind] });
      expect(sw.send('t1', frame({ destination })).to).toEqual(all.filter((to) => !to.startsWith(port)));
      set(sw, port, spec);
    }
    expect(sw.send('t1', frame({ destination })).to).toEqual(all);
  });

  it('isolated on one of two, on both, on none', () => {
    const sw = make();
    set(sw, 't1', { ...tap, isolated: true });
    expect(sw.send('t1', hello(A)).to).toEqual(['t2', 't3', `vx>${PEER}`]);
    set(sw, 't2', { ...tap, isolated: true });
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
    expect(sw.send('t2', frame({ source: B, destination: A })).drops).toEqual(['t2 isolated_port']);
    set(sw, 't1', tap);
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual(['t1']);
  });

  it('locked: what was learned before passes, what was not does not, until it is unlocked', () => {
    const sw = make();
    sw.send('t1', hello(A));
    set(sw, 't1', { ...tap, locked: true });
    expect(sw.send('t1', hello(A)).to).toEqual(['t2', 't3', `vx>${PEER}`]);
    expect(sw.send('t1', hello(C)).drops).toEqual(['t1 locked_port']);
    set(sw, 't1', tap);
    expect(sw.send('t1', hello(C)).to).toEqual(['t2', 't3', `vx>${PEER}`]);
  });

  it('learning off learns nothing more, and what is known stays; on again it learns', () => {
    const sw = make();
    sw.send('t1', hello(A));
    set(sw, 't1', { ...tap, off: ['learning'] });
    sw.send('t1', hello(C));
    expect(sw.send('t2', frame({ source: B, destination: C })).to).toEqual(['t1', 't3', `vx>${PEER}`]);
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual(['t1']);
    set(sw, 't1', tap);
    sw.send('t1', hello(C));
    expect(sw.send('t2', frame({ source: B, destination: C })).to).toEqual(['t1']);
  });

  it('a sticky entry that is set, and deleted', () => {
    const sw = make();
    const sticky = { mac: A, flags: FLAG_STATIC | FLAG_STICKY };
    sw.apply([sw.topology.entry('t1', sticky)]);
    sw.send('t2', hello(A));
    expect(sw.send('t3', frame({ source: B, destination: A })).to).toEqual(['t1']);
    sw.apply([sw.topology.removeEntry('t1', sticky)]);
    sw.send('t2', hello(A));
    expect(sw.send('t3', frame({ source: B, destination: A })).to).toEqual(['t2']);
  });

  it('the MTU', () => {
    const sw = make();
    const large = frame({ destination: BROADCAST, payload: new Uint8Array(1500) });
    expect(sw.send('u1', large).drops).toEqual(['u2 mtu_exceeded']);
    set(sw, 'u2', { ...tap, mtu: 1500 });
    expect(sw.send('u1', large).to).toEqual(['u2']);
    set(sw, 'u2', { ...tap, mtu: 1400 });
    expect(sw.send('u1', large).drops).toEqual(['u2 mtu_exceeded']);
  });

  it('what a vxlan port accepts: unknownVteps, until it is to know its VTEPs', () => {
    const sw = make();
    const stranger = '198.51.100.9';
    expect(sw.tunnel('vx', stranger, 42, hello(D)).drops).toEqual(['vx vtep_unknown']);
    set(sw, 'vx', { ...vxlan, acceptAny: true });
    expect(sw.tunnel('vx', stranger, 42, hello(D)).to).toEqual(['t1', 't2', 't3']);
    expect(sw.send('t1', frame({ destination: D })).to).toEqual([`vx>${stranger}`]);
    set(sw, 'vx', vxlan);
    expect(sw.tunnel('vx', stranger, 42, hello(D)).drops).toEqual(['vx vtep_unknown']);
    expect(sw.send('t1', frame({ destination: D })).to).toEqual(['t2', 't3', `vx>${PEER}`]);
    // A VTEP that was met by itself becomes one that is configured.
    set(sw, 'vx', { ...vxlan, acceptAny: true });
    sw.tunnel('vx', stranger, 42, hello(D));
    set(sw, 'vx', { ...vxlan, remotes: [PEER, stranger] });
    expect(sw.tunnel('vx', stranger, 42, hello(D)).to).toEqual(['t1', 't2', 't3']);
  });

  it('what a vxlan port sends with', () => {
    const sw = make();
    const [before] = sw.send('t1', hello(A)).out.filter(({ port }) => port === 'vx');
    sw.apply(sw.topology.setSenders('vx', 2));
    set(sw, 'vx', { ...vxlan, tos: 0xb8 });
    const [after] = sw.send('t1', hello(A)).out.filter(({ port }) => port === 'vx');
    expect([before.tos, after.tos]).toEqual([0, 0xb8]);
    expect(after.sender).not.toBe(before.sender);
    expect(sw.topology.port('vx').senders).toContain(after.sender);
  });

  it('its own bound and ageing of what is learned', () => {
    const sw = make();
    set(sw, 'vx', { ...vxlan, maxLearned: 1, ageingSeconds: 5 });
    sw.tunnel('vx', PEER, 42, hello(C));
    sw.tunnel('vx', PEER, 42, hello(D));
    const reach = (destination: string): string[] => sw.send('t1', frame({ destination })).to;
    expect(reach(C)).toEqual([`vx>${PEER}`]);
    expect(reach(D)).toHaveLength(3);
    sw.wait(5);
    expect(reach(C)).toHaveLength(3);
    set(sw, 'vx', vxlan);
    for (const mac of [C, D]) sw.tunnel('vx', PEER, 42, hello(mac));
    sw.wait(5);
    expect([reach(C), reach(D)]).toEqual([[`vx>${PEER}`], [`vx>${PEER}`]]);
  });

  it('leave the multicast MACs that are pinned on it alone', () => {
    const sw = make();
    const pinned = { ...vxlan, pins: [{ mac: MULTICAST, dst: [OTHER] }] };
    set(sw, 'vx', pinned);
    const [operation] = sw.topology.setPort('vx', 'br0', { ...pinned, isolated: true });
    sw.apply([operation]);
    expect(sw.send('t1', frame({ destination: MULTICAST })).to).toEqual(['t2', 't3', `vx>${OTHER}`]);
  });

  it('told the same again changes nothing', () => {
    const sw = make();
    sw.send('t2', hello(B));
    for (let i = 0; i < 3; i++) for (const port of ['t1', 't2', 'vx']) set(sw, port, sw.topology.port(port).spec);
    expect(sw.send('t1', frame()).to).toEqual(['t2']);
    expect(sw.send('t1', hello(A)).to).toEqual(['t2', 't3', `vx>${PEER}`]);
  });
});

describe('a port that changes its bridge', () => {
  it('takes part there from then on, and its entries are gone', () => {
    const sw = make();
    sw.send('t2', hello(B));
    sw.send('u1', hello(C));
    sw.apply([sw.topology.entry('t2', { mac: D })]);
    set(sw, 't2', tap, 'br1');
    expect(sw.send('t1', frame({ destination: B })).to).toEqual(['t3', `vx>${PEER}`]);
    expect(sw.send('t1', frame({ destination: D })).to).toEqual(['t3', `vx>${PEER}`]);
    expect(sw.send('t2', frame({ source: B, destination: C })).to).toEqual(['u1']);
    expect(sw.send('u2', frame({ source: D, destination: B })).to).toEqual(['t2']);
    expect(sw.send('u1', hello(C)).to).toEqual(['t2', 'u2']);
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
  });

  it('out of every bridge: port_down, until it is in one again', () => {
    const sw = make();
    sw.send('t2', hello(B));
    set(sw, 't2', tap, NO_BRIDGE);
    expect(sw.send('t2', hello(B)).drops).toEqual(['t2 port_down']);
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
    set(sw, 't2', tap, NO_BRIDGE);
    expect(sw.send('t2', hello(B)).drops).toEqual(['t2 port_down']);
    set(sw, 't2', tap, 'br0');
    expect(sw.send('t2', hello(B)).to).toEqual(['t1', 't3', `vx>${PEER}`]);
  });

  it('two ports that are in none do not reach each other', () => {
    const sw = make();
    for (const port of ['t1', 't2']) set(sw, port, tap, NO_BRIDGE);
    expect(sw.send('t1', hello(A))).toMatchObject({ to: [], drops: ['t1 port_down'] });
    expect(sw.context.forwarding.bridgePorts[0]).toHaveLength(0);
  });

  it('a vxlan port, with its VNI and its pins', () => {
    const sw = make();
    const pins = [{ mac: MULTICAST, dst: [OTHER] }];
    set(sw, 'vx', { ...vxlan, pins });
    set(sw, 'vx', { ...vxlan, pins }, NO_BRIDGE);
    expect(sw.tunnel('vx', PEER, 42, hello(D)).drops).toEqual(['vx port_down']);
    set(sw, 'vx', { ...vxlan, pins }, 'br1');
    expect(sw.tunnel('vx', PEER, 42, hello(D)).to).toEqual(['u1', 'u2']);
    expect(sw.send('u1', hello(A)).to).toEqual(['u2', `vx>${PEER}`]);
    expect(sw.send('u1', frame({ destination: MULTICAST })).to).toEqual(['u2', `vx>${OTHER}`]);
    expect(sw.send('t1', hello(A)).to).toEqual(['t2', 't3']);
  });

  it('counts for the limit of the bridge where it is', () => {
    const sw = make();
    sw.apply([sw.topology.bridge('br1', { maxLearned: 1 })]);
    for (const mac of [A, B, C]) sw.send('t2', hello(mac));
    set(sw, 't2', tap, 'br1');
    for (const mac of [A, B, C]) sw.send('t2', hello(mac));
    const known = [A, B, C].filter((mac) => sw.send('u1', frame({ source: D, destination: mac })).to.length === 1);
    expect(known).toEqual([A]);
    expect(sw.context.fdb.learnedByGroup[sw.topology.bridgeNumber('br0')]).toBe(0);
  });
});

describe('a port that ends', () => {
  it('is no more: nothing goes there, and the others do not notice', () => {
    const sw = make();
    sw.send('t2', hello(B));
    remove(sw, 't2');
    expect(sw.send('t1', frame()).to).toEqual(['t3', `vx>${PEER}`]);
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
  });

  it('between port-del and flush its entries lead nowhere, also if its number is somebody else by then', () => {
    const sw = make();
    sw.send('t2', hello(B));
    const operations = sw.topology.removePort('t2');
    const flush = operations.pop() as Operation;
    sw.apply(operations);
    expect(sw.send('t1', frame())).toMatchObject({ to: [], drops: ['t1 no_destination'] });
    sw.apply([flush]);
    expect(sw.send('t1', frame()).to).toEqual(['t3', `vx>${PEER}`]);
  });

  it('leaves its accounts to the retired ones, port after port', () => {
    const sw = make();
    for (const name of ['t2', 't3', 'vx', 'u2']) {
      sw.send(name === 'u2' ? 'u1' : 't1', hello(A));
      if (name === 'vx') sw.tunnel('vx', OTHER, 42, hello(B));
      else sw.send(name, new Uint8Array(10));
      remove(sw, name);
    }
    expect(sw.counters.retired).toMatchObject({
      rx_packets: 4,
      tx_packets: 1 + 2 + 3 + 1,
      rx_dropped: 4,
      drops: { frame_too_short: 3, vtep_unknown: 1 },
    });
    expect(sw.send('t1', hello(A)).drops).toEqual(['t1 no_destination']);
  });

  it('ends the accounts of its memberships', () => {
    const sw = new TestSwitch({ br0: { filtering: true, ports: { t1: { ...tap, vlans: ['2 pvid'] } } } });
    sw.send('t1', hello(A));
    const counter = sw.topology.port('t1').counters.get(2) as number;
    expect(sw.counters.vlan(counter).rx_packets).toBe(1);
    remove(sw, 't1');
    expect(sw.counters.vlan(counter)).toEqual({ rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 });
  });

  it('ended twice is ended once', () => {
    const sw = make();
    const operations = sw.topology.removePort('t2');
    sw.apply(operations);
    sw.apply(operations);
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
  });

  it('the owner of a shared socket: another one answers for what belongs to nobody, or none does', () => {
    const sw = new TestSwitch({
      br0: { ports: { va: { ...vxlan, vni: 1 }, vb: { ...vxlan, vni: 2, shares: 'va' }, t1: tap } },
    });
    const lost = encodeVxlan(9, hello(A));
    expect(sw.receive('va', PEER, lost).drops).toEqual(['va vni_unknown']);
    remove(sw, 'va');
    expect(sw.receive('vb', PEER, lost).drops).toEqual(['vb vni_unknown']);
    expect(sw.receive('vb', PEER, encodeVxlan(1, hello(A))).drops).toEqual(['vb vni_unknown']);
    expect(sw.tunnel('vb', PEER, 2, hello(A)).to).toEqual(['t1']);
    // The operation alone leaves the socket to nobody, and the accounts balance all the same.
    sw.apply([{ op: 'socket-owner', socket: sw.topology.port('vb').socket, owner: RETIRED_ROW }]);
    expect(sw.receive('vb', PEER, lost, {}, RETIRED).drops).toEqual([`${RETIRED} vni_unknown`]);
  });

  it('an operation on a port that is not there is refused', () => {
    const sw = make();
    const port = 77;
    const refused: Operation[] = [
      { op: 'port', port, bridge: 1, flags: 0, mtu: 0 },
      { op: 'tunnel', port, senders: [0], dfSenders: [], tos: 0, ageingTicks: 0, maxLearned: 0 },
      { op: 'storm', port, broadcast: 1, unknownUnicast: 1, multicast: 1 },
      { op: 'vlan', port, vid: 2, untagged: true, counter: 1 },
      { op: 'pvid', port, vid: 2 },
      { op: 'vni', port, vid: 2, vni: 2, header: 0, counter: 0 },
      { op: 'flood', port, vid: 2, remotes: [1] },
      { op: 'pin', port, vid: 0, high: 0x0100, low: 1, list: 0, remotes: [1], flags: 1 },
    ];
    for (const operation of refused) expect(() => sw.apply([operation])).toThrow(/no port has number 77/);
    const vni = { op: 'vni', port: sw.port('t1'), vid: 2, vni: 2, header: 9, counter: 9 } as const;
    expect(() => sw.apply([vni])).toThrow(/of another kind/);
  });
});

describe('a TAP whose device has gone', () => {
  it('stays down whatever control says, and is up once it is attached again', () => {
    const sw = make();
    sw.io.lose(KIND_FRAME, sw.port('t2'), EBADFD);
    sw.turn();
    set(sw, 't2', tap);
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
    set(sw, 't2', tap, 'br1');
    expect(sw.send('u1', hello(C)).to).toEqual(['u2']);
    set(sw, 't2', tap, 'br0');
    expect(sw.send('t1', hello(A)).to).toEqual(['t3', `vx>${PEER}`]);
    remove(sw, 't2');
    sw.apply(sw.topology.addPort('br0', 't2', tap));
    expect(sw.send('t1', hello(A)).to).toEqual(['t2', 't3', `vx>${PEER}`]);
    expect(sw.send('t2', hello(B)).to).toEqual(['t1', 't3', `vx>${PEER}`]);
  });
});
