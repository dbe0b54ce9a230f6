/** VLANs and PVIDs added, changed and deleted while frames flow. */
import { describe, expect, it } from 'vitest';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { A, B, BROADCAST, frame } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const hello = (source: string, tci?: number): Uint8Array =>
  frame({ source, destination: BROADCAST, ...(tci === undefined ? {} : { tci }) });

/** `in` is the port whose VLANs change; t2, t3 and t4 show which VLAN a frame went to. */
function make(vlans: string[] = []): TestSwitch {
  const access = (vid: number) => ({ type: 'tap', vlans: [`${vid} pvid untagged`] }) as const;
  return new TestSwitch({
    br0: { filtering: true, ports: { in: { type: 'tap', vlans }, t2: access(2), t3: access(3), t4: access(4) } },
  });
}

/** Where an untagged frame, and one with each of the tags 2, 3 and 4, end up: a port, or why not. */
function ways(sw: TestSwitch): string[] {
  return [undefined, 2, 3, 4].map((tci) => {
    const { to, drops } = sw.send('in', hello(A, tci));
    return [...to, ...drops.map((drop) => drop.replace('in ', ''))].join(' ');
  });
}

const NO = 'vlan_not_allowed';

describe('memberships and the PVID, in every order of change', () => {
  it('none, one, another as PVID, the first again', () => {
    const sw = make();
    expect(ways(sw)).toEqual(['no_pvid', NO, NO, NO]);
    sw.apply(sw.topology.vlans('in', ['2']));
    expect(ways(sw)).toEqual(['no_pvid', 't2', NO, NO]);
    sw.apply(sw.topology.vlans('in', ['3 pvid untagged']));
    expect(ways(sw)).toEqual(['t3', 't2', 't3', NO]);
    sw.apply(sw.topology.vlans('in', ['2 pvid']));
    expect(ways(sw)).toEqual(['t2', 't2', 't3', NO]);
    expect(sw.send('t3', hello(B)).out.map((out) => out.frame)).toEqual([hello(B)]);
    expect(sw.send('t2', hello(B)).out.map((out) => out.frame)).toEqual([hello(B, 2)]);
  });

  it('the VLAN of the PVID deleted: no PVID is left, also if the VLAN comes back without', () => {
    const sw = make(['2 pvid untagged', '3']);
    sw.apply(sw.topology.removeVlan('in', 2));
    expect(ways(sw)).toEqual(['no_pvid', NO, 't3', NO]);
    sw.apply(sw.topology.vlans('in', ['2 untagged']));
    expect(ways(sw)).toEqual(['no_pvid', 't2', 't3', NO]);
    sw.apply(sw.topology.vlans('in', ['2 pvid untagged']));
    expect(ways(sw)).toEqual(['t2', 't2', 't3', NO]);
  });

  it('another VLAN added or deleted leaves the PVID and the others as they are', () => {
    const sw = make(['2 pvid untagged', '3']);
    sw.apply(sw.topology.vlans('in', ['4']));
    expect(ways(sw)).toEqual(['t2', 't2', 't3', 't4']);
    sw.apply(sw.topology.removeVlan('in', 3));
    expect(ways(sw)).toEqual(['t2', 't2', NO, 't4']);
    sw.apply(sw.topology.removeVlan('in', 3));
    expect(ways(sw)).toEqual(['t2', 't2', NO, 't4']);
    expect(sw.send('t2', hello(B)).to).toEqual(['in']);
  });

  it('the PVID taken away: its VLAN stays', () => {
    const sw = make(['2 pvid untagged']);
    sw.apply([{ op: 'pvid', port: sw.port('in'), vid: 0 }]);
    expect(ways(sw)).toEqual(['no_pvid', 't2', NO, NO]);
    expect(sw.send('t2', hello(B)).out.map((out) => out.frame)).toEqual([hello(B)]);
  });

  it('a PVID before its VLAN admits nothing until there is one', () => {
    const sw = make();
    sw.apply([{ op: 'pvid', port: sw.port('in'), vid: 3 }]);
    expect(ways(sw)).toEqual([NO, NO, NO, NO]);
    sw.apply([{ op: 'vlan', port: sw.port('in'), vid: 3, untagged: false, counter: 0 }]);
    expect(ways(sw)).toEqual(['t3', NO, 't3', NO]);
  });

  it('told again it replaces: untagged off and on', () => {
    const sw = make(['2 pvid untagged']);
    sw.apply(sw.topology.vlans('in', ['2 pvid']));
    expect(sw.send('t2', hello(B)).out.map((out) => out.frame)).toEqual([hello(B, 2)]);
    sw.apply(sw.topology.vlans('in', ['2 pvid untagged']));
    expect(sw.send('t2', hello(B)).out.map((out) => out.frame)).toEqual([hello(B)]);
  });

  it('the entries of a VLAN that is deleted go with it, those of others stay', () => {
    const sw = make(['2 pvid untagged', '3']);
    sw.send('in', hello(A, 2));
    sw.send('in', hello(A, 3));
    sw.apply(sw.topology.removeVlan('in', 2));
    expect(sw.context.fdb.lookup(0x0200, 0x0a, fidOf(1, 2))).toBe(-1);
    expect(sw.send('t3', frame({ source: B, destination: A })).to).toEqual(['in']);
  });
});
