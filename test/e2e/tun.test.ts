/**
 * TUN ports with real TUNs: a host without Ethernet on a bridge and behind a VXLAN tunnel, its neighbours, its routes, and what
 * happens to its device.
 */
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.js';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { giving, startGiven } from './give.js';
import { World } from './host-testbed.js';
import { expectReach, give, linkOf, startWith } from './live-support.js';
import { compileRefusals, type Refusal, refusing, startConfined } from './refuse.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, singlePort, tapPort, twoHosts } from './topologies.js';
import { inject, ping } from './traffic.js';
import { expectBalance, expectTransfer, MB, VNI } from './two-hosts.js';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

type Both = Guest & { address6: string };

/** A guest with IPv4 and IPv6. */
async function guest(number: number): Promise<Both> {
  return {
    netns: await world.netns(`guest${number}`, { ipv6: true }),
    ifname: 'eth0',
    address: `198.18.0.${number}`,
    address6: `fd00::${number}`,
    mac: `02:00:00:00:00:0${number}`,
  };
}

function tunPort(port: string, of: Both, more = ''): string {
  const addresses = `["${of.address}/24", "${of.address6}/64"]`;
  return `      ${port}: { type: tun, netns: ${of.netns}, ifname: ${of.ifname}, mac: "${of.mac}", addresses: ${addresses}${more} }\n`;
}

/** Waits until duplicate address detection is over: before that a guest answers nothing. */
async function awake(...guests: readonly Guest[]): Promise<void> {
  for (const { netns } of guests)
    await until(
      `the addresses of ${netns} are its own`,
      async () => (await world.ip(netns, '-6 addr show tentative')) === '',
    );
}

async function expectAll(one: Both, other: Both, bytes: number, label: string): Promise<void> {
  await awake(one, other);
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    await expectReach(world, from, to);
    await expectReach(world, from, { address: to.address6 });
    await expectTransfer(world, from, to, bytes, label);
    await expectTransfer(world, from, { ...to, address: to.address6 }, bytes, `${label}, IPv6`);
  }
}

/** Readings of both counters until they agree. */
const MOST_LOOKS = 5;

interface Counts {
  rx_packets: number;
  rx_bytes: number;
  tx_packets: number;
}

/** The packets and bytes that the device has counted, as the switch should have: it counts an Ethernet header too. */
async function countsOf({ netns, ifname }: Guest): Promise<Counts> {
  const read = async (name: string): Promise<number> =>
    Number((await world.exec(netns, ['cat', `/sys/class/net/${ifname}/statistics/${name}`])).stdout);
  const packets = await read('tx_packets');
  return {
    rx_packets: packets,
    rx_bytes: (await read('tx_bytes')) + 14 * packets,
    tx_packets: await read('rx_packets'),
  };
}

/** @param merging segments from a tunnel that are one packet to the device are so many frames to the switch (native/nic/merge.c) */
async function expectCounts(sw: RunningSwitch, port: string, guest: Guest, merging = false): Promise<void> {
  const own = async (): Promise<Counts> => {
    const { rx_packets, rx_bytes, tx_packets } = (await settledStats(sw)).links[port];
    return { rx_packets, rx_bytes, tx_packets };
  };
  // A packet of its host, such as a neighbour solicitation, may pass between two looks.
  let [device, counted] = [await countsOf(guest), await own()];
  const agree = (): boolean =>
    isDeepStrictEqual(
      merging && counted.tx_packets > device.tx_packets ? { ...counted, tx_packets: device.tx_packets } : counted,
      device,
    );
  for (let looks = 1; looks < MOST_LOOKS && !agree(); looks++) {
    device = await countsOf(guest);
    counted = await own();
  }
  expect(agree(), JSON.stringify({ counted, device })).toBe(true);
}

/** As on gVisor, OpenVZ and old kernels. */
const REFUSED: readonly Refusal[] = [
  ...(['IFF_VNET_HDR', 'IFF_MULTI_QUEUE', 'TUNSETPERSIST', 'TUNSETOFFLOAD', 'TUNSETVNETHDRSZ'] as const),
  ...(['TUNGETVNETHDRSZ', 'TUNGETDEVNETNS', 'NETLINK'] as const),
];

const WAYS: readonly [string, string][] = [
  ['as it is', ''],
  ['two workers', 'workers: 2\n'],
  ['without a virtio-net header', 'offloads: { vnet_header: false }\n'],
];

test.each(cases(WAYS, 1))(
  'a TUN and a TAP on a bridge, %s: IPv4 and IPv6, both ways, whole and counted',
  async (_name, settings) => {
    const host = await world.netns('host');
    const [a, b] = [await guest(1), await guest(2)];
    const bridges = `${settings}bridges:\n  br1:\n    ports:\n${tunPort('tun1', a)}${tapPort('tap2', b)}`;
    const sw = await startWith(world, host, 'tun', bridges);
    expect(await linkOf(sw, 'tun1')).toMatchObject({ type: 'tun', operstate: 'UP', mtu: 1500, address: a.mac });
    expect(await sw.fdb('dev tun1')).toMatchObject([{ mac: a.mac, state: 'permanent' }]);
    await expectAll(a, b, 20 * MB, `tun, ${_name}`);
    await expectCounts(sw, 'tun1', a);
    await expectBalance(sw);
  },
);

