/**
 * Gateways: a frame to the MAC of one is routed into the VLAN of its next hop. Literal bytes are those of RFC 791, RFC 792, RFC 826 and
 * RFC 4443.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { LAYER3 } from '../../../src/dataplane/state/forwarding.js';
import { ROUTE_UNICAST } from '../../../src/dataplane/state/routes.js';
import { prefixOf, wordsOf } from '../../../src/control/model/routes.js';
import { fromHex, toHex, viewOf } from '../../../src/wire/bytes.js';
import { internetChecksum } from '../../../src/wire/checksum.js';
import { encodeIcmpEcho, encodeIcmpv6Echo } from '../../../src/wire/icmp.js';
import { encodeIpv4, type Ipv4Fields } from '../../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../../src/wire/ipv6.js';
import { A, B, C, frame, packet, type PacketFields } from '../support/frames.js';
import { TestSwitch, type Turn } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  gratuitous,
  lladdrOf,
  PEER,
  solicitation,
} from '../support/neigh-frames.js';
import { mac } from '../support/specs.js';

const G = '02:00:5e:00:00:01';
const GW10 = '10.0.10.1';
const GW20 = '10.0.20.1';
const A4 = '10.0.10.5';
const B4 = '10.0.20.5';
const A6 = 'fd00:10::5';
const B6 = 'fd00:20::5';

const gateway = (vid: number, addresses: string[], more: { vrf?: number; mac?: string } = {}) =>
  ({ type: 'tap', vlans: [`${vid} pvid untagged`], gateway: { mac: G, addresses, ...more } }) as const;
const tap = (...vlans: string[]) => ({ type: 'tap', vlans }) as const;

let sw: TestSwitch;

function build(more: Record<string, ReturnType<typeof gateway> | ReturnType<typeof tap>> = {}): void {
  sw = new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        gw10: gateway(10, [`${GW10}/24`, 'fd00:10::1/64', 'fe80::1/64']),
        gw20: gateway(20, [`${GW20}/24`, 'fd00:20::1/64', 'fe80::1/64']),
        t10: tap('10 pvid untagged'),
        t20: tap('20 pvid untagged'),
        trunk: tap('10', '20'),
        ...more,
      },
    },
  });
  sw.wait(3);
}

/** Both guests have shown themselves. */
function meet(): void {
  sw.send('t10', gratuitous(A, A4));
  sw.send('t20', gratuitous(B, B4));
  sw.send('t10', advertisement(A, A6));
  sw.send('t20', advertisement(B, B6));
}

const hexOf = (turn: Turn, port: string): string[] =>
  turn.out.filter((out) => out.port === port).map(({ frame: bytes }) => toHex(bytes));
const macs = (destination: string, source: string): string => `${destination}${source}`.replaceAll(':', '');
const v4 = (more: PacketFields = {}): Uint8Array =>
  packet({ source: A, destination: G, sourceAddress: A4, destinationAddress: B4, ...more });
const v6 = (more: PacketFields = {}): Uint8Array =>
  packet({ version: 6, source: A, destination: G, sourceAddress: A6, destinationAddress: B6, ...more });
const raw4 = (fields: Partial<Ipv4Fields> & { destination?: string }, source = A): Uint8Array =>
  frame({
    source,
    destination: G,
    etherType: 0x0800,
    payload: encodeIpv4({ source: A4, destination: B4, protocol: 253, payload: new Uint8Array(8), ...fields }),
  });

