/**
 * Real virtual machines of QEMU at the ports of a switch, in the long form only. Where QEMU is missing the tests fail, and say which
 * package has it.
 */
import { mkdirSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { GuestConsole } from '../../src/lab/vm/console.js';
import { type GuestImage, guestImage } from '../../src/lab/vm/guest-image.js';
import { guestPing, guestTransfer } from '../../src/lab/vm/guest-traffic.js';
import { consolePath, guestReady, qemuCommand, streamNetdev } from '../../src/lab/vm/virtual-machine.js';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { linkOf, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { tapPort } from './topologies.js';
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

/** Starts a machine. @param number the last byte of its addresses @param netdev of its NIC, as of qemuCommand */
async function start(number: number, netdev: string): Promise<Machine> {
  const folder = world.path(`vm${number}-${++started}`);
  mkdirSync(folder);
  const address = `198.18.0.${number}`;
  const mac = `52:54:00:00:00:0${number}`;
  const command = qemuCommand({ image, folder, nics: [{ netdev, mac }], address: `${address}/24` });
  const qemu = world.spawn(host, command);
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

async function expectBytes(from: Machine, to: Machine): Promise<void> {
  const began = performance.now();
  const { bytes, sent, received } = await guestTransfer(from.console, to.console, to.address, MEGABYTES);
  console.log(
    `${from.address} to ${to.address}: ${bytes} bytes in ${Math.round(performance.now() - began)} ms, hashes made`,
  );
  expect(received).toBe(sent);
  expect(bytes).toBe(MEGABYTES * 1024 * 1024);
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