test('behind a tunnel: the MTU is right by itself, and whole packets arrive', async () => {
  const hosts = await twoHosts(world);
  const [a, b] = [await guest(1), await guest(2)];
  const [one, other] = await Promise.all([
    world.startSwitch(
      hosts[0].netns,
      'one',
      `  br1:\n    ports:\n${tunPort('tun1', a)}${singlePort(hosts[0].address, [hosts[1].address], VNI)}`,
    ),
    world.startSwitch(
      hosts[1].netns,
      'other',
      `  br1:\n    ports:\n${tapPort('tap2', b)}${singlePort(hosts[1].address, [hosts[0].address], VNI)}`,
    ),
  ]);
  expect(await linkOf(one, 'tun1')).toMatchObject({ mtu: 1450 });
  const links = await world.ipJson<{ mtu: number }[]>(a.netns, `link show dev ${a.ifname}`);
  expect(links).toMatchObject([{ mtu: 1450 }]);
  const whole = await ping(world, a.netns, b.address, { size: 1450 - 28, whole: true });
  expect(whole, whole.output).toMatchObject({ sent: 3, received: 3 });
  await expectAll(a, b, 20 * MB, 'tun over vxlan');
  await expectCounts(one, 'tun1', a, true);
  await expectBalance(one, other);
});

test('VLANs, routers and link-local neighbours', async () => {
  const host = await world.netns('host');
  const [a, b, router] = [await guest(1), await guest(2), await guest(3)];
  const vlan = (vid: number): string => `, vlans: [{ vid: ${vid}, pvid: true, untagged: true }]`;
  const tap = (port: string, of: Both, vid: number): string =>
    tapPort(port, of, `[{ vid: ${vid}, pvid: true, untagged: true }]`);
  const sw = await startWith(
    world,
    host,
    'tun',
    `bridges:\n  br1:\n    vlan_filtering: true\n    ports:
${tunPort('tun1', a, `${vlan(5)}, gateway: ${router.address}, gateway6: "${router.address6}"`)}${tap('tap2', b, 6)}${tap('tap3', router, 5)}`,
  );
  await awake(a, router);
  // b is in another VLAN: only the router's own addresses are within reach.
  await world.ip(router.netns, 'addr add 203.0.113.1/32 dev lo');
  await world.ip(router.netns, 'addr add fd01::1/128 dev lo');
  await world.ip(a.netns, 'route add default dev eth0');
  await world.ip(a.netns, '-6 route add default dev eth0');
  await expectReach(world, a, { address: '203.0.113.1' });
  await expectReach(world, a, { address: 'fd01::1' });
  const [{ addr_info: infos }] = await world.ipJson<{ addr_info: { local: string; scope: string }[] }[]>(
    router.netns,
    'addr show dev eth0',
  );
  const local = infos.find(({ local: address, scope }) => scope === 'link' && address.startsWith('fe80'))?.local;
  await expectReach(world, a, { address: `${local}%eth0` });
  expect((await ping(world, a.netns, b.address, { count: 1 })).received).toBe(0);
  await until('the question is given up', async () => (await sw.stats()).links.tun1.drops.neigh_failed === 1);
  await give(sw, 'link set tun1 type tun default gateway');
  expect((await ping(world, a.netns, '203.0.113.1', { count: 1 })).received).toBe(0);
  expect((await settledStats(sw)).links.tun1.drops).toMatchObject({ no_route: 1 });
  await expectBalance(sw);
});

test('a neighbour that floods with forged ARP takes nothing, and the host without Ethernet cannot forge any', async () => {
  const host = await world.netns('host');
  const [a, b, evil] = [await guest(1), await guest(2), await guest(3)];
  const ports = `${tunPort('tun1', a)}${tapPort('tap2', b)}${tapPort('tap3', evil)}`;
  const sw = await startWith(world, host, 'tun', `bridges:\n  br1:\n    ports:\n${ports}`);
  await expectReach(world, a, b);
  const hex = (address: string): string =>
    address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
  const arp = (mac: string, address: string): string =>
    `ffffffffffff${mac}08060001080006040001${mac}${hex(address)}000000000000${hex(address)}${'00'.repeat(18)}`;
  const forged = Array.from({ length: 400 }, (_, i) => {
    const mac = `02000001${i.toString(16).padStart(4, '0')}`;
    return arp(mac, i % 4 === 0 ? a.address : `198.18.0.${20 + (i % 200)}`);
  });
  await inject(world, evil, ...forged);
  await settledStats(sw);
  await world.ip(b.netns, 'neigh flush all');
  await expectReach(world, b, a);
  await expectReach(world, a, b);
  const neighbours = await world.ipJson<{ dst: string; lladdr: string }[]>(b.netns, 'neigh show dev eth0');
  expect(neighbours).toContainEqual(expect.objectContaining({ dst: a.address, lladdr: a.mac }));
  await expectBalance(sw);
});

