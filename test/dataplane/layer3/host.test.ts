/**
 * A layer-3 port: the engine is the Ethernet half of a host that has IP packets only. Packets become frames to their next hop, frames
 * become packets, and ARP and neighbour discovery are the engine's. Literal bytes are those of RFC 826 and RFC 4861.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { applyOperations } from '../../../src/dataplane/operations/operations.js';
import { FLAG_PERMANENT } from '../../../src/fdb/table.js';
import { concatBytes, fromHex, toHex } from '../../../src/wire/bytes.js';
import { A, B, BROADCAST, C, frame, type PacketFields, packet } from '../support/frames.js';
import { TestSwitch, type Turn } from '../support/harness.js';
import {
  advertisement,
  arpReply,
  arpRequest,
  binding,
  gratuitous,
  lladdrOf,
  PEER,
  solicitation,
} from '../support/neigh-frames.js';

const tap = { type: 'tap' } as const;
/** The host's MAC. */
const H = '02:00:00:00:00:aa';
const H4 = '198.18.0.1';
const H6 = '2001:db8::1';
const A4 = '198.18.0.10';
const A6 = '2001:db8::a';
const GATEWAY4 = '198.18.0.254';
const GATEWAY6 = 'fe80::fe';
const HOST = { mac: H, addresses: [`${H4}/24`, `${H6}/64`], gateways: [GATEWAY4, GATEWAY6] };
const host = { type: 'tap', host: HOST, fdb: [{ mac: H, flags: FLAG_PERMANENT }] } as const;

let sw: TestSwitch;

function build(more: Record<string, TestSwitchPort> = {}, of: Partial<typeof HOST> = {}): void {
  sw = new TestSwitch({ br0: { ports: { tun: { ...host, host: { ...HOST, ...of } }, t1: tap, ...more } } });
  settle();
}

type TestSwitchPort = typeof tap | { type: 'vxlan'; vni: number; remotes: string[]; neighSuppress?: boolean };

/** Lets the announcements pass. */
function settle(): void {
  sw.wait(3);
}

/** An IP packet without its Ethernet header. */
const ip = (fields: PacketFields): Uint8Array => packet(fields).slice(14);
const ip4 = (to: string, more: PacketFields = {}): Uint8Array =>
  ip({ sourceAddress: H4, destinationAddress: to, ...more });
const ip6 = (to: string, more: PacketFields = {}): Uint8Array =>
  ip({ version: 6, sourceAddress: H6, destinationAddress: to, ...more });

const hexOf = (turn: Turn, port: string): string[] =>
  turn.out.filter((out) => out.port === port).map(({ frame: f }) => toHex(f));
const macs = (destination: string, source: string): string => `${destination}${source}`.replaceAll(':', '');
/** What a frame with this packet looks like. */
const framed = (destination: string, payload: Uint8Array): string =>
  macs(destination, H) + (payload[0] >>> 4 === 4 ? '0800' : '86dd') + toHex(payload);

