/** Multicast on a snooping bridge with given groups, routers and queriers: exact copies at every port. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { fromHex } from '../../../src/wire/bytes.js';
import { changed, IGMP, IGMP_AT, MLD } from '../../wire/group-frames.js';
import { A, B, BROADCAST, C, EXPERIMENTAL, frame, packet } from '../support/frames.js';
import {
  GROUP,
  GROUP6,
  groupMac,
  igmpFrame,
  igmpQuery,
  igmpV3Frame,
  mldFrame,
  mldQuery,
  mldV2Frame,
  OTHER,
  toGroup,
  wordsOf,
} from '../support/group-traffic.js';
import { type BridgeSpec, type TapSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const VLAN = ['10 pvid untagged'];
const R2 = '192.0.2.2';
const R3 = '192.0.2.3';
const R4 = '192.0.2.4';
const tap = (spec: Partial<TapSpec> = {}): TapSpec => ({ type: 'tap', vlans: VLAN, ...spec });
const tunnel = (spec: Partial<VxlanSpec> = {}): VxlanSpec => ({
  type: 'vxlan',
  vlans: ['10', '20'],
  tunnel: { 10: 100, 20: 200 },
  remotes: [R2, R3],
  peers: [R4],
  ...spec,
});

/** Four TAPs in VLAN 10, t4 in VLAN 20 as well, and a tunnel to two remotes; a third one is known but not on the list. */
function snooping(ports: Partial<Record<string, TapSpec | VxlanSpec>> = {}, bridge: Partial<BridgeSpec> = {}): Net {
  const standard = { t1: tap(), t2: tap(), t3: tap(), t4: tap({ vlans: [...VLAN, '20'] }), v0: tunnel() };
  return new Net({
    br0: { filtering: true, snooping: true, ...bridge, ports: { ...standard, ...ports } as BridgeSpec['ports'] },
  });
}

class Net extends TestSwitch {
  private get bridge(): number {
    return this.topology.bridges.get('br0') as number;
  }

  /** `t1`, `v0>192.0.2.2`, or `v0` for all of its remotes. */
  place(text: string): number {
    const [port, address] = text.split('>');
    const state = this.topology.port(port);
    return destinationOf(state.number, address === undefined ? 0 : (state.remotes.get(`${address} 4789`) as number));
  }

  group(group: string, places: string[], vid = 10): this {
    const destinations = places.map((place) => this.place(place));
    this.apply([{ op: 'group', bridge: this.bridge, vid, address: wordsOf(group), destinations }]);
    return this;
  }

  noGroup(group: string): this {
    this.apply([{ op: 'group-del', bridge: this.bridge, vid: 10, address: wordsOf(group) }]);
    return this;
  }

  routers(places: string[], families = '46', vid = 10): this {
    const destinations = places.map((place) => this.place(place));
    const [querier4, querier6] = [families.includes('4'), families.includes('6')];
    this.apply([{ op: 'routers', bridge: this.bridge, vid, destinations, querier4, querier6 }]);
    return this;
  }
}

const EVERYBODY = ['t2', 't3', 't4', `v0>${R2}`, `v0>${R3}`];

