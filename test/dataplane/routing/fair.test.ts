/** One guest floods a gateway, another one uses it: what the second one sends arrives, counted packet by packet. */
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeIcmpEcho } from '../../../src/wire/icmp.js';
import { ETHERTYPE_IPV4, encodeEthernet } from '../../../src/wire/ethernet.js';
import { encodeIpv4 } from '../../../src/wire/ipv4.js';
import { ASKS_OF_PORT, HELD_OF_PORT } from '../../../src/dataplane/state/layer3.js';
import { toHex } from '../../../src/wire/bytes.js';
import { A, B, packet } from '../support/frames.js';
import { TestSwitch, type Turn } from '../support/harness.js';
import { arpReply, arpRequest, gratuitous, solicitation } from '../support/neigh-frames.js';

const G = '02:00:5e:00:00:01';
const X = '02:00:00:00:00:66';
const [A4, B4, X4] = ['10.0.10.5', '10.0.20.5', '10.0.10.66'];

let sw: TestSwitch;

function build(): void {
  const gateway = (vid: number, vrf = 0) =>
    ({
      type: 'tap',
      vlans: [`${vid} pvid untagged`],
      gateway: { mac: G, addresses: [`10.0.${vid}.1/24`, `fd00:${vid}::1/64`], vrf },
    }) as const;
  sw = new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        t10: { type: 'tap', vlans: ['10 pvid untagged'] },
        hostile: { type: 'tap', vlans: ['10 pvid untagged'] },
        t20: { type: 'tap', vlans: ['20 pvid untagged'] },
        vx: { type: 'vxlan', vlans: ['10', '20'], tunnel: { 10: 1010, 20: 1020 }, remotes: ['192.0.2.2', '192.0.2.3'] },
        gw10: gateway(10),
        gw20: gateway(20),
      },
    },
  });
  sw.wait(3);
  sw.send('t10', gratuitous(A, A4));
  sw.send('hostile', gratuitous(X, X4));
}

const mine = (to = B4): Uint8Array =>
  packet({ source: A, destination: G, sourceAddress: A4, destinationAddress: to, data: 100 });
const theirs = (host: number, fields = {}): Uint8Array =>
  packet({ source: X, destination: G, sourceAddress: X4, destinationAddress: `10.0.20.${host}`, ...fields });

/** Packets for as many neighbours that there are not. */
function flood(count: number, from = 10): void {
  for (let at = 0; at < count; at++) sw.inject('hostile', theirs(from + (at % 240)));
}

/** Frames of guest A that have left by t20. */
const arrived = (turn: Turn): number =>
  turn.out.filter(
    ({ port, frame }) => port === 't20' && toHex(frame.slice(0, 6)) === B.replaceAll(':', '') && frame.length > 100,
  ).length;
const asksFor = (turn: Turn, address: string): boolean => {
  const asked = toHex(arpRequest(G, '10.0.20.1', address)).slice(-20);
  return turn.out.some(({ port, frame }) => port === 't20' && toHex(frame).includes(asked));
};

beforeEach(build);

describe('a guest that sends to neighbours that there are not', () => {
  it('keeps no other guest from a new neighbour', () => {
    for (let round = 0; round < 5; round++) {
      flood(200);
      sw.turn();
      sw.io.advance(200);
    }
    flood(100);
    sw.inject('t10', mine());
    flood(100);
    const turn = sw.turn();
    expect(asksFor(turn, B4)).toBe(true);
    // Its packet has waited among theirs.
    flood(100);
    sw.inject('t20', arpReply(B, B4, G, '10.0.20.1'));
    expect(arrived(sw.turn())).toBe(1);
    expect(sw.context.layer3.askCount).toBeLessThanOrEqual(ASKS_OF_PORT);
    expect([...sw.context.layer3.heldFor].filter((slot) => slot >= 0).length).toBeLessThanOrEqual(HELD_OF_PORT);
  });

  it('keeps no other guest from a neighbour that has to be asked again, for minutes', () => {
    sw.send('t20', gratuitous(B, B4));
    let count = 0;
    for (let turns = 0; turns < 250; turns++) {
      flood(70, 10 + (turns % 3) * 80);
      sw.inject('t10', mine());
      const turn = sw.turn();
      count += arrived(turn);
      // B says something only when it is asked.
      if (asksFor(turn, B4)) sw.inject('t20', arpReply(B, B4, G, '10.0.20.1'));
      sw.io.advance(500);
    }
    expect(count).toBe(250);
  });

  it('shares with the guests behind a tunnel too, by remote', () => {
    const vxlan = (frame: Uint8Array): Uint8Array => new Uint8Array([8, 0, 0, 0, 0, 3, 0xf2, 0, ...frame]);
    for (let at = 0; at < 200; at++) sw.injectDatagram('vx', '192.0.2.2', vxlan(theirs(10 + at)));
    sw.turn();
    const other = packet({
      source: '02:00:00:00:00:77',
      destination: G,
      sourceAddress: '10.0.10.7',
      destinationAddress: B4,
    });
    sw.injectDatagram('vx', '192.0.2.3', vxlan(other));
    expect(asksFor(sw.turn(), B4)).toBe(true);
  });

  it('is refused itself, when it asks for more than its share', () => {
    flood(200);
    const turn = sw.turn();
    const questions = turn.out.filter(({ port, frame }) => port === 't20' && toHex(frame.slice(12, 14)) === '0806');
    expect(questions).toHaveLength(ASKS_OF_PORT);
    expect(turn.drops.filter((drop) => drop.endsWith(' neigh_failed')).length).toBe(200 - HELD_OF_PORT);
  });
});

