/**
 * smcrouted, a multicast router of the host's kernel, between two bridges of the switch: the entries of both databases, each frame where it
 * was asked for and nowhere else, and the router port that its advertisements (RFC 4286) mark.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MdbAnswer } from '../../src/api/api.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { clientOf, startWith } from './live-support.js';
import { type Sniffer, sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { tool } from './traffic.js';
import { succeed } from './two-hosts.js';

const GROUP = '239.1.2.3';
const GROUP6 = 'ff0e::123';
const GROUPS = [GROUP, GROUP6];
/** Nobody routes it: it ends at the router. */
const UNROUTED = '239.1.2.4';
/** Times in hundredths of a second. */
const OPTIONS = `    mcast_querier: true
    mcast_igmp_version: 3
    mcast_mld_version: 2
    mcast_query_response_interval: 30
    mcast_last_member_interval: 30
`;

type Role = 'source' | 'bystander0' | 'router0' | 'router1' | 'member' | 'bystander1';
type Place = Guest & { address6: string };

let world: World;
let sw: RunningSwitch;
let places: Record<Role, Place>;
let wires: Record<Role, Sniffer>;
let router: string;

beforeEach(async () => {
  world = new World();
  router = await world.netns('router', { ipv6: true });
  const make = async (role: Role, bridge: number, last: number): Promise<Place> => ({
    netns: role.startsWith('router') ? router : await world.netns(role, { ipv6: true }),
    ifname: `eth${role === 'router1' ? 1 : 0}`,
    address: `198.18.${bridge}.${last}`,
    address6: `2001:db8:${bridge}::${last}`,
    mac: `02:00:00:00:0${bridge}:0${last}`,
  });
  places = {
    source: await make('source', 0, 2),
    bystander0: await make('bystander0', 0, 3),
    router0: await make('router0', 0, 1),
    router1: await make('router1', 1, 1),
    member: await make('member', 1, 2),
    bystander1: await make('bystander1', 1, 3),
  };
  await succeed(world, router, [
    'sh',
    '-c',
    'for f in all default; do echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; done',
  ]);
  const bridge = (name: string, ...roles: Role[]): string =>
    `  ${name}:\n${OPTIONS}    ports:\n${roles.map((role) => tapPort(role, places[role])).join('')}`;
  const bridges = bridge('br0', 'source', 'bystander0', 'router0') + bridge('br1', 'router1', 'member', 'bystander1');
  const host = await world.netns('host');
  sw = await startWith(world, host, 'switch', `bridges:\n${bridges}`);
  const eyes = Object.entries(places).map(
    async ([role, place]) => [role, await sniff(world, place, 'udp dst port 5007')] as const,
  );
  wires = Object.fromEntries(await Promise.all(eyes)) as typeof wires;
});

afterEach(() => world.cleanUp());

async function route(): Promise<Program> {
  const lines = [
    'phyint eth0 enable mrdisc',
    'phyint eth1 enable',
    `mgroup from eth0 group ${GROUP}`,
    `mroute from eth0 source ${places.source.address} group ${GROUP} to eth1`,
    `mgroup from eth0 group ${GROUP6}`,
    `mroute from eth0 source ${places.source.address6} group ${GROUP6} to eth1`,
  ];
  const files = ['-f', world.file('smcroute.conf', `${lines.join('\n')}\n`)];
  const own = ['-P', world.path('smcroute.pid'), '-u', world.path('smcroute.sock')];
  // Its shortest time between two advertisements, in seconds.
  const program = world.spawn(router, ['smcrouted', '-n', '-N', '-m', '4', ...files, ...own]);
  const routes = (): Promise<string> =>
    succeed(world, router, ['sh', '-c', 'cat /proc/net/ip_mr_cache /proc/net/ip6_mr_cache']);
  // A line of headings in each.
  await until('its routes are there', async () => (await routes()).trim().split('\n').length >= 4);
  return program;
}