describe('all multicast is flooded', () => {
  it('while no querier is heard, whatever members there are', () => {
    expect(snooping().group(GROUP, ['t2']).send('t1', toGroup(GROUP)).to).toEqual(EVERYBODY);
  });

  it('without snooping, whatever queriers there are', () => {
    const sw = snooping({}, { snooping: false }).group(GROUP, ['t2']).routers(['t3']);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(EVERYBODY);
  });

  it.each([
    ['IPv4 with a querier of IPv6 only', GROUP, '6'],
    ['IPv6 with a querier of IPv4 only', GROUP6, '4'],
  ])('of %s', (_name, group, families) => {
    expect(snooping().group(group, ['t2']).routers(['t3'], families).send('t1', toGroup(group)).to).toEqual(EVERYBODY);
  });

  it('in a VLAN without a querier of its own', () => {
    const sw = snooping({ t1: tap({ vlans: ['20 pvid untagged'] }) }).routers(['t3']);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t4', `v0>${R2}`, `v0>${R3}`]);
  });

  it.each(['224.0.0.0', '224.0.0.1', '224.0.0.251', '224.0.0.255', 'ff02::1'])('to %s', (group) => {
    expect(snooping().group(group, ['t2']).routers(['t3']).send('t1', toGroup(group)).to).toEqual(EVERYBODY);
  });

  it.each([
    ['not of IP', frame({ destination: groupMac(GROUP) })],
    ['broadcast', packet({ destination: BROADCAST, destinationAddress: GROUP })],
    ['to a unicast IP address', packet({ destination: groupMac(GROUP) })],
    ['to a unicast IPv6 address', packet({ version: 6, destination: groupMac(GROUP6) })],
    ['with a broken IP header', changed(IGMP.v2Report, { 14: 0x42 })],
  ])('that is %s', (_name, bytes) => {
    expect(snooping().routers([]).send('t1', bytes).to).toEqual(EVERYBODY);
  });
});

describe('with a querier', () => {
  it('a group goes to its members and to the routers', () => {
    const sw = snooping()
      .group(GROUP, ['t2', `v0>${R3}`])
      .routers(['t4']);
    expect(sw.send('t1', toGroup(GROUP))).toMatchObject({ to: ['t2', 't4', `v0>${R3}`], drops: [] });
  });

  it.each(['ff02::1:ff00:0', 'ff02::1:ff00:1', 'ff02::1:ffff:ffff', 'ff02::1:2'])('%s goes to all ports', (group) => {
    const sw = snooping().group(group, ['t2']).routers(['t4']);
    expect(sw.send('t1', toGroup(group)).to).toEqual(EVERYBODY);
    expect(sw.noGroup(group).send('t1', toGroup(group)).to).toEqual(EVERYBODY);
  });

  it.each([
    'ff02::1:fe00:1',
    'ff02::1:fffe',
    'ff02::2:ff00:1',
    'ff02::1:0:ff00:1',
    'ff02:0:0:1:0:1:ff00:1',
    'ff05::1:ff00:1',
    'ff05::1:3',
    'ff02::1:3',
    'ff02::1:1:2',
  ])('%s goes to its members', (group) => {
    expect(snooping().group(group, ['t2']).routers(['t4']).send('t1', toGroup(group)).to).toEqual(['t2', 't4']);
  });

  it('a group of IPv6 does, a link-local one too', () => {
    const sw = snooping()
      .group(GROUP6, ['t2'])
      .group('ff02::fb', [`v0>${R2}`])
      .routers(['t4']);
    expect(sw.send('t1', toGroup(GROUP6)).to).toEqual(['t2', 't4']);
    expect(sw.send('t1', toGroup('ff02::fb')).to).toEqual(['t4', `v0>${R2}`]);
  });

  it('a group that nobody joined goes to the routers', () => {
    const sw = snooping()
      .group(GROUP, ['t2'])
      .routers(['t4', `v0>${R2}`]);
    expect(sw.send('t1', toGroup(OTHER)).to).toEqual(['t4', `v0>${R2}`]);
    expect(sw.send('t1', toGroup('ff02::fb')).to).toEqual(['t4', `v0>${R2}`]);
  });

  it('and without a router to nobody', () => {
    const sw = snooping().group(GROUP, ['t2']).routers([]);
    expect(sw.send('t1', toGroup(OTHER))).toMatchObject({ to: [], drops: ['t1 no_destination'] });
    expect(sw.noGroup(GROUP).send('t1', toGroup(GROUP)).drops).toEqual(['t1 no_destination']);
  });

  it('who is both a member and a router gets one copy', () => {
    const sw = snooping()
      .group(GROUP, ['t2', 't3', `v0>${R2}`])
      .routers(['t3', 't4', `v0>${R2}`]);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t2', 't3', 't4', `v0>${R2}`]);
  });

  it('a group is one of its VLAN', () => {
    const sw = snooping().group(GROUP, ['t4'], 20).routers([], '46', 10).routers([], '46', 20);
    expect(sw.send('t1', toGroup(GROUP)).drops).toEqual(['t1 no_destination']);
    expect(sw.group(GROUP, ['t2']).send('t1', toGroup(GROUP)).to).toEqual(['t2']);
    expect(sw.send('t4', toGroup(GROUP, { tci: 20 })).drops).toEqual(['t4 no_destination']);
    expect(sw.group(GROUP, ['t4', `v0>${R3}`], 20).send('t4', toGroup(GROUP, { tci: 20 })).to).toEqual([`v0>${R3}`]);
  });

  it('a tag is looked through on a bridge without VLAN filtering', () => {
    const ports = { t1: { type: 'tap' }, t2: { type: 'tap' }, t3: { type: 'tap' } } as const;
    const sw = new Net({ br0: { snooping: true, ports } }).group(GROUP, ['t2'], 0).routers([], '4', 0);
    expect(sw.send('t1', toGroup(GROUP, { tci: 7 })).to).toEqual(['t2']);
  });

  it('a run of frames goes where its group is, frame by frame', () => {
    const sw = snooping().group(GROUP, ['t2']).routers(['t4']);
    for (let i = 0; i < 5; i++) sw.inject('t1', toGroup(GROUP));
    sw.inject('t1', toGroup(OTHER));
    expect(sw.turn().to).toEqual([...Array(5).fill('t2'), ...Array(6).fill('t4')]);
  });
});

