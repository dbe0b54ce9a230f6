/** ARP and ND suppression: answered requests, receivers of answers, and forwarding of all others. */
import { beforeEach, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../src/wire/bytes.js';
import { ETHERTYPE_ARP } from '../../../src/wire/ethernet.js';
import { ND_OVERRIDE, ND_ROUTER, ND_SOLICITED } from '../../../src/wire/nd.js';
import { A, B, BROADCAST, C, D, frame } from '../support/frames.js';
import { type BridgeSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  binding,
  gratuitous,
  lladdrOf,
  OTHER_PEER,
  PEER,
  solicitation,
  solicitedNode,
  words,
} from '../support/neigh-frames.js';

const tap = { type: 'tap' } as const;
const A4 = '198.18.0.1';
const B4 = '198.18.0.2';
const C4 = '198.18.0.3';
const A6 = '2001:db8::a';
const B6 = '2001:db8::b';
const VNI = 42;

function bridge(more: object = {}, snooping = false): Record<string, BridgeSpec> {
  return {
    br0: {
      snooping,
      ports: {
        t1: tap,
        t2: tap,
        vx: { type: 'vxlan', vni: VNI, remotes: [PEER, OTHER_PEER], neighSuppress: true, ...more },
      },
    },
  };
}

let sw: TestSwitch;

/** B is behind the tunnel, and has said so. */
function hearB(): void {
  sw.tunnel('vx', PEER, VNI, gratuitous(B, B4));
  sw.tunnel('vx', PEER, VNI, advertisement(B, B6));
}

beforeEach(() => {
  sw = new TestSwitch(bridge());
});

describe('a request whose owner is behind the tunnel', () => {
  it('in ARP has one reply, to the asking port, and no copy into the tunnel', () => {
    hearB();
    const turn = sw.send('t1', arpRequest(A, A4, B4));
    expect(turn.to).toEqual(['t1', 't2']);
    const [reply] = turn.out.filter(({ to }) => to === 't1');
    expect(toHex(reply.frame)).toBe(
      toHex(
        fromHex(`02000000000a 02000000000b 0806
          0001 0800 06 04 0002 02000000000b c6120002 02000000000a c6120001`),
      ),
    );
    expect(turn.drops).toEqual(['vx suppressed']);
    expect(sw.dropsOf('vx', 'suppressed')).toEqual([0, 1]);
  });

  it('in ND likewise, with the flags, the checksum and the hop limit that it needs', () => {
    hearB();
    const turn = sw.send('t1', solicitation(A, A6, B6));
    expect(turn.to).toEqual(['t1', 't2']);
    const [reply] = turn.out.filter(({ to }) => to === 't1');
    const expected = advertisement(B, B6, { flags: ND_SOLICITED | ND_OVERRIDE, to: A6, destination: A });
    expect(toHex(reply.frame)).toBe(toHex(expected));
    expect(turn.drops).toEqual(['vx suppressed']);
  });

  it('is answered as a router’s where the owner is one', () => {
    sw.tunnel('vx', PEER, VNI, advertisement(B, B6, { flags: ND_ROUTER | ND_OVERRIDE }));
    const [reply] = sw.send('t1', solicitation(A, A6, B6)).out.filter(({ to }) => to === 't1');
    expect(reply.frame[14 + 40 + 4]).toBe(ND_ROUTER | ND_SOLICITED | ND_OVERRIDE);
  });

  it('that does not say the asker’s MAC is answered to where the frame came from', () => {
    hearB();
    const [reply] = sw.send('t1', solicitation(A, A6, B6, { link: false })).out.filter(({ to }) => to === 't1');
    const expected = advertisement(B, B6, { flags: ND_SOLICITED | ND_OVERRIDE, to: A6, destination: A });
    expect(toHex(reply.frame)).toBe(toHex(expected));
  });

  it('1,000 times has 1,000 replies, however they come, and none in the tunnel', () => {
    hearB();
    const request = arpRequest(A, A4, B4);
    const six = solicitation(A, A6, B6);
    for (let i = 0; i < 1000; i++) sw.inject('t1', (i & 1) === 0 ? request : six);
    const { to, drops } = sw.turn();
    expect(to.filter((port) => port === 't1')).toHaveLength(1000);
    expect(to.filter((port) => port === 't2')).toHaveLength(1000);
    expect(to).toHaveLength(2000);
    expect(drops).toEqual(Array(1000).fill('vx suppressed'));
  });

  it('10,000 times costs what can be borne', () => {
    sw = new TestSwitch(bridge(), { maxFrames: 1024 });
    hearB();
    const request = arpRequest(A, A4, B4);
    for (let i = 0; i < 10_000; i++) sw.inject('t1', request);
    const { to } = sw.turn();
    expect(to.filter((port) => port === 't1')).toHaveLength(10_000);
    expect(to.filter((port) => port.startsWith('vx'))).toHaveLength(0);
  });

  it('put in by hand is answered before the FDB knows the owner, as long as it does not know better', () => {
    sw.apply([binding(sw, 'vx', C4, C)]);
    expect(sw.send('t1', arpRequest(A, A4, C4)).to).toEqual(['t1', 't2']);
    sw.send('t2', frame({ source: C, destination: BROADCAST }));
    // The owner is here: it answers itself, and the tunnel need not be asked.
    const turn = sw.send('t1', arpRequest(A, A4, C4));
    expect([turn.to, turn.drops]).toEqual([['t2'], ['vx suppressed']]);
  });

  it('goes out tagged where the asker is, and leaves the other VLANs alone', () => {
    const vlans = ['10', '20 pvid untagged'];
    sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          t1: { type: 'tap', vlans },
          t2: { type: 'tap', vlans },
          vx: {
            type: 'vxlan',
            vlans: ['10', '20'],
            tunnel: { 10: 100, 20: 200 },
            remotes: [PEER],
            neighSuppress: true,
          },
        },
      },
    });
    sw.tunnel('vx', PEER, 100, gratuitous(B, B4));
    const tagged = sw.send('t1', arpRequest(A, A4, B4, { tci: 0xe00a }));
    expect(tagged.to).toEqual(['t1', 't2']);
    const [reply] = tagged.out.filter(({ to }) => to === 't1');
    expect(toHex(reply.frame)).toBe(toHex(arpReply(B, B4, A, A4, { tci: 10 })));
    // The same address in VLAN 20 is unknown, then another's.
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(['t2', `vx>${PEER}`]);
    sw.tunnel('vx', PEER, 200, gratuitous(C, B4));
    const untagged = sw.send('t1', arpRequest(A, A4, B4));
    const [other] = untagged.out.filter(({ to }) => to === 't1');
    expect(toHex(other.frame)).toBe(toHex(arpReply(C, B4, A, A4)));
    expect([lladdrOf(sw, B4, 10), lladdrOf(sw, B4, 20)]).toEqual([B, C]);
  });

  it('is not answered in a tag that is payload', () => {
    hearB();
    const turn = sw.send('t1', arpRequest(A, A4, B4, { tci: 10 }));
    expect(turn.to).toEqual(['t2', `vx>${PEER}`, `vx>${OTHER_PEER}`]);
  });

  it('in ND is not answered into the tunnel of a snooping bridge, and its group is flooded whoever joined it', () => {
    sw = new TestSwitch(bridge({}, true));
    hearB();
    const { topology } = sw;
    const group = words(solicitedNode(B6).destination);
    const remote = topology.port('vx').remotes.get(`${PEER} 4789`) as number;
    const member = (remote << 10) | sw.port('vx');
    const place = { bridge: topology.bridgeNumber('br0'), vid: 0 };
    sw.apply([
      { op: 'group', ...place, address: group, destinations: [sw.port('t2'), member] },
      { op: 'routers', ...place, destinations: [], querier4: false, querier6: true },
    ]);
    const turn = sw.send('t1', solicitation(A, A6, B6));
    expect([turn.to, turn.drops]).toEqual([['t1', 't2'], ['vx suppressed']]);
    expect(sw.send('t1', solicitation(A, A6, '2001:db8:0:1::b')).to).toEqual(['t2', `vx>${PEER}`, `vx>${OTHER_PEER}`]);
  });
});

