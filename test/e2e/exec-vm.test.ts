/**
 * Listings under `overtap exec` beside those of the kernel of Debian in a virtual machine, which filters VLANs: the same commands, and
 * what they list compared key by key. In the long form only. Where QEMU is missing the test fails, and says which package has it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { World } from './host-testbed.js';
import { KernelVm } from './kernel-vm.js';
import { startWith } from './live-support.js';
import { OVERTAP, type RunningSwitch } from './switch.js';
import type { Host } from './topologies.js';

/** Names of links that no other part of the machine has. */
const SETUP = [
  'ip link add br7 up type bridge vlan_filtering 1 mcast_snooping 1 mcast_igmp_version 3',
  'ip link add vx7 up type vxlan external local 127.0.0.1 dstport 4790',
  'ip link set vx7 master br7',
  'bridge link set dev vx7 vlan_tunnel on',
  'ip link add v7 up type veth peer name w7',
  'ip link set v7 master br7',
  'ip link set w7 up',
  'bridge vlan add dev vx7 vid 10',
  'bridge vlan add dev vx7 vid 10 tunnel_info id 110',
  'bridge vlan add dev vx7 vid 20-25',
  'bridge vlan add dev vx7 vid 20-25 tunnel_info id 120-125',
  'bridge vlan add dev v7 vid 10 pvid untagged',
  'bridge vlan add dev v7 vid 20-22',
  'bridge vlan del dev v7 vid 1',
  'bridge vlan add dev br7 vid 20 self',
  'bridge fdb append 00:00:00:00:00:00 dev vx7 dst 127.0.0.9 src_vni 110',
  'bridge fdb add 02:00:00:00:00:01 dev vx7 dst 127.0.0.8 src_vni 120',
  'bridge fdb add 02:00:00:00:00:02 dev v7 master static vlan 10',
  'bridge mdb add dev br7 port v7 grp 239.1.1.1 permanent vid 10',
  'bridge mdb add dev br7 port v7 grp 239.1.1.2 src 192.0.2.1 permanent vid 20',
];

let world: World;
let machine: KernelVm;
let netns: string;
let sw: RunningSwitch;

beforeAll(async () => {
  world = new World();
  const host: Host = { netns: await world.netns('host'), ifname: 'vnet0', address: '192.0.2.1' };
  machine = await KernelVm.boot(world, host, world.path('eth1.net'), 'vnet2');
  await machine.do(...SETUP);
  netns = await world.netns('ours');
  sw = await startWith(world, netns, 'one', 'bridges: {}');
  await ours(SETUP.join(' && '));
}, 600_000);

afterAll(() => world?.cleanUp());

async function ours(line: string): Promise<string> {
  const ended = await run(
    inNamespace(netns, [process.execPath, OVERTAP, 'exec', '-s', sw.control, '--', 'sh', '-c', line]),
  );
  expect(ended.status, `${line}: ${ended.stderr}`).toBe(0);
  return ended.stdout;
}

async function both<T>(line: string): Promise<[T, T]> {
  const [mine, theirs] = [await ours(line), await machine.do(line)];
  return [JSON.parse(mine) as T, JSON.parse(theirs) as T];
}

/** Paths of all keys of a value. */
function keysOf(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => keysOf(one, `${at}[]`));
  if (typeof value !== 'object' || value === null) return [at];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${at}.${key}`));
}

const uniqueKeys = (value: unknown): string[] => [...new Set(keysOf(value))].sort();

type Named = { ifname: string };
/** Of the links of this test, by name. */
const named = <T extends Named>(all: readonly T[]): T[] =>
  all.filter(({ ifname }) => ['br7', 'vx7', 'v7'].includes(ifname)).sort((a, b) => (a.ifname < b.ifname ? -1 : 1));

test.each(['br7', 'vx7', 'v7'])('ip -j -d link show %s has the keys of the kernel', async (name) => {
  const [mine, theirs] = await both(`ip -j -d link show ${name}`);
  expect(uniqueKeys(mine)).toEqual(uniqueKeys(theirs));
});

test.each(['vlan show', 'vlan tunnelshow'])('bridge -j %s is that of the kernel', async (words) => {
  const [mine, theirs] = await both<Named[]>(`bridge -j ${words}`);
  expect(named(mine)).toEqual(named(theirs));
});

test('bridge -j -d vlan show has the keys of the kernel', async () => {
  const [mine, theirs] = await both<Named[]>('bridge -j -d vlan show');
  expect(uniqueKeys(named(mine))).toEqual(uniqueKeys(named(theirs)));
});

test('bridge -j mdb is that of the kernel', async () => {
  const groups = (all: { mdb: { grp: string; index: number }[] }[]) =>
    all.flatMap(({ mdb }) => mdb.filter(({ grp }) => grp.startsWith('239.')).map(({ index: _, ...rest }) => rest));
  type Answer = { mdb: { grp: string; index: number }[] }[];
  const [mine, theirs] = await both<Answer>('bridge -j mdb show');
  expect(groups(mine)).toEqual(expect.arrayContaining(groups(theirs)));
  expect(groups(mine)).toHaveLength(groups(theirs).length);
  const [deep, deepTheirs] = await both<Answer>('bridge -j -d mdb show');
  expect(uniqueKeys(groups(deep))).toEqual(uniqueKeys(groups(deepTheirs)));
});

test('bridge -j fdb has the added entries of the kernel', async () => {
  const added = (all: { mac: string }[]) =>
    all
      .filter(({ mac }) => /^0[02]:00:00:00:00/.test(mac))
      .map((row) => JSON.stringify(row))
      .sort();
  const [mine, theirs] = await both<{ mac: string }[]>('bridge -j fdb show');
  expect(added(mine)).toEqual(added(theirs));
});
