/** VNIs, flood lists, remotes, pinned MACs and FDB entries added, changed and deleted while frames flow. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { FLAGS_ALL } from '../../../src/fdb/table.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { A, B, BROADCAST, C, D, frame, MULTICAST } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
const OTHER = '192.0.2.3';
const hello = (source: string): Uint8Array => frame({ source, destination: BROADCAST });

const TUNNEL: VxlanSpec = { type: 'vxlan', tunnel: { 2: 200, 3: 300 }, vlans: ['2', '3'], remotes: [PEER] };

function tunnelled(spec: VxlanSpec = TUNNEL): TestSwitch {
  const access = (vid: number) => ({ type: 'tap', vlans: [`${vid} pvid untagged`] }) as const;
  return new TestSwitch({ br0: { filtering: true, ports: { t2: access(2), t3: access(3), vx: spec } } });
}

function set(sw: TestSwitch, spec: VxlanSpec): void {
  sw.apply(sw.topology.setPort('vx', 'br0', spec));
}

/** VNI that a TAP's frame leaves in, with where to, or why not. */
function outward(sw: TestSwitch, port: string): string[] {
  const { out, drops } = sw.send(port, hello(A));
  return [...out.map(({ header, to }) => `${(header[4] << 16) | (header[5] << 8) | header[6]} ${to}`), ...drops];
}

describe('VNIs', () => {
  it('taken away and given back: both directions, and their accounts start anew', () => {
    const sw = tunnelled();
    expect(outward(sw, 't2')).toEqual([`200 vx>${PEER}`]);
    set(sw, { ...TUNNEL, tunnel: { 3: 300 } });
    expect(outward(sw, 't2')).toEqual(['t2 no_destination']);
    expect(sw.receive('vx', PEER, encodeVxlan(200, hello(B))).drops).toEqual(['vx vni_unknown']);
    expect(outward(sw, 't3')).toEqual([`300 vx>${PEER}`]);
    expect(sw.tunnel('vx', PEER, 300, hello(B)).to).toEqual(['t3']);
    expect(sw.counters.vni(0)).toMatchObject({ tx_packets: 0 });
    set(sw, TUNNEL);
    expect(outward(sw, 't2')).toEqual([`200 vx>${PEER}`]);
    expect(sw.tunnel('vx', PEER, 200, hello(C)).to).toEqual(['t2']);
    expect(sw.counters.vni(0)).toMatchObject({ rx_packets: 1, tx_packets: 1 });
  });

  it('exchanged between two VLANs', () => {
    const sw = tunnelled();
    set(sw, { ...TUNNEL, tunnel: { 2: 300, 3: 200 } });
    expect([outward(sw, 't2'), outward(sw, 't3')]).toEqual([[`300 vx>${PEER}`], [`200 vx>${PEER}`]]);
    expect(sw.tunnel('vx', PEER, 300, hello(B)).to).toEqual(['t2']);
    expect(sw.tunnel('vx', PEER, 200, hello(B)).to).toEqual(['t3']);
  });

  it('exchanged without being taken away before: a VLAN has one VNI, and a VNI one VLAN', () => {
    const sw = tunnelled();
    const port = sw.port('vx');
    sw.apply([{ op: 'vni', port, vid: 2, vni: 300, header: 7, counter: 7 }]);
    expect(outward(sw, 't2')).toEqual([`300 vx>${PEER}`]);
    expect(outward(sw, 't3')).toEqual(['t3 no_destination']);
    expect(sw.receive('vx', PEER, encodeVxlan(200, hello(B))).drops).toEqual(['vx vni_unknown']);
    expect(sw.tunnel('vx', PEER, 300, hello(B)).to).toEqual(['t2']);
    sw.apply([
      { op: 'vni', port, vid: 3, vni: 200, header: 8, counter: 8 },
      { op: 'flood', port, vid: 3, remotes: [1] },
    ]);
    expect(outward(sw, 't3')).toEqual([`200 vx>${PEER}`]);
    expect(sw.tunnel('vx', PEER, 200, hello(B)).to).toEqual(['t3']);
    // To end what a VLAN has no more changes nothing.
    sw.apply([{ op: 'vni-del', port, vid: 3, vni: 300 }]);
    expect(outward(sw, 't3')).toEqual([`200 vx>${PEER}`]);
    expect(outward(sw, 't2')).toEqual([`300 vx>${PEER}`]);
  });

  it('moved to another port of the socket', () => {
    const single = (vni: number): VxlanSpec => ({ type: 'vxlan', vni, remotes: [PEER] });
    const sw = new TestSwitch({
      br0: { ports: { va: single(1), t1: { type: 'tap' } } },
      br1: { ports: { vb: { ...single(2), shares: 'va' }, u1: { type: 'tap' } } },
    });
    sw.apply([{ op: 'vni', port: sw.port('vb'), vid: null, vni: 1, header: 9, counter: 9 }]);
    expect(sw.tunnel('vb', PEER, 1, hello(B)).to).toEqual(['u1']);
    expect(sw.receive('va', PEER, encodeVxlan(2, hello(B))).drops).toEqual(['va vni_unknown']);
    expect(sw.send('t1', hello(A)).drops).toEqual(['t1 no_destination']);
    expect(outward(sw, 'u1')).toEqual([`1 vb>${PEER}`]);
  });

  it('of several ports count together until the last of them has it no more', () => {
    const port = (shares?: string): VxlanSpec => ({
      type: 'vxlan',
      vni: 5,
      remotes: [PEER],
      ...(shares === undefined ? {} : { shares }),
    });
    const sw = new TestSwitch({
      br0: { ports: { va: port(), t1: { type: 'tap' } } },
      br1: { ports: { vb: { ...port(), vni: 6 }, u1: { type: 'tap' } } },
    });
    const both = sw.topology.port('va').vnis.get(0)?.header as number;
    sw.apply([{ op: 'vni', port: sw.port('vb'), vid: null, vni: 5, header: 9, counter: both }]);
    sw.send('t1', hello(A));
    sw.send('u1', hello(A));
    expect(sw.counters.vni(both)).toMatchObject({ tx_packets: 2 });
    sw.apply([{ op: 'vni-del', port: sw.port('va'), vid: null, vni: 5 }]);
    expect(sw.counters.vni(both)).toMatchObject({ tx_packets: 2 });
    sw.apply([{ op: 'vni-del', port: sw.port('vb'), vid: null, vni: 5 }]);
    expect(sw.counters.vni(both)).toMatchObject({ tx_packets: 0 });
  });

  it('come and go a thousand times', () => {
    const sw = tunnelled();
    const port = sw.port('vx');
    for (let i = 0; i < 1000; i++) {
      sw.apply([
        { op: 'vni', port, vid: 3, vni: 1000 + i, header: 7, counter: 7 },
        { op: 'flood', port, vid: 3, remotes: [1] },
      ]);
      if (i % 100 === 0) expect(outward(sw, 't3')).toEqual([`${1000 + i} vx>${PEER}`]);
      sw.apply([{ op: 'vni-del', port, vid: 3, vni: 1000 + i }]);
    }
    expect(outward(sw, 't3')).toEqual(['t3 no_destination']);
    expect(outward(sw, 't2')).toEqual([`200 vx>${PEER}`]);
  });
});

