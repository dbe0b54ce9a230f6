/** Overlay to underlay: the remotes, the header and the socket of each frame. */
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/wire/bytes.js';
import { encodeVlan } from '../../../src/wire/vlan.js';
import { seededRandom } from '../../fdb/table-inspection.js';
import { B, BROADCAST, bytes, C, frame, MULTICAST, type PacketFields, packet } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';

const [R1, R2, R3] = ['192.0.2.1', '192.0.2.2', '2001:db8::3'];

function vlans(options: Partial<VxlanSpec> = {}, senders = 1): TestSwitch {
  return new TestSwitch(
    {
      br0: {
        filtering: true,
        ports: {
          tap2: { type: 'tap', vlans: ['2 pvid untagged'] },
          trunk: { type: 'tap', vlans: ['2', '3', '4'] },
          vx: { type: 'vxlan', vlans: ['2', '3', '4'], tunnel: { 2: 200, 3: 0xfedcba, 4: 1 }, ...options },
        },
      },
    },
    { senders },
  );
}

/** A frame in VLAN 2 whose first tag that is payload is one of 802.1ad. */
const AD = { destination: BROADCAST, tci: 2, etherType: 0x88a8 };
const broadcast = (tci: number) => frame({ destination: BROADCAST, tci });

describe('remotes of a frame', () => {
  it('unicast to a learned MAC goes to its one remote', () => {
    const sw = vlans({ remotes: [R1, R2] });
    sw.tunnel('vx', R2, 200, frame({ source: B, destination: BROADCAST }));
    expect(sw.send('tap2', frame({ destination: B })).to).toEqual([`vx>${R2}`]);
  });

  it('unicast to a static MAC goes to its remote, at the UDP port of its own', () => {
    const sw = vlans({ remotes: [R1], fdb: [{ mac: B, vlan: 2, dst: R2, dstPort: 4790 }] });
    expect(sw.send('tap2', frame()).out).toMatchObject([{ to: `vx>${R2}`, udpPort: 4790 }]);
  });

  it.each([
    ['unknown unicast', B],
    ['broadcast', BROADCAST],
    ['multicast', MULTICAST],
  ])('%s: one copy for each remote of the flood list', (_name, destination) => {
    const sw = vlans({ remotes: [R1, R2, R3] });
    const turn = sw.send('tap2', frame({ destination }));
    expect(turn.to).toEqual([`trunk`, `vx>${R1}`, `vx>${R2}`, `vx>${R3}`]);
    for (const { port, frame: inner } of turn.out) if (port === 'vx') expect(inner).toEqual(frame({ destination }));
    expect(sw.counters.replicated).toBe(3);
  });

  it("a VNI's own list stands beside the port's, and a remote in both gets one copy", () => {
    const sw = vlans({ remotes: [R1, R2], own: { 3: [R2, R3] } });
    expect(sw.send('trunk', broadcast(2)).to).toEqual(['tap2', `vx>${R1}`, `vx>${R2}`]);
    expect(sw.send('trunk', broadcast(3)).to).toEqual([`vx>${R1}`, `vx>${R2}`, `vx>${R3}`]);
  });

  it('a pinned multicast MAC goes to its remotes only, in its VNI only', () => {
    const sw = vlans({ remotes: [R1, R2], pins: [{ mac: MULTICAST, vlan: 3, dst: [R3] }] });
    const multicast = (tci: number) => frame({ destination: MULTICAST, tci });
    expect(sw.send('trunk', multicast(3)).to).toEqual([`vx>${R3}`]);
    expect(sw.send('trunk', multicast(4)).to).toEqual([`vx>${R1}`, `vx>${R2}`]);
    expect(sw.send('trunk', broadcast(3)).to).toEqual([`vx>${R1}`, `vx>${R2}`]);
  });

  it('the broadcast MAC can be pinned', () => {
    const sw = vlans({ remotes: [R1, R2], pins: [{ mac: BROADCAST, vlan: 3, dst: [R2] }] });
    expect(sw.send('trunk', broadcast(3)).to).toEqual([`vx>${R2}`]);
  });

  it('a VNI whose flood list is empty: no_destination on the way out', () => {
    const sw = vlans({ own: { 3: [R3] } });
    expect(sw.send('trunk', broadcast(4))).toMatchObject({ to: [], drops: ['vx no_destination'] });
    expect(sw.dropsOf('vx', 'no_destination')).toEqual([0, 1]);
    expect(sw.send('trunk', broadcast(2))).toMatchObject({ to: ['tap2'], drops: ['vx no_destination'] });
  });

  it('a VLAN without a VNI does not leave the host', () => {
    const sw = vlans({ tunnel: { 2: 200 }, remotes: [R1] });
    expect(sw.send('trunk', broadcast(3))).toMatchObject({ to: [], drops: ['trunk no_destination'] });
    expect(sw.send('trunk', broadcast(2)).to).toEqual(['tap2', `vx>${R1}`]);
  });

  it('a static entry in a VLAN without a VNI: no_destination', () => {
    const sw = vlans({ tunnel: { 2: 200 }, remotes: [R1], fdb: [{ mac: B, vlan: 3, dst: R1 }] });
    expect(sw.send('trunk', frame({ tci: 3 })).drops).toEqual(['vx no_destination']);
  });

  it('1,000 remotes get exactly 1,000 copies', () => {
    const remotes = Array.from({ length: 1000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const turn = vlans({ remotes }).send('trunk', broadcast(3));
    expect(turn.to).toEqual(remotes.map((address) => `vx>${address}`).sort());
    expect(turn.drops).toEqual([]);
  });
});

describe('header and tag', () => {
  it.each([
    [2, '080000000000c800'],
    [3, '08000000fedcba00'],
    [4, '0800000000000100'],
  ])('VLAN %i: the header is %s, every reserved bit zero', (vid, header) => {
    const turn = vlans({ remotes: [R1] }).send('trunk', broadcast(vid));
    expect(turn.out.filter(({ port }) => port === 'vx').map((out) => toHex(out.header))).toEqual([header]);
  });

  it('a port with a single VNI sends it for every VLAN', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          trunk: { type: 'tap', vlans: ['2', '3'] },
          vx: { type: 'vxlan', vlans: ['2 untagged', '3'], vni: 0xffffff, remotes: [R1] },
        },
      },
    });
    for (const [vid, inner] of [
      [2, frame({ destination: BROADCAST })],
      [3, broadcast(0x6003)],
    ] as const) {
      const { out } = sw.send('trunk', broadcast(0x6000 | vid));
      expect(out.map((copy) => [toHex(copy.header), copy.frame])).toEqual([['08000000ffffff00', inner]]);
    }
  });

  it('the tag is popped into a vlan_tunnel port, even where the VLAN is not untagged', () => {
    const { out } = vlans({ remotes: [R1] }).send('trunk', broadcast(0xe003));
    expect(out.map((copy) => copy.frame)).toEqual([frame({ destination: BROADCAST })]);
  });

  it('a priority tag is popped as well', () => {
    const { out } = vlans({ remotes: [R1] }).send('tap2', frame({ destination: B, tci: 0xa000 }));
    expect(out.find(({ port }) => port === 'vx')?.frame).toEqual(frame({ destination: B }));
  });

  it('PCP and DEI survive where the VLAN stays tagged', () => {
    const sw = vlans({ remotes: [R1] });
    const [copy] = sw
      .send('tap2', frame({ destination: BROADCAST, tci: 0xb000 }))
      .out.filter((o) => o.port === 'trunk');
    expect(copy.frame).toEqual(frame({ destination: BROADCAST, tci: 0xb002 }));
  });

  it('only the VNI of the VLAN is on the wire: VLANs never share one', () => {
    const sw = vlans({ remotes: [R1] });
    const seen = [2, 3, 4].flatMap((vid) => sw.send('trunk', broadcast(vid)).out);
    const headers = seen.filter(({ port }) => port === 'vx').map((copy) => toHex(copy.header));
    expect(headers).toEqual(['080000000000c800', '08000000fedcba00', '0800000000000100']);
  });

  it('counts by remote and by VNI', () => {
    const sw = vlans({ remotes: [R1, R2] });
    sw.send('trunk', broadcast(3));
    sw.tunnel('vx', R2, 0xfedcba, frame({ source: C, destination: BROADCAST }));
    const { counters } = sw;
    expect(counters.remote(1)).toEqual({ rx_packets: 0, rx_bytes: 0, tx_packets: 1, tx_bytes: 60 });
    expect(counters.remote(2)).toEqual({ rx_packets: 1, rx_bytes: 60, tx_packets: 1, tx_bytes: 60 });
    expect(counters.vni(1)).toEqual({ rx_packets: 1, rx_bytes: 60, tx_packets: 2, tx_bytes: 120 });
  });
});

