/**
 * Snooping by VLAN with the sockets of real guests, and a kernel bridge as the querier of one VLAN behind its VNI: who gets a group in
 * each VLAN, what a port may join, and the host's own membership.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MdbAnswer, MdbRow } from '../../src/api/api.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { clientOf, give, startWith } from './live-support.js';
import { type Sniffer, sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { access, filteringBridge, type Guest, type Host, tapPort, tunnelPort, twoHosts } from './topologies.js';
import { tool } from './traffic.js';
import { makeGuest, succeed } from './two-hosts.js';

const GROUP = '239.1.2.3';
const OTHER = '239.1.2.4';
const OPTIONS = `    mcast_vlan_snooping: true
    vlan_global:
      - { vid: 10, mcast_querier: true, mcast_query_response_interval: 30, mcast_last_member_interval: 30 }
      - { vid: 20, mcast_snooping: false }
      - { vid: 30, mcast_querier_interval: 300 }
`;

let world: World;
let hosts: [Host, Host];
/** A sender, a member and a bystander in VLAN 10; the same in VLAN 20. */
let guests: Guest[];
let sw: RunningSwitch;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [];
  for (let number = 1; number <= 6; number++) guests.push(await makeGuest(world, number));
  const taps = guests.map((guest, at) => tapPort(`tap${at + 1}`, guest, access(at < 3 ? 10 : 20)));
  const [own, other] = hosts;
  const tunnel = tunnelPort(own.address, [other.address], { 10: 1010, 20: 1020, 30: 1030 });
  const bridges = filteringBridge(...taps, tunnel).replace('    ports:', `${OPTIONS}    ports:`);
  sw = await startWith(world, own.netns, 'host1', `bridges:\n${bridges}`);
});

afterEach(() => world.cleanUp());

const mdb = (): Promise<MdbAnswer> => clientOf(sw).get('/v1/mdb');
const rowsOf = async (group: string): Promise<MdbRow[]> => (await mdb()).mdb.filter(({ grp }) => grp === group);

async function join({ netns, address, ifname }: Guest, group: string): Promise<Program> {
  const program = world.spawn(netns, tool('group', 'join', group, address, ifname));
  await program.line('the group is joined', (line) => line.includes('joined'));
  return program;
}

/** Sends a text of its own. @returns which of the wires carried it */
async function whoGets({ netns, address, ifname }: Guest, wires: readonly Sniffer[], text: string): Promise<boolean[]> {
  await succeed(world, netns, tool('group', 'send', GROUP, address, ifname, text));
  await quietFor();
  const bytes = Buffer.from(text).toString('hex');
  return wires.map(({ packets }) => packets.some(({ hex }) => hex.includes(bytes)));
}

const watch = (places: readonly Guest[]): Promise<Sniffer[]> =>
  Promise.all(places.map((place) => sniff(world, place, `udp and dst host ${GROUP}`)));

test('a VLAN with a querier of the switch restricts, one that does not snoop floods', async () => {
  const [sender, member, bystander, sender2, member2, bystander2] = guests;
  const wires = await watch([member, bystander]);
  const wires2 = await watch([member2, bystander2]);
  await join(member, GROUP);
  await join(member2, GROUP);
  await until('the report is heard', async () => (await rowsOf(GROUP)).length > 0);
  await until('VLAN 10 is restricted', async () => {
    const gets = await whoGets(sender, wires, `asked ${performance.now()}`);
    return JSON.stringify(gets) === JSON.stringify([true, false]);
  });
  // On a busy machine a capture may tell later than it is asked.
  const allGet = (from: Guest, of: readonly Sniffer[], what: string): Promise<unknown> =>
    until(`both get what is ${what}`, async () => {
      const gets = await whoGets(from, of, `${what} ${performance.now()}`);
      return gets.every(Boolean);
    });
  await allGet(sender2, wires2, 'flooded');
  expect(await rowsOf(GROUP)).toMatchObject([{ dev: 'br1', port: 'tap2', vid: 10, state: 'temp' }]);
  expect(await sw.json('vlan global show dev br1 vid 20')).toMatchObject([
    { ifname: 'br1', vlans: [{ vlan: 20, mcast_snooping: 0 }] },
  ]);
  // A router in one VLAN alone.
  await give(sw, 'vlan set dev tap3 vid 10 mcast_router 2');
  await allGet(sender, wires, 'for a router');
  await give(sw, 'vlan set dev tap3 vid 10 mcast_router 1');
  // It snoops now, and has no querier.
  await give(sw, 'vlan global set dev br1 vid 20 mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 30');
  await until('VLAN 20 is restricted', async () => {
    const gets = await whoGets(sender2, wires2, `asked ${performance.now()}`);
    return JSON.stringify(gets) === JSON.stringify([true, false]);
  });
  expect((await rowsOf(GROUP)).map(({ port, vid }) => [port, vid]).sort()).toEqual([
    ['tap2', 10],
    ['tap5', 20],
  ]);
});

