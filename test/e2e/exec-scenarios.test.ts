/**
 * The systems of the labs, set up by scripts of `ip` and `bridge` as one writes them for the kernel: under `overtap exec` they run as they are.
 * The labs prove the same systems from configuration files (src/lab/scenarios).
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must, run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { OVERTAP } from './switch.js';
import { threeHosts, twoHosts } from './topologies.js';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

/** A script of a host, whose switch has nothing yet. @throws LabError when a line of it fails */
async function host(netns: string, name: string, lines: string): Promise<void> {
  const sw = await startWith(world, netns, name, 'bridges: {}');
  await must(inNamespace(netns, [process.execPath, OVERTAP, 'exec', '-s', sw.control, 'sh', '-ec', lines]));
}

/** Further lines of a host that is set up. @returns their output */
async function more(netns: string, name: string, lines: string): Promise<string> {
  const control = world.control(name);
  return must(inNamespace(netns, [process.execPath, OVERTAP, 'exec', '-s', control, 'sh', '-ec', lines]));
}

/** A guest on a veth, whose other end is a port of the bridge. */
const guest = (netns: string, address: string, port: string, bridge = 'br1'): string => `
ip link add ${port} type veth peer name eth0 netns ${netns}
ip -n ${netns} addr add ${address}/24 dev eth0
ip -n ${netns} link set eth0 up
ip link set ${port} master ${bridge}
ip link set ${port} up
`;

async function answers(netns: string, address: string): Promise<boolean> {
  const { status } = await run(inNamespace(netns, ['ping', '-n', '-c', '1', '-W', '1', address]));
  return status === 0;
}

async function expectReach(netns: string, address: string): Promise<void> {
  await until(`${address} answers`, () => answers(netns, address));
}

test('one vxlan device for many VLANs: each VLAN has a VNI of its own on the wire', async () => {
  const hosts = await twoHosts(world);
  const guests = [];
  for (const [at, { netns, address }] of hosts.entries()) {
    const two = await world.netns(`g${at}2`);
    const three = await world.netns(`g${at}3`);
    guests.push({ two, three });
    await host(
      netns,
      `h${at}`,
      `
far=${hosts[1 - at]?.address}
ip link add br1 type bridge vlan_filtering 1 vlan_default_pvid 0
ip link set br1 up
ip link add vxlan0 type vxlan external local ${address} dstport 4789
ip link set vxlan0 master br1
ip link set vxlan0 up
bridge link set dev vxlan0 vlan_tunnel on
for vid in 2 3; do
  bridge vlan add dev vxlan0 vid $vid
  bridge vlan add dev vxlan0 vid $vid tunnel_info id $vid
  bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst $far src_vni $vid
done
${guest(two, `100.0.1.${at + 1}`, 'veth2')}
bridge vlan add dev veth2 vid 2 pvid untagged
${guest(three, `100.0.2.${at + 1}`, 'veth3')}
bridge vlan add dev veth3 vid 3 pvid untagged
ip -n ${two} route add 100.0.2.0/24 dev eth0
ip -n ${three} route add 100.0.1.0/24 dev eth0
`,
    );
  }
  const [here] = guests as [{ two: string; three: string }];
  const wire = await sniff(world, hosts[0], 'udp dst port 4789');
  await expectReach(here.two, '100.0.1.2');
  await expectReach(here.three, '100.0.2.2');
  expect(await answers(here.two, '100.0.2.2')).toBe(false);
  expect(await answers(here.three, '100.0.1.2')).toBe(false);
  await wire.rests(4);
  const vnis = new Map<string, Set<number>>();
  for (const { vni, inner } of wire.vxlan) {
    // ARP or IPv4 between the guests: the third byte of an address says which subnet it is of.
    const at = inner.readUInt16BE(12) === 0x0806 ? 28 : inner.readUInt16BE(12) === 0x0800 ? 26 : -1;
    if (at < 0) continue;
    const subnet = [...inner.subarray(at, at + 3)].join('.');
    vnis.set(subnet, (vnis.get(subnet) ?? new Set<number>()).add(vni));
  }
  expect(vnis).toEqual(
    new Map([
      ['100.0.1', new Set([2])],
      ['100.0.2', new Set([3])],
    ]),
  );
});

test('three hosts by unicast: flood lists by hand, and ARP that is answered where it is known', async () => {
  const hosts = await threeHosts(world);
  const guests: string[] = [];
  for (const [at, { netns, address }] of hosts.entries()) {
    guests.push(await world.netns(`g${at}`));
    const others = hosts.filter((_, other) => other !== at);
    await host(
      netns,
      `h${at}`,
      `
ip link add vxlan42 type vxlan id 42 dstport 4789 local ${address}
ip link add br1 type bridge
ip link set vxlan42 master br1
${others.map((other) => `bridge fdb append 00:00:00:00:00:00 dev vxlan42 dst ${other.address}`).join('\n')}
bridge link set dev vxlan42 neigh_suppress on
ip link set vxlan42 up
ip link set br1 up
${guest(guests[at] as string, `198.18.0.${at + 2}`, 'veth0')}
`,
    );
  }
  for (const from of guests)
    for (const last of [2, 3, 4]) if (guests[last - 2] !== from) await expectReach(from, `198.18.0.${last}`);
  // The bindings are known by now: a request for one of them crosses no underlay.
  const [first] = guests as [string];
  await world.ip(first, 'neigh flush all');
  const wire = await sniff(world, hosts[0], 'udp dst port 4789');
  await expectReach(first, '198.18.0.3');
  await wire.rests(2);
  expect(wire.vxlan.filter(({ inner }) => inner.readUInt16BE(12) === 0x0806)).toEqual([]);
});