describe('flow hash: the sending socket', () => {
  const SENDERS = 16;
  const senderOf = (sw: TestSwitch, bytes: Uint8Array) =>
    sw.send('tap2', bytes).out.find((o) => o.port === 'vx')?.sender;

  function used(flows: Iterable<Uint8Array>): Map<number, number> {
    const sw = vlans({ remotes: [R1] }, SENDERS);
    const counts = new Map<number, number>();
    for (const bytes of flows) {
      const sender = senderOf(sw, bytes) as number;
      counts.set(sender, (counts.get(sender) ?? 0) + 1);
      expect(senderOf(sw, bytes)).toBe(sender);
    }
    return counts;
  }

  it('the same flow always has the same sender, whatever it carries', () => {
    const sw = vlans({ remotes: [R1] }, SENDERS);
    for (const version of [4, 6] as const) {
      for (const protocol of ['tcp', 'udp'] as const) {
        const senders = [0, 1, 400, 1400].flatMap((data) =>
          [0, 2].map((tos) => senderOf(sw, packet({ version, protocol, data, tos }))),
        );
        expect(new Set(senders).size).toBe(1);
      }
    }
  });

  it.each<[string, (i: number, random: (below: number) => number) => PacketFields]>([
    ['source ports', (_, random) => ({ sourcePort: 1024 + random(60_000) })],
    ['consecutive source ports', (i) => ({ sourcePort: 40_000 + i })],
    ['even source ports, as Linux gives to connect()', (i) => ({ sourcePort: 32_768 + 2 * i })],
    ['destination ports, UDP', (i) => ({ protocol: 'udp', destinationPort: 1 + i })],
    ['IPv4 addresses', (i) => ({ sourceAddress: `198.18.${i >> 8}.${i & 255}` })],
    ['IPv6 addresses', (i) => ({ version: 6, sourceAddress: `2001:db8::${i.toString(16)}` })],
  ])('different %s spread over the pool (seed 7)', (_name, fields) => {
    const random = seededRandom(7);
    const counts = used(Array.from({ length: 640 }, (_, i) => packet(fields(i, random))));
    expect(counts.size).toBe(SENDERS);
    // 40 each on average, with a standard deviation of 6.
    for (const count of counts.values()) expect(count).toBeGreaterThan(10);
    for (const count of counts.values()) expect(count).toBeLessThan(90);
  });

  it('frames that are not IP spread by their MACs', () => {
    const frames = Array.from({ length: 640 }, (_, i) =>
      frame({
        destination: BROADCAST,
        source: `02:00:00:00:${toHex(Uint8Array.of(i >> 8))}:${toHex(Uint8Array.of(i & 255))}`,
      }),
    );
    expect(used(frames).size).toBe(SENDERS);
  });

  it('all copies of a flood leave from one socket', () => {
    const turn = vlans({ remotes: [R1, R2, R3] }, SENDERS).send('trunk', packet({ destination: BROADCAST, tci: 3 }));
    expect(new Set(turn.out.map(({ sender }) => sender)).size).toBe(1);
    expect(turn.out).toHaveLength(3);
  });

  it('the tag plays no part: a flow has one sender from a trunk and from an access port', () => {
    const sw = vlans({ remotes: [R1] }, SENDERS);
    for (let sourcePort = 1000; sourcePort < 1020; sourcePort++) {
      const untagged = senderOf(sw, packet({ sourcePort, destination: BROADCAST }));
      const [tagged] = sw
        .send('trunk', packet({ sourcePort, destination: BROADCAST, tci: 2 }))
        .out.filter((o) => o.port === 'vx');
      expect(tagged.sender).toBe(untagged);
    }
  });
});