describe('what is not answered', () => {
  beforeEach(hearB);
  const everywhere = ['t2', `vx>${PEER}`, `vx>${OTHER_PEER}`];

  it.each([
    ['an address that nobody has', arpRequest(A, A4, C4)],
    ['an IPv6 address that nobody has', solicitation(A, A6, '2001:db8::c')],
    ['an announcement', gratuitous(A, A4)],
    ['an announcement of an address that was another’s', gratuitous(A, B4)],
    ['an unsolicited advertisement', advertisement(A, A6)],
    ['an ARP request for a multicast address', arpRequest(A, A4, '224.0.0.1')],
    ['one whose sender’s MAC is a group’s', arpRequest('03:00:00:00:00:01', A4, B4).fill(0x02, 6, 7)],
    ['ND with hop limit 64', solicitation(A, A6, B6, { hopLimit: 64 })],
    ['ND with an option of length 0', solicitation(A, A6, B6, { options: fromHex('0e00 000000000000') })],
    ['ND with an option past the end', solicitation(A, A6, B6, { options: fromHex('0e02 000000000000') })],
    ['ND with half an option', solicitation(A, A6, B6, { options: fromHex('0e') })],
    ['a cut-off ARP request', arpRequest(A, A4, B4).slice(0, 14 + 27)],
    ['a cut-off solicitation', solicitation(A, A6, B6).slice(0, 14 + 63)],
    ['RARP', frame({ destination: BROADCAST, etherType: 0x8035, payload: arpRequest(A, A4, B4).slice(14) })],
    ['ARP of other hardware', arpRequest(A, A4, B4).fill(6, 15, 16)],
    ['an ARP operation of another kind', arpRequest(A, A4, B4).fill(8, 21, 22)],
  ])('%s is flooded', (_name, message) => {
    const turn = sw.send('t1', message);
    expect([turn.to, turn.drops]).toEqual([everywhere, []]);
  });

  it('a checksum that is wrong', () => {
    const wrong = solicitation(A, A6, B6);
    wrong[14 + 42] ^= 0x40;
    expect(sw.send('t1', wrong).to).toEqual(everywhere);
  });

  it('a request to one MAC passes', () => {
    expect(sw.send('t1', arpRequest(A, A4, B4, { destination: B })).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t1', solicitation(A, A6, B6, { destination: B })).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t1', arpRequest(A, A4, B4, { destination: D })).to).toEqual(everywhere);
  });

  it('a request that came through the tunnel goes to the local ports', () => {
    expect(sw.tunnel('vx', OTHER_PEER, VNI, arpRequest(C, C4, B4)).to).toEqual(['t1', 't2']);
  });

  it('a request from a port that suppresses itself, as in Linux', () => {
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', neighSuppress: true }));
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(everywhere);
  });

  it('an owner whose MAC the FDB does not know any more', () => {
    sw.apply([{ op: 'flush', match: { owner: sw.port('vx') }, fromRow: 0, rowCount: 1 << 20 }]);
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(everywhere);
  });

  it('anything without the option', () => {
    const plain = new TestSwitch(bridge({ neighSuppress: false }));
    plain.tunnel('vx', PEER, VNI, gratuitous(B, B4));
    expect(plain.send('t1', arpRequest(A, A4, B4)).to).toEqual(everywhere);
    expect(lladdrOf(plain, B4)).toBeNull();
  });
});

