/** Mirrors (SPAN): which frames they get, as what, and that they change nothing else. Each turn's accounts are audited. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MIRRORS, MIRROR_EGRESS, MIRROR_INGRESS } from '../../../src/dataplane/state/mirrors.js';
import { MAX_MIRRORS as CONFIGURED } from '../../../src/config/rules/mirror.js';
import { KIND_FRAME, VNET_GSO_TCPV4, VNET_NEEDS_CSUM } from '../../../src/port/packet-io.js';
import { A, B, BROADCAST, C, frame, packet } from '../support/frames.js';
import { type BridgeSpec, type TapSpec, TestSwitch } from '../support/harness.js';

const BOTH = MIRROR_INGRESS | MIRROR_EGRESS;
const PEER = '192.0.2.2';
const COLLECTOR = '192.0.2.9';

type Selection = NonNullable<TapSpec['mirror']>;

/** A at t1, B at t2, C behind the tunnel; span is a mirror. */
function make(mirror: Selection, more: Partial<BridgeSpec> = {}, ports: BridgeSpec['ports'] = {}): TestSwitch {
  const vlans = more.filtering === true ? ['1 pvid untagged', '10'] : [];
  const tap = { type: 'tap', vlans } as const;
  return new TestSwitch({
    br0: {
      ...more,
      ports: {
        t1: { ...tap, fdb: [{ mac: A, vlan: more.filtering ? 1 : 0 }] },
        t2: { ...tap, fdb: [{ mac: B, vlan: more.filtering ? 1 : 0 }] },
        vx: {
          type: 'vxlan',
          vni: 42,
          vlans,
          remotes: [PEER],
          fdb: [{ mac: C, vlan: more.filtering ? 1 : 0, dst: PEER }],
        },
        span: { ...tap, mirror },
        ...ports,
      },
    },
  });
}

const toB = frame({ source: A, destination: B });

describe('what a mirror gets', () => {
  it('is what enters by a port, dropped frames too', () => {
    const sw = make({ directions: MIRROR_INGRESS, ports: ['t1'] });
    expect(sw.send('t1', toB).to).toEqual(['span', 't2']);
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual(['t1']);
    const refused = sw.send('t1', frame({ source: '01:00:5e:00:00:01' }));
    expect([refused.to, refused.drops]).toEqual([['span'], ['t1 source_mac_invalid']]);
  });

  it('is what leaves by a port', () => {
    const sw = make({ directions: MIRROR_EGRESS, ports: ['t2'] });
    expect(sw.send('t1', toB).to).toEqual(['span', 't2']);
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual(['t1']);
    expect(sw.tunnel('vx', PEER, 42, frame({ source: C, destination: B })).to).toEqual(['span', 't2']);
  });

  it('is each frame once, whatever the ports: a flood too', () => {
    const sw = make({ directions: BOTH });
    expect(sw.send('t1', toB).to).toEqual(['span', 't2']);
    expect(sw.send('t1', frame({ source: A, destination: BROADCAST })).to).toEqual(['span', 't2', `vx>${PEER}`]);
    const out = make({ directions: MIRROR_EGRESS }).send('t1', frame({ source: A, destination: BROADCAST }));
    expect(out.to).toEqual(['span', 't2', `vx>${PEER}`]);
  });

  it('is the frame of the chosen VLANs, with its tag as on the port', () => {
    const sw = make({ directions: BOTH, vlans: [10] }, { filtering: true });
    expect(sw.send('t1', toB).to).toEqual(['t2']);
    const tagged = sw.send('t1', frame({ source: A, destination: BROADCAST, tci: 10 }));
    const copy = tagged.out.find(({ to }) => to === 'span');
    expect(copy?.frame).toEqual(frame({ source: A, destination: BROADCAST, tci: 10 }));
    const egress = make({ directions: MIRROR_EGRESS, ports: ['t2'] }, { filtering: true });
    const untagged = egress.send('t1', frame({ source: A, destination: B, tci: 1 }));
    expect(untagged.out.map(({ to, frame: bytes }) => [to, bytes])).toEqual([
      ['t2', toB],
      ['span', toB],
    ]);
  });

  it('keeps the offloads of a superframe', () => {
    const sw = make({ directions: BOTH });
    const offload = { vnet: VNET_NEEDS_CSUM | (VNET_GSO_TCPV4 << 8), gso: 1000, csum: 34 | (16 << 16) };
    const { out } = sw.send('t1', packet({ data: 8000 }), offload);
    expect(out.map(({ to, vnet, gso }) => [to, vnet, gso & 0xffff])).toEqual([
      ['t2', offload.vnet, 1000],
      ['span', offload.vnet, 1000],
    ]);
  });

  it('leaves out other bridges, and other mirrors', () => {
    const sw = make({ directions: BOTH }, {}, { span2: { type: 'tap', mirror: { directions: BOTH } } });
    expect(sw.send('t1', toB).to).toEqual(['span', 'span2', 't2']);
  });
});

