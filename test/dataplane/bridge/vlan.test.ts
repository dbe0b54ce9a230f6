/** The bridge: ingress VLAN and egress tag of a frame. */
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { fromHex } from '../../../src/wire/bytes.js';
import { ETHERTYPE_QINQ } from '../../../src/wire/ethernet.js';
import { A, B, BROADCAST, bytes, frame } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const PEER = '192.0.2.2';

/** `in` is the port that frames enter by; `t2` and `t3` show which VLAN they went to. */
function ingress(vlans: string[]): TestSwitch {
  return new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        in: { type: 'tap', vlans },
        t2: { type: 'tap', vlans: ['2 pvid untagged'] },
        t3: { type: 'tap', vlans: ['3 pvid untagged'] },
        t4094: { type: 'tap', vlans: ['4094 pvid untagged'] },
      },
    },
  });
}

const broadcast = (tci?: number) => frame({ destination: BROADCAST, ...(tci === undefined ? {} : { tci }) });

describe('the VLAN of a frame', () => {
  it('untagged: the PVID', () => {
    expect(ingress(['2 pvid untagged', '3']).send('in', broadcast()).to).toEqual(['t2']);
    expect(ingress(['2', '3 pvid']).send('in', broadcast()).to).toEqual(['t3']);
  });

  it('untagged without a PVID: no_pvid', () => {
    expect(ingress(['2', '3']).send('in', broadcast())).toMatchObject({ to: [], drops: ['in no_pvid'] });
  });

  it('priority-tagged without a PVID: no_pvid', () => {
    expect(ingress(['2', '3']).send('in', broadcast(0xe000))).toMatchObject({ to: [], drops: ['in no_pvid'] });
  });

  it('tagged: the VID, never the PVID', () => {
    const sw = ingress(['2 pvid untagged', '3', '4094']);
    expect(sw.send('in', broadcast(2)).to).toEqual(['t2']);
    expect(sw.send('in', broadcast(3)).to).toEqual(['t3']);
    expect(sw.send('in', broadcast(0xf000 | 4094)).to).toEqual(['t4094']);
  });

  it.each([3, 4, 4094, 4095])('VID %i of which the port is no member: vlan_not_allowed', (vid) => {
    expect(ingress(['2 pvid untagged']).send('in', broadcast(vid))).toMatchObject({
      to: [],
      drops: ['in vlan_not_allowed'],
    });
  });

  it('a PVID of which the port is no member any more: vlan_not_allowed', () => {
    const sw = ingress(['2']);
    sw.apply([{ op: 'pvid', port: sw.port('in'), vid: 3 }]);
    expect(sw.send('in', broadcast()).drops).toEqual(['in vlan_not_allowed']);
  });

  it('priority-tagged: the PVID, and the PCP stays', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: { in: { type: 'tap', vlans: ['2 pvid untagged'] }, trunk: { type: 'tap', vlans: ['2'] } },
      },
    });
    for (let pcp = 0; pcp < 16; pcp++) {
      const [copy] = sw.send('in', broadcast(pcp << 12)).out;
      expect(copy).toMatchObject({ to: 'trunk', frame: broadcast((pcp << 12) | 2) });
    }
  });

  it('an 802.1ad tag is untagged payload', () => {
    const payload = fromHex('0003 88b5 01020304');
    const service = frame({ destination: BROADCAST, etherType: ETHERTYPE_QINQ, payload });
    const sw = ingress(['2 pvid untagged', '3']);
    expect(sw.send('in', service).out.map(({ to, frame }) => [to, frame])).toEqual([['t2', service]]);
  });

  it('of two 802.1Q tags the first counts, the other is payload', () => {
    const inner = fromHex('0002 88b5 01020304');
    const double = frame({ destination: BROADCAST, tci: 3, etherType: 0x8100, payload: inner });
    const [copy] = ingress(['2 pvid untagged', '3']).send('in', double).out;
    expect(copy).toMatchObject({
      to: 't3',
      frame: frame({ destination: BROADCAST, etherType: 0x8100, payload: inner }),
    });
  });

  it.each([14, 15, 16, 17])('a tagged frame of %i bytes, cut off in its tag: frame_too_short', (length) => {
    const cut = broadcast(2).slice(0, length);
    expect(ingress(['2 pvid untagged']).send('in', cut)).toMatchObject({ to: [], drops: ['in frame_too_short'] });
  });

  it.each([0, 1, 13])('a frame of %i bytes: frame_too_short', (length) => {
    expect(ingress(['2 pvid untagged']).send('in', broadcast().slice(0, length)).drops).toEqual(['in frame_too_short']);
  });

  it('membership of one VLAN does not depend on another: adding one disturbs nothing', () => {
    const sw = ingress(['2 pvid untagged']);
    sw.send('t2', frame({ source: B, destination: BROADCAST }));
    sw.apply([{ op: 'vlan', port: sw.port('in'), vid: 3, untagged: false, counter: 0 }]);
    expect(sw.send('in', frame({ destination: B })).to).toEqual(['t2']);
    expect(sw.send('in', broadcast(3)).to).toEqual(['t3']);
    expect(sw.send('in', broadcast()).to).toEqual(['t2']);
  });
});