describe('remotes', () => {
  it('that reported nothing get no copy', () => {
    const sw = snooping()
      .group(GROUP, [`v0>${R4}`])
      .routers([]);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual([`v0>${R4}`]);
  });

  it('are all meant by a vxlan port without one, and each gets one copy', () => {
    const sw = snooping()
      .group(GROUP, ['v0', `v0>${R3}`, `v0>${R4}`])
      .routers(['v0', `v0>${R2}`]);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual([`v0>${R2}`, `v0>${R3}`, `v0>${R4}`]);
    expect(sw.send('t1', toGroup(OTHER)).to).toEqual([`v0>${R2}`, `v0>${R3}`]);
  });

  it('get nothing of a VLAN that has no VNI', () => {
    const sw = snooping({ v0: tunnel({ tunnel: { 20: 200 } }) })
      .group(GROUP, ['v0', 't2'])
      .routers(['v0']);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t2']);
  });

  it('get nothing that came from a remote', () => {
    const sw = snooping({ v1: tunnel({ vlans: ['10'], tunnel: { 10: 101 }, remotes: ['192.0.2.9'] }) });
    sw.group(GROUP, ['t2', `v0>${R3}`, 'v1>192.0.2.9']).routers(['t3', `v0>${R2}`]);
    expect(sw.tunnel('v0', R2, 100, toGroup(GROUP)).to).toEqual(['t2', 't3']);
  });

  it('that a MAC is pinned to get its frames in place of the flood list, asked for or not', () => {
    const pins = [{ mac: groupMac(GROUP), vlan: 10, dst: [R4, R3] }];
    const sw = snooping({ v0: tunnel({ pins }) });
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t2', 't3', 't4', `v0>${R3}`, `v0>${R4}`]);
    sw.routers(['t4']);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t4', `v0>${R3}`, `v0>${R4}`]);
    sw.group(GROUP, ['t2', `v0>${R2}`, `v0>${R4}`]);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t2', 't4', `v0>${R2}`, `v0>${R3}`, `v0>${R4}`]);
    expect(sw.send('t1', toGroup(OTHER)).to).toEqual(['t4']);
  });
});