test('a port joins as many groups as it may, in its VLAN', async () => {
  const [, member, another] = guests;
  await give(sw, 'vlan set dev tap2 vid 10 mcast_max_groups 1');
  const first = await join(member, GROUP);
  await until('the first is heard', async () => (await rowsOf(GROUP)).length === 1);
  await join(member, OTHER);
  const other = await join(another, OTHER);
  await until('that of another port is heard', async () => (await rowsOf(OTHER)).length === 1);
  await quietFor();
  expect(await rowsOf(OTHER)).toMatchObject([{ port: 'tap3' }]);
  const [{ vlans }] = await sw.json<{ vlans: object[] }[]>('vlan show dev tap2');
  expect(vlans).toMatchObject([{ vlan: 10, mcast_router: 1, mcast_max_groups: 1, mcast_n_groups: 1 }]);
  await first.stop('SIGTERM');
  await until('the first has left', async () => (await rowsOf(GROUP)).length === 0);
  await other.stop('SIGTERM');
  await until('nobody is in the second', async () => (await rowsOf(OTHER)).length === 0);
  // The guest answers the next query with the one that it still has.
  await give(sw, 'vlan global set dev br1 vid 10 mcast_querier 0');
  await give(sw, 'vlan global set dev br1 vid 10 mcast_querier 1');
  await until('the second has room', async () => (await rowsOf(OTHER)).some(({ port }) => port === 'tap2'));
});

test('a kernel bridge is the querier of the VLAN that its VNI is of, and of no other', async () => {
  const [own, peer] = hosts;
  await world.ip(
    peer.netns,
    `link add vx30 type vxlan id 1030 remote ${own.address} local ${peer.address} dstport 4789`,
  );
  const fast = 'mcast_query_interval 100 mcast_startup_query_interval 100 mcast_query_response_interval 100';
  await world.ip(
    peer.netns,
    `link add brk type bridge mcast_snooping 1 mcast_query_use_ifaddr 1 mcast_querier 1 ${fast}`,
  );
  await world.ip(peer.netns, 'addr add 198.18.0.100/24 dev brk');
  for (const words of ['vx30 master brk', 'vx30 up', 'brk up']) await world.ip(peer.netns, `link set ${words}`);
  await until('its querier is heard', async () => (await mdb()).router.length > 0);
  expect((await mdb()).router).toMatchObject([{ port: 'vxlan0', vid: 30, dst: peer.address, type: 'temp' }]);
  // In VLAN 30 the interval is three seconds.
  await world.ip(peer.netns, 'link set brk type bridge mcast_querier 0');
  await until('it is over', async () => (await mdb()).router.length === 0);
  // Nothing is heard in a VLAN that does not snoop.
  await give(sw, 'vlan global set dev br1 vid 30 mcast_snooping 0');
  await world.ip(peer.netns, 'link set brk type bridge mcast_querier 1');
  await quietFor(1500);
  expect((await mdb()).router).toEqual([]);
});