describe('the tag on egress', () => {
  // Every tag that a frame of VLAN 2 may come with, and what it is to leave with at each kind of port.
  const INGRESS = [
    { name: 'untagged', tci: undefined, priority: 0 },
    { name: 'VID 0, PCP 5', tci: 0xa000, priority: 0xa000 },
    { name: 'VID 2, PCP 0', tci: 0x0002, priority: 0 },
    { name: 'VID 2, PCP 7, DEI', tci: 0xf002, priority: 0xf000 },
  ];

  it.each(INGRESS)('in with $name', ({ tci, priority }) => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          in: { type: 'tap', vlans: ['2 pvid untagged'] },
          untagged: { type: 'tap', vlans: ['2 untagged'] },
          tagged: { type: 'tap', vlans: ['2'] },
          'tagged-pvid': { type: 'tap', vlans: ['2 pvid'] },
          tunnel: { type: 'vxlan', vlans: ['2'], tunnel: { 2: 200 }, remotes: [PEER] },
          single: { type: 'vxlan', vlans: ['2'], vni: 42, remotes: [PEER] },
          'single-untagged': { type: 'vxlan', vlans: ['2 untagged'], vni: 43, remotes: [PEER] },
          other: { type: 'tap', vlans: ['3 pvid untagged'] },
        },
      },
    });
    const { out } = sw.send('in', broadcast(tci));
    const left = Object.fromEntries(out.map(({ port, frame }) => [port, frame]));
    expect(left).toEqual({
      untagged: broadcast(),
      tagged: broadcast(priority | 2),
      'tagged-pvid': broadcast(priority | 2),
      tunnel: broadcast(),
      single: broadcast(priority | 2),
      'single-untagged': broadcast(),
    });
  });

  it.each(INGRESS)('in with $name into a bridge without VLAN filtering: as it came', ({ tci }) => {
    const sw = new TestSwitch({
      br0: {
        ports: {
          in: { type: 'tap', vlans: ['2 pvid untagged'] },
          tap: { type: 'tap', vlans: ['2 untagged'] },
          vx: { type: 'vxlan', vni: 42, remotes: [PEER] },
        },
      },
    });
    const { out } = sw.send('in', broadcast(tci));
    expect(out.map(({ port, frame }) => [port, frame])).toEqual([
      ['tap', broadcast(tci)],
      ['vx', broadcast(tci)],
    ]);
  });

  it('unicast leaves with the same tags as a flood', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: { access: { type: 'tap', vlans: ['2 pvid untagged'] }, trunk: { type: 'tap', vlans: ['2', '3'] } },
      },
    });
    sw.send('trunk', frame({ source: B, destination: BROADCAST, tci: 2 }));
    sw.send('access', frame({ source: A, destination: BROADCAST }));
    expect(sw.send('access', frame()).out[0].frame).toEqual(frame({ tci: 2 }));
    expect(sw.send('trunk', frame({ source: B, destination: A, tci: 2 })).out[0].frame).toEqual(
      frame({ source: B, destination: A }),
    );
  });

  it('unicast to a port that is no member of the VLAN: vlan_not_allowed', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          in: { type: 'tap', vlans: ['2 pvid untagged'] },
          out: { type: 'tap', vlans: ['3 pvid untagged'], fdb: [{ mac: B, vlan: 2 }] },
        },
      },
    });
    expect(sw.send('in', frame())).toMatchObject({ to: [], drops: ['in vlan_not_allowed'] });
  });

  it('the smallest frame keeps its 14 bytes when the tag is popped', () => {
    const sw = ingress(['2']);
    const small = frame({ destination: BROADCAST, tci: 2, payload: bytes(0) });
    expect(sw.send('in', small).out[0].frame).toEqual(frame({ destination: BROADCAST, payload: bytes(0) }));
    expect(small).toHaveLength(18);
  });
});

