/**
 * Packets for a gateway as nobody honest sends them: mutated, cut, with odd offloads and tags. The harness audits the accounts of each turn;
 * what leaves by another VLAN is a whole packet, from the gateway's MAC.
 */
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, viewOf } from '../../../src/wire/bytes.js';
import { internetChecksum } from '../../../src/wire/checksum.js';
import { long } from '../../long.js';
import { Random } from '../../fuzz/random.js';
import { A, B, packet } from '../support/frames.js';
import { type Out, TestSwitch } from '../support/harness.js';
import { advertisement, gratuitous, solicitation } from '../support/neigh-frames.js';

const G = '02:00:5e:00:00:01';
const ROUNDS = long(200_000, 1_200);
const SEED = Number(process.env.OVERTAP_SEED ?? 1);

function build(): TestSwitch {
  const gateway = (vid: number, mtu: number) =>
    ({
      type: 'tap',
      vlans: [`${vid} pvid untagged`],
      mtu,
      gateway: { mac: G, addresses: [`10.0.${vid}.1/24`, `fd00:${vid}::1/64`, 'fe80::1/64'] },
    }) as const;
  const sw = new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        t10: { type: 'tap', vlans: ['10 pvid untagged', '20'] },
        t20: { type: 'tap', vlans: ['20 pvid untagged'], mtu: 9000 },
        vx: { type: 'vxlan', vlans: ['10', '20'], tunnel: { 10: 1010, 20: 1020 }, remotes: ['192.0.2.2'] },
        gw10: gateway(10, 1450),
        gw20: gateway(20, 600),
      },
    },
  });
  sw.wait(3);
  return sw;
}

const SAMPLES = [
  packet({ source: A, destination: G, sourceAddress: '10.0.10.5', destinationAddress: '10.0.20.5', data: 900 }),
  packet({
    source: A,
    destination: G,
    sourceAddress: '10.0.10.5',
    destinationAddress: '10.0.20.5',
    df: true,
    data: 900,
  }),
  packet({ source: A, destination: G, sourceAddress: '10.0.10.5', destinationAddress: '10.0.20.77' }),
  packet({ source: A, destination: G, sourceAddress: '10.0.10.5', destinationAddress: '10.0.10.1', protocol: 'udp' }),
  packet({ source: A, destination: G, sourceAddress: '10.0.10.5', destinationAddress: '203.0.113.9' }),
  packet({
    version: 6,
    source: A,
    destination: G,
    sourceAddress: 'fd00:10::5',
    destinationAddress: 'fd00:20::5',
    data: 1300,
  }),
  packet({ version: 6, source: A, destination: G, sourceAddress: 'fd00:10::5', destinationAddress: 'fd00:20::66' }),
  packet({ source: A, destination: G, sourceAddress: '10.0.10.5', destinationAddress: '10.0.20.5', tci: 10 }),
  // Echo to the gateway.
  fromHex(`02005e00000102000000000a0800${'4500001c000100004001'}${'52d9'}0a000a050a000a01${'0800f7ff00000000'}`),
  solicitation(A, 'fd00:10::5', 'fd00:10::1'),
  gratuitous(A, '10.0.10.1'),
  advertisement(A, 'fd00:10::5', { destination: G }),
];
const OFFLOADS = [
  {},
  {},
  { vnet: 1, csum: 34 | (16 << 16) },
  { vnet: 1 | (1 << 8), gso: 500 | (54 << 16), csum: 34 | (16 << 16) },
  { vnet: 1 | (5 << 8), gso: 500, csum: 34 | (6 << 16) },
  { vnet: 1 | (4 << 8), gso: 100 | (2 << 16), csum: 900 | (16 << 16) },
];

function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  for (let count = random.below(4); count > 0; count--)
    changed[14 + random.below(changed.length - 14)] = random.below(256);
  if (random.once(8)) changed[changed[12] === 8 ? 22 : 21] = 1;
  // Half of the headers are right in spite of it.
  if (changed[12] === 8 && random.once(2) && changed.length >= 34) {
    const view = viewOf(changed);
    const length = (changed[14] & 15) * 4;
    if (14 + length <= changed.length && length >= 20) {
      view.setUint16(24, 0);
      view.setUint16(24, internetChecksum(view, 14, length));
    }
  }
  return random.once(6) ? changed.slice(0, 14 + random.below(changed.length - 13)) : changed;
}

/** A frame of a gateway is whole. */
function expectSound({ frame }: Out): void {
  const view = viewOf(frame);
  const tag = view.getUint16(12) === 0x8100 ? 4 : 0;
  if (toHex(frame.slice(6, 12)) !== G.replaceAll(':', '') || view.getUint16(12 + tag) !== 0x0800) return;
  const header = (frame[14 + tag] & 15) * 4;
  expect(header).toBeGreaterThanOrEqual(20);
  expect(view.getUint16(16 + tag)).toBe(frame.length - 14 - tag);
  expect(internetChecksum(view, 14 + tag, header)).toBe(0);
}

describe('hostile packets', () => {
  it(`${ROUNDS} of them leave the accounts balanced, and packets whole`, () => {
    const random = new Random(SEED);
    const sw = build();
    const drops = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 50 === 0) {
        sw.send('t10', gratuitous(A, '10.0.10.5'));
        sw.send('t20', gratuitous(B, '10.0.20.5'));
        sw.send('t20', advertisement(B, 'fd00:20::5'));
        sw.io.advance(100 * random.below(40));
      }
      const bytes = mutate(random, random.pick(SAMPLES));
      for (let copies = random.below(3); copies >= 0; copies--) {
        if (random.once(4)) sw.injectDatagram('vx', '192.0.2.2', vxlan(bytes));
        else sw.inject('t10', bytes, random.pick(OFFLOADS));
      }
      const turn = sw.turn();
      for (const out of turn.out) expectSound(out);
      for (const drop of turn.drops) drops.add(drop.split(' ')[1]);
    }
    for (const reason of ['checksum_bad', 'not_served', 'ttl_exceeded', 'no_route', 'neigh_failed'])
      expect([...drops]).toContain(reason);
    for (const reason of ['frame_too_short', 'mtu_exceeded', 'arp_guard']) expect([...drops]).toContain(reason);
  }, 180_000);
});

function vxlan(frame: Uint8Array): Uint8Array {
  return new Uint8Array([8, 0, 0, 0, 0, 3, 0xf2, 0, ...frame]);
}