describe('a packet to another VLAN', () => {
  beforeEach(() => {
    build();
    meet();
  });

  it('of IPv4 gets both MACs, one hop less and the checksum that belongs to it', () => {
    const sent = fromHex(`${macs(G, A)}0800450000200001000040fd47d70a000a050a001405000102030405060708090a0b`);
    // The checksum of RFC 791 over the header above.
    expect(internetChecksum(viewOf(sent), 14, 20)).toBe(0);
    const turn = sw.send('t10', sent);
    expect(hexOf(turn, 't20')).toEqual([
      `${macs(B, G)}080045000020000100003ffd48d70a000a050a001405000102030405060708090a0b`,
    ]);
    expect(turn).toMatchObject({ to: ['t20'], drops: [] });
  });

  it('of IPv6 gets both MACs and one hop less', () => {
    const sent = v6();
    const routed = toHex(sent).replace(/^.{24}/, macs(B, G));
    const expected = `${routed.slice(0, 42)}3f${routed.slice(44)}`;
    expect(hexOf(sw.send('t10', sent), 't20')).toEqual([expected]);
  });

  it('leaves its tag behind, and its padding', () => {
    const bytes = toHex(v4({ data: 0, tci: 10 }));
    const turn = sw.send('trunk', fromHex(`${bytes}00000000`));
    expect(turn.to).toEqual(['t20']);
    expect(turn.out[0].frame.length).toBe(bytes.length / 2 - 4);
  });

  it('enters the next VLAN with its tag where the port has it tagged', () => {
    sw.send('trunk', gratuitous(C, '10.0.20.6', { tci: 20 }));
    const turn = sw.send('t10', v4({ destinationAddress: '10.0.20.6' }));
    expect(hexOf(turn, 'trunk')[0].slice(0, 32)).toBe(`${macs(C, G)}81000014`);
  });

  it('goes out of the port that it came in by, in another VLAN', () => {
    sw.send('trunk', gratuitous(C, '10.0.20.6', { tci: 20 }));
    sw.send('trunk', gratuitous(A, A4, { tci: 10 }));
    const turn = sw.send('trunk', v4({ destinationAddress: '10.0.20.6', tci: 10 }));
    expect(turn.to).toEqual(['trunk']);
  });

  it('stays one superframe', () => {
    const sent = v4({ data: 8000, checksum: 'partial', protocol: 'tcp' });
    const offload = { vnet: 1 | (1 << 8), gso: 1000 | (54 << 16), csum: 34 | (16 << 16) };
    expect(sw.send('t10', sent, offload).out).toMatchObject([{ port: 't20', ...offload }]);
  });

  it('stays one superframe with a tag, whose offsets count without it then', () => {
    const sent = v4({ data: 8000, checksum: 'partial', protocol: 'tcp', tci: 10 });
    const offload = { vnet: 1 | (1 << 8), gso: 1000 | (58 << 16), csum: 38 | (16 << 16) };
    const expected = { vnet: 1 | (1 << 8), gso: 1000 | (54 << 16), csum: 34 | (16 << 16) };
    expect(sw.send('trunk', sent, offload).out).toMatchObject([{ port: 't20', ...expected }]);
  });

  it('passes in a run of many, each to its own destination', () => {
    sw.send('t20', gratuitous(C, '10.0.20.6'));
    for (let i = 0; i < 10; i++) sw.inject('t10', v4({ destinationAddress: i % 2 === 0 ? B4 : '10.0.20.6' }));
    const turn = sw.turn();
    expect(turn.to).toEqual(Array.from({ length: 10 }, () => 't20'));
    const destinations = hexOf(turn, 't20').map((hex) => hex.slice(0, 12));
    expect(destinations.filter((one) => one === macs(B, ''))).toHaveLength(5);
    expect(destinations.filter((one) => one === macs(C, ''))).toHaveLength(5);
  });
});

describe('a next hop that is not known', () => {
  beforeEach(() => build());

  it('is asked for in its VLAN, and the packet follows the answer', () => {
    const asked = sw.send('t10', v4());
    expect(hexOf(asked, 't20')).toEqual([
      `${macs('ff:ff:ff:ff:ff:ff', G)}0806${'0001080006040001'}${macs(G, '')}0a001401${'000000000000'}0a001405`,
    ]);
    const turn = sw.send('t20', arpReply(B, B4, G, GW20));
    expect(hexOf(turn, 't20')[0].slice(0, 24)).toBe(macs(B, G));
    expect(turn.drops).toEqual(['gw20 suppressed']);
  });

  it('is asked for by a solicitation', () => {
    const [asked] = hexOf(sw.send('t10', v6()), 't20');
    expect(asked).toBe(toHex(solicitation(G, 'fd00:20::1', B6)));
    const turn = sw.send('t20', advertisement(B, B6, { destination: G }));
    expect(hexOf(turn, 't20')[0].slice(0, 24)).toBe(macs(B, G));
  });

  it('that says nothing makes the packet undeliverable: host unreachable', () => {
    sw.send('t10', gratuitous(A, A4));
    sw.send('t10', v4());
    sw.io.advance(1000);
    sw.turn();
    sw.io.advance(1000);
    sw.turn();
    sw.io.advance(1000);
    const turn = sw.turn();
    expect(turn.drops).toEqual(['gw20 neigh_failed']);
    const [error] = hexOf(turn, 't10');
    expect(error.slice(0, 24)).toBe(macs(A, G));
    expect(error.slice(52, 72)).toBe('0a000a010a000a050301');
  });
});

