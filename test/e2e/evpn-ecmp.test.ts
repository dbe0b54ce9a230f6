/**
 * A prefix that two hosts tell by type 5: both ways are used, by a hash of the flows, and when one of them takes it back, or dies, all flows go the
 * other way. Destinations are 32 addresses behind a router of each host.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RouteRow } from '../../src/api/route.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { RunningSwitch, switchCommand } from './switch.js';

const world = new World();
const NUMBERS = [1, 2, 3] as const;
const PREFIX = '10.9.0.0/24';
const TARGETS = Array.from({ length: 32 }, (_, i) => `10.9.0.${i + 1}`);
const local = (number: number): string => `192.0.2.${number}`;
const router = (number: number): string => `02:00:00:00:50:0${number}`;
const ACCESS = 'vlans: [{ vid: 10, pvid: true, untagged: true }]';

describe('one prefix at two hosts', () => {
  let middle = '';
  const guests: string[] = [];
  const hosts: string[] = [];
  const switches: RunningSwitch[] = [];

  /** @param tells whether the host has the prefix: host 1 never does */
  const file = (number: number, tells = number > 1): string => {
    const others = NUMBERS.filter((other) => other !== number);
    const neighbors = others.map((other) => `{ address: ${local(other)}, connect_retry: 1 }`).join(', ');
    const routes = tells ? `, routes: [${PREFIX} via 10.0.${number}.9]` : '';
    return world.file(
      `s${number}.yaml`,
      `name: s${number}
control: ${world.control(`s${number}`)}
evpn: { asn: 65000, neighbors: [${neighbors}] }
bridges:
  br0:
    vlan_filtering: true
    ports:
      guest: { type: tap, ifname: eth0, netns: ${guests[number]}, addresses: [10.0.${number}.9/24], ${ACCESS} }
      gw10: { type: gateway, vrf: red, addresses: [10.0.${number}.1/24]${routes}, ${ACCESS} }
      gw50: { type: gateway, vrf: red, mac: "${router(number)}", vlans: [{ vid: 50, pvid: true, untagged: true }] }
      vx0: { type: vxlan, local: ${local(number)}, evpn: true, vlan_tunnel: true, bfd: single-hop, bfd_interval: 100, vlans: [{ vid: 50, tunnel_info: 5050 }] }
`,
    );
  };

  beforeAll(async () => {
    middle = await world.netns('m');
    await world.ip(middle, 'link add br0 type bridge');
    await world.ip(middle, 'link set br0 up');
    for (const number of NUMBERS) {
      const netns = await world.netns(`h${number}`);
      hosts[number] = netns;
      await world.veth({ netns: middle, ifname: `h${number}` }, { netns, ifname: 'u0' });
      await world.ip(middle, `link set h${number} master br0`);
      await world.address({ netns, ifname: 'u0' }, `${local(number)}/24`);
      const guest = await world.netns(`g${number}`);
      guests[number] = guest;
      const sw = new RunningSwitch(world.spawn(netns, switchCommand(file(number))), world.control(`s${number}`));
      switches[number] = sw;
      await sw.ready();
      await world.ip(guest, `route add default via 10.0.${number}.1`);
      if (number > 1) for (const target of TARGETS) await world.ip(guest, `addr add ${target}/32 dev lo`);
    }
  }, 60_000);

  afterAll(() => world.cleanUp());

  /** Routers of the prefix, as host 1 has them. */
  const ways = async (): Promise<string[]> => {
    const rows = await (switches[1] as RunningSwitch).json<RouteRow[]>('route show');
    const nexthops = rows.find(({ dst }) => dst === PREFIX)?.nexthops ?? [];
    return nexthops.map(({ lladdr = '', dev }) => `${lladdr} ${dev}`).sort();
  };
  const both = [2, 3].map((number) => `${router(number)} gw50`);

  /** One echo to each target. @returns those that were answered */
  const answered = async (): Promise<string[]> => {
    const pings = TARGETS.map(async (target) => {
      const { status } = await world.exec(guests[1] as string, ['ping', '-n', '-c', '1', '-W', '2', target]);
      return status === 0 ? [target] : [];
    });
    return (await Promise.all(pings)).flat();
  };

  /** Targets that the guest of a host hears of in one round, in which all are answered. */
  async function round(): Promise<string[][]> {
    const at = [2, 3].map((number) =>
      sniff(world, { netns: guests[number] as string, ifname: 'eth0' }, 'icmp[icmptype] = icmp-echo'),
    );
    const sniffers = await Promise.all(at);
    expect(await answered()).toEqual(TARGETS);
    const heard: string[][] = [];
    for (const sniffer of sniffers) {
      await sniffer.rests(0);
      // Ethernet header, then the destination of the IPv4 header.
      const targets = sniffer.packets.map(({ hex }) => `10.9.0.${Number.parseInt(hex.slice(66, 68), 16)}`);
      heard.push([...new Set(targets)].sort());
      await sniffer.stop();
    }
    return heard;
  }

  let before: string[][] = [];

  it('uses both, each for its flows', async () => {
    await until('both ways are there', async () => (await ways()).length === 2);
    expect(await ways()).toEqual(both);
    await until('all are reached', async () => (await answered()).length === TARGETS.length);
    before = await round();
    console.log(`flows by host 2: ${before[0]?.length}, by host 3: ${before[1]?.length}`);
    for (const heard of before) expect(heard.length).toBeGreaterThan(0);
    expect(before.flat().sort()).toEqual([...TARGETS].sort());
    // The same flows go the same way.
    expect(await round()).toEqual(before);
  });

  it('goes on by the other one when one takes it back, and as before when it comes again', async () => {
    const words = ['ping', '-n', '-q', '-c', '150', '-i', '0.02', '-W', '2', before[0]?.[0] as string];
    const stream = world.exec(guests[1] as string, words);
    file(2, false);
    (switches[2] as RunningSwitch).program.signal('SIGHUP');
    await until('one way is left', async () => (await ways()).length === 1);
    expect(await ways()).toEqual([both[1]]);
    console.log(`while it was withdrawn: ${/\d+ received/.exec((await stream).stdout)?.[0]} of 150`);
    expect(await round()).toEqual([[], [...TARGETS].sort()]);
    file(2);
    (switches[2] as RunningSwitch).program.signal('SIGHUP');
    await until('both ways are there again', async () => (await ways()).length === 2);
    expect(await round()).toEqual(before);
  });

  it('goes on by the other one as soon as BFD finds one dead, while its BGP session still stands', async () => {
    await world.ip(middle, 'link set h2 down');
    await until('one way is left', async () => (await ways()).length === 1);
    expect(await ways()).toEqual([both[1]]);
    const neighbors = await (switches[1] as RunningSwitch).json<{ address: string; state: string }[]>('evpn neighbors');
    expect(neighbors.find(({ address }) => address === local(2))?.state).toBe('established');
    expect(await answered()).toEqual(TARGETS);
    await world.ip(middle, 'link set h2 up');
    await until('both ways are there again', async () => (await ways()).length === 2);
    await until('all are reached', async () => (await answered()).length === TARGETS.length);
  });

  it('goes on by the other one when one ends', async () => {
    await (switches[3] as RunningSwitch).stop();
    await until('one way is left', async () => (await ways()).length === 1);
    expect(await ways()).toEqual([both[0]]);
    expect(await answered()).toEqual(TARGETS);
  });
});