const mdb = (): Promise<MdbAnswer> => clientOf(sw).get('/v1/mdb');

async function portsOf(grp: string): Promise<string[]> {
  const rows = (await mdb()).mdb.filter((row) => row.grp === grp);
  return rows.map(({ dev, port }) => `${dev} ${port}`).sort();
}

async function join(place: Place, group: string): Promise<Program> {
  const address = group.includes(':') ? '::' : place.address;
  const program = world.spawn(place.netns, tool('group', 'join', group, address, place.ifname));
  await program.line('the group is joined', (line) => line.includes('joined'));
  return program;
}

/** Sends a text of its own from the source. */
async function send(group: string, text: string): Promise<void> {
  const { netns, address, ifname } = places.source;
  await succeed(world, netns, tool('group', 'send', group, address, ifname, text));
}

/** How often each place has seen a text. */
function counts(text: string): Record<Role, number> {
  const bytes = Buffer.from(text).toString('hex');
  const seen = Object.entries(wires).map(([role, { packets }]) => [
    role,
    packets.filter(({ hex }) => hex.includes(bytes)).length,
  ]);
  return Object.fromEntries(seen) as Record<Role, number>;
}

/** Where one datagram is seen: at its sender, and at these. */
const only = (...roles: Role[]): Record<Role, number> => {
  const due = Object.keys(places).map((role) => [role, Number(role === 'source' || roles.includes(role as Role))]);
  return Object.fromEntries(due) as Record<Role, number>;
};

/** Sends a text to each of the groups, which goes where it is due, and nowhere else. */
async function expectOnly(due: Record<Role, number>, what: string, groups: readonly string[] = GROUPS): Promise<void> {
  const texts = groups.map((group) => `${group} ${what};`);
  await Promise.all(groups.map((group, at) => send(group, texts[at])));
  // A capture may tell late of what it has seen.
  await until(`${what}: it is there`, () =>
    texts.map(counts).every((seen) => Object.keys(due).every((role) => seen[role as Role] >= due[role as Role])),
  );
  await quietFor();
  for (const text of texts) expect(counts(text), text).toEqual(due);
}

/** Until the first queries have been answered, everything is flooded. */
async function restricted(): Promise<void> {
  let number = 0;
  await until('both bridges restrict', async () => {
    const texts = GROUPS.map((group) => `${group} asks ${++number};`);
    await Promise.all(GROUPS.map((group, at) => send(group, texts[at])));
    await quietFor();
    const due = JSON.stringify(only('router0', 'router1'));
    return texts.every((text) => JSON.stringify(counts(text)) === due);
  });
}

test('groups cross the router to those who joined them, and to nobody else', async () => {
  const program = await route();
  const have = async (...ports: string[]): Promise<void> => {
    for (const group of GROUPS) {
      const wanted = ports.join();
      await until(`${group} has members ${wanted}`, async () => (await portsOf(group)).join() === wanted);
    }
  };
  await have('br0 router0');
  // By its advertisements, since no querier is behind the port.
  await until('it is known as a router', async () => (await mdb()).router.length > 0);
  expect((await mdb()).router).toMatchObject([{ dev: 'br0', port: 'router0', type: 'temp' }]);
  await restricted();
  // To a router port goes what nobody has joined.
  await expectOnly(only('router0'), 'for the router', [UNROUTED]);

  const members = await Promise.all(GROUPS.map((group) => join(places.member, group)));
  await have('br0 router0', 'br1 member');
  await expectOnly(only('router0', 'router1', 'member'), 'for a member');
  for (const [at, group] of GROUPS.entries()) {
    expect(members[at].lines.filter((line) => line.includes(`${group} for a member`)).length).toBe(1);
  }
  await Promise.all(members.map((member) => member.stop('SIGTERM')));
  await have('br0 router0');
  await expectOnly(only('router0', 'router1'), 'after the member');
  await program.stop('SIGTERM');
  await have();
});