describe('what holds for every frame holds for members', () => {
  it('never out of the ingress port', () => {
    const sw = snooping().group(GROUP, ['t1', 't2']).routers(['t1']);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t2']);
    expect(sw.send('t1', toGroup(OTHER)).drops).toEqual(['t1 no_destination']);
  });

  it('none between isolated ports', () => {
    const ports = { t1: tap({ isolated: true }), t2: tap({ isolated: true }) };
    expect(snooping(ports).group(GROUP, ['t2', 't3']).routers([]).send('t1', toGroup(GROUP)).to).toEqual(['t3']);
  });

  it('none to a port that is down, in another VLAN or in another bridge', () => {
    const sw = snooping({ t2: tap({ off: ['up'] }), t3: tap({ vlans: ['20 pvid untagged'] }) });
    sw.group(GROUP, ['t2', 't3', 't4']).routers([]);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t4']);
    sw.apply(sw.topology.addBridge('br1', { filtering: true, ports: { u1: tap() } }));
    expect(sw.group(GROUP, ['u1']).send('t1', toGroup(GROUP)).drops).toEqual(['t1 no_destination']);
  });

  it('mcast_flood off is about flooding only', () => {
    const off: TapSpec['off'] = ['mcast_flood'];
    const sw = snooping({ t2: tap({ off }), t3: tap({ off }), v0: tunnel({ off }) });
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t4']);
    sw.group(GROUP, ['t2', `v0>${R2}`]).routers(['t3']);
    expect(sw.send('t1', toGroup(GROUP)).to).toEqual(['t2', 't3', `v0>${R2}`]);
    expect(sw.send('t1', toGroup('224.0.0.251')).to).toEqual(['t4']);
  });

  it('storm control comes first, for members and messages too', () => {
    const sw = snooping({ t1: tap({ storm: { multicast: 10 } }) })
      .group(GROUP, ['t2'])
      .routers(['t4']);
    for (let i = 0; i < 3; i++) sw.inject('t1', toGroup(GROUP));
    expect(sw.turn()).toMatchObject({ to: ['t2', 't4'], drops: ['t1 storm_limited', 't1 storm_limited'] });
    expect(sw.send('t1', igmpFrame(0x16, GROUP))).toMatchObject({ to: [], drops: ['t1 storm_limited'] });
  });
});

describe('messages', () => {
  const reports: [string, Uint8Array][] = [
    ['an IGMPv1 report', igmpFrame(0x12, GROUP)],
    ['an IGMPv2 report', igmpFrame(0x16, GROUP)],
    ['an IGMPv2 leave', igmpFrame(0x17, GROUP)],
    ['an IGMPv3 report', igmpV3Frame([{ type: 4, group: GROUP }])],
    ['an MLDv1 report', mldFrame(131, GROUP6)],
    ['an MLDv1 done', mldFrame(132, GROUP6)],
    ['an MLDv2 report', mldV2Frame([{ type: 4, group: GROUP6 }])],
  ];

  it.each(reports)('%s goes to the routers only', (_name, report) => {
    const sw = snooping().group(GROUP, ['t2']).group(GROUP6, ['t2']).routers(['t4']);
    expect(sw.send('t1', report)).toMatchObject({ to: ['t4'], drops: [] });
    expect(sw.routers([]).send('t1', report).drops).toEqual(['t1 no_destination']);
  });

  it.each(reports)('%s is flooded while no querier is heard', (_name, report) => {
    expect(snooping().send('t1', report).to).toEqual(EVERYBODY);
  });

  it.each(reports)('%s goes to all remotes of a port with a router behind it', (_name, report) => {
    const sw = snooping().routers([`v0>${R2}`]);
    expect(sw.send('t1', report).to).toEqual([`v0>${R2}`, `v0>${R3}`]);
    expect(sw.routers([`v0>${R4}`]).send('t1', report).to).toEqual([`v0>${R2}`, `v0>${R3}`, `v0>${R4}`]);
  });

  it('a report goes to a router that is on no flood list', () => {
    const sw = snooping({ v0: tunnel({ remotes: [] }) }).routers([`v0>${R4}`]);
    expect(sw.send('t1', igmpFrame(0x16, GROUP))).toMatchObject({ to: [`v0>${R4}`], drops: [] });
  });

  it.each([
    ['a general IGMP query', igmpQuery(100)],
    ['an IGMP query to a group', igmpQuery(10, GROUP)],
    ['a general MLD query', mldQuery(10_000)],
    ['an MLD query to a group', mldQuery(1000, GROUP6)],
  ])('%s is flooded', (_name, query) => {
    const sw = snooping().group(GROUP, ['t2']).group(GROUP6, ['t2']).routers(['t4']);
    expect(sw.send('t1', query).to).toEqual(EVERYBODY);
  });

  it('one that is malformed is a frame to its group', () => {
    const sw = snooping().group(GROUP, ['t2']).group(GROUP6, ['t3']).routers(['t4']);
    expect(sw.send('t1', changed(IGMP.v2Report, { [IGMP_AT + 2]: 0 })).to).toEqual(['t2', 't4']);
    expect(sw.send('t1', changed(MLD.v1Report, { 21: 64 })).to).toEqual(['t3', 't4']);
    expect(sw.send('t1', changed(IGMP.v3Report, { [IGMP_AT + 7]: 9 })).to).toEqual(EVERYBODY); // to 224.0.0.22
    expect(sw.context.punts.rang).toBe(false);
    expect(sw.punted).toBe(0);
  });

  it('a source is learned from them like from any frame', () => {
    const sw = snooping().routers(['t4']);
    sw.send('t2', igmpFrame(0x16, GROUP, { source: B }));
    expect(sw.send('t1', frame({ destination: B, source: A })).to).toEqual(['t2']);
  });
});

