/**
 * overtap in a virtual machine, in the long form only: its ports are NICs with drivers, offloads and queues of their own, as in a real
 * host. One is VMware's vmxnet3, which segments and takes tags off; the other is a bond of two virtio NICs. Where QEMU is missing
 * the test fails, and says which package has it.
 *
 *     station 1 --- TAP === vmxnet3, eth2 --- overtap --- bond0 --- virtio, eth0 === TAP ---+ station 2
 *                                                               +-- virtio, eth1 === TAP ---+ (a bridge)
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { GuestConsole } from '../../src/lab/vm/console.js';
import { guestImage } from '../../src/lab/vm/guest-image.js';
import { consolePath, guestReady, qemuCommand } from '../../src/lab/vm/virtual-machine.js';
import { World } from './host-testbed.js';
import { expectReach } from './live-support.js';
import { sniff } from './sniffer.js';
import { access, type Guest } from './topologies.js';
import { inject } from './traffic.js';
import { expectTransfer, MB } from './two-hosts.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OVERTAP = join(ROOT, 'bin/overtap');
const CONFIG = 'machine-nics.yaml';
const BYTES = 20 * MB;
/** Node starts slowly on an emulated processor. */
const START_LIMIT_MS = 180_000;
const COMMAND_LIMIT_MS = 120_000;

let world: World;
let console_: GuestConsole;
let one: Guest;
let other: Guest;

/** The switch as the machine runs it: the program, its bundle and its addon. */
function programs(config: string): string[] {
  const bundle = join(ROOT, 'dist/bundle');
  const files = readdirSync(bundle).filter((name) => name.endsWith('.js'));
  const own = [OVERTAP, join(ROOT, 'package.json'), join(ROOT, 'build/Release/overtap.node')];
  return [
    process.execPath,
    '/usr/sbin/ip',
    '/usr/sbin/ethtool',
    ...own,
    ...files.map((name) => join(bundle, name)),
    config,
  ];
}

const run = (command: string): Promise<string> => console_.must(command, COMMAND_LIMIT_MS);
const overtap = (words: string): Promise<string> => run(`${process.execPath} ${OVERTAP} -s /tmp/sw.sock ${words}`);
const ip = (words: string): Promise<string> => run(`/usr/sbin/ip ${words}`);

async function statistics(port: string): Promise<{ rx_packets: number; tx_packets: number; drops: object }> {
  const { links } = JSON.parse(await overtap('-json stats')) as { links: Record<string, never> };
  return links[port];
}

/** A station: a namespace that has the far ends of these NICs, the first of which, or a bridge of them, has its address. */
async function station(number: number, host: string, taps: readonly string[]): Promise<Guest> {
  const netns = await world.netns(`station${number}`);
  const ifname = taps.length === 1 ? taps[0] : 'bridge2';
  for (const tap of taps) await world.ip(host, `link set ${tap} netns ${netns} up`);
  if (taps.length > 1) {
    await world.ip(netns, 'link add bridge2 type bridge');
    for (const tap of taps) await world.ip(netns, `link set ${tap} master bridge2`);
  }
  const mac = `02:00:00:00:00:0${number}`;
  await world.ip(netns, `link set ${ifname} address ${mac} up`);
  const guest = { netns, ifname, address: `198.18.0.${number}`, mac };
  await world.address(guest, `${guest.address}/24`);
  return guest;
}

beforeAll(async () => {
  world = new World();
  const host = await world.netns('host');
  const ports = ['eth2', 'bond0'].map((name) => `      ${name}: { type: netdev, vlans: ${access(3)} }\n`);
  const config = world.file(
    CONFIG,
    `name: machine\ncontrol: /tmp/sw.sock\nbridges:\n  br1:\n    vlan_filtering: true\n    ports:\n${ports.join('')}`,
  );
  const modules = ['vmxnet3', 'bonding', 'tun', 'veth'];
  const image = await guestImage({ modules, programs: programs(config) });
  const folder = world.path('machine');
  mkdirSync(folder);
  const nics = ['virtio-net-pci', 'virtio-net-pci', 'vmxnet3'].map((model, i) => ({
    netdev: `tap,ifname=vnet${i},script=no,downscript=no,vhost=off`,
    mac: `52:54:00:00:00:1${i}`,
    model,
  }));
  const qemu = world.spawn(host, qemuCommand({ image, folder, nics, memory: 1024 }));
  const ready = await guestReady(folder, () => qemu.running, START_LIMIT_MS);
  console_ = await GuestConsole.connect(consolePath(folder));
  console.log(`a virtual machine with Linux ${await run('uname -r')}: ${ready}`);
  one = await station(1, host, ['vnet2']);
  other = await station(2, host, ['vnet0', 'vnet1']);
  // The module has made it.
  await ip('link set bond0 type bond mode active-backup miimon 100');
  for (const nic of ['eth0', 'eth1'])
    await run(`/usr/sbin/ip link set ${nic} down && /usr/sbin/ip link set ${nic} master bond0`);
  await ip('link set bond0 up');
  await ip('link set eth2 up');
  await run(`mkdir -p /run; (${process.execPath} ${OVERTAP} run -c ${config} > /tmp/log 2>&1 &)`);
  await until(
    'the switch is ready',
    async () => (await console_.run('grep -q ready /tmp/log')).status === 0,
    START_LIMIT_MS,
  );
}, 600_000);