describe('ICMP of a gateway', () => {
  beforeEach(() => {
    build();
    meet();
  });

  it('answers echo', () => {
    const payload = encodeIcmpEcho({ type: 8, identifier: 7, sequence: 9, payload: Uint8Array.of(1, 2, 3) });
    const asked = raw4({ destination: GW10, protocol: 1, payload });
    const [answer] = hexOf(sw.send('t10', asked), 't10');
    const expected = frame({
      source: G,
      destination: A,
      etherType: 0x0800,
      payload: encodeIpv4({
        source: GW10,
        destination: A4,
        protocol: 1,
        payload: encodeIcmpEcho({ type: 0, identifier: 7, sequence: 9, payload: Uint8Array.of(1, 2, 3) }),
      }),
    });
    expect(answer).toBe(toHex(expected));
  });

  it('answers echo to its address in another VLAN, and of IPv6, link-local too', () => {
    const payload = encodeIcmpEcho({ type: 8, identifier: 7, sequence: 9, payload: new Uint8Array(0) });
    expect(sw.send('t10', raw4({ destination: GW20, protocol: 1, payload })).to).toEqual(['t10']);
    for (const [from, to] of [
      [A6, 'fd00:20::1'],
      ['fe80::a', 'fe80::1'],
    ]) {
      sw.send('t10', advertisement(A, 'fe80::a'));
      const path = { source: from, destination: to };
      const echo = (type: number, way: typeof path) =>
        encodeIpv6({
          ...way,
          nextHeader: 58,
          payload: encodeIcmpv6Echo({ type, identifier: 1, sequence: 2, payload: Uint8Array.of(9) }, way),
        });
      const turn = sw.send('t10', frame({ source: A, destination: G, etherType: 0x86dd, payload: echo(128, path) }));
      const back = frame({
        source: G,
        destination: A,
        etherType: 0x86dd,
        payload: echo(129, { source: to, destination: from }),
      });
      expect(hexOf(turn, 't10')).toEqual([toHex(back)]);
    }
  });

  it('says that the time of a packet is exceeded, literally', () => {
    const sent = fromHex(`${macs(G, A)}08004500001c0001000001fd86db0a000a050a0014050001020304050607`);
    const turn = sw.send('t10', sent);
    expect(turn.drops).toEqual(['gw10 ttl_exceeded']);
    const quoted = '4500001c0001000001fd86db0a000a050a0014050001020304050607';
    expect(hexOf(turn, 't10')).toEqual([
      `${macs(A, G)}0800${'4500003800004000400112c0'}${'0a000a01'}${'0a000a05'}${'0b00e8ef00000000'}${quoted}`,
    ]);
  });

  it('says so of IPv6', () => {
    const sent = v6();
    sent[14 + 7] = 1;
    const turn = sw.send('t10', sent);
    expect(turn.drops).toEqual(['gw10 ttl_exceeded']);
    const [error] = hexOf(turn, 't10');
    expect(error.slice(108, 112)).toBe('0300');
  });

  it('says that there is no route, that a port is not served, and that a packet is too big', () => {
    const none = sw.send('t10', v4({ destinationAddress: '192.0.2.1' }));
    expect(none.drops).toEqual(['gw10 no_route']);
    expect(hexOf(none, 't10')[0].slice(68, 72)).toBe('0300');
    const port = sw.send('t10', v4({ destinationAddress: GW10, protocol: 'udp' }));
    expect(port.drops).toEqual(['gw10 not_served']);
    expect(hexOf(port, 't10')[0].slice(68, 72)).toBe('0303');
    const big = sw.send('t10', v4({ data: 1500, df: true }));
    expect(big.drops).toEqual(['gw10 mtu_exceeded']);
    // 1450 is the MTU of the gateways here.
    expect(hexOf(big, 't10')[0].slice(68, 84)).toMatch(/^0304....000005aa$/);
    const big6 = sw.send('t10', v6({ data: 1500 }));
    expect(hexOf(big6, 't10')[0].slice(108, 124)).toMatch(/^0200....000005aa$/);
  });

  it('answers no error and no broadcast, and a few packets of a tick only', () => {
    const error = raw4({ destination: '192.0.2.1', protocol: 1, payload: fromHex('0301000000000000') });
    expect(sw.send('t10', error)).toMatchObject({ to: [], drops: ['gw10 no_route'] });
    expect(sw.send('t10', raw4({ destination: '10.0.20.255' }))).toMatchObject({ to: [], drops: ['gw10 no_route'] });
    for (let i = 0; i < 50; i++) sw.inject('t10', v4({ destinationAddress: '192.0.2.1' }));
    expect(sw.turn().to).toHaveLength(8);
  });
});

