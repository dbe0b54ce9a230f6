/**
 * BFD with FRR's bfdd, and between switches inside VXLAN: remotes come up, die, and what is for them goes elsewhere. Times are
 * printed; what is asserted are events, entries, and numbers of frames.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import { must, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { command, OVERTAP, RunningSwitch } from './switch.js';
import { experimentalFrame, inject } from './traffic.js';
import { type Guest, type Host, plainBridge, tapPort, threeHosts, twoHosts } from './topologies.js';
import { makeGuest, VNI } from './two-hosts.js';

const BFDD = '/usr/lib/frr/bfdd';
const FAR = '02:00:00:00:77:01';

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

type Remote = NonNullable<LinkRow['bfd_remotes']>[number];

async function remotesOf(sw: RunningSwitch): Promise<Remote[]> {
  const links = await createClient(sw.control).get('/v1/links');
  return links.find(({ ifname }) => ifname === 'vxlan0')?.bfd_remotes ?? [];
}

function become(sw: RunningSwitch, address: string, state: Remote['state']): Promise<Remote> {
  return until(`${address} is ${state}`, async () =>
    (await remotesOf(sw)).find((remote) => remote.address === address && remote.state === state),
  );
}

function vxlan(local: string, remotes: readonly string[], more: string): string {
  return `      vxlan0: { type: vxlan, local: "${local}", id: ${VNI}, remotes: [${remotes.map((remote) => `"${remote}"`).join(', ')}], ${more} }\n`;
}

const FAST = 'bfd_interval: 100, bfd_multiplier: 3';

/** A bfdd with one peer. Without zebra, which it does not need for a peer with a local address. */
async function startBfdd(netns: string, local: string, peer: string, way = ''): Promise<Program> {
  const folder = world.path(`frr-${netns}`);
  mkdirSync(folder, { recursive: true });
  const file = world.file(
    `bfdd-${netns}.conf`,
    `bfd\n peer ${peer}${way} local-address ${local}\n  transmit-interval 100\n  receive-interval 100\n  no shutdown\n exit\nexit\n`,
  );
  chmodSync(dirname(file), 0o711);
  await must(['chown', '-R', 'frr:frr', folder, file]);
  const words = [BFDD, '-f', file, '-i', `${folder}/pid`, '-z', `${folder}/zserv`, '--vty_socket', folder];
  const all = [...words, '--bfdctl', `${folder}/bfdd.sock`, '-u', 'frr', '-g', 'frr', '-P', '0', '--log', 'stdout'];
  return world.spawn(netns, all);
}

/** Events of a switch, as lines of `overtap monitor`, with the moment when each came. */
function watch(sw: RunningSwitch, netns: string): { program: Program; next(words: string): Promise<string> } {
  const program = world.spawn(netns, [process.execPath, OVERTAP, '-s', sw.control, 'monitor', 'remote']);
  return { program, next: (words) => program.line(words, (line) => line.includes(words)) };
}

async function withIpv6(host: Host, at: number): Promise<Host> {
  const address = `fd00:9::${at + 1}`;
  await world.exec(host.netns, ['sh', '-c', `echo 0 >/proc/sys/net/ipv6/conf/${host.ifname}/disable_ipv6`]);
  await world.address(host, `${address}/64`);
  return { ...host, address };
}

