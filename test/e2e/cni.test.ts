/**
 * The CNI plugin, called as a container runtime does, with the plugin host-local for addresses; and by podman, in the long form.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG } from '../long.js';
import { DockerHost, dockerLack, makeImage } from './docker-host.js';
import { World } from './host-testbed.js';
import { command, type RunningSwitch } from './switch.js';
import { ping } from './traffic.js';

const BUILD = fileURLToPath(new URL('../../build/Release', import.meta.url));
const PLUGIN = `${BUILD}/overtap-cni`;
const IPAM = '/usr/lib/cni';
const VNI = 100;
const CALLS = 20;
const BRIDGES = `  br1:
    vlan_filtering: true
    ports:
      vxlan0: { type: vxlan, local: 127.0.0.1, vlan_tunnel: true }
`;

let world: World;
let host: DockerHost;
let running: RunningSwitch;

interface Called {
  status: number | null;
  answer: Record<string, unknown>;
  ms: number;
}

interface Result {
  interfaces: { name: string; mac: string; sandbox: string; mtu?: number }[];
  ips: { address: string; gateway: string; interface: number; version?: string }[];
  routes: { dst: string; gw?: string }[];
}

beforeAll(async () => {
  if (!existsSync(PLUGIN)) throw new Error(`there is no ${PLUGIN}: npm run build:native`);
  world = new World();
  host = await DockerHost.make(world, await world.netns('host'), 'cni');
  running = await host.startSwitch(BRIDGES, 'cni');
});
afterAll(() => world.cleanUp());

function config(more: object = {}): Record<string, unknown> {
  return {
    // host-local of Debian 12 knows no later one.
    cniVersion: '1.0.0',
    name: 'blue',
    type: 'overtap-cni',
    socket: host.socket,
    vni: VNI,
    ipam: {
      type: 'host-local',
      dataDir: world.path('ipam'),
      ranges: [[{ subnet: '10.9.0.0/24', gateway: '10.9.0.254' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '192.0.2.0/24', gw: '10.9.0.7' }],
    },
    ...more,
  };
}

/** Calls the plugin as a runtime does. @param container whose namespace has its name */
async function call(command: string, container: string, given: unknown = config(), more: object = {}): Promise<Called> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${container}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: `/nowhere:${IPAM}`,
    ...more,
  };
  const begin = performance.now();
  const child = spawn(PLUGIN, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => undefined).end(typeof given === 'string' ? given : JSON.stringify(given));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, answer: text === '' ? {} : JSON.parse(text), ms: performance.now() - begin };
}

async function add(container: string, given?: object): Promise<Result> {
  const { status, answer } = await call('ADD', container, given);
  expect(status, JSON.stringify(answer)).toBe(0);
  return answer as unknown as Result;
}

/** Addresses that host-local has given away. */
function leases(): string[] {
  const folder = world.path('ipam/blue');
  return existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+\./.test(name)) : [];
}

async function expectNothingLeft(): Promise<void> {
  expect((await running.links()).map(({ ifname }) => ifname)).toEqual(['br1', 'vxlan0']);
  expect(host.records()).toMatchObject({ networks: {}, endpoints: {} });
  expect(leases()).toEqual([]);
}

test('ADD, CHECK, STATUS and DEL of two containers, also of a switch that was killed', async () => {
  const [one, two] = [await world.netns('c1'), await world.netns('c2')];
  const given = await add(one);
  expect(given.interfaces).toEqual([{ name: 'eth0', mac: '02:42:0a:09:00:01', sandbox: `/run/netns/${one}` }]);
  expect(given.ips).toEqual([{ interface: 0, address: '10.9.0.1/24', gateway: '10.9.0.254' }]);
  await add(two);
  expect(await ping(world, one, '10.9.0.2')).toMatchObject({ sent: 3, received: 3 });
  const routes = await world.ip(one, 'route show');
  expect(routes).toContain('default via 10.9.0.254 dev eth0');
  expect(routes).toContain('192.0.2.0/24 via 10.9.0.7 dev eth0');
  expect(await running.tunnels()).toEqual([{ ifname: 'vxlan0', tunnels: [{ vlan: 2, tunid: VNI }] }]);
  expect(await call('STATUS', one)).toMatchObject({ status: 0, answer: {} });
  expect((await call('ADD', one)).answer).toMatchObject({ code: 7, msg: expect.stringContaining('already') });

  await host.killSwitch(running);
  expect((await call('CHECK', one, config({ prevResult: given }))).answer).toMatchObject({ code: 11 });
  expect((await call('STATUS', one)).answer).toMatchObject({ code: 50 });
  running = await host.startSwitch(BRIDGES, 'cni');
  expect(await ping(world, one, '10.9.0.2')).toMatchObject({ received: 3 });
  expect(await call('CHECK', one, config({ prevResult: given }))).toMatchObject({ status: 0, answer: {} });

  for (let time = 0; time < 2; time++) expect(await call('DEL', one)).toMatchObject({ status: 0, answer: {} });
  expect((await call('CHECK', one, config({ prevResult: given }))).answer).toMatchObject({ code: 11 });
  expect(await world.nics(one)).toEqual([]);
  expect(await call('DEL', two, config(), { CNI_NETNS: '' })).toMatchObject({ status: 0 });
  await expectNothingLeft();
});