describe('requests for the addresses of a gateway', () => {
  beforeEach(() => build({ vx: { type: 'vxlan', tunnel: { 10: 1010, 20: 1020 }, remotes: [PEER] } as never }));

  it('are answered, and nobody else hears them', () => {
    const turn = sw.send('t10', arpRequest(A, A4, GW10));
    expect(turn).toMatchObject({ to: ['t10'], drops: ['t10 suppressed'] });
    expect(hexOf(turn, 't10')[0].slice(24 + 4 + 16)).toBe(`${macs(G, '')}0a000a01${macs(A, '')}0a000a05`);
    expect(sw.send('t10', solicitation(A, A6, 'fd00:10::1'))).toMatchObject({ to: ['t10'], drops: ['t10 suppressed'] });
  });

  it('are answered in its own VLAN only', () => {
    expect(sw.send('t20', arpRequest(B, B4, GW10)).drops).toEqual([]);
  });
});

describe('a guest that', () => {
  beforeEach(() => build());

  it('sends from the MAC of the gateway is refused', () => {
    expect(sw.send('t10', frame({ source: G, destination: B })).drops).toEqual(['t10 source_is_own']);
  });

  it.each([
    ['announces its address', () => gratuitous(A, GW10)],
    ['answers for it', () => arpReply(A, GW10, B, A4)],
    ['asks from it', () => arpRequest(A, GW10, A4)],
    ['advertises it', () => advertisement(A, 'fd00:10::1')],
  ])('%s is refused', (_what, bytes) => {
    const turn = sw.send('t10', bytes());
    expect(turn.drops).toEqual(['t10 arp_guard']);
    expect(turn.to.filter((to) => to !== 'trunk' && to !== 't10')).toEqual([]);
    expect(lladdrOf(sw, GW10)).not.toBe(A);
  });
});

