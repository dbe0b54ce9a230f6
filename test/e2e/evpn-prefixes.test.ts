/** Symmetric routing between two hosts (RFC 9135, RFC 9136): each has a subnet that the other one has not, and tells its prefix by type 5, and
 * its guests by MAC/IP routes with two labels. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvpnRouteRow } from '../../src/api/api.js';
import type { RouteRow } from '../../src/api/route.js';
import { createClient } from '../../src/client/client.js';
import { until } from '../../src/lab/testbed/wait.js';
import { reaches } from './evpn-support.js';
import { World } from './host-testbed.js';
import { command, RunningSwitch, switchCommand } from './switch.js';
import { transfer } from './traffic.js';
import { pingOnWire } from './wire-support.js';

const world = new World();
const NUMBERS = [1, 2] as const;
const TRACED = 'dst 02:00:5e:00:00:01 ip 10.0.1.9 > 10.0.2.9 udp 1 > 2';
const local = (number: number): string => `192.0.2.${number}`;
const address = (number: number): string => `10.0.${number}.9`;

describe('two hosts with a subnet each', () => {
  const guests: string[] = [];
  let hosts: string[] = [];
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
      vx0: { type: vxlan, local: ${local(number)}, evpn: true, vlan_tunnel: true, vlans: [{ vid: 10, tunnel_info: 101${number} }, { vid: 50, tunnel_info: 5050 }] }
`,
    );

  beforeAll(async () => {
    hosts = await Promise.all(['', 'h1', 'h2'].map((label) => (label === '' ? '' : world.netns(label))));
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

  /** Routes of switch 1 that it has heard. */
  const learned = async (): Promise<string[]> =>
    (await (switches[1] as RunningSwitch).json<RouteRow[]>('route show'))
      .flatMap(({ dst, protocol }) => (protocol === 'evpn' ? [dst] : []))
      .sort();

  const guestRoutes = async (number: number): Promise<string[]> =>
    (await (switches[number] as RunningSwitch).json<EvpnRouteRow[]>('evpn routes type 2')).flatMap(
      ({ ip, vni, l3vni, router_mac, neighbor, route_targets }) =>
        ip === undefined || l3vni === undefined
          ? []
          : [[ip, vni, l3vni, router_mac, neighbor ?? 'own', [...route_targets].sort()].join(' ')],
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

  it('has a host route to each guest of the other one, as long as that knows its address', async () => {
    await until('the guest is told', async () => (await guestRoutes(1)).length === 2);
    expect((await guestRoutes(1)).sort()).toEqual([
      `10.0.1.9 1011 5050 02:00:00:00:50:01 own 65000:1011,65000:5050`,
      `10.0.2.9 1012 5050 02:00:00:00:50:02 ${local(2)} 65000:1012,65000:5050`,
    ]);
    await until('it is a route', async () => (await learned()).includes('10.0.2.9'));
    // 10.0.2.9/32 decides: with the prefix alone it would be named.
    const trace = await command('-s', (switches[1] as RunningSwitch).control, 'trace', 'guest', TRACED);
    expect(trace.stdout).toContain('route 10.0.2.9/32 dev gw50');
    expect(await reaches(world, guests[1] as string, address(2))).toBe(true);
    await world.ip(guests[2] as string, 'link set eth0 down');
    await command('-s', (switches[2] as RunningSwitch).control, 'fdb', 'flush', 'dev', 'guest');
    await until('the route is gone with the guest', async () => !(await learned()).includes('10.0.2.9'));
    expect(await learned()).toEqual(['10.0.2.0/24']);
    await world.ip(guests[2] as string, 'link set eth0 up');
    await world.ip(guests[2] as string, 'route replace default via 10.0.2.1');
    await until('they reach each other again', () => reaches(world, guests[2] as string, address(1)));
    await until('the route is there again', async () => (await learned()).includes('10.0.2.9'));
  });

  it('crosses the wire in the layer-3 VNI, from router to router, with one hop less to live', async () => {
    const rows = await pingOnWire(world, { netns: hosts[1] as string, ifname: 'u0' }, guests[1] as string, address(2));
    const [one, two] = ['02:00:00:00:50:01', '02:00:00:00:50:02'];
    // vni, outer source, inner MACs, addresses, TTL of the inner header.
    expect(rows).toContain(`5050 ${local(1)} ${one} > ${two} ${address(1)} > ${address(2)} 63`);
    expect(rows).toContain(`5050 ${local(2)} ${two} > ${one} ${address(2)} > ${address(1)} 63`);
    expect(rows.filter((row) => !row.startsWith('5050 '))).toEqual([]);
    // Each of the two routers has counted a hop.
    const { stdout } = await world.exec(guests[1] as string, ['ping', '-n', '-c', '1', '-W', '10', address(2)]);
    expect(stdout).toContain('ttl=62');
  });

  it('keeps the prefixes of others through an upgrade, and loses no frame', async () => {
    const one = switches[1] as RunningSwitch;
    const count = 200;
    const words = ['ping', '-n', '-q', '-c', String(count), '-i', '0.02', '-W', '5', address(2)];
    const stream = world.exec(guests[1] as string, words);
    const client = createClient(one.control, { deadlineMs: 60_000 });
    const former = (await client.get('/v1/info')).pid;
    expect((await client.post('/v1/upgrade', {})).pid).not.toBe(former);
    // Its speaker has just begun.
    expect(await learned()).toEqual(['10.0.2.0/24', '10.0.2.9']);
    await until('the prefix is told again', async () => (await prefixes(1)).length === 2);
    expect(Number(/(\d+) received/.exec((await stream).stdout)?.[1])).toBe(count);
    expect(await learned()).toEqual(['10.0.2.0/24', '10.0.2.9']);
  });

  it('takes a prefix back with its gateway, and the routes with the session', async () => {
    file(
      2,
      '      gw60: { type: gateway, vrf: red, addresses: [10.0.60.1/24], vlans: [{ vid: 60, pvid: true, untagged: true }] }\n',
    );
    const two = switches[2] as RunningSwitch;
    two.program.signal('SIGHUP');
    await until('the new prefix is reached', () => reaches(world, guests[1] as string, '10.0.60.1'));
    file(2);
    two.program.signal('SIGHUP');
    await until('it is gone', async () => !(await prefixes(1)).some((row) => row.startsWith('10.0.60.0')));
    expect(await reaches(world, guests[1] as string, '10.0.60.1')).toBe(false);
    expect(await learned()).toEqual(['10.0.2.0/24', '10.0.2.9']);
    await two.stop();
    await until('all are gone', async () => (await learned()).length === 0);
  });
});
