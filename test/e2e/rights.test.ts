/**
 * What a switch that is ready may still do: every thread has the documented capabilities and no others, and all that it needs
 * after the start still works. The service's set is in service.test.ts.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { CAPABILITIES, namesOf } from '../../src/port/capabilities.js';
import { FrameServer } from './frame-peers.js';
import { World } from './host-testbed.js';
import { NOBODY } from './service-sandbox.js';
import { command, RunningSwitch, switchCommand } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

const OF_ROOT = ['DAC_READ_SEARCH', 'NET_BIND_SERVICE', 'NET_ADMIN', 'NET_RAW', 'SYS_PTRACE', 'SYS_ADMIN', 'BPF'];
/** This root may lack some, as in a container. */
const own = (): string[] => namesOf(BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(statusOf('self'))?.[1]}`));
const statusOf = (process: string): string => readFileSync(`/proc/${process}/status`, 'utf8');

let world: World;
let hosts: [Host, Host];
let guest: Guest;
let peer: Guest;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guest = await makeGuest(world, 1);
  peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.9');
});
afterEach(() => world.cleanUp());

/** What each thread of a process has, by set; no_new_privs is one of them. */
function rightsOf(pid: number): Record<string, string[]>[] {
  return readdirSync(`/proc/${pid}/task`).map((task) => {
    const status = statusOf(`${pid}/task/${task}`);
    const sets = [...status.matchAll(/^Cap(\w+):\s*(\w+)$/gm)].map(([, name, hex]) => [
      name,
      namesOf(BigInt(`0x${hex}`)),
    ]);
    return { ...Object.fromEntries(sets), noNewPrivs: [/^NoNewPrivs:\s*(\d)$/m.exec(status)?.[1]] };
  });
}

function expectRights(sw: RunningSwitch, names: readonly string[]): void {
  const kept = CAPABILITIES.filter((name) => names.includes(name) && own().includes(name));
  const threads = rightsOf(sw.program.pid);
  expect(threads.length).toBeGreaterThan(5);
  for (const thread of threads) {
    expect(thread).toMatchObject({ Prm: kept, Eff: kept, Bnd: kept, Inh: [], Amb: [], noNewPrivs: ['1'] });
  }
  expect(sw.log().find(({ msg }) => msg === 'rights')).toMatchObject({ level: 30, capabilities: kept });
}

const settings = (): string =>
  plainBridge(tapPort('tap0', guest), singlePort(hosts[0].address, [hosts[1].address], VNI));

async function change(sw: RunningSwitch, words: string): Promise<void> {
  const ended = await command('-s', sw.control, ...words.split(' '));
  expect(ended, words).toMatchObject({ status: 0, stderr: '' });
}

const expectPing = async (from: Guest): Promise<void> =>
  expect(await ping(world, from.netns, peer.address)).toMatchObject({ sent: 3, received: 3 });

test('of root: NICs are made and made anew in namespaces, a namespace is that of a process, a file of another user is read', async () => {
  // The file and the folder are closed to others, and to root by their modes.
  const folder = world.path('of-nobody');
  mkdirSync(folder, { mode: 0o755 });
  const path = join(folder, 'sw.yaml');
  const control = world.control('sw');
  writeFileSync(path, `control: ${control}\nbridges:\n${settings()}`, { mode: 0o600 });
  for (const one of [path, folder]) chownSync(one, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  const sw = new RunningSwitch(world.spawn(hosts[0].netns, switchCommand(path)), control);
  await sw.ready();
  expectRights(sw, OF_ROOT);
  await expectPing(guest);

  await world.ip(guest.netns, 'link del eth0');
  await until('the NIC is there again', async () => (await world.nics(guest.netns)).includes('eth0'));
  await until(
    'its port is up',
    async () => (await sw.links()).find(({ ifname }) => ifname === 'tap0')?.operstate === 'UP',
  );
  await expectPing(guest);

  const second = await makeGuest(world, 2);
  const sleeper = world.spawn(second.netns, ['sleep', '60']);
  await change(
    sw,
    `link add tap1 master br1 type tap ifname eth0 netns /proc/${sleeper.pid}/ns/net addresses ${second.address}/24`,
  );
  await expectPing(second);
  await change(sw, 'link del tap1');

  writeFileSync(path, readFileSync(path, 'utf8').replace(`id: ${VNI}`, `id: ${VNI}, learning: false`));
  sw.program.signal('SIGHUP');
  await until('the file is applied', async () =>
    JSON.stringify(await sw.json('config show')).includes('"learning":false'),
  );
  expectRights(sw, OF_ROOT);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(await world.nics(guest.netns)).toEqual([]);
});

test('of root with its socket in a folder of another user: it is removed at the end', async () => {
  const folder = world.path('of-nobody');
  mkdirSync(folder, { mode: 0o700 });
  chownSync(folder, NOBODY, NOBODY);
  const control = join(folder, 'sw.sock');
  const config = world.config('sw', settings(), control);
  const sw = new RunningSwitch(world.spawn(hosts[0].netns, switchCommand(config)), control);
  await sw.ready();
  expectRights(sw, [...OF_ROOT, 'DAC_OVERRIDE']);
  expect(existsSync(control)).toBe(true);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(existsSync(control)).toBe(false);
});

test('of root with the sockets of virtual machines: it connects again to one of another user, and gives its own to a group', async () => {
  const folder = world.path('of-nobody');
  mkdirSync(folder, { mode: 0o700 });
  chownSync(folder, NOBODY, NOBODY);
  const [there, own] = [join(folder, 'vm1.net'), join(folder, 'vm2.net')];
  const ports = `      vm1: { type: qemu, connect: ${there} }\n      vm2: { type: qemu, listen: ${own}, socket_group: ${NOBODY} }\n`;
  const sw = await world.startSwitch(hosts[0].netns, 'sw', `  br1:\n    ports:\n${ports}`);
  expectRights(sw, [...OF_ROOT, 'CHOWN', 'DAC_OVERRIDE']);
  const qemu = await FrameServer.listen(there);
  try {
    chownSync(there, NOBODY, NOBODY);
    chmodSync(there, 0o755);
    await until('it is connected', async () =>
      (await sw.links()).some(({ ifname, operstate }) => ifname === 'vm1' && operstate === 'UP'),
    );
  } finally {
    qemu.close();
  }
  await change(sw, `link add vm3 master br1 type qemu listen ${join(folder, 'vm3.net')} socket_group ${NOBODY}`);
  for (const path of [own, join(folder, 'vm3.net')]) expect(statSync(path).gid).toBe(NOBODY);
  expect((await sw.stop()).ended.status).toBe(0);
  expect(existsSync(own)).toBe(false);
});

test('of an ordinary user with two ambient capabilities: these, and nothing is gained', async () => {
  const folder = world.path('of-nobody');
  mkdirSync(folder, { mode: 0o755 });
  chownSync(folder, NOBODY, NOBODY);
  chmodSync(world.path(''), 0o755);
  const nodes = world.path('tun');
  await world.exec(hosts[0].netns, ['mknod', '-m', '666', nodes, 'c', '10', '200']);
  const control = join(folder, 'sw.sock');
  const nic = { ...guest, netns: hosts[0].netns };
  const config = world.config('sw', plainBridge(`      tap0: { type: tap, mac: "${nic.mac}" }\n`), control);
  const caps = '+net_admin,+net_raw';
  const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const rights = [`--inh-caps=-all,${caps}`, `--ambient-caps=-all,${caps}`];
  const mounted = [
    'unshare',
    '-m',
    '--propagation',
    'slave',
    'sh',
    '-c',
    'mount --bind "$0" /dev/net/tun && exec "$@"',
    nodes,
  ];
  const sw = new RunningSwitch(
    world.spawn(hosts[0].netns, [...mounted, ...user, ...rights, ...switchCommand(config)]),
    control,
  );
  await sw.ready();
  const kept = ['NET_ADMIN', 'NET_RAW'];
  for (const { Prm, Eff, Amb, Inh, noNewPrivs } of rightsOf(sw.program.pid)) {
    expect([Prm, Eff, Amb, Inh, noNewPrivs]).toEqual([kept, kept, kept, kept, ['1']]);
  }
  await change(sw, 'link add tap1 master br1 type tap');
  expect(await world.nics(nic.netns)).toEqual(expect.arrayContaining(['tap0', 'tap1']));
  expect((await sw.stop()).ended.status).toBe(0);
});

test('of a control socket with a group: the next process may give it that group, or tells why it has none', async () => {
  const GROUP = 12_345;
  const folder = world.path('control');
  mkdirSync(folder);
  const control = join(folder, 'sw.sock');
  const path = world.file('sw.yaml', `control: ${control}\ncontrol_group: ${GROUP}\nbridges:\n${settings()}`);
  const sw = new RunningSwitch(world.spawn(hosts[0].netns, switchCommand(path)), control);
  await sw.ready();
  expectRights(sw, [...OF_ROOT, 'CHOWN']);

  chmodSync(folder, 0o555);
  const refused = await command('-s', control, 'upgrade');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/EACCES.*the switch goes on/s);
  await expectPing(guest);

  chmodSync(folder, 0o755);
  await change(sw, 'upgrade --json');
  expect(statSync(control)).toMatchObject({ gid: GROUP });
  expect(statSync(control).mode & 0o777).toBe(0o660);
  await expectPing(guest);
});