describe('the outer TOS', () => {
  const cases = [0, 1, 2, 3].flatMap((ecn) => ([4, 6] as const).map((version) => ({ ecn, version })));

  it.each(cases)('IPv$version, inner ECN $ecn: copied, CE becomes ECT(0); DSCP as configured', ({ ecn, version }) => {
    const outerEcn = [0, 1, 2, 2][ecn];
    const tosOf = (tos: number) =>
      vlans({ remotes: [R1], tos }).send('trunk', packet({ version, tci: 3, tos: 0xb8 | ecn })).out[0].tos;
    expect(tosOf(0)).toBe(outerEcn);
    expect(tosOf(0x28)).toBe(0x28 | outerEcn);
    expect(tosOf(-1)).toBe(0xb8 | outerEcn); // inherit
  });

  it('of a frame that is not IP is the configured one', () => {
    const tosOf = (tos: number) => vlans({ remotes: [R1], tos }).send('trunk', broadcast(3)).out[0].tos;
    expect([tosOf(0), tosOf(0x28), tosOf(-1)]).toEqual([0, 0x28, 0]);
  });

  it('does not touch the inner frame', () => {
    const inner = packet({ destination: BROADCAST, tos: 3 });
    const { out } = vlans({ remotes: [R1], tos: -1 }).send('trunk', packet({ destination: BROADCAST, tos: 3, tci: 3 }));
    expect(out[0].frame).toEqual(inner);
  });
});

