/**
 * `mcast_to_unicast` with the sockets of real hosts: three behind one TAP, in namespaces on a bridge of the kernel, of which two join.
 * What passes the TAP are unicast frames to those two, and their sockets get the text.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MdbRow } from '../../src/api/api.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { clientOf, give, startWith } from './live-support.js';
import { macOf, type Sniffer, sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, tapPort } from './topologies.js';
import { tool } from './traffic.js';
import { makeGuest, succeed } from './two-hosts.js';

const GROUP = '239.1.2.3';

let world: World;
let sw: RunningSwitch;
let sender: Guest;
/** The guest whose NIC the hosts are behind. */
let gateway: Guest;
let hosts: Guest[];

beforeEach(async () => {
  world = new World();
  sender = await makeGuest(world, 1);
  gateway = await makeGuest(world, 2);
  const options =
    '    mcast_querier: true\n    mcast_igmp_version: 3\n    mcast_query_response_interval: 30\n    mcast_last_member_interval: 30\n';
  const own = await world.netns('h1');
  const ports = tapPort('tap1', sender) + tapPort('tap2', gateway).replace(/ +addresses.*\n/, '');
  sw = await startWith(world, own, 'host1', `bridges:\n  br1:\n${options}    ports:\n${ports}`);
  await give(sw, 'link set tap2 type bridge_slave mcast_to_unicast on');
  await world.ip(gateway.netns, 'link add br0 up type bridge mcast_snooping 0');
  await world.ip(gateway.netns, `link set ${gateway.ifname} up master br0`);
  hosts = [];
  for (const number of [3, 4, 5]) {
    const host = await makeGuest(world, number);
    const near = { netns: gateway.netns, ifname: `to${number}` };
    await world.veth(host, near);
    await world.ip(host.netns, `link set ${host.ifname} address ${host.mac}`);
    await world.address(host, `${host.address}/24`);
    await world.ip(gateway.netns, `link set ${near.ifname} master br0`);
    hosts.push(host);
  }
});

afterEach(() => world.cleanUp());

const rows = async (): Promise<MdbRow[]> => (await clientOf(sw).get('/v1/mdb')).mdb.filter(({ grp }) => grp === GROUP);

async function join({ netns, address, ifname }: Guest): Promise<Program> {
  const program = world.spawn(netns, tool('group', 'join', GROUP, address, ifname));
  await program.line('the group is joined', (line) => line.includes('joined'));
  return program;
}

/** Sends a text. @returns the destination MACs of the frames on a wire that carried it, sorted */
async function macsOf(text: string, wire: Sniffer): Promise<string[]> {
  await succeed(world, sender.netns, tool('group', 'send', GROUP, sender.address, sender.ifname, text));
  await quietFor();
  const bytes = Buffer.from(text).toString('hex');
  const carried = wire.packets.filter(({ hex }) => hex.includes(bytes));
  return carried.map(({ hex }) => macOf.destination(Buffer.from(hex, 'hex'))).sort();
}

test('each member behind the port has a copy of its own, and its socket gets it', async () => {
  const [one, two, bystander] = hosts;
  const wire = await sniff(world, gateway, `udp and dst host ${GROUP}`);
  const quiet = await sniff(world, bystander, `udp and dst host ${GROUP}`);
  const members = [await join(one), await join(two)];
  await until('both are heard', async () => (await rows()).length === 2);
  expect((await rows()).map(({ port }) => port)).toEqual(['tap2', 'tap2']);
  let number = 0;
  await until('the group is restricted, and goes to both', async () => {
    const macs = await macsOf(`asked ${++number}.`, wire);
    return JSON.stringify(macs) === JSON.stringify([one.mac, two.mac]);
  });
  const before = quiet.packets.length;
  const text = 'for both of you';
  expect(await macsOf(text, wire)).toEqual([one.mac, two.mac]);
  for (const member of members) await member.line('the text has come', (line) => line.includes(text));
  expect(quiet.packets.length).toBe(before);
  await members[0].stop('SIGTERM');
  await until('it has left', async () => (await rows()).length === 1);
  expect(await macsOf('for one', wire)).toEqual([two.mac]);
  await give(sw, 'link set tap2 type bridge_slave mcast_to_unicast off');
  expect(await macsOf('as it is', wire)).toEqual(['01:00:5e:01:02:03']);
});
