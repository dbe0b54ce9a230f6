/** DOVE: miss reports, ARP and ND terminated at the tunnel, and learning of a port. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PUNT_L2MISS, PUNT_L3MISS } from '../../../src/dataplane/state/punt-ring.js';
import { toHex } from '../../../src/wire/bytes.js';
import { ND_OVERRIDE, ND_SOLICITED } from '../../../src/wire/nd.js';
import { A, B, BROADCAST, C, D, frame, packet } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  binding,
  gratuitous,
  PEER,
  solicitation,
  type Told,
  told,
} from '../support/neigh-frames.js';

const tap = { type: 'tap' } as const;
const VNI = 42;
const A4 = '198.18.0.1';
const B4 = '198.18.0.2';
const C4 = '198.18.0.3';
const A6 = '2001:db8::a';
const B6 = '2001:db8::b';
const NOBODY = '00:00:00:00:00:00';

let sw: TestSwitch;

function build(vx: Partial<VxlanSpec>): void {
  sw = new TestSwitch({
    br0: { ports: { t1: tap, t2: tap, vx: { type: 'vxlan', vni: VNI, remotes: [PEER], ...vx } } },
  });
}

function l2(mac: string, vid = 0): Told {
  return { kind: PUNT_L2MISS, port: sw.port('vx'), remote: 0, vid, address: '::', mac, other: NOBODY };
}

function l3(address: string, vid = 0): Told {
  return { kind: PUNT_L3MISS, port: sw.port('vx'), remote: 0, vid, address, mac: NOBODY, other: NOBODY };
}

describe('l2miss', () => {
  it('tells of a MAC that is unknown where there is nobody to flood to, once a tick', () => {
    build({ remotes: [], l2miss: true });
    for (let i = 0; i < 5; i++) sw.inject('t1', frame({ destination: B }));
    sw.inject('t1', frame({ destination: C }));
    const turn = sw.turn();
    expect(turn.drops).toEqual(Array(6).fill('vx no_destination'));
    expect(told(sw)).toEqual([l2(B), l2(C)]);
    expect(sw.punted).toBe(1);
    sw.io.advance(100);
    sw.send('t1', frame({ destination: B }));
    expect(told(sw)).toEqual([l2(B)]);
  });

  it('tells the VLAN', () => {
    const vlans = ['10 pvid untagged', '20'];
    sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          t1: { type: 'tap', vlans },
          vx: { type: 'vxlan', vlans: ['10', '20'], tunnel: { 10: 100, 20: 200 }, own: { 10: [PEER] }, l2miss: true },
        },
      },
    });
    sw.send('t1', frame({ destination: B }));
    sw.send('t1', frame({ destination: B, tci: 20 }));
    expect(told(sw)).toEqual([l2(B, 20)]);
  });

  it('is silent for known and group MACs, with a flood list, and where the option is off', () => {
    build({ remotes: [], l2miss: true });
    sw.send('t2', frame({ source: B, destination: BROADCAST }));
    sw.send('t1', frame({ destination: B }));
    sw.send('t1', frame({ destination: '33:33:00:00:00:05' }));
    expect(told(sw)).toEqual([]);
    build({ l2miss: true });
    sw.send('t1', frame({ destination: B }));
    expect(told(sw)).toEqual([]);
    build({ remotes: [] });
    sw.send('t1', frame({ destination: B }));
    expect(told(sw)).toEqual([]);
  });
});

describe('proxy', () => {
  beforeEach(() => build({ proxy: true, l3miss: true }));

  it('answers for who is known to be remote, and lets no request into the tunnel', () => {
    sw.tunnel('vx', PEER, VNI, gratuitous(B, B4));
    sw.tunnel('vx', PEER, VNI, advertisement(B, B6));
    const four = sw.send('t1', arpRequest(A, A4, B4));
    expect([four.to, four.drops]).toEqual([['t1', 't2'], ['vx suppressed']]);
    expect(toHex(four.out.filter(({ to }) => to === 't1')[0].frame)).toBe(toHex(arpReply(B, B4, A, A4)));
    const six = sw.send('t1', solicitation(A, A6, B6));
    expect(six.to).toEqual(['t1', 't2']);
    const expected = advertisement(B, B6, { flags: ND_SOLICITED | ND_OVERRIDE, to: A6, destination: A });
    expect(toHex(six.out.filter(({ to }) => to === 't1')[0].frame)).toBe(toHex(expected));
    expect(told(sw)).toEqual([]);
  });

  it('answers for a binding put in by hand before the FDB knows more, as in Linux', () => {
    sw.apply([binding(sw, 'vx', B4, B)]);
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(['t1', 't2']);
  });

  it('swallows what asks for nobody it knows, and tells of it', () => {
    for (let i = 0; i < 3; i++) sw.inject('t1', arpRequest(A, A4, C4));
    sw.inject('t1', solicitation(A, A6, B6));
    const turn = sw.turn();
    expect(turn.to).toEqual(['t2', 't2', 't2', 't2']);
    expect(turn.drops).toEqual(Array(4).fill('vx suppressed'));
    expect(told(sw)).toEqual([l3(C4), l3(B6)]);
  });

  it('swallows what asks for who is here, and does not answer', () => {
    sw.send('t2', gratuitous(C, C4));
    const turn = sw.send('t1', arpRequest(A, A4, C4));
    expect([turn.to, turn.drops]).toEqual([['t2'], ['vx suppressed']]);
    expect(told(sw)).toEqual([]);
  });

  it('answers and swallows a request to one MAC too', () => {
    sw.tunnel('vx', PEER, VNI, gratuitous(B, B4));
    const known = sw.send('t1', arpRequest(A, A4, B4, { destination: B }));
    expect([known.to, known.drops]).toEqual([['t1'], ['t1 suppressed']]);
    const unknown = sw.send('t1', arpRequest(A, A4, C4, { destination: B }));
    expect([unknown.to, unknown.drops]).toEqual([[], ['t1 suppressed']]);
    expect(told(sw)).toEqual([l3(C4)]);
    const flooded = sw.send('t1', arpRequest(A, A4, B4, { destination: D }));
    expect([flooded.to, flooded.drops]).toEqual([['t1', 't2'], ['vx suppressed']]);
  });

  it('lets replies and everything else through', () => {
    sw.tunnel('vx', PEER, VNI, gratuitous(B, B4));
    expect(sw.send('t1', arpReply(A, A4, B, B4)).to).toEqual([`vx>${PEER}`]);
    expect(sw.send('t1', advertisement(A, A6)).to).toEqual(['t2', `vx>${PEER}`]);
    expect(sw.send('t1', frame({ destination: BROADCAST })).to).toEqual(['t2', `vx>${PEER}`]);
    expect(sw.tunnel('vx', PEER, VNI, arpRequest(B, B4, A4)).to).toEqual(['t1', 't2']);
  });

  it('without l3miss tells nothing', () => {
    build({ proxy: true });
    expect(sw.send('t1', arpRequest(A, A4, C4)).to).toEqual(['t2']);
    expect(told(sw)).toEqual([]);
  });

  it('answers 1,000 requests to one MAC in one batch', () => {
    sw.tunnel('vx', PEER, VNI, gratuitous(B, B4));
    for (let i = 0; i < 1000; i++) sw.inject('t1', arpRequest(A, A4, B4, { destination: B }));
    expect(sw.turn().to).toEqual(Array(1000).fill('t1'));
  });
});

describe('what a vxlan port learns', () => {
  it('is nothing with learning off: a control program’s entries lead the way, and nothing is flooded to', () => {
    build({ remotes: [], peers: [PEER], off: ['learning'], l2miss: true, l3miss: true, proxy: true });
    sw.tunnel('vx', PEER, VNI, frame({ source: B, destination: BROADCAST }));
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(['t2']);
    expect(told(sw)).toEqual([l3(B4)]);
    sw.apply([binding(sw, 'vx', B4, B)]);
    expect(sw.send('t1', arpRequest(A, A4, B4)).to).toEqual(['t1', 't2']);
    sw.send('t1', packet({ source: A, destination: B }));
    expect(told(sw)).toEqual([l2(B)]);
    sw.apply([sw.topology.entry('vx', { mac: B, dst: PEER })]);
    expect(sw.send('t1', packet({ source: A, destination: B })).to).toEqual([`vx>${PEER}`]);
    expect(told(sw)).toEqual([]);
  });

  it('ages by the port’s own limit', () => {
    build({ ageingSeconds: 10 });
    sw.tunnel('vx', PEER, VNI, frame({ source: B, destination: BROADCAST }));
    sw.send('t2', frame({ source: C, destination: BROADCAST }));
    sw.wait(9);
    expect(sw.send('t1', frame({ destination: B })).to).toEqual([`vx>${PEER}`]);
    sw.wait(3);
    expect(sw.send('t1', frame({ destination: B })).to).toEqual(['t2', `vx>${PEER}`]);
    expect(sw.send('t1', frame({ destination: C })).to).toEqual(['t2']);
  });

  it('is at most `maxaddress` entries', () => {
    build({ maxLearned: 2 });
    for (const source of [B, C, D]) sw.tunnel('vx', PEER, VNI, frame({ source, destination: BROADCAST }));
    const known = [B, C, D].filter((destination) => sw.send('t1', frame({ destination })).to.length === 1);
    expect(known).toEqual([B, C]);
  });
});
