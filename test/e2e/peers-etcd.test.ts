/** Three hosts find each other by an etcd of Debian, with one line of configuration each. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { allPing, floods, guestOf, hasState, peered, remotesOf, sourceOf } from './peers-support.js';
import { command, type RunningSwitch } from './switch.js';
import { type Guest, type Host, threeHosts } from './topologies.js';

const ETCD = '10.9.1.1:2379';
const world = new World();
let hosts: Host[];
let etcd: Program;
const guests: Guest[] = [];
const switches: RunningSwitch[] = [];

/** In the namespace of the router, which all hosts reach. */
async function startEtcd(): Promise<Program> {
  const words = ['--data-dir', world.path('etcd'), '--listen-client-urls', `http://${ETCD}`];
  const more = ['--advertise-client-urls', `http://${ETCD}`, '--listen-peer-urls', 'http://127.0.0.1:2380'];
  const router = hosts[0].netns.replace(/h1$/, 'router');
  const program = world.spawn(router, [
    'sh',
    '-c',
    'exec etcd "$@" 2>&1',
    'etcd',
    ...words,
    ...more,
    '--unsafe-no-fsync',
  ]);
  await program.line('etcd is ready', (line) => line.includes('ready to serve client requests'));
  return program;
}

function start(index: number): Promise<RunningSwitch> {
  const line = `peers_etcd: ["http://${ETCD}"], peers_prefix: /overtap/fabric1`;
  const settings = 'etcd: { ttl: 2 }\n';
  const [host, guest] = [hosts[index], guests[index]] as const;
  return world.startSwitch(host.netns, `host${index + 1}`, `${peered(host, guest, line)}${settings}`);
}

const others = (index: number): string[] => hosts.filter((_, at) => at !== index).map(({ address }) => address);

beforeAll(async () => {
  hosts = await threeHosts(world);
  for (const index of [0, 1, 2]) guests.push(await guestOf(world, index + 1));
  etcd = await startEtcd();
  switches.push(...(await Promise.all([0, 1, 2].map(start))));
});

afterAll(() => world.cleanUp());

test('each floods to the two others, and all guests ping', async () => {
  for (const [index, sw] of switches.entries()) await floods(sw, ...others(index));
  await allPing(world, guests);
  expect(await sourceOf(switches[0])).toMatchObject({ source: 'etcd /overtap/fabric1', state: 'ok', remotes: 2 });
  const shown = await command('-s', switches[0].control, '-d', 'link', 'show', 'vxlan0');
  expect(shown.stdout).toMatch(/\n {4}peers etcd \/overtap\/fabric1 state ok remotes 2 spoke \d{4}-/);
});

test('etcd is killed and comes back: no remote goes meanwhile', async () => {
  await etcd.stop('SIGKILL');
  for (const sw of switches) await hasState(sw, 'failed');
  await switches[0].logged('the loss', ({ msg, reason }) => msg.startsWith('source of peers fails') && reason !== null);
  for (const [index, sw] of switches.entries()) expect(await remotesOf(sw)).toEqual(others(index).sort());
  await allPing(world, guests.slice(0, 2));
  etcd = await startEtcd();
  for (const sw of switches) await hasState(sw, 'ok');
  for (const [index, sw] of switches.entries()) expect(await remotesOf(sw)).toEqual(others(index).sort());
  await switches[0].logged('the return', ({ msg }) => msg === 'source of peers works again');
});

test('a member that is killed goes when its lease ends, one that ends goes at once', async () => {
  await switches[2].stop('SIGKILL');
  for (const index of [0, 1]) await floods(switches[index], ...others(index).filter((one) => one !== hosts[2].address));
  switches[2] = await start(2);
  for (const [index, sw] of switches.entries()) await floods(sw, ...others(index));
  const began = performance.now();
  const { ms } = await switches[2].stop();
  await floods(switches[0], hosts[1].address);
  // The lease alone would have taken two seconds.
  expect(performance.now() - began - ms).toBeLessThan(1500);
  switches[2] = await start(2);
  for (const [index, sw] of switches.entries()) await floods(sw, ...others(index));
  await allPing(world, guests);
});

test('a source ends and begins while the switch runs, and touches no other', async () => {
  const [sw] = switches;
  const set = (...words: string[]) => command('-s', sw.control, 'link', 'set', 'vxlan0', 'type', 'vxlan', ...words);
  expect((await set('peers_etcd', 'none')).status).toBe(0);
  await floods(sw);
  await floods(switches[1], hosts[2].address);
  expect((await set('peers_etcd', `http://${ETCD}`)).status).toBe(0);
  await floods(sw, ...others(0));
  await floods(switches[1], ...others(1));
});

test('the next process goes on with the same remotes', async () => {
  const [sw] = switches;
  const before = await remotesOf(sw);
  const upgrade = command('-s', sw.control, 'upgrade');
  let isOver = false;
  const watch = async (): Promise<string[][]> => {
    const seen: string[][] = [];
    while (!isOver) seen.push(await remotesOf(sw).catch(() => before));
    return seen;
  };
  const watching = watch();
  expect(await upgrade).toMatchObject({ status: 0 });
  await until('its source speaks', async () => (await sourceOf(sw)).state === 'ok');
  isOver = true;
  for (const seen of await watching) expect(seen).toEqual(before);
  expect(await remotesOf(sw)).toEqual(before);
});