afterAll(async () => {
  console_?.close();
  await world?.cleanUp();
});

test('a NIC with a driver and a bond are ports: TCP both ways, and superframes', async () => {
  expect(await run('/usr/sbin/ethtool -i eth2')).toContain('driver: vmxnet3');
  expect(JSON.parse(await overtap('-json link show'))).toMatchObject([
    { ifname: 'br1' },
    { ifname: 'eth2', type: 'netdev', operstate: 'UP' },
    { ifname: 'bond0', type: 'netdev', operstate: 'UP' },
  ]);
  await expectReach(world, one, other);
  await expectTransfer(world, one, other, BYTES, 'vmxnet3 to a bond');
  await expectTransfer(world, other, one, BYTES, 'a bond to vmxnet3');
  // Fewer frames than segments: the drivers took superframes in, and the switch passed them on.
  const { rx_packets: packets, drops } = await statistics('eth2');
  expect(packets).toBeLessThan(BYTES / 1448);
  expect(drops).toEqual({});
});

test('superframes that the NIC has put together (LRO): turned off when it is attached, and taken in where they come', async () => {
  const lro = async (): Promise<string> => run('/usr/sbin/ethtool -k eth2 | grep large-receive');
  expect(await lro()).toBe('large-receive-offload: off');
  await run('/usr/sbin/ethtool -K eth2 lro on');
  expect(await lro()).toBe('large-receive-offload: on');
  await expectTransfer(world, one, other, BYTES, 'vmxnet3 with LRO to a bond');
  expect((await statistics('eth2')).drops).toEqual({});
});

test('tags that the NIC takes off are back, and put on by it', async () => {
  const frame = (to: Guest, from: Guest, tag: string): string =>
    `${to.mac}${from.mac}${tag}88b5${'00'.repeat(50)}`.replaceAll(':', '');
  const at = await sniff(world, other, 'ether proto 0x88b5');
  // Priority 5, no VLAN: VLAN 3 by the PVID, untagged on the way out. VLAN 4 is not the port's.
  await inject(world, one, frame(other, one, '8100a000'), frame(other, one, '81000004'));
  await at.rests(1);
  await at.stop();
  expect(at.packets.map(({ hex }) => hex)).toEqual([frame(other, one, '')]);
  expect((await statistics('eth2')).drops).toMatchObject({ vlan_not_allowed: 1 });
  await overtap('vlan add dev bond0 vid 4');
  await overtap('vlan add dev eth2 vid 4');
  const tagged = await sniff(world, other, 'vlan 4');
  await inject(world, one, frame(other, one, '81000004'));
  await tagged.rests(1);
  await tagged.stop();
  expect(tagged.packets.map(({ hex }) => hex)).toEqual([frame(other, one, '81000004')]);
});

test('a bond that changes its active NIC, and a NIC that goes down and comes up, remain ports', async () => {
  const active = async (): Promise<string> => run('cat /sys/class/net/bond0/bonding/active_slave');
  const first = await active();
  await ip(`link set ${first} down`);
  await until('the bond has changed', async () => (await active()) !== first);
  // The far bridge learns the way from what comes by the other NIC, so station 1 begins.
  await expectReach(world, one, other);
  await expectTransfer(world, one, other, BYTES / 4, 'by the other NIC of the bond');
  await ip('link set eth2 down');
  await until('the port is DOWN', async () => (await overtap('-json link show')).includes('"DOWN"'));
  await ip('link set eth2 up');
  await until('the port is UP', async () => !(await overtap('-json link show')).includes('"DOWN"'));
  await expectReach(world, one, other);
});