describe.skipIf(!existsSync(BFDD))('with bfdd of FRR', () => {
  test.each([
    ['single-hop', 4, ''],
    ['single-hop', 6, ''],
    ['multi-hop', 4, ' multihop'],
  ])('%s over IPv%i: up, dead when it is killed, and up again', async (mode, family, way) => {
    const hosts = await twoHosts(world);
    const [one, two] = family === 4 ? hosts : await Promise.all(hosts.map(withIpv6));
    const guest = await makeGuest(world, 1);
    const port = vxlan(one.address, [two.address], `bfd: ${mode}, ${FAST}`);
    const sw = await world.startSwitch(one.netns, 'host1', plainBridge(tapPort('tap1', guest), port));
    const bfdd = await startBfdd(two.netns, two.address, one.address, way);
    await become(sw, two.address, 'up');
    const remote = await until('both sides keep to 100 ms', async () =>
      (await remotesOf(sw)).find(({ detection_time: time, interval }) => time === 300 && interval === 100),
    );
    expect(remote).toMatchObject({ session: 'up', remote_session: 'up', ups: 1 });
    expect(await floods(sw)).toEqual([two.address]);
    const killed = performance.now();
    bfdd.signal('SIGKILL');
    await become(sw, two.address, 'down');
    console.log(`${mode} over IPv${family}: found dead ${Math.round(performance.now() - killed)} ms after the kill`);
    expect((await remotesOf(sw))[0]).toMatchObject({ diag: 1, session: 'down' });
    await sw.logged('its death', ({ msg, remote: dead }) => msg.startsWith('remote dead') && dead === two.address);
    await startBfdd(two.netns, two.address, one.address, way);
    expect(await become(sw, two.address, 'up')).toMatchObject({ ups: 2 });
    const shown = await command('-s', sw.control, '-d', 'link', 'show', 'vxlan0');
    expect(shown.stdout).toMatch(/ bfd \S+ bfd_interval 100 .*\n {4}remote \S+ state up bfd up peer up /);
    expect(shown.stdout).toContain(`remote ${two.address} state up`);
  });
});

/** Where frames to unknown MACs go, as the engines have it: of the entries that are not dead. */
async function floods(sw: RunningSwitch): Promise<string[]> {
  const rows = await sw.fdb();
  return rows.filter(({ mac }) => mac === '00:00:00:00:00:00').flatMap(({ dst }) => dst ?? []);
}

/** One switch with a guest, and two others, each in a subnet of its own. */
async function triangle(mode: string): Promise<{ hosts: Host[]; switches: RunningSwitch[]; guest: Guest }> {
  const hosts = await threeHosts(world);
  const guest = await makeGuest(world, 1);
  const addresses = hosts.map(({ address }) => address);
  const switches = await Promise.all(
    hosts.map((host, at) => {
      const others = addresses.filter((address) => address !== host.address);
      const port = vxlan(host.address, others, `bfd: ${mode}, ${FAST}`);
      const far = { ...guest, netns: host.netns, ifname: 'far0', address: `198.18.0.${at + 1}` };
      const local = at === 0 ? tapPort('tap1', guest) : tapPort('tap1', { ...far, mac: `02:00:00:00:88:0${at}` });
      return world.startSwitch(host.netns, `host${at + 1}`, plainBridge(local, port));
    }),
  );
  return { hosts, switches, guest };
}

async function sentTo(sw: RunningSwitch, address: string): Promise<number> {
  const { links } = await createClient(sw.control).get('/v1/stats');
  return links.vxlan0.remotes?.[address]?.tx_packets ?? 0;
}

test('inside VXLAN: entries of a dead remote move to the second one, and back', async () => {
  const { hosts, switches, guest } = await triangle('vxlan');
  const [sw, second] = switches;
  const [, { address: a }, { address: b }] = hosts;
  await Promise.all([become(sw, a, 'up'), become(sw, b, 'up'), become(second, b, 'up')]);
  const give = async (words: string): Promise<void> => {
    const ended = await command('-s', sw.control, ...words.split(' '));
    expect(ended.status, ended.stderr).toBe(0);
  };
  for (const words of ['1 via 10.9.2.2', '2 via 10.9.3.2']) await give(`nexthop add id ${words} fdb`);
  await give('nexthop add id 10 group 1/2 fdb');
  await give(`fdb add ${FAR} dev vxlan0 nhid 10 self`);
  const other = '02:00:00:00:77:02';
  await give(`fdb add ${other} dev vxlan0 dst ${a} self static`);
  const events = watch(sw, hosts[0].netns);
  await until('both are settled', async () => (await remotesOf(sw)).every(({ detection_time: time }) => time === 300));
  const frame = (destination: string): string =>
    experimentalFrame({ destination, source: guest.mac, text: 'liveness' });
  await inject(world, guest, frame(other));
  await until('the entry leads to the first one', async () => ((await sentTo(sw, a)) >= 1 ? true : undefined));

  const killed = performance.now();
  second.program.signal('SIGKILL');
  await become(sw, a, 'down');
  const told = performance.now() - killed;
  await until('the entries have moved', async () => {
    const row = (await sw.fdb()).find(({ mac }) => mac === other);
    return row !== undefined && row.dst === undefined;
  });
  console.log(
    `vxlan: found dead ${Math.round(told)} ms after the kill, entries seen moved after ${Math.round(performance.now() - killed)} ms`,
  );
  const before = { a: await sentTo(sw, a), b: await sentTo(sw, b) };
  await inject(world, guest, ...Array.from({ length: 10 }, () => [frame(other), frame(FAR)]).flat());
  // The guest's kernel may say something too.
  await until('all twenty frames have gone to the second one', async () =>
    (await sentTo(sw, b)) >= before.b + 20 ? true : undefined,
  );
  expect(await sentTo(sw, a)).toBe(before.a);

  const port = vxlan(a, [hosts[0].address, b], `bfd: vxlan, ${FAST}`);
  await world.startSwitch(hosts[1].netns, 'host2', plainBridge(port));
  await events.next(`[REMOTE] ${a} dev vxlan0 state up`);
  await until('the entry is back', async () => (await sw.fdb()).find(({ mac, dst }) => mac === other && dst === a));
}, 60_000);

