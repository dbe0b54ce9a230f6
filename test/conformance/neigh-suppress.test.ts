/**
 * Translation of the kernel's test_bridge_neigh_suppress.sh: requests of H1 in two VLANs, counted where they leave by the tunnel, and
 * the answers that H1 gets. Bindings are also snooped here, so H2 keeps silent until the table is to know it.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ND_OVERRIDE, ND_SOLICITED } from '../../src/wire/nd.js';
import { A, B } from '../dataplane/support/frames.js';
import { advertisement, arpReply, arpRequest, gratuitous, solicitation } from '../dataplane/support/neigh-frames.js';
import { Console } from './support/console.js';

interface Vlan {
  vid: number;
  ip: string;
  target: string;
}

const ARP: readonly Vlan[] = [
  { vid: 10, ip: '192.0.2.1', target: '192.0.2.2' },
  { vid: 20, ip: '192.0.2.17', target: '192.0.2.18' },
];
const NS: readonly Vlan[] = [
  { vid: 10, ip: '2001:db8:1::1', target: '2001:db8:1::2' },
  { vid: 20, ip: '2001:db8:2::1', target: '2001:db8:2::2' },
];
const TO_H2 = 'vx0>192.0.2.34:4789 vni';

let sw: Console;

beforeEach(async () => {
  const vx0 = {
    type: 'vxlan',
    local: '192.0.2.33',
    remotes: ['192.0.2.34'],
    vlan_tunnel: true,
    learning: false,
    vlans: [
      { vid: 10, tunnel_info: 10_010 },
      { vid: 20, tunnel_info: 10_020 },
    ],
  };
  const ports = { swp1: { type: 'tap', vlans: [{ vid: 10 }, { vid: 20 }] }, vx0 };
  const br0 = { vlan_filtering: true, vlan_default_pvid: 0, mcast_snooping: false, ports };
  sw = await Console.start({ bridges: { br0 } });
});
afterEach(() => sw.stop());

/** What becomes of a request of H1: it goes to H2, or H1 has the answer. */
function ask({ vid, ip, target }: Vlan, destination?: string): string[] {
  const link = { tci: vid, ...(destination === undefined ? {} : { destination }) };
  const make = ip.includes(':') ? solicitation : arpRequest;
  return sw.put('swp1', make(A, ip, target, link));
}
const crosses = ({ vid }: Vlan): string[] => [`${TO_H2} ${10_000 + vid}`];
const answered = ['swp1'];
const slave = (words: string): Promise<void> => sw.run(`link set vx0 type bridge_slave ${words}`);
const putIn = async ({ vid, target }: Vlan): Promise<void> => {
  await sw.run(`fdb replace ${B} dev vx0 master static vlan ${vid}`);
  await sw.run(`neigh replace ${target} lladdr ${B} dev vx0 vlan ${vid} nud permanent`);
};

async function byPort(vlan: Vlan): Promise<void> {
  expect(ask(vlan)).toEqual(crosses(vlan));
  await slave('neigh_suppress on');
  expect(sw.link('vx0').neigh_suppress).toBe(true);
  expect(ask(vlan)).toEqual(crosses(vlan));
  await sw.run(`fdb replace ${B} dev vx0 master static vlan ${vlan.vid}`);
  expect(ask(vlan)).toEqual(crosses(vlan));
  await sw.run(`neigh replace ${vlan.target} lladdr ${B} dev vx0 vlan ${vlan.vid} nud permanent`);
  expect(ask(vlan)).toEqual(answered);
  await slave('neigh_suppress off');
  expect(sw.link('vx0').neigh_suppress).toBe(false);
  expect(ask(vlan)).toEqual(crosses(vlan));
}

async function unicast(vlan: Vlan): Promise<void> {
  await slave('neigh_suppress on');
  await putIn(vlan);
  expect(ask(vlan, B)).toEqual(crosses(vlan));
}

