/**
 * Links that are made, changed and taken away while the switch runs, by the command line: what guests, the host itself
 * and a kernel peer notice of it, and what `link show` tells.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { clientOf, expectNoReach, expectReach, give, linkOf, startWith } from './live-support.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, type Host, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

type Reached = Pick<Guest, 'netns' | 'address'>;

let world: World;
let hosts: [Host, Host];
let guests: Guest[];
let sw: RunningSwitch;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
});

/** It starts with nothing at all: everything comes by commands. */
async function start(workers = 1): Promise<void> {
  sw = await startWith(world, hosts[0].netns, 'host1', `workers: ${workers}\nbridges: {}\n`);
}

afterEach(() => world.cleanUp());

/** The words that add a guest's TAP. */
function addTap(name: string, { netns, ifname, mac, address }: Guest, more = ''): string {
  return `link add ${name}${more} type tap netns ${netns} ifname ${ifname} address ${mac} addresses ${address}/24`;
}

const reaches = (from: Reached, to: Pick<Reached, 'address'>): Promise<void> => expectReach(world, from, to);
const doesNotReach = (from: Reached, to: Pick<Reached, 'address'>): Promise<void> => expectNoReach(world, from, to);

interface Nic {
  ifname: string;
  mtu: number;
  address: string;
  operstate: string;
  addr_info: { local: string; prefixlen: number }[];
}

async function nic(netns: string, ifname: string): Promise<Nic> {
  const [found] = await world.ipJson<Nic[]>(netns, `address show dev ${ifname}`);
  return { ...found, addr_info: found.addr_info.map(({ local, prefixlen }) => ({ local, prefixlen })) };
}

test.each(cases([{ workers: 2 }, { workers: 1 }], 1))(
  'a bridge, TAPs and a vxlan port come into being, carry traffic, and go again: workers: $workers',
  async ({ workers }) => {
    await start(workers);
    const peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
    expect(await sw.links()).toEqual([]);
    await give(sw, 'link add br0 type bridge', addTap('tap1', guests[0], ' master br0'), addTap('tap2', guests[1]));
    expect((await sw.links()).map(({ ifname, type, master }) => [ifname, type, master])).toEqual([
      ['br0', 'bridge', undefined],
      ['tap1', 'tap', 'br0'],
      ['tap2', 'tap', undefined],
    ]);
    // Without a master it is there, and nothing more.
    await doesNotReach(guests[0], guests[1]);
    await give(sw, 'link set tap2 master br0');
    await reaches(guests[0], guests[1]);

    const vxlan = `type vxlan id ${VNI} local ${hosts[0].address} remote ${hosts[1].address}`;
    await give(sw, `link add vxlan0 master br0 ${vxlan}`);
    expect(await linkOf(sw, 'vxlan0')).toMatchObject({
      ...{ ifname: 'vxlan0', type: 'vxlan', master: 'br0', operstate: 'UP', mtu: 1450 },
      ...{ id: VNI, local: hosts[0].address, remotes: [hosts[1].address] },
    });
    // The guests' NICs follow what the underlay carries now.
    expect((await nic(guests[0].netns, 'eth0')).mtu).toBe(1450);
    await reaches(guests[0], peer);
    await reaches(peer, guests[1]);

    await give(sw, 'link del vxlan0');
    await doesNotReach(guests[0], peer);
    expect((await nic(guests[0].netns, 'eth0')).mtu).toBe(1500);
    await give(sw, 'link set tap2 nomaster');
    await doesNotReach(guests[0], guests[1]);
    await give(sw, 'link del tap1', 'link del tap2', 'link del br0');
    expect(await sw.links()).toEqual([]);
    for (const { netns } of guests) expect(await world.nics(netns)).toEqual([]);
    // No socket of the vxlan port is left.
    const sockets = await world.exec(hosts[0].netns, ['cat', '/proc/net/udp']);
    expect(sockets.stdout.trim().split('\n')).toHaveLength(1);
  },
);

test('a TAP gets its MAC, addresses, MTU and persistence, and other ones later', async () => {
  await start();
  const [{ netns }] = guests;
  await give(sw, 'link add br0 type bridge', `${addTap('tap1', guests[0], ' mtu 1400 master br0')} persist on`);
  expect(await nic(netns, 'eth0')).toMatchObject({
    ...{ mtu: 1400, address: guests[0].mac },
    addr_info: [{ local: '198.18.0.1', prefixlen: 24 }],
  });
  expect(await linkOf(sw, 'tap1')).toMatchObject({
    ...{ ifname: 'tap1', type: 'tap', master: 'br0', operstate: 'UP', mtu: 1400, address: guests[0].mac },
    ...{ persist: true, addresses: ['198.18.0.1/24'], netns },
  });
  const index = await world.ipJson<{ ifindex: number }[]>(netns, 'link show dev eth0');
  await give(
    sw,
    'link set tap1 mtu 1300 address 02:00:00:00:00:77',
    'link set tap1 type tap addresses 198.18.0.1/24,198.18.0.71/24 persist off',
  );
  expect(await nic(netns, 'eth0')).toMatchObject({
    ...{ mtu: 1300, address: '02:00:00:00:00:77' },
    addr_info: [
      { local: '198.18.0.1', prefixlen: 24 },
      { local: '198.18.0.71', prefixlen: 24 },
    ],
  });
  expect(await linkOf(sw, 'tap1')).toMatchObject({ mtu: 1300, address: '02:00:00:00:00:77' });
  // It is the same NIC all the while.
  expect(await world.ipJson<{ ifindex: number }[]>(netns, 'link show dev eth0')).toMatchObject([
    { ifindex: index[0].ifindex },
  ]);
  await give(sw, addTap('tap2', guests[1], ' master br0'));
  await reaches(guests[1], { address: '198.18.0.71' });
  await give(sw, 'link set tap1 type tap default addresses', 'link del tap1');
  expect(await world.nics(netns)).toEqual([]);
});