describe('a packet of the host', () => {
  beforeEach(() => build());

  it.each([
    ['to a group', ip4('224.1.2.3'), '01:00:5e:01:02:03'],
    ['to a group with the high bit', ip4('239.129.2.3'), '01:00:5e:01:02:03'],
    ['to a group of IPv6', ip6('ff02::1:3'), '33:33:00:01:00:03'],
    ['to all', ip4('255.255.255.255'), BROADCAST],
    ['to all of the subnet', ip4('198.18.0.255'), BROADCAST],
  ])('%s has the MAC that belongs to it', (_what, payload, mac) => {
    expect(hexOf(sw.sendPacket('tun', payload), 't1')).toEqual([framed(mac, payload)]);
  });

  it.each([
    ['IPv4', ip4(A4), () => sw.send('t1', arpReply(A, A4, H, H4))],
    ['IPv6', ip6(A6), () => sw.send('t1', advertisement(A, A6))],
  ])('%s goes to a neighbour that has shown itself', (_what, payload, show) => {
    show();
    expect(hexOf(sw.sendPacket('tun', payload), 't1')).toEqual([framed(A, payload)]);
  });

  it('keeps its offload header, which counts the Ethernet header', () => {
    sw.send('t1', gratuitous(A, A4));
    const payload = ip4(A4, { protocol: 'tcp', data: 3000, checksum: 'partial' });
    const offload = { vnet: 1 | (1 << 8), gso: 1000 | (54 << 16), csum: 34 | (16 << 16) };
    expect(sw.sendPacket('tun', payload, offload).out).toMatchObject([{ port: 't1', ...offload }]);
  });

  it.each([
    ['IPv4', ip4('192.0.2.9'), () => sw.send('t1', gratuitous(B, GATEWAY4))],
    ['IPv6', ip6('2001:db8:1::9'), () => sw.send('t1', advertisement(B, GATEWAY6))],
  ])('%s goes by the gateway where no prefix has its destination', (_what, payload, show) => {
    show();
    expect(hexOf(sw.sendPacket('tun', payload), 't1')).toEqual([framed(B, payload)]);
  });

  it.each([
    ['without a gateway', '192.0.2.9'],
    ['to no host', '0.0.0.0'],
    ['to a loopback', '127.0.0.1'],
    ['to a reserved address', '250.0.0.1'],
    ['of IPv6 without a gateway', '2001:db8:1::9'],
    ['to the IPv6 loopback', '::1'],
  ])('%s has no way', (_what, to) => {
    build({}, { gateways: [] });
    expect(sw.sendPacket('tun', to.includes(':') ? ip6(to) : ip4(to)).drops).toEqual(['tun no_route']);
  });

  it.each([
    ['nothing', '', 'frame_too_short'],
    ['half an IPv4 header', '450000280000000040', 'frame_too_short'],
    ['an IPv4 header that is too short', '4400002800000000400600000a0000010a000002', 'frame_too_short'],
    ['an IPv4 packet that is cut', '4500002900000000400600000a0000010a000002', 'frame_too_short'],
    ['an IPv4 length below its header', '4500000a00000000400600000a0000010a000002', 'frame_too_short'],
    ['half an IPv6 header', `60000000${'00'.repeat(35)}`, 'frame_too_short'],
    ['an IPv6 packet that is cut', `6000000000083b40${'00'.repeat(32)}`, 'frame_too_short'],
    ['a packet of another version', `50${'00'.repeat(60)}`, 'not_layer3'],
    ['a frame', `ffffffffffff${macs(A, '')}0800${'00'.repeat(60)}`, 'not_layer3'],
  ])('%s is dropped', (_what, hex, reason) => {
    expect(sw.sendPacket('tun', fromHex(hex)).drops).toEqual([`tun ${reason}`]);
  });

  it('speaks no neighbour discovery', () => {
    const forged = advertisement(H, A6).slice(14);
    expect(sw.sendPacket('tun', forged)).toMatchObject({ out: [], drops: ['tun suppressed'] });
    expect(lladdrOf(sw, A6)).toBeNull();
  });
});

