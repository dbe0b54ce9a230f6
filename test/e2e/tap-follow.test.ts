/**
 * NICs that their owner renames, or moves to another namespace, as container runtimes do: the port stays the same, with its
 * device, MAC and traffic, and what is asked of it is done where it is now. Only a device that is gone is made anew.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { clientOf, expectReach, give, linkOf, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { makeGuest } from './two-hosts.js';

interface Nic {
  ifname: string;
  ifindex: number;
  address: string;
  mtu: number;
  flags: string[];
  addr_info: { local: string }[];
}

let world: World;
let host: string;
let other: Guest;
let guest: Guest;
let room: string;

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
  other = await makeGuest(world, 1);
  guest = await makeGuest(world, 2);
  room = await world.netns('room');
});

afterEach(() => world.cleanUp());

async function nicIn(netns: string, ifname: string): Promise<Nic> {
  return (await world.ipJson<Nic[]>(netns, `addr show dev ${ifname}`))[0];
}

/** The guest's port has no `mac`: a device that was made anew could be told by it. */
function start(workers: number, persist: boolean): Promise<RunningSwitch> {
  const port = tapPort('t1', guest).replace(/ +mac:.*\n/, '');
  const lines = plainBridge(tapPort('by', other), `${port}        persist: ${persist}\n`);
  return startWith(world, host, 'host1', `workers: ${workers}\nbridges:\n${lines}`);
}

async function expectRow(sw: RunningSwitch, row: Record<string, unknown>): Promise<void> {
  await until(`t1 is seen as ${JSON.stringify(row)}`, async () => {
    const now = await linkOf(sw, 't1');
    return now !== undefined && Object.entries(row).every(([key, value]) => now[key] === value);
  });
}

/** In its new place its owner sets it up again, as the kernel leaves it. */
async function moveTo(netns: string, from: string, ifname: string): Promise<void> {
  await world.ip(from, `link set ${ifname} netns ${netns}`);
  await world.ip(netns, `link set ${ifname} up`);
  await world.ip(netns, `addr add ${guest.address}/24 dev ${ifname}`);
}

const ups = (sw: RunningSwitch): unknown[] =>
  sw.log().filter(({ port, msg }) => port === 't1' && ['port down', 'port up again'].includes(msg));

const KINDS = [
  { workers: 2, persist: false },
  { workers: 1, persist: true },
  { workers: 1, persist: false },
];

describe.each(cases(KINDS, 2))('workers: $workers, persist: $persist', ({ workers, persist }) => {
  test('renamed and moved, it stays the same port, and follows what it is told', async () => {
    const sw = await start(workers, persist);
    const before = await nicIn(guest.netns, 'eth0');
    await world.ip(guest.netns, 'route add 203.0.113.0/24 via 198.18.0.1');
    await expectReach(world, other, guest);

    await world.ip(guest.netns, 'link set eth0 name eth7');
    await expectRow(sw, { operstate: 'UP', nic: 'eth7', address: before.address });
    await expectReach(world, other, guest);
    const renamed = await nicIn(guest.netns, 'eth7');
    expect(renamed).toMatchObject({ ifindex: before.ifindex, address: before.address, flags: before.flags });
    expect(renamed.addr_info.map(({ local }) => local)).toContain(guest.address);
    expect(await world.ip(guest.netns, 'route show 203.0.113.0/24')).toContain('dev eth7');
    await give(sw, 'link set t1 mtu 1400');
    expect(await nicIn(guest.netns, 'eth7')).toMatchObject({ mtu: 1400, address: before.address });

    await moveTo(room, guest.netns, 'eth7');
    await expectRow(sw, { operstate: 'UP', nic: 'eth7', nic_netns: room, address: before.address });
    await expectReach(world, { ...guest, netns: room }, other);
    await expectReach(world, other, guest);
    await give(sw, 'link set t1 mtu 1300', `link set t1 type tap addresses ${guest.address}/24,198.18.0.77/24`);
    await give(sw, 'link set t1 address 02:00:00:00:07:07');
    const there = await nicIn(room, 'eth7');
    expect(there).toMatchObject({ mtu: 1300, address: '02:00:00:00:07:07' });
    expect(there.addr_info.map(({ local }) => local)).toContain('198.18.0.77');
    await world.ip(other.netns, 'neigh flush all');
    await expectReach(world, other, guest);
    expect(await world.nics(guest.netns)).toEqual([]);
    expect(ups(sw)).toEqual([]);

    await sw.stop();
    expect(await world.nics(room)).toEqual(persist ? ['eth7'] : []);
  });
});

test('the file may follow it: the same device, and nothing else changes', async () => {
  const sw = await start(1, false);
  await world.ip(guest.netns, 'link set eth0 name eth7');
  await moveTo(room, guest.netns, 'eth7');
  await expectRow(sw, { nic: 'eth7', nic_netns: room, operstate: 'UP' });
  const before = await nicIn(room, 'eth7');
  const moved = tapPort('t1', { ...guest, netns: room, ifname: 'eth7' }).replace(/ +mac:.*\n/, '');
  const lines = `name: host1\ncontrol: ${sw.control}\nbridges:\n${plainBridge(tapPort('by', other), moved)}`;
  const file = world.file('moved.yaml', lines);
  await must([process.execPath, OVERTAP, '-s', sw.control, 'apply', '-c', file]);
  expect(await nicIn(room, 'eth7')).toEqual(before);
  await expectReach(world, other, guest);
  expect(ups(sw)).toEqual([]);
});

test('a device that is gone from where it was moved to is made anew where the file wants it', async () => {
  const sw = await start(1, false);
  await moveTo(room, guest.netns, 'eth0');
  await expectRow(sw, { nic_netns: room, operstate: 'UP' });
  await must(['ip', 'netns', 'del', room]);
  await until('it is made anew', async () => (await world.nics(guest.netns)).length === 1);
  await expectRow(sw, { operstate: 'UP', nic_netns: undefined });
  await expectReach(world, other, guest);
  // The log has a way of its own: a line may come after the answer that tells the same.
  await sw.logged('that it is up again', ({ port, msg }) => port === 't1' && msg === 'port up again');
  expect(ups(sw).length).toBe(2);
});

test("a bridge's host port is followed too", async () => {
  const bridge = `  br1:\n    host_port: true\n    addresses: ["198.18.0.50/24"]\n    ports:\n${tapPort('by', other)}`;
  const sw = await startWith(world, host, 'host1', `bridges:\n${bridge}`);
  await expectReach(world, other, { address: '198.18.0.50' });
  const before = await nicIn(host, 'br1');
  await world.ip(host, 'link set br1 name lan0');
  await expectReach(world, other, { address: '198.18.0.50' });
  await world.ip(host, `link set lan0 netns ${room}`);
  await world.ip(room, 'link set lan0 up');
  await world.ip(room, 'addr add 198.18.0.50/24 dev lan0');
  await expectReach(world, other, { address: '198.18.0.50' });
  expect(await nicIn(room, 'lan0')).toMatchObject({ address: before.address });
  const rows = await clientOf(sw).get('/v1/links');
  expect(rows.find(({ ifname }) => ifname === 'br1')).toMatchObject({ operstate: 'UP', nic: 'lan0', nic_netns: room });
});