describe('a mirror that is a vxlan port', () => {
  const remote = (mirror: Selection, mtu = 0): TestSwitch => {
    const sw = make({ directions: 0 }, {}, { er: { type: 'vxlan', vni: 900, remotes: [COLLECTOR], mirror } });
    const number = sw.topology.port('er').remotes.get(`${COLLECTOR} 4789`) as number;
    if (mtu > 0) sw.apply([{ op: 'remote-mtu', remote: number, mtu }]);
    return sw;
  };

  it('carries the copies to its remote in its VNI', () => {
    const { out, to } = remote({ directions: BOTH, ports: ['t1'] }).send('t1', toB);
    expect(to).toEqual([`er>${COLLECTOR}`, 't2']);
    const copy = out.find(({ port }) => port === 'er');
    expect([copy?.header[6], copy?.header[5], copy?.frame]).toEqual([900 & 0xff, 900 >> 8, toB]);
  });

  it('cuts a copy that is too long, and tells nobody', () => {
    const long = packet({ protocol: 'udp', data: 1200, df: true });
    const { out, drops } = remote({ directions: BOTH, ports: ['t1'] }, 1000).send('t1', long);
    expect(drops).toEqual([]);
    expect(out.map(({ to, frame: bytes }) => [to, bytes.length])).toEqual([
      ['t2', long.length],
      [`er>${COLLECTOR}`, 964],
    ]);
    const offload = { vnet: VNET_NEEDS_CSUM | (VNET_GSO_TCPV4 << 8), gso: 1200, csum: 34 | (16 << 16) };
    const large = remote({ directions: BOTH, ports: ['t1'] }, 1000).send('t1', packet({ data: 8000 }), offload);
    expect([large.to, large.drops]).toEqual([['t2'], ['er mtu_exceeded']]);
  });

  it('without a remote drops them', () => {
    const sw = make(
      { directions: 0 },
      {},
      { er: { type: 'vxlan', vni: 900, remotes: [], mirror: { directions: BOTH } } },
    );
    expect(sw.send('t1', toB).drops).toEqual(['er no_destination']);
  });
});

describe('a mirror', () => {
  it('takes no part in forwarding: nothing is flooded to it, and nothing enters by it', () => {
    const sw = make(
      { directions: BOTH, ports: ['t2'] },
      {},
      { er: { type: 'vxlan', vni: 900, remotes: [COLLECTOR], mirror: { directions: MIRROR_INGRESS, ports: ['t2'] } } },
    );
    expect(sw.send('t1', frame({ source: A, destination: '02:00:00:00:00:77' })).to).toEqual([
      'span',
      't2',
      `vx>${PEER}`,
    ]);
    expect(sw.send('span', toB).drops).toEqual(['span mirror_port']);
    expect(sw.tunnel('er', COLLECTOR, 900, toB).drops).toEqual(['er mirror_port']);
  });

  it('whose device fails loses its copies only', () => {
    const sw = make({ directions: BOTH });
    sw.io.faults.set((KIND_FRAME << 16) | sw.port('span'), 11);
    expect(sw.send('t1', toB)).toMatchObject({ to: ['t2'], drops: ['span tx_backpressure'] });
    sw.io.lose(KIND_FRAME, sw.port('span'), 77);
    sw.turn();
    expect(sw.send('t1', toB)).toMatchObject({ to: ['t2'], drops: ['span port_down'] });
  });

  it('gets a quarter of a batch while frames wait, so that the traffic is not held up', () => {
    const sw = make({ directions: BOTH });
    for (let i = 0; i < 512; i++) sw.inject('t1', toB);
    const { out, drops } = sw.turn();
    const of = (port: string): number => out.filter(({ to }) => to === port).length;
    // The first batch of 256 is followed by another one.
    expect([of('t2'), of('span'), drops.length]).toEqual([512, 64 + 256, 192]);
    expect(new Set(drops)).toEqual(new Set(['span turn_exceeded']));
  });

  it('ends with its port, and with the option', () => {
    const sw = make({ directions: BOTH });
    sw.apply(sw.topology.removePort('span'));
    expect(sw.context.mirrors.list).toEqual([]);
    expect(sw.send('t1', toB).to).toEqual(['t2']);
    expect(MAX_MIRRORS).toBe(CONFIGURED);
  });

  it('changes nothing about the traffic, whatever it is', () => {
    const ports = fc.subarray(['t1', 't2', 'vx']);
    const frames = fc.array(
      fc.record({
        port: fc.constantFrom('t1', 't2', 'vx'),
        source: fc.constantFrom(A, B, C, '01:00:00:00:00:01'),
        destination: fc.constantFrom(A, B, C, BROADCAST, '02:00:00:00:00:55', '01:80:c2:00:00:00'),
        tci: fc.constantFrom(undefined, 1, 10, 0x600a, 99),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.boolean(), fc.constantFrom(0, 1, 2, 3), ports, frames, (filtering, directions, names, list) => {
        const plain = make({ directions: 0 }, { filtering });
        const mirrored = make({ directions, ports: names }, { filtering });
        const run = (sw: TestSwitch): string[] => {
          for (const { port, source, destination, tci } of list) {
            const bytes = frame({ source, destination, ...(tci === undefined ? {} : { tci }) });
            if (port === 'vx') sw.injectDatagram('vx', PEER, Uint8Array.of(8, 0, 0, 0, 0, 0, 42, 0, ...bytes));
            else sw.inject(port, bytes);
          }
          const { out, drops } = sw.turn();
          return [
            ...out.filter(({ to }) => to !== 'span').map(({ to, frame: bytes }) => `${to} ${bytes.join()}`),
            ...drops,
          ];
        };
        expect(run(mirrored)).toEqual(run(plain));
      }),
      { numRuns: 60 },
    );
  });
});