describe('a host that looks whether an address is free', () => {
  const probe = arpRequest(A, '0.0.0.0', B4);
  const probe6 = solicitation(A, '::', B6);
  const everywhere = ['t2', `vx>${PEER}`, `vx>${OTHER_PEER}`];

  it.each([
    ['ARP', probe],
    ['ND', probe6],
  ])('by %s asks the owner, at its one VTEP, and hears nothing of the switch', (_name, asked) => {
    hearB();
    const turn = sw.send('t1', asked);
    expect([turn.to, turn.drops]).toEqual([['t2', `vx>${PEER}`], []]);
    for (const { frame: bytes } of turn.out) expect(toHex(bytes)).toBe(toHex(asked));
    expect([lladdrOf(sw, '0.0.0.0'), lladdrOf(sw, '::')]).toEqual([null, null]);
  });

  it('asks it where its MAC is now', () => {
    hearB();
    sw.tunnel('vx', OTHER_PEER, VNI, frame({ source: B, destination: A }));
    expect(sw.send('t1', probe).to).toEqual(['t2', `vx>${OTHER_PEER}`]);
  });

  it('is heard by the owner where a probe comes from the tunnel', () => {
    sw.send('t1', gratuitous(B, B4));
    expect(sw.tunnel('vx', PEER, VNI, arpRequest(C, '0.0.0.0', B4)).to).toEqual(['t1', 't2']);
  });

  it('takes an address whose owner is gone: the next request is answered with its MAC', () => {
    hearB();
    for (let i = 0; i < 3; i++) expect(sw.send('t1', probe).out.map(({ to }) => to)).not.toContain('t1');
    expect(sw.send('t1', gratuitous(A, B4)).to).toEqual(everywhere);
    expect(lladdrOf(sw, B4)).toBe(A);
  });

  it('asks all where nothing is known of the address, or of the place of its MAC', () => {
    expect(sw.send('t1', probe).to).toEqual(everywhere);
    hearB();
    sw.apply([{ op: 'flush', match: { owner: sw.port('vx') }, fromRow: 0, rowCount: 1 << 20 }]);
    for (const asked of [probe, probe6]) expect(sw.send('t1', asked).to).toEqual(everywhere);
    sw.apply([binding(sw, 'vx', C4, C)]);
    expect(sw.send('t1', arpRequest(A, '0.0.0.0', C4)).to).toEqual(everywhere);
  });

  it('asks an owner on a local port, and not the tunnel', () => {
    sw.send('t2', gratuitous(B, B4));
    const turn = sw.send('t1', probe);
    expect([turn.to, turn.drops]).toEqual([['t2'], ['vx suppressed']]);
  });

  it('asks an owner on a local port that suppresses itself, and no other port that does', () => {
    sw.apply(sw.topology.addPort('br0', 't3', { type: 'tap', neighSuppress: true }));
    sw.apply(sw.topology.setPort('t2', 'br0', { type: 'tap', neighSuppress: true }));
    sw.send('t2', gratuitous(B, B4));
    const turn = sw.send('t1', probe);
    expect([turn.to, turn.drops]).toEqual([['t2'], ['t3 suppressed', 'vx suppressed']]);
  });

  it('behind a port that suppresses itself asks all, as in Linux', () => {
    hearB();
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', neighSuppress: true }));
    expect(sw.send('t1', probe).to).toEqual(everywhere);
  });

  it('has one copy in the VNI of its VLAN', () => {
    const vlans = ['10 pvid untagged', '20'];
    const tunnel = { 10: 100, 20: 200 };
    sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          t1: { type: 'tap', vlans },
          vx: { type: 'vxlan', vlans: ['10', '20'], tunnel, remotes: [PEER, OTHER_PEER], neighSuppress: true },
        },
      },
    });
    sw.tunnel('vx', PEER, 100, gratuitous(B, B4));
    expect(sw.send('t1', probe).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t1', arpRequest(A, '0.0.0.0', B4, { tci: 20 })).to).toEqual([`vx>${PEER}`, `vx>${OTHER_PEER}`]);
  });

  it('is answered by a port with proxy, into which no request goes', () => {
    sw = new TestSwitch(bridge({ proxy: true }));
    hearB();
    const turn = sw.send('t1', probe);
    expect(turn.to).toEqual(['t1', 't2']);
    const [reply] = turn.out.filter(({ to }) => to === 't1');
    expect(toHex(reply.frame)).toBe(toHex(arpReply(B, B4, A, '0.0.0.0')));
    const [reply6] = sw.send('t1', probe6).out.filter(({ to }) => to === 't1');
    // As all nodes would hear it (RFC 4861 section 7.2.4).
    expect(toHex(reply6.frame)).toBe(toHex(advertisement(B, B6, { flags: ND_OVERRIDE })));
  });

  it('many times has as many copies, however they come', () => {
    hearB();
    for (let i = 0; i < 500; i++) {
      sw.inject('t1', probe);
      sw.inject('t1', arpRequest(A, A4, B4));
    }
    const { to, drops } = sw.turn();
    const count = (port: string): number => to.filter((one) => one === port).length;
    expect([count('t1'), count('t2'), count(`vx>${PEER}`), to.length]).toEqual([500, 1000, 500, 2000]);
    expect(drops).toEqual(Array(500).fill('vx suppressed'));
  });

  it('that is its own hears nothing', () => {
    sw.send('t1', gratuitous(A, A4));
    expect(sw.send('t1', arpRequest(A, '0.0.0.0', A4)).to).toEqual(everywhere);
  });
});