test('a multicast group of the underlay, and the table of the device', async () => {
  const hosts = await twoHosts(world);
  for (const [at, { netns, ifname, address }] of hosts.entries()) {
    await world.ip(netns, `route add 239.1.1.1/32 dev ${ifname}`);
    await host(
      netns,
      `h${at}`,
      `
ip link add vxlan0 type vxlan id 42 group 239.1.1.1 dev ${ifname} local ${address} dstport 4789
ip addr add 10.0.42.${at + 1}/24 dev vxlan0
ip link set vxlan0 up
`,
    );
  }
  const [{ netns, ifname }] = hosts;
  expect(await world.ip(netns, `maddr show dev ${ifname}`)).toContain('239.1.1.1');
  await expectReach(netns, '10.0.42.2');
  const shown = await more(
    netns,
    'h0',
    `
bridge fdb add to 00:17:42:8a:b4:05 dst 192.19.0.2 dev vxlan0
bridge fdb show dev vxlan0
echo --
bridge fdb delete 00:17:42:8a:b4:05 dev vxlan0
bridge fdb show dev vxlan0
echo --
ip -d link show vxlan0
ip link delete vxlan0
`,
  );
  const [before, after, link] = shown.split('--\n');
  expect(before).toMatch(/^00:17:42:8a:b4:05 dst 192.19.0.2 self permanent$/m);
  expect(before).toMatch(/^00:00:00:00:00:00 dst 239.1.1.1 (via \S+ )?self permanent$/m);
  expect(after).not.toContain('00:17:42:8a:b4:05');
  expect(link).toContain(`vxlan id 42 group 239.1.1.1`);
  expect(await world.ip(netns, `maddr show dev ${ifname}`)).not.toContain('239.1.1.1');
});

test('a remote that is appended while frames flow, at the port of before the standard', async () => {
  const hosts = await twoHosts(world);
  for (const [at, { netns, address }] of hosts.entries()) {
    await host(
      netns,
      `h${at}`,
      `
ip link add vxlan21 type vxlan id 100 dstport 8472 local ${address}
ip addr add 10.0.21.${at + 1}/24 dev vxlan21
ip link set vxlan21 up
`,
    );
  }
  const [{ netns }, far] = hosts;
  expect(await answers(netns, '10.0.21.2')).toBe(false);
  for (const at of [0, 1]) {
    const remote = hosts[1 - at]?.address;
    await more(hosts[at]?.netns as string, `h${at}`, `bridge fdb append 00:00:00:00:00:00 dev vxlan21 dst ${remote}`);
  }
  const wire = await sniff(world, far, 'udp dst port 8472');
  await expectReach(netns, '10.0.21.2');
  await wire.rests(1);
});

test('two bridges and a trunk between them: VLANs keep tenants apart, and without VLANs routes join subnets', async () => {
  const netns = await world.netns('h');
  const [g1, g2, g3, g4] = await Promise.all([1, 2, 3, 4].map((number) => world.netns(`g${number}`)));
  const guests = [g1, g2, g3, g4] as [string, string, string, string];
  await host(
    netns,
    'h',
    `
ip link add bridge1 type bridge
ip link add bridge2 type bridge
ip link add trunk1 type veth peer name trunk2
ip link set trunk1 master bridge1
ip link set trunk2 master bridge2
for name in bridge1 bridge2 trunk1 trunk2; do ip link set $name up; done
${guest(guests[0], '10.0.0.1', 'p1', 'bridge1')}
${guest(guests[1], '10.0.1.1', 'p2', 'bridge1')}
${guest(guests[2], '10.0.0.2', 'p3', 'bridge2')}
${guest(guests[3], '10.0.1.2', 'p4', 'bridge2')}
`,
  );
  await expectReach(guests[0], '10.0.0.2');
  await expectReach(guests[1], '10.0.1.2');
  expect(await answers(guests[0], '10.0.1.2')).toBe(false);
  for (const [at, there] of [1, 0, 1, 0].entries())
    await world.ip(guests[at] as string, `route add 10.0.${there}.0/24 dev eth0`);
  await expectReach(guests[0], '10.0.1.2');
  await more(
    netns,
    'h',
    `
for bridge in bridge1 bridge2; do ip link set $bridge type bridge vlan_filtering 1; done
for port in p1 p3; do bridge vlan add dev $port vid 10 pvid untagged; bridge vlan del dev $port vid 1; done
for port in p2 p4; do bridge vlan add dev $port vid 20 pvid untagged; bridge vlan del dev $port vid 1; done
for port in trunk1 trunk2; do bridge vlan add dev $port vid 10; bridge vlan add dev $port vid 20; done
`,
  );
  await expectReach(guests[0], '10.0.0.2');
  await expectReach(guests[1], '10.0.1.2');
  const heard = await sniff(world, { netns: guests[3], ifname: 'eth0' }, 'arp and src host 10.0.0.1');
  expect(await answers(guests[0], '10.0.1.2')).toBe(false);
  await heard.rests(0);
  expect(heard.packets).toEqual([]);
});
