/**
 * Commands that a running switch refuses: exit status 1, the reason on standard error, and nothing is changed: links,
 * VLANs, entries, groups, neighbours, the configuration, and the NICs in every namespace.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, give, startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import { filteringBridge, type Guest, type Host, tapPort, tunnelPort, twoHosts } from './topologies.js';
import { makeGuest } from './two-hosts.js';

const world = new World();
let hosts: [Host, Host];
let guests: Guest[];
let sw: RunningSwitch;
let bridges: string;
let nicsBefore: string[][];

beforeAll(async () => {
  hosts = await twoHosts(world);
  guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
  bridges = filteringBridge(
    tapPort('tap1', guests[0]),
    tapPort('tap2', guests[1]),
    tunnelPort(hosts[0].address, [hosts[1].address], { 10: 110 }),
  );
  sw = await startWith(world, hosts[0].netns, 'host1', `bridges:\n${bridges}`);
  await give(sw, 'fdb add 02:00:00:00:0a:01 dev tap1 vlan 1 static', 'mdb add dev br1 port tap1 grp 239.1.1.1 vid 1');
  await expectReach(world, guests[0], guests[1]);
  nicsBefore = await nics();
});

afterAll(() => world.cleanUp());

function nics(): Promise<string[][]> {
  return Promise.all([hosts[0], ...guests].map(({ netns }) => world.nics(netns)));
}

test.each<[words: string, reason: RegExp]>([
  ['link add tap1 type tap', /tap1/],
  ['link add tap9 type tap netns ote-0-nowhere', /ote-0-nowhere/],
  ['link add tap9 type tap master br9', /br9/],
  ['link add tap9 type tap master br1 addresses 198.18.0.9', /prefix/],
  ['link add name-that-is-too-long type bridge', /15/],
  ['link add vxlan9 master br1 type vxlan local 192.0.2.1 id 110', /110/],
  ['link add vxlan9 master br1 type vxlan local 192.0.2.222 id 9', /192\.0\.2\.222/],
  ['link add vxlan9 master br1 type vxlan local 192.0.2.1 id 9 remote 2001:db8::1', /2001:db8::1/],
  ['link add vxlan9 type vxlan id 16777216', /16777215/],
  ['link del tap9', /tap9/],
  ['link set tap9 up', /tap9/],
  ['link set tap1 master tap2', /tap2/],
  ['link set tap1 mtu 12', /mtu/],
  ['link set br1 type bridge group_fwd_mask 0x10000', /group_fwd_mask/],
  ['link set vxlan0 type vxlan local 198.51.100.99', /198\.51\.100\.99/],
  ['vlan add dev tap9 vid 2', /tap9/],
  ['vlan add dev tap1 vid 20 tunnel_info id 120', /tap1|tunnel/],
  ['vlan add dev vxlan0 vid 20 tunnel_info id 110', /110/],
  ['vlan del dev tap1 vid 77', /77/],
  ['fdb add 02:00:00:00:0a:01 dev tap1 vlan 1 static', /02:00:00:00:0a:01/],
  ['fdb add 02:00:00:00:0a:02 dev tap1 vlan 77', /77/],
  ['fdb add 02:00:00:00:0a:02 dev tap1 dst 192.0.2.2', /dst/],
  ['fdb append 02:00:00:00:0a:02 dev vxlan0 vlan 10 dst 192.0.2.2', /append/],
  ['fdb replace 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2', /replace/],
  ['fdb append 00:00:00:00:00:00 dev vxlan0 dst 2001:db8::1', /2001:db8::1/],
  ['fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.9 src_vni 111', /111/],
  ['fdb del 02:00:00:00:0a:99 dev tap1 vlan 1', /02:00:00:00:0a:99/],
  ['fdb flush dev tap9', /tap9/],
  ['mdb add dev br1 port tap9 grp 239.1.1.2', /tap9/],
  ['mdb add dev br1 port tap1 grp 239.1.1.1 vid 1', /already/],
  ['mdb add dev br1 port tap1 grp 224.0.0.1 vid 1', /224\.0\.0\.1/],
  ['mdb del dev br1 port tap2 grp 239.1.1.1 vid 1', /239\.1\.1\.1/],
  ['neigh add 198.18.0.9 lladdr 02:00:00:00:0a:01 dev tap1', /tap1/],
  ['neigh del 198.18.0.9 dev vxlan0 vlan 10', /198\.18\.0\.9/],
])('%s', async (words, reason) => {
  await expectRefused(sw, words, reason);
  expect(await nics()).toEqual(nicsBefore);
});

test.each<[words: string, reason: RegExp]>([
  ['link set tap1 type bridge_slave storm_limit broadcast -1', /broadcast/],
  ['vlan add dev tap1 vid 4095', /4094/],
  ['vlan add dev tap1 vid 20-29 pvid', /one PVID/],
  ['vlan add dev vxlan0 vid 20-29 tunnel_info id 120-121', /one length/],
])('%s: asks for what cannot be, status 2', async (words, reason) => {
  await expectRefused(sw, words, reason, 2);
});

test.each([
  {
    what: 'a UDP port that another process has, beside TAPs that could be made',
    before: holdPort,
    file: (): string => `${extraTap()}${extraVxlan(hosts[0].address)}`,
    reason: /192\.0\.2\.1, UDP port 8472: another process/,
  },
  {
    what: 'a NIC that there is already, of another kind',
    file: (): string => `${extraTap()}      tap8: { type: tap, ifname: eth0 }\n`,
    reason: /tap8/,
  },
  { what: 'a setting that is read at start alone', file: (): string => 'workers: 2\n', reason: /workers/ },
])('apply with $what is refused as a whole', async ({ before, file, reason }) => {
  await before?.();
  const path = world.file('next.yaml', `name: host1\nbridges:\n${bridges}${file()}`);
  await expectRefused(sw, `apply -c ${path}`, reason);
  expect(await nics()).toEqual(nicsBefore);
  await expectReach(world, guests[0], guests[1]);
});

async function holdPort(): Promise<void> {
  const script = `require('dgram').createSocket('udp4').bind(8472, '${hosts[0].address}', () => console.log('bound'))`;
  const holder = world.spawn(hosts[0].netns, [process.execPath, '-e', script]);
  await holder.line('the port is taken', (line) => line === 'bound');
}

const extraTap = (): string => `      tap9: { type: tap, netns: ${guests[0].netns}, ifname: eth9 }\n`;
const extraVxlan = (local: string): string => `      vxlan9: { type: vxlan, local: ${local}, dstport: 8472, id: 9 }\n`;

test('"apply --dry-run" tells what would be done, and does nothing', async () => {
  const path = world.file('dry.yaml', `name: host1\nbridges:\n${bridges}${extraTap()}`);
  const commands = await give(sw, `apply -c ${path} --dry-run`);
  expect(commands).toMatch(/link add (name )?tap9/);
  expect(await nics()).toEqual(nicsBefore);
  expect((await sw.links()).map(({ ifname }) => ifname)).toEqual(['br1', 'tap1', 'tap2', 'vxlan0']);
});

test('a file that is wrong is refused by its places, with status 2', async () => {
  const path = world.file('wrong.yaml', 'bridges:\n  br1: { ageing_time: -1 }\n');
  const ended = await run([process.execPath, OVERTAP, '-s', sw.control, 'apply', '-c', path]);
  expect(ended).toMatchObject({ status: 2, stdout: '' });
  expect(ended.stderr).toContain(`${path}:2:23: `);
  expect(await nics()).toEqual(nicsBefore);
});
