/**
 * Gateways with real TAPs: between VLANs of one host, on two hosts with the same gateway and a tunnel between them (asymmetric IRB), a guest
 * that moves, and out through the host.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { expectReach, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { OVERTAP, type RunningSwitch, settledStats } from './switch.js';
import { access, filteringBridge, type Guest, type Host, tapPort, tunnelPort, twoHosts } from './topologies.js';
import { expectBalance, expectTransfer, MB, succeed } from './two-hosts.js';
import { pingOnWire } from './wire-support.js';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

type Both = Guest & { address6: string; vid: number };

async function guest(vid: number, last: number): Promise<Both> {
  return {
    netns: await world.netns(`g${vid}-${last}`, { ipv6: true }),
    ifname: 'eth0',
    address: `10.0.${vid}.${last}`,
    address6: `fd00:${vid}::${last}`,
    mac: `02:00:00:00:${vid}:0${last}`,
    vid,
  };
}

const gateway = (vid: number): string =>
  `      gw${vid}: { type: gateway, addresses: [10.0.${vid}.1/24, "fd00:${vid}::1/64"], vlans: ${access(vid)} }\n`;
const GATEWAYS = [gateway(10), gateway(20)];

function bridgeWith(guests: readonly Both[], more: string[] = []): string {
  const taps = guests.map((one) => tapPort(`t${one.netns.slice(-5).replace('-', '')}`, one, access(one.vid)));
  return `bridges:\n${filteringBridge(...taps, ...GATEWAYS, ...more)}`;
}

/** The guest's way to all other subnets, once its addresses are its own. */
async function route({ netns, vid }: Both): Promise<void> {
  await until(
    `the addresses of ${netns} are its own`,
    async () => (await world.ip(netns, '-6 addr show tentative')) === '',
  );
  await world.ip(netns, `route add default via 10.0.${vid}.1`);
  await world.ip(netns, `-6 route add default via fd00:${vid}::1`);
}

async function expectBoth(one: Both, other: Both, bytes: number): Promise<void> {
  await expectReach(world, one, other);
  await expectReach(world, one, { address: other.address6 });
  await expectTransfer(world, one, other, bytes, 'routed');
  await expectTransfer(world, one, { ...other, address: other.address6 }, bytes, 'routed, IPv6');
}

describe('two VLANs of a host', () => {
  test('reach each other, traceroute shows the gateway, and the accounts balance', async () => {
    const [a, b] = [await guest(10, 5), await guest(20, 5)];
    const host = await world.netns('h1');
    const sw = await startWith(world, host, 'h1', bridgeWith([a, b]));
    for (const one of [a, b]) await route(one);
    await expectBoth(a, b, 20 * MB);
    await expectBoth(b, a, MB);
    const expired = await world.exec(a.netns, ['ping', '-n', '-c', '1', '-t', '1', '-W', '2', b.address]);
    expect(expired.stdout).toContain('From 10.0.10.1 icmp_seq=1 Time to live exceeded');
    const expired6 = await world.exec(a.netns, ['ping', '-n', '-c', '1', '-t', '1', '-W', '2', b.address6]);
    expect(expired6.stdout).toContain('From fd00:10::1 icmp_seq=1 Time exceeded: Hop limit');
    await expectReach(world, a, { address: '10.0.10.1' });
    await expectReach(world, a, { address: 'fd00:20::1' });
    const nobody = await world.exec(a.netns, ['ping', '-n', '-c', '1', '-W', '5', '10.0.20.77']);
    expect(nobody.stdout).toContain('From 10.0.10.1 icmp_seq=1 Destination Host Unreachable');
    const stats = await settledStats(sw);
    expect(stats.drops).toMatchObject({ ttl_exceeded: 2, neigh_failed: 1 });
    await expectBalance(sw);
  });

  test('are joined and separated while the switch runs', async () => {
    const [a, b] = [await guest(10, 5), await guest(20, 5)];
    const sw = await startWith(world, await world.netns('h1'), 'h1', bridgeWith([a, b]));
    for (const one of [a, b]) await route(one);
    await expectReach(world, a, b);
    await give(sw, 'link set gw20 type gateway vrf red');
    const apart = await world.exec(a.netns, ['ping', '-n', '-c', '1', '-W', '2', b.address]);
    expect(apart.stdout).toContain('From 10.0.10.1 icmp_seq=1 Destination Net Unreachable');
    await give(sw, 'link set gw10 type gateway vrf red');
    await expectReach(world, a, b);
    await give(sw, 'link del gw20', 'link add gw20 master br1 type gateway addresses 10.0.20.1/24 vrf red');
    await give(sw, 'vlan del vid 1 dev gw20', 'vlan add vid 20 dev gw20 pvid untagged');
    await expectReach(world, a, b);
  });
});