describe('invalid packets', () => {
  beforeEach(() => {
    build();
    meet();
  });

  const header = (hex: string): Uint8Array => fromHex(`${macs(G, A)}0800${hex}`);

  it.each([
    ['nothing', header(''), 'frame_too_short'],
    ['half a header', header('4500001c00010000'), 'frame_too_short'],
    ['a header length below 20', header(`44${'00'.repeat(30)}`), 'ip_invalid'],
    ['version 6 in IPv4', header(`65${'00'.repeat(50)}`), 'ip_invalid'],
    ['a total length beyond the frame', raw4({ payload: new Uint8Array(100) }).slice(0, 60), 'frame_too_short'],
    [
      'a wrong checksum',
      (() => {
        const b = raw4({});
        b[24] ^= 1;
        return b;
      })(),
      'checksum_bad',
    ],
    ['a loose source route', raw4({ options: fromHex('830704c0a8000100') }), 'ip_invalid'],
    ['a strict source route', raw4({ options: fromHex('018907040a000001') }), 'ip_invalid'],
    ['an option of length 0', raw4({ options: fromHex('44000000') }), 'ip_invalid'],
    ['an option beyond the header', raw4({ options: fromHex('44080000') }), 'ip_invalid'],
    ['a source that is loopback', raw4({ source: '127.0.0.1' }), 'ip_martian'],
    ['a source that is a group', raw4({ source: '224.0.0.5' }), 'ip_martian'],
    ['a source of nobody', raw4({ source: '0.0.0.0' }), 'ip_martian'],
    ['a destination that is a group', raw4({ destination: '239.1.1.1' }), 'ip_martian'],
    ['a destination that is all', raw4({ destination: '255.255.255.255' }), 'ip_martian'],
    ['a destination that is loopback', raw4({ destination: '127.0.0.1' }), 'ip_martian'],
    ['another protocol', frame({ source: A, destination: G }), 'not_layer3'],
    ['a redirect', raw4({ destination: GW10, protocol: 1, payload: fromHex('05010000c0000201') }), 'not_served'],
    ['a fragment for the gateway', raw4({ destination: GW10, protocol: 1, moreFragments: true }), 'not_served'],
    ['IPv6 from a group', v6({ sourceAddress: 'ff02::1' }), 'ip_martian'],
    ['IPv6 to loopback', v6({ destinationAddress: '::1' }), 'ip_martian'],
    ['IPv6 to a link-local host of another link', v6({ destinationAddress: 'fe80::5' }), 'no_route'],
    ['IPv6 from a link-local host', v6({ sourceAddress: 'fe80::5' }), 'no_route'],
    ['IPv6 that is cut', v6().slice(0, 60), 'frame_too_short'],
  ])('%s is dropped', (_what, bytes, reason) => {
    const turn = sw.send('t10', bytes);
    expect(turn.drops).toEqual([`gw10 ${reason}`]);
    expect(turn.to.filter((to) => to === 't20')).toEqual([]);
  });

  it('a record route is no fault, and fragments pass', () => {
    expect(sw.send('t10', raw4({ options: fromHex('0707040000000000') })).to).toEqual(['t20']);
    expect(sw.send('t10', raw4({ moreFragments: true })).to).toEqual(['t20']);
    expect(sw.send('t10', raw4({ fragmentOffset: 1480 })).to).toEqual(['t20']);
  });
});