test('a port, and a whole bridge, is set down and up again', async () => {
  await start();
  await give(sw, 'link add br0 type bridge', ...guests.map((guest, n) => addTap(`tap${n}`, guest, ' master br0')));
  await reaches(guests[0], guests[1]);
  for (const link of ['tap1', 'br0']) {
    await give(sw, `link set ${link} down`);
    expect(await linkOf(sw, link)).toMatchObject({ operstate: 'DOWN' });
    const { drops } = await sw.stats();
    await doesNotReach(guests[0], guests[1]);
    expect((await sw.stats()).drops.port_down).toBeGreaterThan(drops.port_down ?? 0);
    await give(sw, `link set ${link} up`);
    expect(await linkOf(sw, link)).toMatchObject({ operstate: 'UP' });
    await reaches(guests[0], guests[1]);
  }
});

test("a bridge's host port: the host itself is a guest, for as long as there is one", async () => {
  await start();
  const host = { netns: hosts[0].netns, address: '198.18.0.100' };
  await give(sw, 'link add br0 type bridge', addTap('tap1', guests[0], ' master br0'));
  expect(await world.nics(host.netns)).toEqual(['eth0']);
  await give(sw, `link set br0 type bridge host_port on addresses ${host.address}/24`);
  expect((await world.nics(host.netns)).sort()).toEqual(['br0', 'eth0']);
  await reaches(guests[0], host);
  await reaches(host, guests[0]);
  const { address } = await nic(host.netns, 'br0');
  expect(await linkOf(sw, 'br0')).toMatchObject({ host_port: true, address });
  expect(await sw.fdb()).toContainEqual(
    expect.objectContaining({ mac: address, ifname: 'br0', master: 'br0', state: 'permanent' }),
  );
  await give(sw, 'link set br0 type bridge host_port off default addresses');
  expect(await world.nics(host.netns)).toEqual(['eth0']);
  expect((await sw.fdb()).filter(({ state }) => state === 'permanent')).toEqual([]);
});

test("a vxlan port's host port: the host's own address is reached through the tunnel", async () => {
  await start();
  const peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
  const host = { netns: hosts[0].netns, address: '198.18.0.101' };
  const own = `host_port on addresses ${host.address}/24`;
  await give(
    sw,
    'link add br0 type bridge',
    `link add vxlan0 master br0 type vxlan id ${VNI} local ${hosts[0].address} remote ${hosts[1].address} ${own}`,
  );
  expect((await world.nics(host.netns)).sort()).toEqual(['eth0', 'vxlan0']);
  expect((await sw.links()).map(({ ifname }) => ifname)).toContain('vxlan0@host');
  await reaches(host, peer);
  await reaches(peer, host);
  expect((await sw.fdb('dynamic')).map(({ mac, ifname, dst }) => [mac, ifname, dst])).toEqual([
    [peer.mac, 'vxlan0', hosts[1].address],
  ]);
  await give(sw, 'link set vxlan0 type vxlan host_port off default addresses');
  expect(await world.nics(host.netns)).toEqual(['eth0']);
  await give(sw, 'link del br0');
  expect(await sw.links()).toMatchObject([{ ifname: 'vxlan0' }]);
});

test('options of a port take effect at once: isolated, learning', async () => {
  await start();
  await give(sw, 'link add br0 type bridge', ...guests.map((guest, n) => addTap(`tap${n}`, guest, ' master br0')));
  await reaches(guests[0], guests[1]);
  await give(sw, 'link set tap0 type bridge_slave isolated on', 'link set tap1 type bridge_slave isolated on');
  await doesNotReach(guests[0], guests[1]);
  await give(sw, 'link set tap0 type bridge_slave default isolated learning off', 'fdb flush br br0');
  expect(await linkOf(sw, 'tap0')).toMatchObject({ learning: false });
  expect(await linkOf(sw, 'tap0')).not.toHaveProperty('isolated');
  await reaches(guests[0], guests[1]);
  expect((await sw.fdb('dynamic')).map(({ ifname }) => ifname)).toEqual(['tap1']);
  expect(await clientOf(sw).get('/v1/config')).toMatchObject({
    bridges: { br0: { ports: { tap0: { type: 'tap', learning: false }, tap1: { isolated: true } } } },
  });
});