describe('the device', () => {
  let host: string;
  let a: Both;
  let b: Both;

  beforeEach(async () => {
    host = await world.netns('host');
    a = await guest(1);
    b = await guest(2);
  });

  test('is added, changed, renamed, lost, made again and deleted while the switch runs', async () => {
    const sw = await startWith(world, host, 'tun', `bridges:\n  br1:\n    ports:\n${tapPort('tap2', b)}`);
    const words = `netns ${a.netns} ifname eth0 addresses ${a.address}/24,${a.address6}/64`;
    await give(sw, `link add tun1 master br1 type tun ${words}`);
    const { address: mac } = (await linkOf(sw, 'tun1')) ?? {};
    expect(mac).toMatch(/^.[26ae]:/);
    await expectReach(world, a, b);
    await give(sw, `link set tun1 type tun addresses 198.18.0.7/24,${a.address6}/64`);
    await expectReach(world, b, { address: '198.18.0.7' });
    await give(sw, 'link set tun1 address 02:00:00:00:00:77');
    await expectReach(world, b, { address: '198.18.0.7' });
    expect(await sw.fdb('dev tun1')).toMatchObject([{ mac: '02:00:00:00:00:77' }]);
    await world.ip(a.netns, 'link set eth0 name other0');
    await until('the new name is seen', async () => (await linkOf(sw, 'tun1'))?.nic === 'other0');
    await expectReach(world, b, { address: '198.18.0.7' });
    await world.ip(a.netns, 'link del other0');
    await until('it is made again', async () => (await world.nics(a.netns)).includes('eth0'));
    await until('it is up', async () => (await linkOf(sw, 'tun1'))?.operstate === 'UP');
    await expectReach(world, { ...a, address: '198.18.0.7' }, b);
    await expectBalance(sw);
    await give(sw, 'link del tun1');
    expect(await world.nics(a.netns)).toEqual([]);
  });

  test('outlives a restart with persist', async () => {
    const config = world.config(
      'tun',
      `  br1:\n    ports:\n${tunPort('tun1', a, ', persist: true')}${tapPort('tap2', b)}`,
    );
    const start = async (): Promise<RunningSwitch> => startGiven(world, host, config, [], 'tun');
    const first = await start();
    await expectReach(world, a, b);
    await first.stop();
    expect(await world.nics(a.netns)).toEqual(['eth0']);
    const second = await start();
    await expectReach(world, b, a);
    await expectReach(world, a, b);
    await give(second, 'link del tun1');
    expect(await world.nics(a.netns)).toEqual([]);
  });

  test.each(cases(['tun:given1:5:v', 'tun:given1:5:-'], 1))('is given as a descriptor (%s)', async (device) => {
    const port = `      tun1: { type: tun, fd: 5, mac: "${a.mac}", addresses: ["${a.address}/24", "${a.address6}/64"] }\n`;
    const config = world.config('given', `  br1:\n    ports:\n${port}${tapPort('tap2', b)}`);
    const sw = await startGiven(world, host, config, giving(world, device));
    expect(await linkOf(sw, 'tun1')).toMatchObject({ nic: 'given1', operstate: 'UP', address: a.mac });
    const here = { ...a, netns: host, ifname: 'given1' };
    await expectReach(world, here, b);
    await expectReach(world, b, here);
    await expectTransfer(world, here, b, 20 * MB, device);
    await expectBalance(sw);
  });

  test('goes over to a new process, as a descriptor too', async () => {
    const given = '      tun3: { type: tun, fd: 5, addresses: [198.18.0.3/24] }\n';
    const config = world.config('given', `  br1:\n    ports:\n${tunPort('tun1', a)}${tapPort('tap2', b)}${given}`);
    const sw = await startGiven(world, host, config, giving(world, 'tun:given1:5:v'));
    await expectReach(world, b, { address: '198.18.0.3' });
    await createClient(sw.control, { deadlineMs: 60_000 }).post('/v1/upgrade', {});
    await expectReach(world, b, a);
    await expectReach(world, b, { address: '198.18.0.3' });
    await expectReach(world, a, b);
    await expectCounts(sw, 'tun1', a);
    await expectBalance(sw);
  });

  test('works where the kernel refuses all that a TUN need not have', async () => {
    const refusals = refusing(compileRefusals(world.path('')), REFUSED, world.path('refused'));
    const config = world.config('tun', `  br1:\n    ports:\n${tunPort('tun1', a)}${tapPort('tap2', b)}`);
    const sw = await startConfined(world, host, 'tun', config, refusals);
    await expectAll(a, b, 2 * MB, 'tun, all refused');
    await expectCounts(sw, 'tun1', a);
    await expectBalance(sw);
  });

  test('a TAP is no TUN', async () => {
    const config = world.config('given', '  br1:\n    ports:\n      tun1: { type: tun, fd: 5 }\n');
    const ended = await world.refusedSwitch(host, config, giving(world, 'tap:given1:5:v'));
    expect(ended.stderr).toMatch(/descriptor 5 is a TAP.*use type: tap/);
  });
});
