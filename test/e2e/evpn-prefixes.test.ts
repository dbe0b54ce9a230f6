/** Symmetric routing between two hosts (RFC 9135, RFC 9136): each has a subnet that the other one has not, and tells its prefix by type 5. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvpnRouteRow } from '../../src/api/api.js';
import type { RouteRow } from '../../src/api/route.js';
import { until } from '../../src/lab/testbed/wait.js';
import { reaches } from './evpn-support.js';
import { World } from './host-testbed.js';
import { RunningSwitch, switchCommand } from './switch.js';
import { transfer } from './traffic.js';

const world = new World();
const NUMBERS = [1, 2] as const;
const local = (number: number): string => `192.0.2.${number}`;
const address = (number: number): string => `10.0.${number}.9`;

describe('two hosts with a subnet each', () => {
  const guests: string[] = [];
  const switches: RunningSwitch[] = [];

  const file = (number: number, more = ''): string =>
    world.file(
      `s${number}.yaml`,
      `name: s${number}
control: ${world.control(`s${number}`)}
evpn: { asn: 65000, neighbors: [{ address: ${local(3 - number)}, connect_retry: 1 }] }
bridges:
  br0:
    vlan_filtering: true
    ports:
      guest: { type: tap, ifname: eth0, netns: ${guests[number]}, addresses: [${address(number)}/24], vlans: [{ vid: 10, pvid: true, untagged: true }] }
      gw10: { type: gateway, vrf: red, addresses: [10.0.${number}.1/24], vlans: [{ vid: 10, pvid: true, untagged: true }] }
${more}      gw50: { type: gateway, vrf: red, mac: "02:00:00:00:50:0${number}", vlans: [{ vid: 50, pvid: true, untagged: true }] }
      vx0: { type: vxlan, local: ${local(number)}, evpn: true, vlan_tunnel: true, vlans: [{ vid: 50, tunnel_info: 5050 }] }
`,
    );

  beforeAll(async () => {
    const hosts = await Promise.all(['', 'h1', 'h2'].map((label) => (label === '' ? '' : world.netns(label))));
    await world.veth({ netns: hosts[1] as string, ifname: 'u0' }, { netns: hosts[2] as string, ifname: 'u0' });
    for (const number of NUMBERS) {
      const netns = hosts[number] as string;
      await world.address({ netns, ifname: 'u0' }, `${local(number)}/24`);
      guests[number] = await world.netns(`g${number}`);
      const sw = new RunningSwitch(world.spawn(netns, switchCommand(file(number))), world.control(`s${number}`));
      switches[number] = sw;
      await sw.ready();
      await world.ip(guests[number] as string, `route add default via 10.0.${number}.1`);
    }
  }, 60_000);

  afterAll(() => world.cleanUp());

  const prefixes = async (number: number): Promise<string[]> =>
    (await (switches[number] as RunningSwitch).json<EvpnRouteRow[]>('evpn routes type 5')).map(
      ({ prefix, next_hop, router_mac, neighbor }) => [prefix, next_hop, router_mac, neighbor ?? 'own'].join(' '),
    );

  it('routes between them', async () => {
    await until('the prefix is told', async () => (await prefixes(1)).length === 2);
    expect((await prefixes(1)).sort()).toEqual([
      `10.0.1.0/24 ${local(1)} 02:00:00:00:50:01 own`,
      `10.0.2.0/24 ${local(2)} 02:00:00:00:50:02 ${local(2)}`,
    ]);
    await until('the guests reach each other', () => reaches(world, guests[1] as string, address(2)));
    const { sent, received } = await transfer(world, guests[2] as string, guests[1] as string, address(1), 2_000_000);
    expect(received).toEqual({ bytes: 2_000_000, sha256: sent.sha256 });
  });

  it('takes a prefix back with its gateway, and the routes with the session', async () => {
    file(
      2,
      '      gw60: { type: gateway, vrf: red, addresses: [10.0.60.1/24], vlans: [{ vid: 60, pvid: true, untagged: true }] }\n',
    );
    const [, one, two] = switches as [unknown, RunningSwitch, RunningSwitch];
    two.program.signal('SIGHUP');
    await until('the new prefix is reached', () => reaches(world, guests[1] as string, '10.0.60.1'));
    file(2);
    two.program.signal('SIGHUP');
    await until('it is gone', async () => !(await prefixes(1)).some((row) => row.startsWith('10.0.60.0')));
    expect(await reaches(world, guests[1] as string, '10.0.60.1')).toBe(false);
    const learned = async (): Promise<string[]> =>
      (await one.json<RouteRow[]>('route show')).flatMap(({ dst, protocol }) => (protocol === 'evpn' ? [dst] : []));
    expect(await learned()).toEqual(['10.0.2.0/24']);
    await two.stop();
    await until('all are gone', async () => (await learned()).length === 0);
  });
});