test('GC leaves the attachments that it is told, and removes the others', async () => {
  const [one, two] = [await world.netns('g1'), await world.netns('g2')];
  await add(one);
  await add(two);
  const valid = { 'cni.dev/valid-attachments': [{ containerID: two, ifname: 'eth0' }] };
  expect(await call('GC', '', config(valid), { CNI_NETNS: '', CNI_IFNAME: '' })).toMatchObject({ status: 0 });
  expect(await world.nics(one)).toEqual([]);
  expect(await world.nics(two)).toEqual(['eth0']);
  await call('DEL', two);
  await call('DEL', one);
  await expectNothingLeft();
});

test('a plugin of a chain adds to the result before it, in the words of an older version', async () => {
  const netns = await world.netns('chain');
  const before = { cniVersion: '0.4.0', interfaces: [{ name: 'lo' }], ips: [], dns: { nameservers: ['192.0.2.53'] } };
  const result = await add(netns, config({ cniVersion: '0.4.0', prevResult: before }));
  expect(result).toMatchObject({
    cniVersion: '0.4.0',
    interfaces: [{ name: 'lo' }, { name: 'eth0', sandbox: `/run/netns/${netns}` }],
    ips: [{ version: '4', interface: 1 }],
  });
  await call('DEL', netns, config({ cniVersion: '0.4.0' }));
  await expectNothingLeft();
});

