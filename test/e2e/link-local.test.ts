/**
 * The underlay over link-local IPv6 addresses, against the kernel's vxlan device: by dev and by zone, unicast and in a group of
 * the link. Beside the right link the host has another one with the same subnet, to which the routes lead first.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, give, linkOf, startWith } from './live-support.js';
import { kernelDevice } from './multicast-support.js';
import { type Guest, type Host, plainBridge, tapPort } from './topologies.js';
import { expectBalance, expectTransfer, MB } from './two-hosts.js';

let world: World;
let hosts: [Host, Host];
let guest: Guest;

beforeEach(async () => {
  world = new World();
  const make = async (number: number): Promise<Host> => ({
    netns: await world.netns(`h${number}`, { ipv6: true }),
    ifname: 'eth0',
    address: `fe80::${number}`,
  });
  hosts = [await make(1), await make(2)];
  const netns = await world.netns('guest1');
  guest = { netns, ifname: 'eth0', address: '198.18.0.1', mac: '02:00:00:00:00:01' };
  // Made first, so that its route to fe80::/64 is the first one.
  await world.veth({ netns: hosts[0].netns, ifname: 'aside' }, { netns: hosts[1].netns, ifname: 'aside' });
  await world.veth(hosts[0], hosts[1]);
  for (const host of hosts) await world.ip(host.netns, `address add ${host.address}/64 dev eth0 nodad`);
});

afterEach(() => world.cleanUp());

const NETNS_OF_PEER = { id: 42, addresses: ['198.18.0.9/24'] };

const WAYS = [
  { what: 'dev', port: { local: 'fe80::1', dev: 'eth0', remotes: ['fe80::2'] }, workers: 1 },
  { what: 'zones', port: { local: 'fe80::1%eth0', remotes: ['fe80::2%eth0'] }, workers: 2 },
  { what: 'dev, and any source', port: { dev: 'eth0', remotes: ['fe80::2'], accept_vteps: 'any' }, workers: 1 },
  {
    what: 'one UDP port',
    port: { local: 'fe80::1', dev: 'eth0', remotes: ['fe80::2'], srcport: [4789, 4789] },
    workers: 1,
  },
];

// Those of the short run: zones, and one UDP port.
test.each(cases([...WAYS.slice(1), WAYS[0]], 2))('unicast by $what', async ({ port, workers }) => {
  if (port.local === undefined) await world.ip(hosts[0].netns, 'address flush dev eth0 scope link');
  if (port.local === undefined) await world.ip(hosts[0].netns, 'address add fe80::1/64 dev eth0 nodad');
  const peer = await kernelDevice(world, hosts[1], { ...NETNS_OF_PEER, to: 'remote fe80::1', more: 'dev eth0' });
  const vxlan = `      vxlan0: ${JSON.stringify({ type: 'vxlan', id: 42, ...port })}\n`;
  const lines = `workers: ${workers}\nbridges:\n${plainBridge(tapPort('tap0', guest), vxlan)}`;
  const sw = await startWith(world, hosts[0].netns, 'host1', lines);
  await until('the port is UP', async () => (await linkOf(sw, 'vxlan0'))?.operstate === 'UP');
  for (const [from, to] of [
    [guest, peer],
    [peer, guest],
  ])
    await expectReach(world, from, to);
  await expectTransfer(world, guest, peer, 5 * MB, 'link-local, there');
  await expectTransfer(world, peer, guest, 5 * MB, 'link-local, back');
  expect((await sw.fdb()).find(({ mac }) => mac === peer.mac)).toMatchObject({ dst: 'fe80::2', ifname: 'vxlan0' });
  expect((await linkOf(sw, 'tap0'))?.mtu).toBe(1430);
  await give(
    sw,
    'fdb append 00:00:00:00:00:00 dev vxlan0 dst fe80::7%eth0',
    'fdb del 00:00:00:00:00:00 dev vxlan0 dst fe80::7%eth0',
  );
  await expectBalance(sw);
});

test.each(cases([{ local: 'fe80::1' }, {}], 1))(
  'a group of the link, with %s: VTEPs are met by it, and answered',
  async (own) => {
    const peer = await kernelDevice(world, hosts[1], { ...NETNS_OF_PEER, to: 'group ff02::15c', more: 'dev eth0' });
    const port = { type: 'vxlan', id: 42, group: 'ff02::15c', dev: 'eth0', ...own };
    const lines = `bridges:\n${plainBridge(tapPort('tap0', guest), `      vxlan0: ${JSON.stringify(port)}\n`)}`;
    const sw = await startWith(world, hosts[0].netns, 'host1', lines);
    await expectReach(world, guest, peer);
    await expectReach(world, peer, guest);
    await expectTransfer(world, guest, peer, 2 * MB, 'link-local, with a group');
    expect((await sw.fdb()).find(({ mac }) => mac === peer.mac)).toMatchObject({ dst: 'fe80::2' });
    const { drops } = await sw.stats();
    expect(drops.tx_error).toBeUndefined();
    await expectBalance(sw);
  },
);