test('a switch that stops says so: its remotes do not wait', async () => {
  const { hosts, switches } = await triangle('multi-hop');
  const [sw, second] = switches;
  await become(sw, hosts[1].address, 'up');
  await second.stop();
  expect(await become(sw, hosts[1].address, 'down')).toMatchObject({ diag: 3 });
}, 60_000);

test('behind a router a single-hop session is refused by its TTL', async () => {
  const { switches } = await triangle('single-hop');
  const { bfd_discarded: discarded } = await until('packets are discarded', async () => {
    const stats = await createClient(switches[0].control).get('/v1/stats');
    return (stats.bfd_discarded?.ttl ?? 0) > 2 ? stats : undefined;
  });
  expect(discarded).toMatchObject({ unknown_session: 0 });
  for (const { state } of await remotesOf(switches[0])) expect(state).toBe('unknown');
}, 60_000);

test('a flood from behind a router, which has no room in the queue, kills no session', async () => {
  const [one, two] = await twoHosts(world);
  const start = (host: Host, peer: Host, name: string): Promise<RunningSwitch> =>
    world.startSwitch(host.netns, name, plainBridge(vxlan(host.address, [peer.address], `bfd: single-hop, ${FAST}`)));
  const [first, second] = await Promise.all([start(one, two, 'host1'), start(two, one, 'host2')]);
  await Promise.all([become(first, two.address, 'up'), become(second, one.address, 'up')]);
  const before = (await remotesOf(first))[0].rx_packets ?? 0;
  // A packet of 24 bytes with the TTL of any program: 64.
  const flood = world.file(
    'flood.mjs',
    `import { createSocket } from 'node:dgram';
const socket = createSocket('udp4');
const end = Date.now() + 2000;
const packet = Buffer.alloc(24, 0x20);
const more = () => {
  if (Date.now() > end) process.exit(0);
  for (let i = 0; i < 200; i++) socket.send(packet, 3784, '${one.address}');
  setImmediate(more);
};
more();
`,
  );
  const ended = await world.spawn(two.netns, [process.execPath, flood]).ended;
  expect(ended).toBeDefined();
  const { bfd_discarded: discarded } = await createClient(first.control).get('/v1/stats');
  console.log(`flood: ${discarded?.ttl} packets were dropped before the queue`);
  expect(discarded?.ttl).toBeGreaterThan(1000);
  const [remote] = await remotesOf(first);
  expect(remote).toMatchObject({ state: 'up', ups: 1 });
  expect(remote.rx_packets).toBeGreaterThan(before + 5);
}, 60_000);

