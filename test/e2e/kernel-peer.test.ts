/**
 * overtap beside the kernel's own vxlan device: with an address on it, and with a kernel bridge and a guest behind it.
 * The veth underlay keeps its offloads, so that the kernel sends checksums it never finished and datagrams of 64 KiB.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { sniff } from './sniffer.js';
import { accounts, type RunningSwitch, settledStats } from './switch.js';
import {
  access,
  filteringBridge,
  type Guest,
  type Host,
  plainBridge,
  singlePort,
  tapPort,
  tunnelPort,
  twoHosts,
} from './topologies.js';
import { ping, transfer, udpEcho } from './traffic.js';

const MB = 1_000_000;
const VNI = 42;

interface Place {
  readonly netns: string;
  readonly address: string;
  readonly address6: string;
}

let world: World;
let hosts: [Host, Host];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
});

afterEach(() => world.cleanUp());

/** The guest of the overtap host, and the switch it hangs on. */
async function startOvertap(kind: 'vlan_tunnel' | 'id'): Promise<{ guest: Place & Guest; sw: RunningSwitch }> {
  const guest = {
    netns: await world.netns('guest1', { ipv6: true }),
    ifname: 'eth0',
    address: '198.18.0.1',
    address6: 'fd00:42::1',
    mac: '02:00:00:00:00:01',
  };
  const [own, peer] = hosts;
  const bridges =
    kind === 'id'
      ? plainBridge(tapPort('tap0', guest), singlePort(own.address, [peer.address], VNI))
      : filteringBridge(tapPort('tap0', guest, access(7)), tunnelPort(own.address, [peer.address], { 7: VNI }));
  return { guest, sw: await world.startSwitch(own.netns, 'host1', bridges) };
}

/** (a): the kernel's vxlan device with addresses of the overlay on it. */
async function addressOnVxlan(): Promise<Place> {
  const [own, peer] = hosts;
  await enableIpv6(peer.netns);
  await world.ip(
    peer.netns,
    `link add vx0 type vxlan id ${VNI} remote ${own.address} local ${peer.address} dstport 4789`,
  );
  await world.ip(peer.netns, 'link set vx0 up');
  return settle({ netns: peer.netns, ifname: 'vx0' });
}

/** (b): the kernel's vxlan device and bridge, and a guest on a veth pair. */
async function bridgeAndGuest(): Promise<Place> {
  const [own, peer] = hosts;
  const guest = { netns: await world.netns('guest2', { ipv6: true }), ifname: 'eth0' };
  await world.ip(
    peer.netns,
    `link add vx0 type vxlan id ${VNI} remote ${own.address} local ${peer.address} dstport 4789`,
  );
  await world.ip(peer.netns, 'link add br0 type bridge');
  await world.veth({ netns: peer.netns, ifname: 'veth0' }, guest);
  for (const port of ['vx0', 'veth0']) await world.ip(peer.netns, `link set ${port} master br0`);
  for (const link of ['br0', 'vx0']) await world.ip(peer.netns, `link set ${link} up`);
  return settle(guest);
}

async function enableIpv6(netns: string): Promise<void> {
  const on = 'for f in all default; do echo 0 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done';
  await world.exec(netns, ['sh', '-c', on]);
}

async function settle({ netns, ifname }: { netns: string; ifname: string }): Promise<Place> {
  const place = { netns, address: '198.18.0.2', address6: 'fd00:42::2' };
  await world.address({ netns, ifname }, `${place.address}/24`);
  await world.address({ netns, ifname }, `${place.address6}/64`);
  return place;
}

const PEERS = { 'an address on the vxlan device': addressOnVxlan, 'a bridge and a guest': bridgeAndGuest };

const peers = [
  { peer: 'an address on the vxlan device', kind: 'vlan_tunnel' },
  { peer: 'an address on the vxlan device', kind: 'id' },
  { peer: 'a bridge and a guest', kind: 'id' },
  { peer: 'a bridge and a guest', kind: 'vlan_tunnel' },
] as const;
/** Of a transfer each way, in MB. */
const LENGTH = long(100, 30);

describe.each(cases<(typeof peers)[number]>(peers, 2))('a kernel with $peer, overtap with $kind', ({ peer, kind }) => {
  test(`ping, ${LENGTH} MB of TCP each way, UDP and IPv6`, async () => {
    const { guest, sw } = await startOvertap(kind);
    const other = await PEERS[peer]();
    const ways: [Place, Place][] = [
      [guest, other],
      [other, guest],
    ];

    for (const [from, to] of ways) {
      const result = await ping(world, from.netns, to.address);
      expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
    }
    for (const [from, to] of ways) {
      const { sent, received, megabitsPerSecond } = await transfer(
        world,
        from.netns,
        to.netns,
        to.address,
        LENGTH * MB,
      );
      expect(received).toEqual({ bytes: LENGTH * MB, sha256: sent.sha256 });
      console.log(`${kind}, kernel with ${peer}, ${from === guest ? 'to' : 'from'} it: ${megabitsPerSecond} Mb/s`);
    }
    for (const [from, to] of ways) {
      const echoed = await udpEcho(world, from.netns, to.netns, to.address, { size: 1400, count: 20 });
      expect(echoed).toEqual({ equal: 20, different: 0, lost: 0 });
    }
    for (const [from, to] of ways) {
      const result = await ping(world, from.netns, to.address6);
      expect(result, result.output).toMatchObject({ sent: 3, received: 3, duplicates: 0 });
      const { sent, received } = await transfer(world, from.netns, to.netns, to.address6, 10 * MB);
      expect(received).toEqual({ bytes: 10 * MB, sha256: sent.sha256 });
    }

    const { in: received, out } = accounts(await settledStats(sw));
    expect(out).toBe(received);
  });
});

test('the kernel does send datagrams of over 1500 bytes here; on a cable, overtap does not', async () => {
  await world.cutTrains(hosts[0]);
  const { guest } = await startOvertap('id');
  const other = await addressOnVxlan();
  const sniffer = await sniff(world, hosts[0], 'udp dst port 4789 and greater 200');
  for (const [from, to] of [
    [guest, other],
    [other, guest],
  ] as [Place, Place][]) {
    const { sent, received } = await transfer(world, from.netns, to.netns, to.address, 3 * MB);
    expect(received.sha256).toBe(sent.sha256);
  }
  const longest = (source: string): number =>
    Math.max(...sniffer.packets.filter(({ ip }) => ip?.source === source).map(({ ip }) => ip?.length ?? 0));
  await until('the long ones were seen', () => longest(hosts[1].address) > 1500);
  await sniffer.rests();
  // What the other tests of this file rest on: with plain datagrams they would prove less.
  expect(longest(hosts[1].address)).toBeGreaterThan(1500);
  expect(longest(hosts[0].address)).toBeGreaterThan(1400);
  expect(longest(hosts[0].address)).toBeLessThanOrEqual(1500);
});
