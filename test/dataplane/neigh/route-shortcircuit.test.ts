/** Route short-circuit (`rsc`): the packets that take it, their rewriting, and those left to the router. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PUNT_L2MISS, PUNT_L3MISS } from '../../../src/dataplane/state/punt-ring.js';
import { toHex, viewOf } from '../../../src/wire/bytes.js';
import { destinationHigh, destinationLow, formatMac, sourceHigh, sourceLow } from '../../../src/wire/ethernet.js';
import { A, B, BROADCAST, C, D, frame, type PacketFields, packet } from '../support/frames.js';
import { type Out, TestSwitch, type VxlanSpec } from '../support/harness.js';
import { binding, OTHER_PEER, PEER, type Told, told } from '../support/neigh-frames.js';

const tap = { type: 'tap' } as const;
const VNI = 42;
const C4 = '198.18.0.3';
const NOBODY = '00:00:00:00:00:00';
/** The router's MAC. */
const R = '02:00:00:00:00:01';

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

describe('rsc', () => {
  const HOST = '198.19.0.7';
  const HOST6 = '2001:db8:1::7';

  /** A packet of A's to the router, for another host. */
  const routed = (fields: PacketFields = {}): Uint8Array =>
    packet({ source: A, destination: R, destinationAddress: fields.version === 6 ? HOST6 : HOST, ...fields });

  function headers({ frame: bytes }: Out): string {
    const view = viewOf(bytes);
    const source = formatMac(sourceHigh(view, 0), sourceLow(view, 0));
    return `${source} > ${formatMac(destinationHigh(view, 0), destinationLow(view, 0))}`;
  }

  function learn(mac: string, from = PEER): void {
    sw.tunnel('vx', from, VNI, frame({ source: mac, destination: BROADCAST }));
  }

  beforeEach(() => {
    build({ remotes: [PEER, OTHER_PEER], rsc: true, l3miss: true });
    learn(R);
    sw.apply([
      binding(sw, 'vx', '198.18.0.254', R, { router: true }),
      binding(sw, 'vx', 'fe80::fe', R, { router: true }),
    ]);
  });

  it.each([4, 6] as const)('IPv%i: sends a packet to the host, as the router would have', (version) => {
    learn(D, OTHER_PEER);
    sw.apply([binding(sw, 'vx', version === 4 ? HOST : HOST6, D)]);
    const before = routed({ version });
    const { out, to } = sw.send('t1', before);
    expect(to).toEqual([`vx>${OTHER_PEER}`]);
    expect(headers(out[0])).toBe(`${R} > ${D}`);
    expect(toHex(out[0].frame.slice(12))).toBe(toHex(before.slice(12)));
    expect(told(sw)).toEqual([]);
  });

  it('each packet of a run goes to its own host', () => {
    learn(C, OTHER_PEER);
    learn(D, PEER);
    sw.apply([binding(sw, 'vx', HOST, D), binding(sw, 'vx', '198.19.0.8', C)]);
    for (const destinationAddress of [HOST, '198.19.0.8', HOST, '198.19.0.9'])
      sw.inject('t1', routed({ destinationAddress }));
    const { out } = sw.turn();
    expect(out.map((one) => `${headers(one)} ${one.to}`)).toEqual([
      `${R} > ${D} vx>${PEER}`,
      `${R} > ${C} vx>${OTHER_PEER}`,
      `${R} > ${D} vx>${PEER}`,
      `${A} > ${R} vx>${PEER}`,
    ]);
  });

  it('leaves to the router what it does not know, and tells of it once a tick', () => {
    for (let i = 0; i < 3; i++) sw.inject('t1', routed());
    sw.inject('t1', routed({ version: 6 }));
    const { out } = sw.turn();
    expect(out.map(headers)).toEqual(Array(4).fill(`${A} > ${R}`));
    expect(told(sw)).toEqual([l3(HOST), l3(HOST6)]);
  });

  it('leaves what is for the router itself, for a group, or no IP', () => {
    sw.send('t1', routed({ destinationAddress: '198.18.0.254' }));
    sw.send('t1', routed({ destinationAddress: '224.0.0.5' }));
    sw.send('t1', frame({ source: A, destination: R }));
    const { out } = sw.send('t1', routed({ destinationAddress: '198.18.0.254' }));
    expect(out.map(headers)).toEqual([`${A} > ${R}`]);
    expect(told(sw)).toEqual([]);
  });

  it('leaves frames to hosts that are no routers', () => {
    learn(D, OTHER_PEER);
    learn(C);
    sw.apply([binding(sw, 'vx', HOST, D), binding(sw, 'vx', C4, C)]);
    expect(sw.send('t1', routed({ destination: C })).out.map(headers)).toEqual([`${A} > ${C}`]);
  });

  it('goes to hosts of this switch, back out of the asking port too', () => {
    sw.send('t2', frame({ source: D, destination: BROADCAST }));
    sw.send('t1', frame({ source: C, destination: BROADCAST }));
    sw.apply([binding(sw, 't2', HOST, D), binding(sw, 't1', '198.19.0.8', C)]);
    const across = sw.send('t1', routed());
    expect([across.to, across.out.map(headers)]).toEqual([['t2'], [`${R} > ${D}`]]);
    const back = sw.send('t1', routed({ destinationAddress: '198.19.0.8' }));
    expect([back.to, back.out.map(headers)]).toEqual([['t1'], [`${R} > ${C}`]]);
  });

  it('does not go where the frame may not: the router has it', () => {
    sw.send('t2', frame({ source: D, destination: BROADCAST }));
    sw.apply([binding(sw, 't2', HOST, D)]);
    sw.apply(sw.topology.setPort('t2', 'br0', { type: 'tap', off: ['up'] }));
    expect(sw.send('t1', routed()).out.map(headers)).toEqual([`${A} > ${R}`]);
  });

  it('to a host whose place is unknown: flooded as the router’s frame, alike to all, and told of with l2miss', () => {
    sw.apply([binding(sw, 'vx', HOST, D)]);
    const flooded = sw.send('t1', routed());
    expect(flooded.to).toEqual(['t2', `vx>${PEER}`, `vx>${OTHER_PEER}`]);
    expect(flooded.out.map(headers)).toEqual(Array(3).fill(`${R} > ${D}`));
    sw.apply(sw.topology.setPort('vx', 'br0', { type: 'vxlan', vni: VNI, peers: [PEER], rsc: true, l2miss: true }));
    learn(R);
    expect(sw.send('t1', routed()).drops).toEqual(['vx no_destination']);
    expect(told(sw)).toEqual([l2(D)]);
  });

  it('works for a router that is nowhere but in the table', () => {
    const virtual = '02:00:00:00:00:fe';
    learn(D, OTHER_PEER);
    sw.apply([binding(sw, 'vx', '198.18.0.253', virtual, { router: true }), binding(sw, 'vx', HOST, D)]);
    const { out, to } = sw.send('t1', routed({ destination: virtual }));
    expect([to, out.map(headers)]).toEqual([[`vx>${OTHER_PEER}`], [`${virtual} > ${D}`]]);
  });

  it('leaves what comes out of the tunnel, and what goes to a local router', () => {
    learn(D, OTHER_PEER);
    sw.apply([binding(sw, 'vx', HOST, D)]);
    sw.send('t2', frame({ source: R, destination: BROADCAST }));
    expect(sw.send('t1', routed()).out.map(headers)).toEqual([`${A} > ${R}`]);
    expect(sw.tunnel('vx', PEER, VNI, routed({ source: B })).out.map(headers)).toEqual([`${B} > ${R}`]);
  });

  it('is off without the option', () => {
    build({});
    learn(R);
    learn(D);
    sw.apply([binding(sw, 'vx', '198.18.0.254', R, { router: true }), binding(sw, 'vx', HOST, D)]);
    expect(sw.send('t1', routed()).out.map(headers)).toEqual([`${A} > ${R}`]);
  });

  it('keeps to the VLAN, and the tag where it is', () => {
    const vlans = ['10', '20'];
    sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          t1: { type: 'tap', vlans },
          vx: { type: 'vxlan', vlans, tunnel: { 10: 100, 20: 200 }, remotes: [PEER, OTHER_PEER], rsc: true },
        },
      },
    });
    for (const [from, vni] of [
      [PEER, 100],
      [OTHER_PEER, 200],
    ] as const) {
      for (const source of [R, D]) sw.tunnel('vx', from, vni, frame({ source, destination: BROADCAST }));
    }
    const router = binding(sw, 'vx', '198.18.0.254', R, { router: true, vid: 10 });
    sw.apply([router, binding(sw, 'vx', HOST, D, { vid: 10 }), binding(sw, 'vx', HOST, D, { vid: 20 })]);
    const short = sw.send('t1', routed({ tci: 10 }));
    expect([short.to, short.out.map(headers)]).toEqual([[`vx>${PEER}`], [`${R} > ${D}`]]);
    const long = sw.send('t1', routed({ tci: 20 }));
    expect([long.to, long.out.map(headers)]).toEqual([[`vx>${OTHER_PEER}`], [`${A} > ${R}`]]);
  });

  it('keeps an unfinished checksum and a superframe as they are', () => {
    learn(D, OTHER_PEER);
    sw.apply([binding(sw, 'vx', HOST, D)]);
    const offload = { vnet: 1 | (1 << 8), gso: 1000, csum: 34 | (16 << 16) };
    const { out } = sw.send('t1', routed({ data: 3000, checksum: 'partial' }), offload);
    expect(out).toMatchObject([{ to: `vx>${OTHER_PEER}`, ...offload }]);
  });
});