async function byVlan(vlans: readonly Vlan[]): Promise<void> {
  const [one, other] = vlans as [Vlan, Vlan];
  for (const vlan of vlans) await putIn(vlan);
  const becomes = () => [ask(one), ask(other)];
  await slave('neigh_vlan_suppress on');
  expect(becomes()).toEqual([crosses(one), crosses(other)]);
  await sw.run('vlan set vid 10 dev vx0 neigh_suppress on');
  const rows = sw.live.vlans().vlans.find(({ ifname }) => ifname === 'vx0')?.vlans;
  expect(rows?.map(({ vlan, neigh_suppress }) => [vlan, neigh_suppress])).toEqual([
    [10, true],
    [20, false],
  ]);
  expect(becomes()).toEqual([answered, crosses(other)]);
  for (const word of ['on', 'off']) {
    await slave(`neigh_suppress ${word}`);
    expect(becomes()).toEqual([answered, crosses(other)]);
  }
  await sw.run('vlan set vid 10 dev vx0 neigh_suppress off');
  expect(becomes()).toEqual([crosses(one), crosses(other)]);
  await slave('neigh_vlan_suppress off');
  await slave('neigh_suppress on');
  expect(becomes()).toEqual([answered, answered]);
}

describe('test_bridge_neigh_suppress.sh', () => {
  it.each(ARP)('neigh_suppress_arp in VLAN $vid', byPort);
  it.each(ARP)('neigh_suppress_uc_arp in VLAN $vid', unicast);
  it.each(NS)('neigh_suppress_ns in VLAN $vid', byPort);
  it.each(NS)('neigh_suppress_uc_ns in VLAN $vid', unicast);
  it('neigh_vlan_suppress_arp', () => byVlan(ARP));
  it('neigh_vlan_suppress_ns', () => byVlan(NS));
});

describe('neigh_forward_grat', () => {
  const [{ vid, ip }] = ARP as [Vlan];
  const announcements: [what: string, bytes: Uint8Array][] = [
    ['gratuitous ARP request', gratuitous(A, ip, { tci: vid })],
    ['gratuitous ARP reply', arpReply(A, ip, 'ff:ff:ff:ff:ff:ff', ip, { tci: vid })],
    ['unsolicited advertisement', advertisement(A, '2001:db8:1::1', { tci: vid })],
  ];

  it.each(announcements)('%s: by a port with neigh_suppress, unless it is off', async (_what, bytes) => {
    const cross = [`${TO_H2} 10010`];
    await slave('neigh_suppress on');
    expect(sw.put('swp1', bytes)).toEqual(cross);
    await slave('neigh_forward_grat off');
    expect(sw.put('swp1', bytes)).toEqual([]);
    expect(sw.live.stats().links.vx0?.drops).toEqual({ suppressed: 1 });
    await slave('neigh_suppress off');
    expect(sw.put('swp1', bytes)).toEqual(cross);
    await slave('neigh_vlan_suppress on');
    expect(sw.put('swp1', bytes)).toEqual(cross);
    await sw.run(`vlan set vid ${vid} dev vx0 neigh_suppress on`);
    expect(sw.put('swp1', bytes)).toEqual([]);
    await slave('neigh_forward_grat on');
    expect(sw.put('swp1', bytes)).toEqual(cross);
  });

  it('off: what answers one, or asks for another, is no announcement', async () => {
    await slave('neigh_suppress on');
    await slave('neigh_forward_grat off');
    const [vlan] = ARP as [Vlan];
    expect(ask(vlan)).toEqual(crosses(vlan));
    expect(sw.put('swp1', arpReply(A, ip, B, '192.0.2.2', { tci: vid }))).toEqual(crosses(vlan));
    const answer = { tci: vid, destination: B, flags: ND_SOLICITED | ND_OVERRIDE, to: '2001:db8:1::2' };
    expect(sw.put('swp1', advertisement(A, '2001:db8:1::1', answer))).toEqual(crosses(vlan));
  });
});