describe('a port that suppresses by VLAN', () => {
  const vlans = ['10 pvid untagged', '20'];
  const make = (of: Partial<VxlanSpec>): void => {
    sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          t1: { type: 'tap', vlans },
          vx: { type: 'vxlan', tunnel: { 10: 100, 20: 200 }, remotes: [PEER, OTHER_PEER], ...of },
        },
      },
    });
    for (const vni of [100, 200]) sw.tunnel('vx', PEER, vni, gratuitous(B, B4));
  };
  /** In VLAN 10 and 20: whether a request is answered, and where a probe goes. */
  const answers = (): boolean[] =>
    [{}, { tci: 20 }].map((link) => {
      const { to } = sw.send('t1', arpRequest(A, A4, B4, link));
      const probed = sw.send('t1', arpRequest(A, '0.0.0.0', B4, link)).to;
      const answered = to.join() === 't1';
      expect(answered ? to : probed).toEqual(answered ? ['t1'] : [`vx>${PEER}`, `vx>${OTHER_PEER}`]);
      expect(probed).toEqual(answered ? [`vx>${PEER}`] : to);
      return answered;
    });

  it.each([
    ['without NEIGH_VLAN_SUPPRESS the port’s flag decides: on', { neighSuppress: true }, [true, true]],
    ['without NEIGH_VLAN_SUPPRESS the port’s flag decides: off', { neighSuppress: false }, [false, false]],
    ['with it the VLAN’s, whatever the port’s says: off', { neighVlanSuppress: true }, [true, false]],
    [
      'with it the VLAN’s, whatever the port’s says: on',
      { neighVlanSuppress: true, neighSuppress: true },
      [true, false],
    ],
  ])('%s', (_name, of, expected) => {
    make({ vlans: ['10 suppress', '20'], ...of });
    expect(answers()).toEqual(expected);
  });

  it('follows its memberships, and keeps to them when they are told anew', () => {
    make({ vlans: ['10 suppress', '20'], neighVlanSuppress: true });
    sw.apply(sw.topology.vlans('vx', ['20 suppress']));
    expect(answers()).toEqual([true, true]);
    sw.apply(sw.topology.vlans('vx', ['10']));
    expect(answers()).toEqual([false, true]);
    sw.apply(sw.topology.removeVlan('vx', 20));
    sw.apply(sw.topology.vlans('vx', ['20']));
    expect(sw.vlan('vx', 20)).toBeDefined();
  });

  it('in a bridge without VLAN filtering goes by the port’s flag', () => {
    sw = new TestSwitch(bridge({ neighVlanSuppress: true }));
    hearB();
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(['t1', 't2']);
  });

  it('asked for by a TAP, it does not answer those behind it', () => {
    make({ vlans: ['10', '20'], neighSuppress: true });
    sw.apply(sw.topology.vlans('t1', ['10 pvid untagged suppress']));
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', neighVlanSuppress: true }));
    expect(answers()).toEqual([false, true]);
  });
});