describe('flood lists and remotes', () => {
  it('grow and shrink, for all VNIs and for one', () => {
    const sw = tunnelled();
    set(sw, { ...TUNNEL, remotes: [PEER, OTHER] });
    expect(outward(sw, 't2')).toEqual([`200 vx>${PEER}`, `200 vx>${OTHER}`]);
    set(sw, { ...TUNNEL, own: { 3: [OTHER] } });
    expect(outward(sw, 't2')).toEqual([`200 vx>${PEER}`]);
    expect(outward(sw, 't3')).toEqual([`300 vx>${PEER}`, `300 vx>${OTHER}`]);
    set(sw, { ...TUNNEL, remotes: [] });
    expect(sw.send('t2', hello(A)).drops).toEqual(['vx no_destination']);
    expect(sw.tunnel('vx', PEER, 200, hello(B)).drops).toEqual(['vx vtep_unknown']);
  });

  it('a remote’s number given again is the new one’s alone', () => {
    const sw = tunnelled();
    sw.tunnel('vx', PEER, 200, hello(B));
    expect(sw.send('t2', frame()).to).toEqual([`vx>${PEER}`]);
    set(sw, { ...TUNNEL, remotes: [] });
    set(sw, { ...TUNNEL, remotes: [OTHER] });
    expect([...sw.topology.port('vx').remotes.values()]).toEqual([1]);
    expect(sw.counters.remote(1)).toEqual({ rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 });
    expect(sw.send('t2', frame()).to).toEqual([`vx>${OTHER}`]); // flooded: the entry has gone with the remote
    expect(sw.tunnel('vx', PEER, 200, hello(B)).drops).toEqual(['vx vtep_unknown']);
    expect(sw.tunnel('vx', OTHER, 200, hello(B)).to).toEqual(['t2']);
    expect(sw.counters.remote(1)).toMatchObject({ rx_packets: 1, tx_packets: 1 });
  });

  it('one list for all VLANs of a port with one VNI', () => {
    const remotes = Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const sw = new TestSwitch({ br0: { ports: { t1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes } } } });
    expect(sw.send('t1', hello(A)).to).toHaveLength(1000);
    const { floodOfVlan } = sw.context.forwarding.tunnels[sw.port('vx')];
    expect(new Set(floodOfVlan).size).toBe(1);
  });
});

