/**
 * overtap in a virtual machine, in the long form only, with its underlay in a VRF: this host's kernel may have none. Where QEMU is
 * missing the test fails, and says which package has it.
 *
 *     guest 1 --- overtap --- eth0, in vrf-u or vrf-w === TAP --- overtap --- guest 2
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
import { type Guest, plainBridge, singlePort, tapPort } from './topologies.js';
import { ping } from './traffic.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OVERTAP = join(ROOT, 'bin/overtap');
const [HERE, MACHINE] = ['192.0.2.1', '192.0.2.2'];
/** Node starts slowly on an emulated processor. */
const LIMIT_MS = 180_000;

let world: World;
let console_: GuestConsole;
let guest: Guest;

/** The switch as the machine runs it: the program, its bundle and its addon. */
function programs(config: string): string[] {
  const bundle = join(ROOT, 'dist/bundle');
  const files = readdirSync(bundle).filter((name) => name.endsWith('.js'));
  const own = [OVERTAP, join(ROOT, 'package.json'), join(ROOT, 'build/Release/overtap.node')];
  return [process.execPath, '/usr/sbin/ip', ...own, ...files.map((name) => join(bundle, name)), config];
}

const run = (command: string): Promise<string> => console_.must(command, LIMIT_MS);
const overtap = (words: string): Promise<string> => run(`${process.execPath} ${OVERTAP} -s /tmp/sw.sock ${words}`);
const ip = (words: string): Promise<string> => run(`/usr/sbin/ip ${words}`);

/** Puts the underlay into a VRF with a table of its own; it has no other way to the peer. */
async function enslave(vrf: string): Promise<void> {
  await ip(`link set eth0 master ${vrf}`);
  expect((await console_.run(`/usr/sbin/ip route get ${HERE}`, LIMIT_MS)).status).not.toBe(0);
}

async function expectBothWays(what: string): Promise<void> {
  const there = '/usr/sbin/ip netns exec g1 ping -c 1 -W 1 198.18.0.2';
  await until(what, async () => (await console_.run(there, LIMIT_MS)).status === 0, 60_000);
  expect(await ping(world, guest.netns, '198.18.0.1', { count: 10 })).toMatchObject({ received: 10 });
}

beforeAll(async () => {
  world = new World();
  const host = await world.netns('host');
  const config = world.file(
    'machine.yaml',
    `name: machine
control: /tmp/sw.sock
bridges:
  br1:
    ports:
      tap1: { type: tap, netns: g1, ifname: eth0, addresses: [198.18.0.1/24] }
      vx0: { type: vxlan, id: 7, local: ${MACHINE}, dev: eth0, remotes: [${HERE}] }
`,
  );
  const image = await guestImage({ modules: ['tun', 'vrf'], programs: programs(config) });
  const folder = world.path('machine');
  mkdirSync(folder);
  const netdev = 'tap,ifname=vnet0,script=no,downscript=no,vhost=off';
  const nics = [{ netdev, mac: '52:54:00:00:00:10' }];
  const qemu = world.spawn(host, qemuCommand({ image, folder, nics, address: `${MACHINE}/24`, memory: 1024 }));
  const ready = await guestReady(folder, () => qemu.running, LIMIT_MS);
  console_ = await GuestConsole.connect(consolePath(folder));
  console.log(`a virtual machine with Linux ${await run('uname -r')}: ${ready}`);
  await world.ip(host, 'link set vnet0 up');
  await world.ip(host, `address add ${HERE}/24 dev vnet0`);
  guest = { netns: await world.netns('g2'), ifname: 'eth0', address: '198.18.0.2', mac: '02:00:00:00:00:02' };
  await world.startSwitch(host, 'peer', plainBridge(tapPort('tap2', guest), singlePort(HERE, [MACHINE], 7)));
  await run('mkdir -p /run /var/run');
  await ip('netns add g1');
  for (const [vrf, table] of Object.entries({ 'vrf-u': 10, 'vrf-w': 11 }))
    await ip(`link add ${vrf} up type vrf table ${table}`);
  await enslave('vrf-u');
  await run(`(${process.execPath} ${OVERTAP} run -c ${config} > /tmp/log 2>&1 &)`);
  await until('it is ready', async () => (await console_.run('grep -q ready /tmp/log')).status === 0, LIMIT_MS);
}, 600_000);

afterAll(async () => {
  console_?.close();
  await world?.cleanUp();
});

test('a port whose dev is in a VRF receives by that VRF, without udp_l3mdev_accept', async () => {
  expect(await run('cat /proc/sys/net/ipv4/udp_l3mdev_accept')).toBe('0');
  await expectBothWays('the guest behind a port in a VRF answers');
  expect(await overtap('link show vx0')).not.toContain('fault');
});

test('... that moves to another VRF is opened anew there', async () => {
  await enslave('vrf-w');
  await expectBothWays('the guest answers by the other VRF');
});

test('... whose dev is the device of the VRF', async () => {
  await overtap('link set vx0 type vxlan dev vrf-w');
  await expectBothWays('the guest answers by the device of the VRF');
});

test('... that leaves its VRF is opened anew without one', async () => {
  await overtap('link set vx0 type vxlan dev eth0');
  await ip('link set eth0 nomaster');
  await expectBothWays('the guest answers without a VRF');
});
