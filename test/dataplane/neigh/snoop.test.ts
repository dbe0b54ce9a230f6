/** Address claims in ARP and ND: recorded, moved, disputed, aged and flushed. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PUNT_NEIGH_CONFLICT } from '../../../src/dataplane/state/punt-ring.js';
import { NEIGH_MANUAL, NEIGH_ROUTER, NEIGH_TUNNEL } from '../../../src/neigh/table.js';
import { ND_OVERRIDE, ND_ROUTER, ND_SOLICITED } from '../../../src/wire/nd.js';
import { A, B, BROADCAST, C, D, frame, packet } from '../support/frames.js';
import { type BridgeSpec, TestSwitch } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  binding,
  bindingOf,
  gratuitous,
  lladdrOf,
  OTHER_PEER,
  PEER,
  solicitation,
  told,
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

describe('what is heard', () => {
  it('comes from requests, replies, solicitations and advertisements, here and there', () => {
    sw.send('t1', arpRequest(A, A4, C4));
    sw.tunnel('vx', PEER, VNI, arpReply(B, B4, A, A4));
    sw.send('t1', solicitation(A, A6, '2001:db8::99'));
    sw.tunnel(
      'vx',
      PEER,
      VNI,
      advertisement(B, B6, { flags: ND_SOLICITED | ND_ROUTER | ND_OVERRIDE, to: A6, destination: A }),
    );
    expect([A4, B4, A6, B6].map((address) => lladdrOf(sw, address))).toEqual([A, B, A, B]);
    expect(bindingOf(sw, A4)).toMatchObject({ port: sw.port('t1'), flags: 0 });
    expect(bindingOf(sw, B4)).toMatchObject({ port: sw.port('vx'), flags: NEIGH_TUNNEL });
    expect(bindingOf(sw, B6)).toMatchObject({ port: sw.port('vx'), flags: NEIGH_TUNNEL | NEIGH_ROUTER });
  });

  it('in a run of frames with the same addresses, of each', () => {
    sw.send('t2', frame({ source: B, destination: BROADCAST }));
    for (const host of [1, 2, 3]) sw.inject('t1', arpReply(A, `198.18.1.${host}`, B, B4));
    expect(sw.turn().to).toEqual(['t2', 't2', 't2']);
    expect([1, 2, 3].map((host) => lladdrOf(sw, `198.18.1.${host}`))).toEqual([A, A, A]);
  });

  it('is not what says nothing: probes, other addresses than hosts’, a missing link-layer address', () => {
    sw.send('t1', arpRequest(A, '0.0.0.0', A4));
    sw.send('t1', arpRequest(A, '127.0.0.1', B4));
    sw.send('t1', arpRequest(A, '224.0.0.1', B4));
    sw.send('t1', solicitation(A, '::', A6));
    sw.send('t1', solicitation(A, A6, B6, { link: false }));
    sw.send('t1', advertisement(A, A6, { link: false }));
    expect(sw.context.neigh.counters[0]).toBe(0);
  });

  it('moves with the newest MAC, told by an announcement', () => {
    hearB();
    sw.send('t1', gratuitous(C, B4));
    expect(lladdrOf(sw, B4)).toBe(C);
    sw.tunnel('vx', PEER, VNI, advertisement(D, B6, { flags: 0 }));
    expect(lladdrOf(sw, B6)).toBe(B); // it does not want to override
    sw.tunnel('vx', PEER, VNI, advertisement(D, B6));
    expect(lladdrOf(sw, B6)).toBe(D);
  });

  it('does not change what was put in by hand', () => {
    sw.apply([binding(sw, 'vx', B4, C, { router: true })]);
    hearB();
    expect(bindingOf(sw, B4)).toMatchObject({ flags: NEIGH_MANUAL | NEIGH_ROUTER });
    expect(lladdrOf(sw, B4)).toBe(C);
    sw.apply([{ op: 'neigh-del', bridge: sw.topology.bridgeNumber('br0'), vid: 0, address: words(B4) }]);
    expect(lladdrOf(sw, B4)).toBeNull();
  });

  it('ages after 300 s without a word, traffic or not', () => {
    hearB();
    sw.send('t1', arpRequest(A, A4, C4));
    for (let minute = 0; minute < 5; minute++) {
      sw.wait(60);
      sw.send('t1', packet({ source: A, destination: D }));
      sw.tunnel('vx', PEER, VNI, advertisement(B, B6));
    }
    sw.wait(1);
    expect([lladdrOf(sw, A4), lladdrOf(sw, B4), lladdrOf(sw, B6)]).toEqual([null, null, B]);
  });

  it('goes with its port, and with a port’s place in the bridge', () => {
    hearB();
    sw.send('t1', gratuitous(A, A4));
    sw.send('t2', gratuitous(C, C4));
    sw.apply(sw.topology.removePort('t1'));
    expect([lladdrOf(sw, A4), lladdrOf(sw, B4), lladdrOf(sw, C4)]).toEqual([null, B, C]);
    sw.apply(sw.topology.setPort('t2', '-', tap));
    expect([lladdrOf(sw, B4), lladdrOf(sw, C4)]).toEqual([B, null]);
  });

  it('is flushed by port, bridge and VLAN', () => {
    const number = sw.topology.bridgeNumber('br0');
    hearB();
    sw.apply([{ op: 'neigh-flush', bridge: number, vid: 5 }]);
    expect(lladdrOf(sw, B4)).toBe(B);
    sw.apply([{ op: 'neigh-flush', port: sw.port('vx'), bridge: number, vid: 0 }]);
    expect(lladdrOf(sw, B4)).toBeNull();
    sw.apply([binding(sw, 'vx', B4, B), { op: 'neigh-flush', bridge: number, learnedOnly: true }]);
    expect(lladdrOf(sw, B4)).toBe(B);
  });

  it('is heard as soon as some port of the bridge asks for it, and no longer', () => {
    const quiet = new TestSwitch(bridge({ neighSuppress: false }));
    quiet.send('t1', gratuitous(A, A4));
    expect(lladdrOf(quiet, A4)).toBeNull();
    quiet.apply(quiet.topology.setPort('t2', 'br0', { type: 'tap', neighSuppress: true }));
    quiet.send('t1', gratuitous(A, A4));
    expect(lladdrOf(quiet, A4)).toBe(A);
    quiet.apply(quiet.topology.removePort('t2'));
    quiet.send('t1', gratuitous(B, A4));
    expect(lladdrOf(quiet, A4)).toBe(A);
  });
});

describe('two hosts with one address', () => {
  it('are told of once, with both MACs, and the binding does not go to and fro', () => {
    for (let round = 0; round < 20; round++) {
      sw.send('t1', gratuitous(A, A4));
      sw.tunnel('vx', PEER, VNI, gratuitous(B, A4));
    }
    const remote = sw.topology.port('vx').remotes.get(`${PEER} 4789`);
    expect(told(sw)).toEqual([
      { kind: PUNT_NEIGH_CONFLICT, port: sw.port('vx'), remote, vid: 0, address: A4, mac: B, other: A },
    ]);
    expect(lladdrOf(sw, A4)).toBe(A);
    sw.wait(6);
    sw.tunnel('vx', PEER, VNI, gratuitous(B, A4));
    expect([lladdrOf(sw, A4), told(sw)]).toEqual([B, []]);
  });
});