describe('a bridge without VLAN filtering', () => {
  const unaware = () =>
    new TestSwitch({
      br0: { ports: { t1: { type: 'tap' }, t2: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: [PEER] } } },
    });

  it.each([0, 2, 0xffff])('carries a tag with TCI %i untouched, in and out of the tunnel', (tci) => {
    for (const { frame: copy } of unaware().send('t1', broadcast(tci)).out) expect(copy).toEqual(broadcast(tci));
    for (const { frame: copy } of unaware().tunnel('vx', PEER, 42, broadcast(tci)).out)
      expect(copy).toEqual(broadcast(tci));
  });

  it('is one domain: a MAC learned with one tag is known with another', () => {
    const sw = unaware();
    sw.send('t2', frame({ source: B, destination: BROADCAST, tci: 7 }));
    expect(sw.send('t1', frame({ tci: 9 })).to).toEqual(['t2']);
    expect(sw.send('t1', frame()).to).toEqual(['t2']);
  });

  it('takes a frame that is cut off in its tag as the payload it is', () => {
    const cut = frame({ destination: BROADCAST, etherType: 0x8100, payload: bytes(1) });
    expect(unaware().send('t1', cut).to).toEqual(['t2', `vx>${PEER}`]);
  });
});

describe('several bridges', () => {
  it('never mix: same MACs, same VLANs, other ports', () => {
    const tap = { type: 'tap', vlans: ['2 pvid untagged'] } as const;
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: { a1: tap, a2: tap, va: { type: 'vxlan', vlans: ['2'], tunnel: { 2: 200 }, remotes: [PEER] } },
      },
      br1: {
        filtering: true,
        ports: {
          b1: tap,
          b2: tap,
          vb: { type: 'vxlan', vlans: ['2'], tunnel: { 2: 201 }, remotes: [PEER], shares: 'va' },
        },
      },
      br2: { ports: { c1: { type: 'tap' }, c2: { type: 'tap' } } },
    });
    expect(sw.send('a1', frame({ source: B, destination: BROADCAST })).to).toEqual(['a2', `va>${PEER}`]);
    expect(sw.send('b1', frame()).to).toEqual(['b2', `vb>${PEER}`]);
    expect(sw.send('c1', frame()).to).toEqual(['c2']);
    expect(sw.send('a2', frame()).to).toEqual(['a1']);
    expect(
      sw.receive('va', PEER, fromHex(`08000000 0000c900 ${BROADCAST.replaceAll(':', '')} 020000000077 88b5`), {}, 'vb')
        .to,
    ).toEqual(['b1', 'b2']);
  });

  it('a static entry of one bridge that names a port of another leads nowhere', () => {
    const sw = new TestSwitch({
      br0: { ports: { a1: { type: 'tap' }, a2: { type: 'tap' } } },
      br1: { ports: { b1: { type: 'tap' } } },
    });
    const { fid } = sw.topology.entry('a1', { mac: B }) as Operation & { op: 'fdb' };
    sw.apply([{ ...(sw.topology.entry('b1', { mac: B }) as Operation & { op: 'fdb' }), fid }]);
    expect(sw.send('a1', frame())).toMatchObject({ to: [], drops: ['a1 no_destination'] });
  });
});