describe('a second tag', () => {
  const vlanFrame = (outer: number, inner: number, type = 0x8100): Uint8Array =>
    frame({ destination: BROADCAST, tci: outer, etherType: type, payload: encodeVlan(inner, 0x88b5, bytes(46)) });
  const remotes = [R1, R2];

  it.each([
    ['a VID', vlanFrame(2, 7)],
    ['a priority only', vlanFrame(2, 0xe000)],
    ['that of the outer tag', vlanFrame(2, 2)],
  ])('with %s is not sent where the far end would drop it, and counted once', (_name, tagged) => {
    const sw = vlans({ remotes });
    expect(sw.send('trunk', tagged)).toMatchObject({ to: ['tap2'], drops: ['vx inner_vlan_tagged'] });
    expect(sw.dropsOf('vx', 'inner_vlan_tagged')).toEqual([0, 1]);
    sw.tunnel('vx', R2, 200, frame({ source: B, destination: BROADCAST }));
    tagged.set([2, 0, 0, 0, 0, 0x0b]);
    expect(sw.send('trunk', tagged)).toMatchObject({ to: [], drops: ['vx inner_vlan_tagged'] });
  });

  it.each([
    ['of 802.1ad', vlanFrame(2, 7, 0x88a8)],
    ['in front, of 802.1ad, with one of 802.1Q behind it', frame({ ...AD, payload: encodeVlan(7, 0x8100, bytes(48)) })],
  ])('%s is payload and sent', (_name, tagged) => {
    expect(
      vlans({ remotes })
        .send('trunk', tagged)
        .to.filter((to) => to !== 'tap2'),
    ).toEqual([`vx>${R1}`, `vx>${R2}`]);
  });

  it('is sent with `inner_vlan: keep`', () => {
    const turn = vlans({ remotes, keepInnerVlan: true }).send('trunk', vlanFrame(2, 7));
    expect(turn).toMatchObject({ to: ['tap2', `vx>${R1}`, `vx>${R2}`], drops: [] });
  });

  it('is sent by a port with a single VNI, which looks at no tag that it takes in either', () => {
    const sw = new TestSwitch({
      br0: { ports: { tap: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes } } },
    });
    expect(sw.send('tap', vlanFrame(2, 7)).drops).toEqual([]);
  });

  it('is refused frame by frame where only some of a run have one', () => {
    const sw = vlans({ remotes: [R1] });
    const plain = frame({ destination: BROADCAST, tci: 2 });
    for (const one of [plain, vlanFrame(2, 7), plain]) sw.inject('trunk', one);
    const turn = sw.turn();
    expect(turn.to.filter((to) => to !== 'tap2')).toEqual([`vx>${R1}`, `vx>${R1}`]);
    expect(turn.drops).toEqual(['vx inner_vlan_tagged']);
  });

  it.each([0x8100, 0x88a8])('of type %x: what one end sends the other takes in', (type) => {
    for (const keepInnerVlan of [false, true]) {
      const sender = vlans({ remotes: [R1], keepInnerVlan });
      const receiver = vlans({ remotes: [R1], keepInnerVlan });
      for (const inner of [0, 2, 0xe000]) {
        const sent = sender.send('trunk', vlanFrame(2, inner, type)).out.filter(({ port }) => port === 'vx');
        for (const { frame: bytes } of sent) expect(receiver.tunnel('vx', R1, 200, bytes).drops).toEqual([]);
        expect(sent).toHaveLength(type === 0x8100 && !keepInnerVlan ? 0 : 1);
      }
    }
  });
});