describe('a neighbour that is not known', () => {
  beforeEach(() => build());

  const REQUEST =
    'ffffffffffff' +
    '0200000000aa' +
    '0806' +
    '0001080006040001' +
    '0200000000aa' +
    'c6120001' +
    '000000000000' +
    'c612000a';
  const SOLICITATION_HEAD = '3333ff00000a' + '0200000000aa' + '86dd' + '6000000000203aff';

  /** A packet that has to wait. */
  function wait(payload: Uint8Array): Turn {
    sw.waits('tun', -1, -14 - payload.length);
    return sw.sendPacket('tun', payload);
  }

  it('is asked for by ARP, and the packet follows the answer', () => {
    const payload = ip4(A4);
    expect(hexOf(wait(payload), 't1')).toEqual([REQUEST]);
    sw.waits('tun', 1, 14 + payload.length);
    const turn = sw.send('t1', arpReply(A, A4, H, H4));
    expect(hexOf(turn, 't1')).toEqual([framed(A, payload)]);
    expect(turn.drops).toEqual(['tun suppressed']);
  });

  it('is asked for by a solicitation to its group', () => {
    const payload = ip6(A6);
    const [asked = ''] = hexOf(wait(payload), 't1');
    expect(asked).toBe(
      `${SOLICITATION_HEAD}${'20010db8000000000000000000000001'}${'ff0200000000000000000001ff00000a'}` +
        `8700${checksumOf(asked)}00000000${'20010db800000000000000000000000a'}01010200000000aa`,
    );
    // A host takes it for valid.
    expect(toHex(solicitation(H, H6, A6))).toBe(asked);
    sw.waits('tun', 1, 14 + payload.length);
    expect(hexOf(sw.send('t1', advertisement(A, A6)), 't1')).toEqual([framed(A, payload)]);
  });

  const checksumOf = (hex: string): string => hex.slice((14 + 40 + 2) * 2, (14 + 40 + 4) * 2);

  it('is asked three times, once a second; then its packets are given up', () => {
    const payload = ip4(A4);
    expect(hexOf(wait(payload), 't1')).toEqual([REQUEST]);
    expect(wait(payload).out).toEqual([]);
    for (const round of [1, 2]) {
      sw.io.advance(1000);
      expect(hexOf(sw.turn(), 't1'), `round ${round}`).toEqual([REQUEST]);
    }
    sw.io.advance(1000);
    sw.waits('tun', 2, 2 * (14 + payload.length));
    expect(sw.turn()).toMatchObject({ out: [], drops: ['tun neigh_failed', 'tun neigh_failed'] });
  });

  it('lets three packets wait, and no longer one than a jumbo frame', () => {
    const payload = ip4(A4);
    for (let i = 0; i < 3; i++) wait(payload);
    expect(sw.sendPacket('tun', payload).drops).toEqual(['tun neigh_failed']);
    expect(sw.sendPacket('tun', ip4('198.18.0.11', { data: 9200 })).drops).toEqual(['tun neigh_failed']);
    sw.waits('tun', 3, 3 * (14 + payload.length));
    expect(hexOf(sw.send('t1', gratuitous(A, A4)), 't1')).toEqual([payload, payload, payload].map((p) => framed(A, p)));
  });

  it('is asked whether it is still there after 30 s, and sought by all after 60', () => {
    const payload = ip4(A4);
    sw.send('t1', gratuitous(A, A4));
    sw.wait(31);
    const unicast = macs(A, H) + REQUEST.slice(24);
    expect(hexOf(sw.sendPacket('tun', payload), 't1').sort()).toEqual([unicast, framed(A, payload)].sort());
    sw.send('t1', arpReply(A, A4, H, H4));
    expect(hexOf(sw.sendPacket('tun', payload), 't1')).toEqual([framed(A, payload)]);
    sw.wait(61);
    expect(hexOf(wait(payload), 't1')).toEqual([REQUEST]);
    sw.waits('tun', 1, 14 + payload.length);
    expect(hexOf(sw.send('t1', gratuitous(B, A4)), 't1')).toEqual([framed(B, payload)]);
  });

  it('frees what waits with the port', () => {
    const payload = ip4(A4);
    wait(payload);
    // Not by the harness, whose accounts know nothing of packets that wait.
    applyOperations(sw.context, sw.topology.removePort('tun'));
    expect(sw.counters.retired).toMatchObject({ rx_packets: 1, rx_dropped: 1, drops: { port_down: 1 } });
    expect(sw.context.layer3.askCount).toBe(0);
    expect([...sw.context.layer3.heldFor].every((slot) => slot === -1)).toBe(true);
  });
});

