/**
 * The switch as the service of packaging/systemd: under its capabilities, system calls, address families and limits, with a
 * service manager that listens. Guests in namespaces take the drop-in namespaces.conf.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { must, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import {
  allowedCalls,
  compileSandbox,
  confined,
  NOBODY,
  type Settings,
  unitSettings,
  words,
} from './service-sandbox.js';
import { overtap, RunningSwitch, switchCommand } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';
import { expectBalance, expectTransfer, makeGuest, MB, startSwitch, tunnelGsoLack, VNI } from './two-hosts.js';

const PACKAGING = new URL('../../packaging/systemd/', import.meta.url).pathname;
const WATCHDOG_MS = 1000;

/** Prints each notice that comes, its lines joined. */
const MANAGER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True: print(s.recv(8192).decode().replace('\\n', '|'), flush=True)
`;

let folder: string;
let world: World;
let hosts: [Host, Host];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-service-'));
  chmodSync(folder, 0o755);
  // As udev makes it, which need not have been here.
  execFileSync('mknod', ['-m', '666', join(folder, 'tun'), 'c', '10', '200']);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
});
afterEach(() => world.cleanUp());

interface Service {
  sw: RunningSwitch;
  config: string;
  /** Notices so far. */
  notices(): string[];
}

/** Starts a switch in the sandbox. `bridges` and `more` are YAML. */
async function startService(settings: Settings, bridges: string, more = ''): Promise<Service> {
  const run = world.path('run');
  mkdirSync(run);
  chownSync(run, NOBODY, NOBODY);
  chmodSync(dirname(run), 0o755);
  const socket = join(dirname(run), 'notify');
  const manager = world.spawn(hosts[0].netns, ['python3', '-c', MANAGER, socket]);
  await manager.line('the manager listens', (line) => line === 'ready');
  chmodSync(socket, 0o666);
  const control = join(run, 'sw.sock');
  const config = world.config('sw', `${bridges}${more}`, control);
  const sandbox = compileSandbox(folder, settings);
  const env = [`NOTIFY_SOCKET=${socket}`, `WATCHDOG_USEC=${WATCHDOG_MS * 1000}`, ...['HOME=/', 'LANG=C']];
  const inside = confined(sandbox, settings, ['/usr/bin/env', ...env, ...switchCommand(config)]);
  const script = 'mount --bind "$0" /dev/net/tun && exec "$@"';
  const program = world.spawn(hosts[0].netns, [
    'unshare',
    '-m',
    '--propagation',
    'slave',
    'sh',
    '-c',
    script,
    join(folder, 'tun'),
    ...inside,
  ]);
  const sw = new RunningSwitch(program, control);
  await sw.ready();
  return { sw, config, notices: () => manager.lines.slice(1) };
}

/** What the kernel says of every thread of a process. */
function threadStatus(pid: number, key: string): Set<string> {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) =>
    readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'),
  );
  return new Set(tasks.map((status) => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? 'none'));
}

function expectConfined({ pid }: Program, settings: Settings): void {
  const capabilities = [...threadStatus(pid, 'CapEff')];
  expect(capabilities).toHaveLength(1);
  const names = execFileSync('capsh', [`--decode=${capabilities[0]}`], { encoding: 'utf8' });
  expect(names.trim().replace(/.*=/, '').split(',').sort()).toEqual(
    words(settings, 'AmbientCapabilities')
      .map((name) => name.toLowerCase())
      .sort(),
  );
  for (const key of ['CapPrm', 'CapBnd', 'CapAmb']) expect([...threadStatus(pid, key)]).toEqual(capabilities);
  expect([...threadStatus(pid, 'Seccomp')]).toEqual(['2']);
  expect([...threadStatus(pid, 'NoNewPrivs')]).toEqual(['1']);
  expect([...threadStatus(pid, 'Uid')][0]).toMatch(new RegExp(`^${NOBODY}\\b`));
}

async function stopService({ sw, notices }: Service, pid: number): Promise<void> {
  const { ended } = await sw.stop();
  expect(ended.status).toBe(0);
  await until('the manager hears of the end', () => notices().includes('STOPPING=1'));
  expect(spawnSync('kill', ['-0', String(pid)]).status).not.toBe(0);
}

/** Guests of both hosts: one on the service, one on an ordinary switch. */
async function startBoth(settings: Settings, guests: [Guest, Guest], nic: string): Promise<Service> {
  const service = await startService(settings, plainBridge(nic, singlePort(hosts[0].address, [hosts[1].address], VNI)));
  await startSwitch(world, hosts[1], [hosts[0].address], [guests[1]]);
  return service;
}

describe('with namespaces.conf', () => {
  const settings = unitSettings(['namespaces.conf']);
  let guests: [Guest, Guest];
  let service: Service;

  beforeEach(async () => {
    guests = [await makeGuest(world, 1), await makeGuest(world, 2)];
    service = await startBoth(settings, guests, tapPort('tap0', guests[0]));
  });

  test('guests in namespaces have traffic, and every thread has these rights only', async () => {
    const { sw } = service;
    expectConfined(sw.program, settings);
    expect(await ping(world, guests[0].netns, guests[1].address)).toMatchObject({ sent: 3, received: 3 });
    await expectTransfer(world, guests[0], guests[1], 50 * MB, 'out of the sandbox');
    await expectTransfer(world, guests[1], guests[0], 50 * MB, 'into the sandbox');
    await expectBalance(sw);
    expect(await sw.stats()).toMatchObject({ control: { faults: {} } });
    await stopService(service, sw.program.pid);
    expect(await world.nics(guests[0].netns)).toEqual([]);
  });

  test('a NIC that goes comes back, one that moves is followed, and links come and go', async () => {
    const { sw } = service;
    const client = (...line: string[]): Promise<unknown> => overtap('-s', sw.control, ...line);
    await world.ip(guests[0].netns, 'link del eth0');
    const isUp = async (): Promise<boolean> =>
      (await sw.links()).some((l) => l.ifname === 'tap0' && l.operstate === 'UP');
    await until('the NIC is there again', async () => (await world.nics(guests[0].netns)).includes('eth0') && isUp());
    expect(await ping(world, guests[0].netns, guests[1].address)).toMatchObject({ received: 3 });

    const other = await world.netns('other');
    await world.ip(guests[0].netns, `link set eth0 netns ${other}`);
    await world.ip(other, `address add ${guests[0].address}/24 dev eth0`);
    await world.ip(other, 'link set eth0 up');
    await until('the switch has followed', async () => {
      const [tap] = (await sw.links()).filter(({ ifname }) => ifname === 'tap0');
      return JSON.stringify(tap).includes(other) && tap?.operstate === 'UP';
    });
    expect(await ping(world, other, guests[1].address)).toMatchObject({ received: 3 });

    expect(await client('link', 'add', 'tap7', 'type', 'tap', 'netns', other, 'master', 'br1')).toMatchObject({
      status: 0,
    });
    expect((await world.nics(other)).sort()).toEqual(['eth0', 'tap7']);
    expect(await client('link', 'del', 'tap7')).toMatchObject({ status: 0 });
    expect(await world.nics(other)).toEqual(['eth0']);
    expect(await sw.stats()).toMatchObject({ control: { faults: {} } });
  });
});

test('with tunnel-gso.conf, what the kernel has of it works', async () => {
  const lack = await tunnelGsoLack();
  const settings = unitSettings(['namespaces.conf', 'tunnel-gso.conf']);
  const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const service = await startBoth(settings, guests, tapPort('tap0', guests[0]));
  const engine = await service.sw.logged('the offloads', ({ msg }) => msg === 'engine');
  expect(engine.tunnel_gso).toBe(lack === null ? 'auto' : false);
  await expectTransfer(world, guests[0], guests[1], 50 * MB, 'out of the sandbox, with tunnel GSO');
  if (lack === null) expect((await service.sw.stats()).tunnel_gso).toBeGreaterThan(100);
});

test('with netdev.conf, an interface is attached, and the host is silenced on it', async () => {
  const settings = unitSettings(['netdev.conf']);
  const guests: [Guest, Guest] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  await world.veth(guests[0], { netns: hosts[0].netns, ifname: 'p1' });
  await world.ip(guests[0].netns, 'link set eth0 mtu 1450');
  await world.address(guests[0], `${guests[0].address}/24`);
  await world.ip(hosts[0].netns, 'address add 198.18.0.33/24 dev p1');
  const service = await startBoth(settings, guests, '      p1: { type: netdev }\n');
  expectConfined(service.sw.program, settings);
  await expectTransfer(world, guests[0], guests[1], 20 * MB, 'out of the sandbox, by an interface');
  expect((await ping(world, guests[0].netns, '198.18.0.33')).received).toBe(0);
  await stopService(service, service.sw.program.pid);
  const answers = async (): Promise<boolean> => (await ping(world, guests[0].netns, '198.18.0.33')).received === 3;
  await until('the host answers again', answers);
});

describe('as the unit is', () => {
  const settings = unitSettings();
  const yaml = (text: string): string => `      tap0: { type: tap, mac: "02:00:00:00:00:01", ${text} }\n`;
  let guests: [Guest, Guest];

  beforeEach(async () => {
    const near = { netns: hosts[0].netns, ifname: 'tap0', address: '198.18.0.1', mac: '02:00:00:00:00:01' };
    guests = [near, await makeGuest(world, 2)];
  });

  test('the host itself has traffic, and a guest in a namespace sets its NIC up itself', async () => {
    const service = await startBoth(settings, guests, yaml('addresses: [198.18.0.1/24]'));
    const { sw } = service;
    expectConfined(sw.program, settings);
    expect(await ping(world, hosts[0].netns, guests[1].address)).toMatchObject({ sent: 3, received: 3 });
    await expectTransfer(world, guests[0], guests[1], 50 * MB, 'out of the sandbox, no namespaces');
    const line = ['link', 'add', 'tap7', 'type', 'tap', 'netns', guests[1].netns];
    expect((await overtap('-s', sw.control, ...line)).stderr).toBe('');
    expect(await world.ip(guests[1].netns, '-o link show tap7')).toContain('state DOWN');
    expect((await overtap('-s', sw.control, 'link', 'del', 'tap7')).stderr).toBe('');
    expect(await world.nics(guests[1].netns)).toEqual(['eth0']);
    await stopService(service, sw.program.pid);
  });

  test('the manager hears of start, reload, watchdog and end', async () => {
    const service = await startBoth(settings, guests, yaml('addresses: [198.18.0.1/24]'));
    const { sw, config, notices } = service;
    expect(notices()[0]).toBe('READY=1|STATUS=Forwarding: 2 ports');
    const fed = (): number => notices().filter((notice) => notice === 'WATCHDOG=1').length;
    const before = fed();
    await new Promise((resolve) => setTimeout(resolve, 3 * WATCHDOG_MS));
    expect(fed() - before).toBeGreaterThanOrEqual(4);
    expect(fed() - before).toBeLessThanOrEqual(8);

    writeFileSync(config, readFileSync(config, 'utf8').replace('type: tap,', 'type: tap, isolated: true,'));
    sw.program.signal('SIGHUP');
    await sw.logged('the file is applied', ({ msg }) => msg === 'changed');
    await until('the reload is over', () => notices().at(-1) === 'READY=1' || notices().at(-2) === 'READY=1');
    const reload = notices().findIndex((notice) => /^RELOADING=1\|MONOTONIC_USEC=\d+$/.test(notice));
    expect(reload).toBeGreaterThan(0);
    expect(notices().slice(reload)).toContain('READY=1');

    const control = join(dirname(sw.control), 'sw.sock');
    expect(readdirSync(dirname(control))).toEqual(['sw.sock']);
    await stopService(service, sw.program.pid);
    expect(readdirSync(dirname(control))).toEqual([]);
  });
});

test('rules and board know the metrics of a switch that runs', async () => {
  const service = await startService(
    unitSettings(),
    plainBridge('      tap0: { type: tap }\n'),
    'metrics: 127.0.0.1:9477\n',
  );
  await service.sw.logged('the metrics', ({ msg }) => msg === 'metrics');
  const script = "fetch('http://127.0.0.1:9477/metrics').then((a) => a.text()).then((text) => console.log(text))";
  const { stdout } = await world.exec(hosts[0].netns, [process.execPath, '-e', script]);
  const known = new Set([...stdout.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
  expect(known.size).toBeGreaterThan(30);
  const files = ['prometheus/overtap.rules.yml', 'grafana/overtap.json'].map((name) => join(PACKAGING, '..', name));
  const used = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\b(?:overtap|process)_[a-z_]+/g)].map(([name]) => name),
  );
  expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
});

describe('the unit', () => {
  const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

  test.runIf(has('systemd-analyze'))('is one that systemd takes, with few rights', async () => {
    const unit = join(folder, 'overtap@.service');
    writeFileSync(
      unit,
      readFileSync(`${PACKAGING}overtap@.service`, 'utf8').replaceAll('/usr/bin/overtap', '/bin/true'),
    );
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect(verified.stderr.split('\n').filter((line) => line.includes('overtap'))).toEqual([]);
    const figure = async (): Promise<number> => {
      const text = await must(['systemd-analyze', 'security', '--offline=true', '--no-pager', unit]);
      return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    };
    const plain = await figure();
    mkdirSync(`${unit}.d`);
    writeFileSync(`${unit}.d/namespaces.conf`, readFileSync(`${PACKAGING}namespaces.conf`));
    console.log(`systemd-analyze security: ${plain}; with namespaces.conf: ${await figure()}`);
    expect(plain).toBeLessThan(2.5);
  });

  test('lets through no call that could undo it', () => {
    const calls = allowedCalls(unitSettings());
    for (const call of ['bpf', 'mount', 'ptrace', 'init_module', 'setuid', 'kexec_load', 'reboot', 'chroot', 'keyctl'])
      expect(calls.has(call)).toBe(false);
    for (const call of ['epoll_wait', 'recvmmsg', 'ioctl', 'io_uring_enter', 'setns', 'chown'])
      expect(calls.has(call)).toBe(true);
    expect(allowedCalls(unitSettings(['tunnel-gso.conf'])).has('bpf')).toBe(true);
  });
});