describe('group_fwd_mask', () => {
  const reserved = (last: string) =>
    frame({ destination: `01:80:c2:00:00:${last}`, source: C, etherType: EXPERIMENTAL });

  it('lets those addresses pass whose bits are set, to everybody', () => {
    const sw = snooping({}, { groupFwdMask: 0x4008 }).routers([]);
    expect(sw.send('t1', reserved('03')).to).toEqual(EVERYBODY);
    expect(sw.send('t1', reserved('0e')).to).toEqual(EVERYBODY);
    for (const last of ['00', '01', '02', '04', '0d', '0f']) {
      expect(sw.send('t1', reserved(last))).toMatchObject({ to: [], drops: ['t1 link_local'] });
    }
  });

  it('is one of each bridge', () => {
    const ports = { u1: tap(), u2: tap() };
    const sw = snooping({}, { groupFwdMask: 0x4008 });
    sw.apply(sw.topology.addBridge('br1', { filtering: true, ports }));
    expect(sw.send('u1', reserved('0e')).drops).toEqual(['u1 link_local']);
  });
});

it('takes whatever bytes there are: nothing throws, the accounts balance', () => {
  const sw = snooping()
    .group(GROUP, ['t2', `v0>${R3}`])
    .group(GROUP6, ['t3'])
    .routers(['t4', `v0>${R2}`]);
  const literal = fc.constantFrom(...Object.values(IGMP), ...Object.values(MLD)).map((hex) => fromHex(hex));
  const random = fc.uint8Array({ minLength: 14, maxLength: 120 }).map((bytes) => {
    bytes.set([1, 0, 0x5e], 0);
    bytes.set([2, 0, 0, 0, 0, 0x0a], 6);
    return bytes;
  });
  const damage = fc.array(fc.tuple(fc.integer({ min: 12, max: 119 }), fc.nat(255)), { maxLength: 5 });
  fc.assert(
    fc.property(fc.oneof(literal, random), damage, fc.integer({ min: 14, max: 120 }), (bytes, changes, length) => {
      const cut = bytes.slice(0, length);
      for (const [at, value] of changes) if (at < cut.length) cut[at] = value;
      const { to, drops } = sw.send('t1', cut);
      expect(to.length + drops.length).toBeGreaterThan(0);
    }),
    { seed: 46, numRuns: 1500 },
  );
});