describe('two hosts with the same gateways', () => {
  let hosts: [Host, Host];
  let switches: RunningSwitch[];
  let guests: Both[];

  beforeEach(async () => {
    hosts = await twoHosts(world);
    guests = [await guest(10, 5), await guest(20, 5), await guest(10, 6), await guest(20, 6)];
    switches = [];
    for (const [index, host] of hosts.entries()) {
      const tunnel = tunnelPort(host.address, [hosts[1 - index].address], { 10: 1010, 20: 1020 });
      const own = guests.slice(index * 2, index * 2 + 2);
      switches.push(await startWith(world, host.netns, `h${index}`, bridgeWith(own, [tunnel])));
    }
    for (const one of guests) await route(one);
  });

  test('route on the host where the guest is, both ways', async () => {
    const [a1, , , b2] = guests;
    await expectBoth(a1, b2, 10 * MB);
    await expectBoth(b2, a1, MB);
    // Each host has routed its own guest's packets into the other VLAN: both VNIs have carried one way.
    for (const sw of switches) {
      const stats = await settledStats(sw);
      expect(stats.links.gw10.tx_packets).toBeGreaterThan(0);
      expect(stats.links.gw20.tx_packets).toBeGreaterThan(0);
    }
    await expectBalance(...switches);
  });

  test('packets cross the wire in the VNI of their destination, with one hop less to live, both ways', async () => {
    const [a1, , , b2] = guests;
    await expectReach(world, a1, b2);
    const rows = await pingOnWire(world, hosts[0], a1.netns, b2.address);
    const gateway = '02:00:5e:00:00:01';
    expect(rows).toContain(`1020 ${hosts[0].address} ${gateway} > ${b2.mac} ${a1.address} > ${b2.address} 63`);
    expect(rows).toContain(`1010 ${hosts[1].address} ${gateway} > ${a1.mac} ${b2.address} > ${a1.address} 63`);
    expect(rows).toHaveLength(2);
  });

  test('a guest that moves to the other host keeps its gateway', async () => {
    const [a1, , , b2] = guests;
    await expectReach(world, a1, b2);
    const lladdr = async (): Promise<string> => world.ip(a1.netns, 'neigh show 10.0.10.1');
    expect(await lladdr()).toContain('02:00:5e:00:00:01');
    const name = `t${a1.netns.slice(-5).replace('-', '')}`;
    await give(switches[0], `link del ${name}`);
    await give(
      switches[1],
      `link add ${name} master br1 type tap netns ${a1.netns} ifname eth0 address ${a1.mac} addresses ${a1.address}/24,${a1.address6}/64`,
      `vlan del vid 1 dev ${name}`,
      `vlan add vid 10 dev ${name} pvid untagged`,
    );
    await route(a1);
    await expectReach(world, a1, b2);
    await expectReach(world, a1, guests[1]);
    expect(await lladdr()).toContain('02:00:5e:00:00:01');
  });
});

test('a static neighbour is reached without a question, is put in by `ip neigh` too, and outlives an upgrade', async () => {
  const [a, b] = [await guest(10, 5), await guest(20, 5)];
  const host = await world.netns('h1');
  const sw = await startWith(world, host, 'h1', bridgeWith([a, b]));
  for (const one of [a, b]) await route(one);
  // It neither answers nor asks.
  await world.ip(b.netns, 'link set eth0 arp off');
  await world.ip(b.netns, 'neigh replace 10.0.20.1 lladdr 02:00:5e:00:00:01 dev eth0 nud permanent');
  const ping = async (): Promise<boolean> =>
    (await world.exec(a.netns, ['ping', '-n', '-c', '1', '-W', '1', b.address])).status === 0;
  const ip = [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', 'ip', 'neigh'];
  const words = [b.address, 'lladdr', b.mac, 'dev', 'gw20', 'nud', 'permanent'];
  expect(await ping()).toBe(false);
  await succeed(world, host, [...ip, 'add', ...words]);
  const again = await world.exec(host, [...ip, 'add', ...words]);
  expect(again.stderr).toContain(`${b.address} has a binding already`);
  const shown = async (): Promise<string> => give(sw, 'neigh show dev gw20');
  expect(await shown()).toMatch(new RegExp(`^${b.address} dev gw20 .*lladdr ${b.mac} .*PERMANENT`, 'm'));
  const asked = await sniff(world, { netns: b.netns, ifname: 'eth0' }, `arp[24:4] = ${0x0a001405}`);
  expect(await ping()).toBe(true);
  await createClient(sw.control, { deadlineMs: 60_000 }).post('/v1/upgrade', {});
  expect(await shown()).toContain(b.mac);
  expect(await ping()).toBe(true);
  await asked.rests(0);
  expect(asked.packets).toEqual([]);
  await succeed(world, host, [...ip, 'del', b.address, 'dev', 'gw20']);
  expect(await shown()).not.toContain(b.mac);
  expect(await ping()).toBe(false);
  await asked.rests(1);
});

test('a default route leads out through the host', async () => {
  const a = await guest(10, 5);
  const host = await world.netns('h1');
  const outside = { netns: await world.netns('out'), ifname: 'eth0' };
  const uplink = { netns: host, ifname: 'up0' };
  await world.veth(uplink, outside);
  await world.address(uplink, '203.0.113.1/24');
  await world.address(outside, '203.0.113.2/24');
  const more =
    '      gw99: { type: gateway, addresses: [10.0.99.1/24], routes: [default via 10.0.99.254], ' +
    `vlans: ${access(99)} }\n`;
  const lines = bridgeWith([a], [more]).replace(
    '    ports:',
    `    host_port: true\n    addresses: [10.0.99.254/24]\n    vlans: ${access(99)}\n    ports:`,
  );
  const sw = await startWith(world, host, 'h1', lines);
  await route(a);
  await succeed(world, host, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  await world.ip(host, 'route add 10.0.0.0/16 via 10.0.99.1 dev br1');
  await world.ip(outside.netns, 'route add 10.0.0.0/16 via 203.0.113.1');
  // The kernel's part of the way first: a new veth drops what it is given until its carrier has been noticed.
  await until('the host reaches outside', async () => {
    const { status } = await world.exec(host, ['ping', '-n', '-c', '1', '-W', '1', '203.0.113.2']);
    return status === 0;
  });
  try {
    await expectReach(world, a, { address: '203.0.113.2' });
  } catch (error) {
    // Which of the four questions for a MAC was not answered in time: of the guest, the gateway, the host, or the gateway again.
    console.log((await settledStats(sw)).drops, await give(sw, 'neigh show'));
    for (const netns of [a.netns, host, outside.netns]) console.log(netns, await world.ip(netns, 'neigh show'));
    throw error;
  }
  await expectBalance(sw);
});