describe('options of other ports', () => {
  it('a TAP that suppresses has no copy either', () => {
    sw.apply(sw.topology.setPort('t2', 'br0', { type: 'tap', neighSuppress: true }));
    hearB();
    const turn = sw.send('t1', arpRequest(A, A4, B4));
    expect([turn.to, turn.drops]).toEqual([['t1'], ['t2 suppressed', 'vx suppressed']]);
  });

  it('isolation lets nobody hear of whom it may not reach', () => {
    sw = new TestSwitch(bridge({ isolated: true }));
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', isolated: true }));
    hearB();
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(['t2']);
  });

  it('a port that is down is not answered', () => {
    hearB();
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', off: ['up'] }));
    const turn = sw.send('t1', arpRequest(A, A4, B4));
    expect([turn.to, turn.drops]).toEqual([[], ['t1 port_down']]);
  });

  it('unfinished checksums of ND are taken on trust', () => {
    hearB();
    const open = solicitation(A, A6, B6);
    open.fill(0, 14 + 42, 14 + 44);
    const { to } = sw.send('t1', open, { vnet: 1, csum: 54 | (2 << 16) });
    expect(to).toEqual(['t1', 't2']);
  });
});

it('a frame of another protocol is not looked into', () => {
  hearB();
  const odd = frame({ source: A, destination: BROADCAST, etherType: ETHERTYPE_ARP - 1, payload: new Uint8Array(46) });
  expect(sw.send('t1', odd).to).toEqual(['t2', `vx>${PEER}`, `vx>${OTHER_PEER}`]);
});
