/**
 * Real virtual machines of QEMU at the ports of a switch, in the long form only. Where QEMU is missing the tests fail, and say which
 * package has it.
 */
import { mkdirSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { GuestConsole } from '../../src/lab/vm/console.js';
import { type GuestImage, guestImage } from '../../src/lab/vm/guest-image.js';
import { guestListens, guestPing, guestReceived, guestTransfer } from '../../src/lab/vm/guest-traffic.js';
import { consolePath, guestReady, qemuCommand, streamNetdev } from '../../src/lab/vm/virtual-machine.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { linkOf, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { expectBalance, MB, makeGuest, succeed } from './two-hosts.js';

const MEGABYTES = 10;

let image: GuestImage;
let world: World;
let host: string;

beforeAll(async () => {
  image = await guestImage();
}, 300_000);

beforeEach(async () => {
  world = new World();
  host = await world.netns('host');
  await succeed(world, host, ['sysctl', '-qw', 'net.unix.max_dgram_qlen=512']);
});

afterEach(() => world.cleanUp());

let started = 0;

interface Machine {
  qemu: Program;
  console: GuestConsole;
  address: string;
}

interface Place {
  netns: string;
  /** Of its NIC. */
  mtu?: number;
  memory?: number;
}

/** Starts a machine. @param number the last byte of its addresses @param netdev of its NIC, as of qemuCommand */
async function start(
  number: number,
  netdev: string,
  { netns, mtu, memory }: Place = { netns: host },
): Promise<Machine> {
  const folder = world.path(`vm${number}-${++started}`);
  mkdirSync(folder);
  const address = `198.18.0.${number}`;
  const mac = `52:54:00:00:00:0${number}`;
  const nics = [{ netdev, mac, ...(mtu === undefined ? {} : { mtu }) }];
  const command = qemuCommand({ image, folder, nics, address: `${address}/24`, ...(memory ? { memory } : {}) });
  const qemu = world.spawn(netns, command);
  console.log(await guestReady(folder, () => qemu.running));
  return { qemu, console: await GuestConsole.connect(consolePath(folder)), address };
}

const up = (sw: RunningSwitch, port: string) =>
  until(`${port} is up`, async () => (await linkOf(sw, port))?.operstate === 'UP');

async function expectPing(from: Machine, to: { address: string }): Promise<void> {
  // The first one may be lost while a port comes up.
  await until(
    `${to.address} answers ${from.address}`,
    async () => (await guestPing(from.console, to.address, 1)) === 1,
    60_000,
  );
  expect(await guestPing(from.console, to.address)).toBe(3);
}

async function expectBytes(from: Machine, to: Machine, megabytes = MEGABYTES): Promise<void> {
  const began = performance.now();
  const { bytes, sent, received } = await guestTransfer(from.console, to.console, to.address, megabytes);
  console.log(
    `${from.address} to ${to.address}: ${bytes} bytes in ${Math.round(performance.now() - began)} ms, hashes made`,
  );
  expect(received).toBe(sent);
  expect(bytes).toBe(megabytes * 1024 * 1024);
}

test('two machines whose QEMU listens: ping and TCP; the switch or a machine may be killed and come back', async () => {
  const socket = (number: number): string => world.path(`vm${number}.net`);
  const machines = await Promise.all([1, 2].map((number) => start(number, streamNetdev(socket(number)))));
  const [one, other] = machines;
  const lines = `bridges:\n  br1:\n    ports:\n${[1, 2].map((n) => `      vm${n}: { type: qemu, connect: ${socket(n)} }\n`).join('')}`;
  const sw = await startWith(world, host, 'vms', lines);
  await up(sw, 'vm1');
  await up(sw, 'vm2');
  await expectPing(one, other);
  await expectBytes(one, other);
  await expectBytes(other, one);
  const { links } = await settledStats(sw);
  expect(links.vm1.rx_packets).toBeGreaterThan((MEGABYTES * MB) / 1500);
  await expectBalance(sw);

  await sw.stop('SIGKILL');
  const again = await startWith(world, host, 'vms', lines);
  await expectPing(one, other);

  await other.qemu.stop('SIGKILL');
  await until('the port is down', async () => (await linkOf(again, 'vm2'))?.operstate === 'DOWN');
  const restarted = await start(2, streamNetdev(socket(2)));
  await up(again, 'vm2');
  await expectPing(one, restarted);
  await expectBytes(restarted, one);
  await expectBalance(again);
});

test('machines whose QEMU connects, or sends datagrams over UDP or unix sockets, and a TAP', async () => {
  const path = (name: string): string => world.path(name);
  const guest = await makeGuest(world, 9);
  const sw = await startWith(
    world,
    host,
    'vms',
    `bridges:
  br1:
    ports:
${tapPort('tap1', guest)}      dialling: { type: qemu, listen: ${path('listen.net')} }
      inet: { type: udp, local: "127.0.0.1:10001", remote: "127.0.0.1:10000" }
      unix: { type: udp, local: ${path('switch.net')}, remote: ${path('vm.net')} }
`,
  );
  const inet =
    'dgram,local.type=inet,local.host=127.0.0.1,local.port=10000,remote.type=inet,remote.host=127.0.0.1,remote.port=10001';
  const unix = `dgram,local.type=unix,local.path=${path('vm.net')},remote.type=unix,remote.path=${path('switch.net')}`;
  const machines = await Promise.all([
    start(1, `stream,server=off,addr.type=unix,addr.path=${path('listen.net')}`),
    start(2, inet),
    start(3, unix),
  ]);
  await up(sw, 'dialling');
  for (const [i, machine] of machines.entries()) {
    const next = machines[(i + 1) % machines.length];
    await expectPing(machine, next);
    await expectBytes(machine, next);
    const answers = await ping(world, guest.netns, machine.address, { count: 10 });
    const { drops } = await sw.stats();
    expect(answers, `${answers.output}${JSON.stringify(drops)}`).toMatchObject({ sent: 10, received: 10 });
  }
  await expectBalance(sw);
});

/** How two machines on two hosts are joined. */
interface Way {
  name: string;
  /** The backend of the machine's NIC on a host, 0 or 1, made ready. */
  netdev(index: number): Promise<string> | string;
}

const LARGE = 100;
const MEMORY = 512;
const MTU = 1450;

/** Megabits a second that zeros take from machine to machine, by the sender's clock. */
async function rateOf(from: Machine, to: Machine): Promise<number> {
  await guestListens(to.console, 5001);
  const clock = "$(cut -d' ' -f1 /proc/uptime)";
  const send = `dd if=/dev/zero bs=1M count=${LARGE} 2> /dev/null | nc ${to.address} 5001`;
  const said = await from.console.must(`a=${clock}; ${send}; echo $a ${clock}`, 120_000);
  const [before, after] = said.trim().split(/\s+/).map(Number);
  await guestReceived(to.console);
  return Math.round((LARGE * 8.388608) / (after - before));
}

/** Median of the round trips of 20 pings in milliseconds, as the guest's ping tells them. */
async function roundTripOf(from: Machine, to: Machine): Promise<number> {
  const said = await from.console.must(`ping -c 20 -i 0.2 ${to.address}`, 60_000);
  const times = [...said.matchAll(/time=([\d.]+)/g)].map(([, ms]) => Number(ms)).sort((a, b) => a - b);
  return times[times.length >> 1];
}

test('two machines on two hosts: 100 MB each way over VXLAN, beside the kernel and QEMU itself', async () => {
  const hosts = await twoHosts(world);
  const socket = (index: number): string => world.path(`far${index}.net`);
  const switches: RunningSwitch[] = [];
  const overtap: Way = {
    name: 'overtap, VXLAN between two switches',
    async netdev(index) {
      const { netns, address } = hosts[index];
      const ports = `      vm: { type: qemu, connect: ${socket(index)} }\n      vx: { type: vxlan, id: 42, local: ${address}, remotes: [${hosts[1 - index].address}] }\n`;
      switches.push(await startWith(world, netns, `far${index}`, `bridges:\n  br1:\n    ports:\n${ports}`));
      return streamNetdev(socket(index));
    },
  };
  const kernel: Way = {
    name: "the kernel's bridge, vxlan and TAPs with offloads",
    async netdev(index) {
      const { netns, address } = hosts[index];
      const remote = hosts[1 - index].address;
      await world.ip(netns, 'link add kbr type bridge');
      await world.ip(netns, `link add kvx type vxlan id 43 local ${address} remote ${remote} dstport 4790`);
      await world.ip(netns, 'tuntap add kvm mode tap vnet_hdr');
      for (const name of ['kvx', 'kvm']) await world.ip(netns, `link set ${name} master kbr`);
      for (const name of ['kbr', 'kvx', 'kvm']) await world.ip(netns, `link set ${name} up`);
      return 'tap,ifname=kvm,script=no,downscript=no,vhost=off';
    },
  };
  const direct: Way = {
    name: "QEMU's stream, without a network between",
    netdev: (index) =>
      index === 0
        ? streamNetdev(world.path('direct.net'))
        : `stream,server=off,addr.type=unix,addr.path=${world.path('direct.net')}`,
  };
  for (const way of [overtap, kernel, direct]) {
    const machines: Machine[] = [];
    for (const index of [0, 1]) {
      const place = { netns: hosts[index].netns, mtu: MTU, memory: MEMORY };
      machines.push(await start(index + 1, await way.netdev(index), place));
    }
    const [one, other] = machines;
    await expectPing(one, other);
    await expectBytes(one, other, LARGE);
    await expectBytes(other, one, LARGE);
    const rates = [await rateOf(one, other), await rateOf(other, one)];
    console.log(`${way.name}: ${rates.join(' and ')} Mb/s, round trip ${await roundTripOf(one, other)} ms`);
    for (const { qemu } of machines) await qemu.stop('SIGKILL');
  }
  await expectBalance(...switches);
}, 900_000);