describe('a guest that makes a gateway speak', () => {
  const echo = (source: string, address: string): Uint8Array =>
    encodeEthernet({
      destination: G,
      source,
      etherType: ETHERTYPE_IPV4,
      payload: encodeIpv4({
        source: address,
        destination: '10.0.10.1',
        protocol: 1,
        payload: encodeIcmpEcho({ type: 8, identifier: 1, sequence: 1, payload: new Uint8Array(8) }),
      }),
    });

  it.each([
    ['echo', () => echo(X, X4)],
    ['packets that nobody takes', () => theirs(5, { destinationAddress: '203.0.113.1' })],
    ['packets at the end of their life', () => theirs(5, { destinationAddress: '10.0.10.1', protocol: 'udp' })],
  ])('by %s leaves the others their answers', (_what, bytes) => {
    for (let round = 0; round < 5; round++) {
      for (let at = 0; at < 100; at++) sw.inject('hostile', bytes());
      sw.inject('t10', echo(A, A4));
      for (let at = 0; at < 100; at++) sw.inject('hostile', bytes());
      const turn = sw.turn();
      expect(turn.out.filter(({ port }) => port === 't10')).toHaveLength(1);
      expect(turn.out.filter(({ port }) => port === 'hostile').length).toBeLessThanOrEqual(8);
      sw.io.advance(100);
    }
  });
});

describe('a guest that claims', () => {
  it('the MAC of the gateway for an address of its own makes no loop, and takes nobody along', () => {
    sw.send('t20', gratuitous(B, B4));
    const claim = arpReply(G, '10.0.10.67', A, A4);
    claim.set([2, 0, 0, 0, 0, 0x66], 6);
    sw.send('hostile', claim);
    for (let at = 0; at < 50; at++)
      sw.inject('t10', packet({ source: A, destination: G, sourceAddress: A4, destinationAddress: '10.0.10.67' }));
    sw.inject('t10', mine());
    const turn = sw.turn();
    expect(arrived(turn)).toBe(1);
    expect(turn.drops).not.toContain('gw10 turn_exceeded');
    expect(turn.out.filter(({ frame }) => toHex(frame.slice(0, 6)) === G.replaceAll(':', ''))).toEqual([]);
  });

  it('thousands of addresses, while another one asks for the gateway and is routed', () => {
    sw.send('t20', gratuitous(B, B4));
    let count = 0;
    for (let round = 0; round < 40; round++) {
      for (let at = 0; at < 100; at++) {
        const number = round * 100 + at;
        const mac = `02:00:66:00:${((number >> 8) & 255).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;
        sw.inject(
          'hostile',
          at % 2 === 0
            ? gratuitous(mac, `10.0.10.${67 + (number % 180)}`)
            : solicitation(mac, `fd00:10::${(number + 256).toString(16)}`, 'fd00:10::1'),
        );
      }
      sw.inject('t10', mine());
      sw.inject('t10', arpRequest(A, A4, '10.0.10.1'));
      const turn = sw.turn();
      count += arrived(turn);
      expect(
        turn.out.filter(
          ({ port, frame }) =>
            port === 't10' &&
            toHex(frame.slice(6, 12)) === G.replaceAll(':', '') &&
            toHex(frame.slice(20, 22)) === '0002',
        ),
      ).toHaveLength(1);
      sw.io.advance(10);
    }
    expect(count).toBe(40);
  });
});