test('an IPAM plugin that prints before it reads, or without end, holds nobody up', async () => {
  const netns = await world.netns('loud');
  const bin = world.path('bin');
  mkdirSync(bin);
  const plugin = (name: string, lines: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  plugin(
    'early',
    `head -c 200000 /dev/zero | tr '\\0' ' '; cat >/dev/null; echo '{"ips":[{"address":"10.9.0.9/24"}]}'`,
  );
  plugin('endless', 'while :; do echo 0123456789; done 2>/dev/null');
  const padded = (type: string): object => config({ ipam: { type }, pad: 'x'.repeat(200_000) });
  expect((await call('ADD', netns, padded('early'), { CNI_PATH: bin })).answer).toMatchObject({
    ips: [{ address: '10.9.0.9/24' }],
  });
  await call('DEL', netns, padded('early'), { CNI_PATH: bin });
  expect((await call('ADD', netns, padded('endless'), { CNI_PATH: bin })).answer).toMatchObject({ code: 11 });
  await expectNothingLeft();
});

test('an IPAM plugin that says nothing, or does not end, is killed with what it has started', async () => {
  const netns = await world.netns('silent');
  const bin = world.path('silent-bin');
  mkdirSync(bin);
  const pids = world.path('pids');
  const plugin = (name: string, lines: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  plugin('silent', `sleep 1000 & echo $! $$ > ${pids}; wait`);
  plugin('lasting', `trap '' TERM; exec >&-; sleep 1000 & echo $! $$ > ${pids}; wait; sleep 1000`);
  for (const type of ['silent', 'lasting']) {
    const { status, answer, ms } = await call('ADD', netns, config({ ipam: { type }, ipamTimeout: 1 }), {
      CNI_PATH: `${bin}:/bin`,
      PATH: '/usr/bin:/bin',
    });
    expect(answer).toMatchObject({ code: 11, msg: expect.stringContaining(`${type} has not ended ADD within 1 s`) });
    expect(status).toBe(1);
    expect(ms).toBeLessThan(20_000);
    const left = readFileSync(pids, 'utf8').trim().split(' ');
    await until('all of it has ended', () => left.every((pid) => !existsSync(`/proc/${pid}`)) || undefined);
  }
  expect((await call('ADD', netns, config({ ipamTimeout: 0 }))).answer).toMatchObject({ code: 7 });
  expect(await world.nics(netns)).toEqual([]);
  await expectNothingLeft();
});

test('a refused call gives its address back, and says why', async () => {
  const netns = await world.netns('bad');
  const refused = async (given: unknown, more: object = {}) => (await call('ADD', netns, given, more)).answer;
  expect(await refused(config({ vlan: 0 }))).toMatchObject({ code: 7, msg: expect.stringContaining('vlan') });
  expect(await refused(config({ port: 'vxlan9' }))).toMatchObject({
    msg: expect.stringContaining('no vxlan port vxlan9'),
  });
  expect(await refused(config({ cniVersion: '9.0.0' }))).toMatchObject({ code: 1 });
  expect(await refused('{"cniVersion":"1.0.0","name":')).toMatchObject({ code: expect.any(Number) });
  expect(await refused(config({ name: '../../etc' }))).toMatchObject({ code: 7 });
  expect(await refused(config({ ipam: { type: '../../bin/sh' } }))).toMatchObject({ code: 7 });
  expect(await refused(config(), { CNI_IFNAME: '../eth0' })).toMatchObject({ code: 4 });
  expect(await refused(config(), { CNI_NETNS: '/etc/passwd' })).toMatchObject({ code: 4 });
  expect(await refused(config(), { CNI_NETNS: '/proc/self/ns/../../1/ns/net' })).toMatchObject({ code: 4 });
  expect(await refused(config(), { CNI_CONTAINERID: 'a\nb' })).toMatchObject({ code: 4 });
  expect(await refused(config({ ipam: { type: 'host-local' } }))).toMatchObject({ code: expect.any(Number) });
  expect(await refused(config({ ipam: { type: 'absent' } }))).toMatchObject({ code: 5 });
  expect(await refused('x'.repeat(600_000))).toMatchObject({ code: 5 });
  // A route that the kernel refuses: the container is taken back.
  const unreachable = { ...(config().ipam as object), routes: [{ dst: '198.51.100.0/24', gw: '203.0.113.1' }] };
  expect(await refused(config({ ipam: unreachable }))).toMatchObject({
    code: 5,
    msg: expect.stringContaining('route'),
  });
  expect(await world.nics(netns)).toEqual([]);
  await expectNothingLeft();
});

test('VERSION needs no switch, and a call takes a few milliseconds', async () => {
  const version = await call('VERSION', '', { cniVersion: '1.0.0', socket: '/nowhere' });
  expect(version.answer).toEqual({
    cniVersion: '1.0.0',
    supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
  const netns = await world.netns('time');
  const own = config({ cniVersion: '1.1.0', ipam: {} });
  const other = await world.netns('other');
  await add(other, own);
  const times: { ADD: number[]; DEL: number[] } = { ADD: [], DEL: [] };
  for (let i = 0; i < CALLS; i++)
    for (const command of ['ADD', 'DEL'] as const) {
      const { status, ms, answer } = await call(command, netns, own);
      expect(status).toBe(0);
      if (command === 'ADD')
        expect(answer).toMatchObject({ cniVersion: '1.1.0', interfaces: [{ mtu: expect.any(Number) }] });
      times[command].push(ms);
    }
  await call('DEL', other, own);
  await expectNothingLeft();
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
  console.log(
    `CNI calls, median of ${CALLS}: ADD ${median(times.ADD).toFixed(1)} ms, DEL ${median(times.DEL).toFixed(1)} ms`,
  );
  // On an idle machine a call takes a tenth of this (docs/containers.md).
  expect(median(times.ADD) + median(times.DEL)).toBeLessThan(1000);
});

test('an upgraded switch knows its containers, and answers the plugin', async () => {
  const netns = await world.netns('up');
  const other = await world.netns('up2');
  await add(netns);
  await add(other);
  expect(await command('-s', running.control, 'upgrade')).toMatchObject({ status: 0 });
  const address = JSON.parse(await must(['ip', '-j', '-n', other, 'addr', 'show', 'eth0']))[0].addr_info[0].local;
  expect(await ping(world, netns, address)).toMatchObject({ received: 3 });
  await until('the plugin is answered', async () => (await call('CHECK', netns)).status === 0 || undefined);
  for (const one of [netns, other]) expect(await call('DEL', one)).toMatchObject({ status: 0 });
  await expectNothingLeft();
});

test.each(LONG && dockerLack() === null ? [''] : [])(
  'containers by podman reach each other, and leave nothing',
  async () => {
    const folder = world.path('podman');
    mkdirSync(`${folder}/net.d`, { recursive: true });
    const list = {
      cniVersion: '1.0.0',
      name: 'blue',
      plugins: [{ ...config(), cniVersion: undefined, name: undefined }],
    };
    world.file('podman/net.d/50-blue.conflist', JSON.stringify(list));
    const conf = world.file(
      'podman/containers.conf',
      `[network]
network_backend = "cni"
cni_plugin_dirs = ["${BUILD}", "${IPAM}"]
network_config_dir = "${folder}/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
`,
    );
    const podman = (...words: string[]): Promise<string> =>
      must(
        host.inside(
          'env',
          `CONTAINERS_CONF=${conf}`,
          'podman',
          '--root',
          `${folder}/store`,
          '--runroot',
          `${folder}/run`,
          '--storage-driver=vfs',
          ...words,
        ),
      );
    await podman('import', '-q', makeImage(world), 'localhost/bb:1');
    for (const name of ['p1', 'p2'])
      await podman('run', '-d', '--name', name, '--network', 'blue', 'localhost/bb:1', '/bin/sleep', '1000');
    const shown = await podman('exec', 'p2', '/bin/ip', '-o', 'addr', 'show', 'eth0');
    const [, address = ''] = /inet (10\.9\.0\.\d+)\//.exec(shown) ?? [];
    await until('p1 reaches p2', () =>
      podman('exec', 'p1', '/bin/ping', '-c', '1', '-W', '2', address).then(
        () => true,
        () => false,
      ),
    );
    await podman('rm', '-f', '-t', '0', 'p1', 'p2');
    await expectNothingLeft();
  },
);