describe('frames to the host', () => {
  beforeEach(() => build({ t2: tap }));

  it.each([
    ['unicast', packet({ source: A, destination: H, destinationAddress: H4 })],
    ['unicast of IPv6', packet({ version: 6, source: A, destination: H, destinationAddress: H6 })],
    ['broadcast', packet({ source: A, destination: BROADCAST })],
    ['multicast', packet({ source: A, destination: '01:00:5e:00:00:fb' })],
  ])('%s reaches it', (_what, bytes) => {
    expect(sw.send('t1', bytes).to).toContain('tun');
  });

  it.each([
    ['a protocol of its own', frame({ source: A, destination: H }), ['tun not_layer3']],
    ['a tagged frame', packet({ source: A, destination: H, tci: 5 }), ['tun not_layer3']],
    ['IPv4 that is none', frame({ source: A, destination: H, etherType: 0x0800 }), ['tun not_layer3']],
    [
      'too little for IPv6',
      frame({ source: A, destination: H, etherType: 0x86dd, payload: fromHex('60') }),
      ['tun frame_too_short'],
    ],
    ['an ARP reply', arpReply(A, A4, H, H4), ['tun suppressed']],
    ['an advertisement', advertisement(A, A6, { destination: H }), ['tun suppressed']],
  ])('%s does not', (_what, bytes, drops) => {
    expect(sw.send('t1', bytes)).toMatchObject({ to: [], drops });
  });

  it('unknown unicast is not flooded to it', () => {
    expect(sw.send('t1', packet({ source: A, destination: C }))).toMatchObject({ to: ['t2'], drops: [] });
  });

  it('an entry that leads foreign MACs to it does not', () => {
    sw.apply([sw.topology.entry('tun', { mac: C })]);
    expect(sw.send('t1', packet({ source: A, destination: C }))).toMatchObject({ to: [], drops: ['tun not_layer3'] });
  });
});

describe('requests for the addresses of the host', () => {
  beforeEach(() => build({ t2: tap, vx: { type: 'vxlan', vni: 42, remotes: [PEER], neighSuppress: true } }));

  it('ARP', () => {
    const turn = sw.send('t1', arpRequest(A, A4, H4));
    expect(hexOf(turn, 't1')).toEqual([
      `${macs(A, H)}08060001080006040002${macs(H, '')}c6120001${macs(A, '')}c612000a`,
    ]);
    expect(turn.to).toEqual(['t1', 't2']);
    expect(turn.drops).toEqual(['tun suppressed', 'vx suppressed']);
  });

  it('a solicitation', () => {
    const [answer = ''] = hexOf(sw.send('t1', solicitation(A, A6, H6)), 't1');
    expect(answer).toBe(toHex(advertisement(H, H6, { to: A6, flags: 0x60, destination: A })));
  });

  it('from the tunnel, to the remote that asked', () => {
    const turn = sw.tunnel('vx', PEER, 42, arpRequest(B, A4, H4));
    expect(turn.to).toEqual(['t1', 't2', `vx>${PEER}`]);
    expect(toHex(turn.out.find(({ port }) => port === 'vx')?.frame ?? new Uint8Array())).toBe(
      `${macs(B, H)}08060001080006040002${macs(H, '')}c6120001${macs(B, '')}c612000a`,
    );
  });

  it('to its MAC end here', () => {
    const unicast = concatBytes(fromHex(macs(H, '')), arpRequest(A, A4, H4).slice(6));
    expect(sw.send('t1', unicast)).toMatchObject({ to: ['t1'], drops: ['t1 suppressed'] });
  });

  it.each([
    ['ARP', arpRequest(A, '0.0.0.0', H4)],
    ['duplicate address detection', solicitation(A, '::', H6)],
  ])('a probe by %s is answered, so that the address is defended', (_what, probe) => {
    expect(sw.send('t1', probe).to).toContain('t1');
  });

  it('others are not', () => {
    expect(sw.send('t1', arpRequest(A, A4, '198.18.0.2')).to).not.toContain('t1');
  });

  it('its link-local address is known once it has sent from it', () => {
    const own = 'fe80::1234';
    expect(sw.send('t1', solicitation(A, A6, own)).to).not.toContain('t1');
    sw.sendPacket('tun', ip({ version: 6, sourceAddress: own, destinationAddress: 'ff02::2' }));
    expect(sw.send('t1', solicitation(A, A6, own)).to).toContain('t1');
  });

  it('not between isolated ports, not in another VLAN', () => {
    const vlans = ['5 pvid untagged'];
    const isolated = { type: 'tap', isolated: true, vlans } as const;
    sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          tun: { ...host, vlans, isolated: true, fdb: [] },
          t1: isolated,
          t2: { ...tap, vlans: ['6 pvid untagged'] },
        },
      },
    });
    settle();
    for (const port of ['t1', 't2']) expect(sw.send(port, arpRequest(A, A4, H4)).to, port).toEqual([]);
  });
});