test('a remote that alternates is used again only when it has stayed up, before and after an upgrade', async () => {
  const [one, two] = await twoHosts(world);
  const start = (host: Host, peer: Host, name: string): Promise<RunningSwitch> =>
    world.startSwitch(host.netns, name, plainBridge(vxlan(host.address, [peer.address], `bfd: single-hop, ${FAST}`)));
  const [first] = await Promise.all([start(one, two, 'host1'), start(two, one, 'host2')]);
  await become(first, two.address, 'up');
  const remote = async (): Promise<Remote> => (await remotesOf(first))[0] as Remote;
  const session = (state: string): Promise<unknown> =>
    until(`the session is ${state}`, async () => ((await remote()).session === state ? true : undefined));
  const moved = watch(first, one.netns);
  for (let death = 1; death <= 6; death++) {
    await until('the session keeps to 100 ms', async () => (await remote()).detection_time === 300);
    await world.ip(two.netns, `link set ${two.ifname} down`);
    await session('down');
    await world.ip(two.netns, `link set ${two.ifname} up`);
    await session('up');
  }
  expect(await remote()).toMatchObject({ state: 'down', flaps: 6, damped: 8000 });
  const shown = await command('-s', first.control, '-d', 'link', 'show', 'vxlan0');
  expect(shown.stdout).toMatch(new RegExp(`remote ${two.address} state down bfd up peer up .*damped 8000ms`));
  const doctor = await command('-s', first.control, 'doctor');
  expect(doctor.stdout).toContain(
    'alternates between up and down (6 times lately): it is used again when it has been up for 8 s',
  );
  await createClient(first.control, { deadlineMs: 60_000 }).post('/v1/upgrade', {});
  await session('up');
  expect(await remote()).toMatchObject({ state: 'down', flaps: 6, damped: 8000 });
  const used = await become(first, two.address, 'up');
  expect(used).toMatchObject({ flaps: 6 });
  expect(used.damped).toBeUndefined();
  const told = moved.program.lines.filter((line) => line.includes('[REMOTE]'));
  console.log(`told: ${told.length} of 13 changes`);
}, 90_000);

test('a control thread that is busy for a second, and an upgrade, kill no session', async () => {
  const [one, two] = await twoHosts(world);
  // SIGPWR keeps the main thread of the switch busy.
  const busy = world.file(
    'busy.mjs',
    "import { isMainThread } from 'node:worker_threads';\nif (isMainThread) process.on('SIGPWR', () => { const end = Date.now() + 1500; while (Date.now() < end); });\n",
  );
  const start = async (host: Host, peer: Host, name: string): Promise<RunningSwitch> => {
    const config = world.config(name, plainBridge(vxlan(host.address, [peer.address], `bfd: single-hop, ${FAST}`)));
    const program = world.spawn(host.netns, [process.execPath, '--import', busy, OVERTAP, 'run', '-c', config]);
    const sw = new RunningSwitch(program, world.control(name));
    await sw.ready();
    return sw;
  };
  const [first, second] = await Promise.all([start(one, two, 'host1'), start(two, one, 'host2')]);
  const switches = [first, second];
  await Promise.all([become(first, two.address, 'up'), become(second, one.address, 'up')]);
  const settled = async (sw: RunningSwitch): Promise<Remote | undefined> =>
    (await remotesOf(sw)).find(({ detection_time: time }) => time === 300);
  for (const sw of switches) await until('300 ms are agreed on', () => settled(sw));
  for (let round = 0; round < 2; round++) {
    first.program.signal('SIGPWR');
    // The signal reaches the thread before the request does.
    await sleep(100);
    const before = performance.now();
    await remotesOf(first);
    console.log(`the control thread answered after ${Math.round(performance.now() - before)} ms`);
    for (const sw of switches) expect(await remotesOf(sw)).toMatchObject([{ state: 'up', ups: 1 }]);
  }
  const [{ discriminator, remote_discriminator: theirs }] = await remotesOf(first);
  const answer = await createClient(first.control, { deadlineMs: 60_000 }).post('/v1/upgrade', {});
  console.log(`upgrade: frames waited ${answer.gap_ms} ms`);
  const after = await until('the session is there again', async () =>
    (await remotesOf(first)).find(({ session, tx_packets: sent = 0 }) => session === 'up' && sent > 10),
  );
  expect(after).toMatchObject({ state: 'up', discriminator, remote_discriminator: theirs });
  expect(await remotesOf(second)).toMatchObject([{ state: 'up', ups: 1 }]);
}, 60_000);
