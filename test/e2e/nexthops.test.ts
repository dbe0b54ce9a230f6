/**
 * Nexthop groups and backup ports of a running switch, beside the kernel: the same commands to both have the same listings, and a kernel
 * vxlan device with two addresses gets the frames.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectNoReach, expectReach, expectRefused, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { type Guest, type Host, plainBridge, tapPort, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest, succeed, VNI } from './two-hosts.js';

const SECOND = '192.0.2.12';
const MACS = [1, 2, 3].map((last) => `02:00:00:00:77:0${last}`);

let world: World;
let hosts: [Host, Host];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
});

afterEach(() => world.cleanUp());

/** Keys of the kernel's rows that overtap has no equal of. */
const withoutTimes = ({ used: _, updated: __, ...row }: Record<string, unknown>): unknown => row;

/** The keys of a row that the kernel has. */
function asKernel({ mac, dst, nhid, port, vni, flags, state }: Record<string, unknown>): unknown {
  const own = {
    mac,
    dst,
    nhid,
    port,
    vni: vni === VNI ? undefined : vni,
    flags: ['self', ...(flags as string[])],
    state,
  };
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}

const sorted = (rows: unknown[]): unknown[] =>
  [...rows].sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));

test('nexthops and their entries are listed as the kernel lists them', async () => {
  const device = `vxlan${VNI}`;
  const host = await world.netns('kernel');
  await world.ip(host, `link add ${device} type vxlan id ${VNI} dstport 4789 nolearning`);
  const guest = await makeGuest(world, 1);
  const sw = await startWith(
    world,
    hosts[0].netns,
    'host1',
    `bridges:\n${plainBridge(tapPort('tap1', guest), `      ${device}: { type: vxlan, id: ${VNI}, local: ${hosts[0].address}, learning: false }\n`)}`,
  );
  const nexthops = [
    'add id 1 via 192.0.2.2 fdb',
    `add id 2 via ${SECOND} fdb protocol bgp`,
    'add id 10 group 1,2/2 fdb',
    'add id 11 group 1 fdb',
    'add id 12 group 2 fdb protocol zebra',
    'replace id 11 group 1,3/2,7 fdb',
    'add id 20 via 2001:db8::2 fdb',
    'del id 12',
  ];
  const entries = [
    `add ${MACS[0]} dev ${device} nhid 10 self`,
    `add ${MACS[1]} dev ${device} dst 192.0.2.2 vni 77 port 1234 static self`,
    `add ${MACS[2]} dev ${device} dst 192.0.2.2 extern_learn self`,
    `replace ${MACS[2]} dev ${device} dst ${SECOND} router self`,
  ];
  for (const words of nexthops) {
    await succeed(world, host, ['ip', 'nexthop', ...words.split(' ')]);
    await give(sw, `nexthop ${words}`);
  }
  for (const words of entries) {
    await succeed(world, host, ['bridge', 'fdb', ...words.split(' ')]);
    await give(sw, `fdb ${words}`);
  }
  const kernel = async (command: string): Promise<Record<string, unknown>[]> =>
    JSON.parse(await succeed(world, host, command.split(' '))) as Record<string, unknown>[];
  const own = async (words: string): Promise<Record<string, unknown>[]> =>
    (await sw.json(words)) as Record<string, unknown>[];
  expect(await own('nexthop show')).toEqual(await kernel('ip -j nexthop show'));
  expect(sorted((await own(`fdb show dev ${device}`)).map(asKernel))).toEqual(
    sorted((await kernel(`bridge -j -d -s fdb show dev ${device}`)).map(withoutTimes)),
  );
  // A nexthop that is deleted takes its groups and entries along, with both.
  for (const id of [1, 2]) {
    await succeed(world, host, ['ip', 'nexthop', 'del', 'id', `${id}`]);
    await give(sw, `nexthop del id ${id}`);
    expect(await own('nexthop show')).toEqual(await kernel('ip -j nexthop show'));
    expect(await own(`fdb show dev ${device}`)).toHaveLength((await kernel(`bridge -j fdb show dev ${device}`)).length);
  }
  await expectRefused(sw, 'nexthop del id 1', /no nexthop 1/);
});

test.each(cases([['a group'], ['a backup']] as const, 2))('%s leads to a kernel vxlan device', async (what) => {
  const [guest, twin] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  await world.address(hosts[1], `${SECOND}/24`);
  const peer: Guest = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
  const tunnel = `      vxlan0: { type: vxlan, id: ${VNI}, local: ${hosts[0].address}, learning: false, peers: [${hosts[1].address}] }\n`;
  const bridges = `bridges:\n${plainBridge(tapPort('tap1', guest), tapPort('tap2', twin), tunnel)}`;
  const sw = await startWith(world, hosts[0].netns, 'host1', bridges);
  await give(
    sw,
    `nexthop add id 1 via ${hosts[1].address} fdb`,
    `nexthop add id 2 via ${SECOND} fdb`,
    'nexthop add id 10 group 1/2 fdb',
  );
  await world.ip(guest.netns, `neigh replace ${peer.address} lladdr ${peer.mac} dev ${guest.ifname}`);
  await world.ip(peer.netns, `neigh replace ${guest.address} lladdr ${guest.mac} dev ${peer.ifname}`);
  await expectNoReach(world, guest, peer);
  if (what === 'a group') await give(sw, `fdb replace ${peer.mac} dev vxlan0 nhid 10`);
  else {
    await give(sw, `fdb replace ${peer.mac} dev tap2 master static`);
    await expectNoReach(world, guest, peer);
    await give(sw, 'link set tap2 type bridge_slave backup_port vxlan0 backup_nhid 10', 'link set tap2 down');
  }
  await expectReach(world, guest, peer);
  // Each of the two addresses alone.
  for (const [gone, left] of [
    [1, SECOND],
    [2, hosts[1].address],
  ] as const) {
    await give(sw, `nexthop replace id 10 group ${3 - gone} fdb`);
    const sniffer = await sniff(world, hosts[1], `udp and dst host ${left} and dst port 4789`);
    await expectReach(world, guest, peer);
    await sniffer.rests(1);
    await sniffer.stop();
  }
  await give(sw, 'nexthop flush');
  await expectNoReach(world, guest, peer);
});