describe('what the host announces, and what others claim', () => {
  it('its addresses, twice, when the port comes up', () => {
    sw = new TestSwitch({ br0: { ports: { tun: host, t1: tap } } });
    const expected = [toHex(gratuitous(H, H4)), toHex(advertisement(H, H6))];
    const first = sw.turn();
    sw.io.advance(1000);
    const rounds = [first, sw.turn()];
    sw.io.advance(1000);
    expect(sw.turn().out).toEqual([]);
    expect(rounds.map((turn) => hexOf(turn, 't1')).filter((list) => list.length > 0)).toContainEqual(expected);
  });

  it('a claim of its address is not believed, and answered by an announcement at most every ten seconds', () => {
    build();
    sw.wait(10);
    expect(hexOf(sw.send('t1', gratuitous(C, H4)), 't1')).toContain(toHex(gratuitous(H, H4)));
    expect(lladdrOf(sw, H4)).toBe(H);
    for (let i = 0; i < 20; i++) sw.send('t1', arpReply(C, H4, BROADCAST, A4));
    expect(hexOf(sw.send('t1', arpReply(C, H4, BROADCAST, A4)), 't1')).toEqual([]);
    expect(sw.send('t1', arpRequest(A, A4, H4)).out).toMatchObject([{ port: 't1' }]);
    expect(hexOf(sw.send('t1', arpRequest(A, A4, H4)), 't1')[0]).toContain(macs(A, H));
    sw.wait(11);
    expect(hexOf(sw.send('t1', arpReply(C, H4, BROADCAST, A4)), 't1')).toContain(toHex(gratuitous(H, H4)));
  });

  it('a neighbour put in by hand is used and never asked', () => {
    build();
    sw.apply([binding(sw, 't1', A4, A)]);
    sw.wait(120);
    const payload = ip4(A4);
    expect(hexOf(sw.sendPacket('tun', payload), 't1')).toEqual([framed(A, payload)]);
  });

  it('two of them reach each other without ARP', () => {
    const other = { mac: '02:00:00:00:00:bb', addresses: ['198.18.0.2/24'] };
    sw = new TestSwitch({
      br0: {
        ports: { tun: host, tun2: { type: 'tap', host: other, fdb: [{ mac: other.mac, flags: FLAG_PERMANENT }] } },
      },
    });
    settle();
    const payload = ip4('198.18.0.2');
    expect(hexOf(sw.sendPacket('tun', payload), 'tun2')).toEqual([framed(other.mac, payload)]);
    // To itself it does not go out again.
    expect(sw.sendPacket('tun', ip4(H4)).drops).toEqual(['tun same_port']);
  });

  it('other addresses and another MAC are in force at once', () => {
    build();
    sw.apply([sw.topology.host('tun', { mac: B, addresses: ['198.18.0.7/24'] })]);
    sw.wait(3);
    expect(hexOf(sw.send('t1', arpRequest(A, A4, '198.18.0.7')), 't1')[0]).toContain(macs(A, B));
    expect(sw.send('t1', arpRequest(A, A4, H4)).to).not.toContain('t1');
  });
});