describe('routes', () => {
  const route = (prefix: string, ways: { port: string; via?: string; mac?: string }[], vrf = 0) => {
    const [address, length] = prefix.split('/');
    return {
      op: 'route' as const,
      vrf,
      ...prefixOf(address, Number(length)),
      kind: ROUTE_UNICAST,
      ways: ways.map(({ port, via, mac: hop }) => ({
        port: sw.port(port),
        ...(via === undefined ? {} : { via: wordsOf(via) }),
        ...(hop === undefined ? {} : { mac: mac(hop) }),
      })),
    };
  };

  beforeEach(() => {
    build();
    meet();
  });

  it('by a router of the VLAN, the longest prefix first', () => {
    sw.apply([
      route('0.0.0.0/0', [{ port: 'gw20', via: B4 }]),
      route('192.0.2.0/24', [{ port: 'gw10', via: A4 }]),
      route('192.0.2.128/25', [{ port: 'gw20', mac: C }]),
      route('::/0', [{ port: 'gw20', via: B6 }]),
    ]);
    const to = (address: string): string[] =>
      sw
        .send('t10', v4({ destinationAddress: address }))
        .out.map(({ port, frame: f }) => `${port} ${toHex(f.slice(0, 6))}`);
    expect(to('198.51.100.1')).toEqual([`t20 ${macs(B, '')}`]);
    expect(to('192.0.2.1')).toEqual([`t10 ${macs(A, '')}`]);
    sw.send('t20', gratuitous(C, '10.0.20.9'));
    expect(to('192.0.2.200')).toEqual([`t20 ${macs(C, '')}`]);
    expect(sw.send('t10', v6({ destinationAddress: '2001:db8::1' })).to).toEqual(['t20']);
  });

  it('with several ways keep a flow together and use all of them', () => {
    sw.send('t20', gratuitous(C, '10.0.20.9'));
    sw.apply([
      route('192.0.2.0/24', [
        { port: 'gw20', via: B4 },
        { port: 'gw20', via: '10.0.20.9' },
      ]),
    ]);
    const way = (sourcePort: number): string =>
      toHex(sw.send('t10', v4({ destinationAddress: '192.0.2.1', sourcePort })).out[0].frame.slice(0, 6));
    const ways = Array.from({ length: 64 }, (_, at) => way(1000 + at));
    expect(ways.filter((one) => one === macs(B, '')).length).toBeGreaterThan(16);
    expect(ways.filter((one) => one === macs(C, '')).length).toBeGreaterThan(16);
    expect(Array.from({ length: 64 }, (_, at) => way(1000 + at))).toEqual(ways);
  });

  it('move the flows of a way that goes, and no others, to all that are left', () => {
    const FLOWS = 512;
    const routers = ['10.0.20.7', '10.0.20.8', '10.0.20.9', '10.0.20.10'];
    const macOf = (address: string): string => `02:00:00:00:20:${address.split('.')[3]?.padStart(2, '0')}`;
    for (const address of routers) sw.send('t20', gratuitous(macOf(address), address));
    const set = (list: readonly string[]): void =>
      sw.apply([
        route(
          '192.0.2.0/24',
          list.map((via) => ({ port: 'gw20', via })),
        ),
      ]);
    // Many in a turn, told apart by their source ports.
    const ways = (): string[] => {
      const macs = new Map<number, string>();
      for (let first = 0; first < FLOWS; first += 64) {
        for (let at = first; at < first + 64; at++)
          sw.inject('t10', v4({ destinationAddress: '192.0.2.1', sourcePort: 1000 + at }));
        for (const { frame: f } of sw.turn().out) macs.set(viewOf(f).getUint16(34), toHex(f.slice(0, 6)));
      }
      return Array.from({ length: FLOWS }, (_, at) => macs.get(1000 + at) ?? 'lost');
    };
    const share = (list: readonly string[], address: string): number =>
      list.filter((one) => one === macs(macOf(address), '')).length;
    set(routers);
    const before = ways();
    for (const address of routers)
      expect(Math.abs(share(before, address) - FLOWS / 4), address).toBeLessThan(FLOWS / 16);
    set(routers.filter((address) => address !== '10.0.20.8'));
    const after = ways();
    const gone = macs(macOf('10.0.20.8'), '');
    const moved = after.filter((_, at) => before[at] === gone);
    expect(after.filter((_, at) => before[at] !== gone)).toEqual(before.filter((one) => one !== gone));
    for (const address of ['10.0.20.7', '10.0.20.9', '10.0.20.10'])
      expect(Math.abs(share(moved, address) - moved.length / 3), address).toBeLessThan(FLOWS / 20);
    // Back again, and in another order: as before.
    set([...routers].reverse());
    expect(ways()).toEqual(before);
  });

  it('pass a way over whose gateway is down', () => {
    sw.send('t20', gratuitous(C, '10.0.20.9'));
    sw.send('t10', gratuitous(A, '10.0.10.9'));
    sw.apply([
      route('192.0.2.0/24', [
        { port: 'gw20', via: '10.0.20.9' },
        { port: 'gw10', via: '10.0.10.9' },
      ]),
    ]);
    const ways = (): string[] =>
      Array.from(
        { length: 64 },
        (_, at) => sw.send('t10', v4({ destinationAddress: '192.0.2.1', sourcePort: 1000 + at })).to[0],
      );
    expect(new Set(ways())).toEqual(new Set(['t10', 't20']));
    const { number } = sw.topology.port('gw20');
    sw.apply([{ op: 'port', port: number, bridge: sw.topology.bridgeNumber('br0'), flags: LAYER3, mtu: 1450 }]);
    expect(new Set(ways())).toEqual(new Set(['t10']));
  });

  it('are those of the VRF', () => {
    build({
      red10: gateway(30, ['10.0.10.1/24'], { vrf: 1 }),
      red20: gateway(40, ['10.0.20.1/24'], { vrf: 1 }),
      t30: tap('30 pvid untagged'),
      t40: tap('40 pvid untagged'),
    });
    meet();
    sw.send('t40', gratuitous(B, B4));
    expect(sw.send('t30', v4()).to).toEqual(['t40']);
    expect(sw.send('t10', v4()).to).toEqual(['t20']);
  });
});