describe('pinned multicast MACs', () => {
  const pin = (dst: string[], mac = MULTICAST): VxlanSpec => ({ ...TUNNEL, pins: [{ mac, vlan: 2, dst }] });
  const multicast = frame({ destination: MULTICAST });

  it('set, replaced and deleted', () => {
    const sw = tunnelled();
    const to = (): string[] => sw.send('t2', multicast).to;
    expect(to()).toEqual([`vx>${PEER}`]);
    set(sw, pin([OTHER]));
    expect(to()).toEqual([`vx>${OTHER}`]);
    set(sw, pin([OTHER, PEER]));
    expect(to()).toEqual([`vx>${PEER}`, `vx>${OTHER}`]);
    expect(sw.send('t3', multicast).to).toEqual([`vx>${PEER}`]);
    set(sw, TUNNEL);
    expect(to()).toEqual([`vx>${PEER}`]);
  });

  it('a list’s number given again', () => {
    const sw = tunnelled(pin([OTHER]));
    set(sw, TUNNEL);
    set(sw, pin([PEER, OTHER], '01:00:5e:00:00:77'));
    expect([...sw.topology.port('vx').pins.values()]).toEqual([0]);
    expect(sw.send('t2', multicast).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t2', frame({ destination: '01:00:5e:00:00:77' })).to).toEqual([`vx>${PEER}`, `vx>${OTHER}`]);
  });

  it('deleted twice, or never set', () => {
    const sw = tunnelled();
    const del: Operation = { op: 'pin-del', port: sw.port('vx'), vid: 2, high: 0x0100, low: 0x5e000005 };
    sw.apply([del, del]);
    expect(sw.send('t2', multicast).to).toEqual([`vx>${PEER}`]);
  });
});

describe('FDB entries', () => {
  it('set, moved and deleted', () => {
    const access = { type: 'tap', vlans: ['2 pvid untagged'] } as const;
    const sw = new TestSwitch({ br0: { filtering: true, ports: { in: access, t2: access } } });
    sw.apply([sw.topology.entry('t2', { mac: B, vlan: 2 })]);
    expect(sw.send('in', frame()).to).toEqual(['t2']);
    sw.apply([sw.topology.entry('in', { mac: B, vlan: 2 })]);
    expect(sw.send('in', frame()).drops).toEqual(['in same_port']);
    sw.apply([sw.topology.removeEntry('in', { mac: B, vlan: 2 }), sw.topology.removeEntry('in', { mac: B, vlan: 2 })]);
    sw.apply(sw.topology.removeVlan('t2', 2));
    expect(sw.send('in', frame()).drops).toEqual(['in no_destination']);
  });

  it('flushed in pieces, by port, by FID, by destination, by kind', () => {
    const rows = { fromRow: 0, rowCount: 128 };
    const learn = (): TestSwitch => {
      const sw = tunnelled();
      sw.send('t2', hello(A));
      sw.send('t3', hello(A));
      sw.tunnel('vx', PEER, 200, hello(B));
      sw.tunnel('vx', PEER, 300, hello(C));
      sw.apply([sw.topology.entry('t2', { mac: D, vlan: 2 })]);
      expect(sw.context.fdb.counters[0]).toBe(5);
      return sw;
    };
    const left = (sw: TestSwitch, match: (Operation & { op: 'flush' })['match'], pieces = [rows]): number => {
      for (const piece of pieces) sw.apply([{ op: 'flush', match, ...piece }]);
      return sw.context.fdb.counters[0];
    };
    const sw = learn();
    expect(left(sw, { owner: sw.port('t2') })).toBe(3);
    expect(left(learn(), { fid: fidOf(1, 2) })).toBe(2);
    expect(left(learn(), { destination: destinationOf(sw.port('vx'), 1) })).toBe(3);
    expect(left(learn(), { flagsMask: FLAGS_ALL })).toBe(1);
    const halves = [
      { fromRow: 0, rowCount: 64 },
      { fromRow: 64, rowCount: 64 },
    ];
    expect(left(learn(), { flagsMask: FLAGS_ALL }, halves)).toBe(1);
  });
});
