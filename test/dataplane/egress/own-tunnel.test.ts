/**
 * The switch never carries its own tunnel: its own datagrams received on a local port enter no vxlan port (docs/semantics.md,
 * T11). VXLAN of others is ordinary payload.
 */
import { describe, expect, it } from 'vitest';
import { PUNT_OWN_TUNNEL, PuntReader, subjectOf } from '../../../src/dataplane/state/punt-ring.js';
import { concatBytes, viewOf } from '../../../src/wire/bytes.js';
import { formatAddress } from '../../../src/wire/ip-address.js';
import { SOURCE_PORT } from '../support/control-model.js';
import { A, B, BROADCAST, C, frame, type PacketFields, packet } from '../support/frames.js';
import { type BridgeSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const LOCAL = '192.0.2.1';
const R2 = '192.0.2.2';
const R3 = '192.0.2.3';
const LOCAL6 = '2001:db8:1::1';
const R6 = '2001:db8:1::2';
const GROUP = '239.1.1.1';

/** A host port and a guest in the bridge of a tunnel. */
function hosted(options: Partial<VxlanSpec> = {}, bridge: Partial<BridgeSpec> = {}): TestSwitch {
  return new TestSwitch({
    br0: {
      ...bridge,
      ports: {
        host: { type: 'tap' },
        guest: { type: 'tap' },
        vx: { type: 'vxlan', vni: 42, local: LOCAL, remotes: [R2, R3], ...options },
        ...bridge.ports,
      },
    },
  });
}

/** A datagram of the tunnel as it left the host's stack. */
function own(fields: PacketFields = {}): Uint8Array {
  const path = fields.version === 6 ? [LOCAL6, R6] : [LOCAL, R2];
  return packet({
    protocol: 'udp',
    sourceAddress: path[0],
    destinationAddress: path[1],
    sourcePort: SOURCE_PORT,
    destinationPort: 4789,
    destination: B,
    data: 200,
    ...fields,
  });
}

/** A fragment of an IPv4 packet; `offset` in units of 8 bytes. */
function fragment(bytes: Uint8Array, offset: number): Uint8Array {
  viewOf(bytes).setUint16(20, 0x2000 | offset);
  return bytes;
}

/** An IPv6 frame with a fragment header before what it carries. */
function fragment6(bytes: Uint8Array, offset: number): Uint8Array {
  const header = Uint8Array.of(17, 0, (offset << 3) >> 8, ((offset << 3) & 0xff) | 1, 0, 0, 0, 1);
  const whole = concatBytes(bytes.subarray(0, 54), header, bytes.subarray(54));
  viewOf(whole).setUint16(14 + 4, whole.length - 54);
  whole[14 + 6] = 44;
  return whole;
}

describe('a datagram of the switch itself', () => {
  const REFUSED = { to: [], drops: ['vx own_tunnel'] };

  it.each([
    ['to a remote whose place is known', {}, REFUSED],
    ['to another remote', { destinationAddress: R3 }, REFUSED],
    ['with a priority tag', { tci: 0xe000 }, REFUSED],
    ['with a tag', { tci: 7 }, REFUSED],
    ['from whichever source port', { sourcePort: 4789 }, REFUSED],
    ['longer than the tunnel carries', { data: 1500 }, REFUSED],
  ])('%s goes into no tunnel, and nothing answers it', (_name, fields, turn) => {
    const sw = hosted();
    sw.tunnel('vx', R2, 42, frame({ source: B, destination: A }));
    expect(sw.send('host', own(fields))).toMatchObject(turn);
    expect(sw.dropsOf('vx', 'own_tunnel')).toEqual([0, 1]);
  });

  it.each([
    ['unknown unicast', C],
    ['a broadcast', BROADCAST],
    ['multicast', '01:00:5e:01:01:01'],
  ])('that is %s goes to local ports, and the tunnel counts one drop', (_name, destination) => {
    expect(hosted().send('host', own({ destination }))).toMatchObject({ to: ['guest'], drops: ['vx own_tunnel'] });
  });

  it('goes to a local port that it is for: the underlay may lie there', () => {
    const sw = hosted();
    sw.send('guest', frame({ source: B, destination: A }));
    expect(sw.send('host', own())).toMatchObject({ to: ['guest'], drops: [] });
  });

  it('is refused from a guest that routes the underlay as well', () => {
    expect(hosted().send('guest', own())).toMatchObject({ to: ['host'], drops: ['vx own_tunnel'] });
  });

  it('over IPv6 is refused too', () => {
    const sw = hosted({ local: LOCAL6, remotes: [R6] });
    expect(sw.send('host', own({ version: 6 })).drops).toEqual(['vx own_tunnel']);
    expect(sw.send('host', own({ version: 6, tci: 9 })).drops).toEqual(['vx own_tunnel']);
  });

  it('in fragments is refused, those without ports too', () => {
    const sw = hosted();
    for (const offset of [0, 64]) expect(sw.send('host', fragment(own(), offset)).drops).toEqual(['vx own_tunnel']);
    const sw6 = hosted({ local: LOCAL6, remotes: [R6] });
    for (const offset of [0, 64]) {
      expect(sw6.send('host', fragment6(own({ version: 6 }), offset)).drops).toEqual(['vx own_tunnel']);
    }
  });

  it('in a superframe, as trains of datagrams come from the host, is refused as one', () => {
    const bytes = own({ data: 5000, checksum: 'partial' });
    const offload = { vnet: 1 | (5 << 8), gso: 1000, csum: 34 | (6 << 16) };
    expect(hosted().send('host', bytes, offload)).toMatchObject({ to: ['guest'], drops: ['vx own_tunnel'] });
  });

  it('to the multicast group is refused', () => {
    const sw = hosted({ remotes: [GROUP] });
    expect(sw.send('host', own({ destinationAddress: GROUP, destination: '01:00:5e:01:01:01' })).drops).toEqual([
      'vx own_tunnel',
    ]);
  });

  it('to a remote with a UDP port of its own is refused', () => {
    const sw = hosted({ fdb: [{ mac: C, dst: R2, dstPort: 8472 }] });
    expect(sw.send('host', own({ destinationPort: 8472 })).drops).toEqual(['vx own_tunnel']);
  });

  it('of another bridge’s tunnel is refused: two tunnels could carry each other', () => {
    const sw = hosted();
    sw.apply(
      sw.topology.addBridge('br1', {
        ports: {
          other: { type: 'tap' },
          vy: { type: 'vxlan', vni: 43, local: '198.51.100.1', remotes: ['198.51.100.2'] },
        },
      }),
    );
    expect(sw.send('other', own())).toMatchObject({ to: [], drops: ['vy own_tunnel'] });
  });

  it('of a tunnel without `local` is known by the source port of its sockets', () => {
    const sw = hosted({ local: undefined as never });
    expect(sw.send('host', own({ sourceAddress: '203.0.113.9' })).drops).toEqual(['vx own_tunnel']);
    expect(sw.send('host', own({ sourceAddress: '203.0.113.9', sourcePort: SOURCE_PORT + 9 })).drops).toEqual([]);
    sw.apply(sw.topology.setSenders('vx', 1));
    expect(sw.send('host', own()).drops).toEqual([]);
    expect(sw.send('host', own({ sourcePort: SOURCE_PORT + 1 })).drops).toEqual(['vx own_tunnel']);
  });

  it('is one no more when its tunnel has gone', () => {
    const sw = hosted();
    sw.apply(
      sw.topology.addPort('br0', 'vy', { type: 'vxlan', vni: 43, local: '198.51.100.1', remotes: ['198.51.100.2'] }),
    );
    sw.apply(sw.topology.removePort('vx'));
    expect(sw.send('host', own())).toMatchObject({ to: ['guest', 'vy>198.51.100.2'], drops: [] });
  });

  it('in a train between frames of others is refused by itself', () => {
    const sw = hosted();
    sw.tunnel('vx', R2, 42, frame({ source: B, destination: A }));
    for (const bytes of [own({ destinationPort: 53 }), own(), own({ destinationPort: 53 }), own()]) {
      sw.inject('host', bytes);
    }
    const turn = sw.turn();
    expect([turn.to, turn.drops]).toEqual([
      [`vx>${R2}`, `vx>${R2}`],
      ['vx own_tunnel', 'vx own_tunnel'],
    ]);
  });
});

describe('VXLAN of others', () => {
  it.each([
    ['between guests', { sourceAddress: '10.0.0.1', destinationAddress: '10.0.0.2' }],
    ['of a guest to a remote’s address', { sourceAddress: '10.0.0.1' }],
    ['of the host to an address that is no remote', { destinationAddress: '192.0.2.9' }],
    ['back from a remote’s address', { sourceAddress: R2, destinationAddress: LOCAL }],
    ['of the host to another UDP port', { destinationPort: 4790 }],
    ['over TCP', { protocol: 'tcp' as const }],
  ])('%s passes', (_name, fields) => {
    const turn = hosted().send('guest', own(fields));
    expect([turn.to, turn.drops]).toEqual([['host', `vx>${R2}`, `vx>${R3}`], []]);
  });

  it('in fragments passes', () => {
    const nested = own({ sourceAddress: '10.0.0.1', destinationAddress: '10.0.0.2' });
    for (const offset of [0, 64]) expect(hosted().send('guest', fragment(nested.slice(), offset)).drops).toEqual([]);
  });

  it('comes out of the tunnel as it is', () => {
    const nested = own();
    expect(hosted().tunnel('vx', R2, 42, nested)).toMatchObject({ to: ['guest', 'host'], drops: [] });
  });
});

it('is told to the control thread with the port and the remote, once a tick', () => {
  const sw = hosted();
  const reader = new PuntReader([sw.context.punts.memory]);
  const told = (): string[] => {
    const found: string[] = [];
    reader.drain((punt) => {
      expect(punt.kind).toBe(PUNT_OWN_TUNNEL);
      found.push(`${punt.port === sw.port('host') ? 'host' : 'guest'} ${formatAddress(...subjectOf(punt).address)}`);
    });
    return found;
  };
  for (let i = 0; i < 50; i++) sw.inject('host', own());
  sw.inject('host', own({ destinationAddress: R3 }));
  sw.inject('guest', own());
  sw.turn();
  expect(told()).toEqual([`host ${R2}`, `host ${R3}`, `guest ${R2}`]);
  sw.wait(1);
  sw.send('host', own());
  expect(told()).toEqual([`host ${R2}`]);
});
