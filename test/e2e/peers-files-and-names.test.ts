/** Remotes that come from a watched file and from DNS names, on three hosts: a name server that the test writes is in the router. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { allPing, floods, guestOf, hasState, peered, remotesOf, sourceOf } from './peers-support.js';
import { command, type RunningSwitch } from './switch.js';
import { type Guest, type Host, threeHosts } from './topologies.js';
import { tool } from './traffic.js';

const SERVER = '10.9.1.1';
const NAME = 'vteps.example.net';
const SERVICE = '_vxlan._udp.example.net';
const world = new World();
let hosts: Host[];
const guests: Guest[] = [];
const switches: RunningSwitch[] = [];

const bytesOf = (address: string): number[] => address.split('.').map(Number);
const others = (index: number): string[] => hosts.filter((_, at) => at !== index).map(({ address }) => address);

function zone(records: object): void {
  writeFileSync(world.path('zone.new'), JSON.stringify(records));
  renameSync(world.path('zone.new'), world.path('zone'));
}

const addresses = (...list: string[]): object => ({ ttl: 1, addresses: list.map(bytesOf) });

/** As an editor or a program does it. */
function replace(text: string): void {
  writeFileSync(world.path('peers.new'), text);
  renameSync(world.path('peers.new'), world.path('peers.yaml'));
}

beforeAll(async () => {
  hosts = await threeHosts(world);
  for (const index of [0, 1, 2]) guests.push(await guestOf(world, index + 1));
  zone({ [`A ${NAME}`]: addresses(...hosts.map(({ address }) => address)) });
  const router = hosts[0].netns.replace(/h1$/, 'router');
  const server = world.spawn(router, tool('name-server', SERVER, 53, world.path('zone')));
  await server.line('the name server is there', (line) => line === 'ready');
  replace(`remotes: [${others(2).join(', ')}]\n`);
  const settings = `dns_servers: [${SERVER}]\npeers_grace: 3\n`;
  const options = [`remotes: [${NAME}]`, `remotes: [${NAME}]`, `peers_file: ${world.path('peers.yaml')}`];
  const start = (_: Host, index: number): Promise<RunningSwitch> =>
    world.startSwitch(
      hosts[index].netns,
      `host${index + 1}`,
      `${peered(hosts[index], guests[index], options[index])}${settings}`,
    );
  switches.push(...(await Promise.all(hosts.map(start))));
});

afterAll(() => world.cleanUp());

test('one name stands for all hosts, and a file for two: all guests ping', async () => {
  for (const [index, sw] of switches.entries()) await floods(sw, ...others(index));
  await allPing(world, guests);
  expect(await sourceOf(switches[0])).toMatchObject({ source: `dns ${NAME}`, state: 'ok', remotes: 2 });
  expect(await sourceOf(switches[2])).toMatchObject({ source: `file ${world.path('peers.yaml')}`, state: 'ok' });
});

test('addresses follow the name; a server that fails takes none away', async () => {
  zone({ [`A ${NAME}`]: addresses(hosts[0].address, hosts[1].address) });
  await floods(switches[0], hosts[1].address);
  zone({ silent: true });
  for (const sw of switches.slice(0, 2)) await hasState(sw, 'failed');
  expect((await sourceOf(switches[0])).fault).toContain('does not answer');
  expect(await remotesOf(switches[0])).toEqual([hosts[1].address]);
  zone({ [`A ${NAME}`]: addresses(...hosts.map(({ address }) => address)) });
  for (const [index, sw] of switches.entries()) await floods(sw, ...others(index));
});

test('a name that is gone keeps its remotes for the grace time', async () => {
  zone({});
  await hasState(switches[0], 'failed');
  expect(await remotesOf(switches[0])).toEqual(others(0));
  await floods(switches[0]);
  zone({ [`A ${NAME}`]: addresses(...hosts.map(({ address }) => address)) });
});

test('a service, by command, and the configuration shows the names', async () => {
  zone({
    [`SRV ${SERVICE}`]: {
      ttl: 1,
      services: hosts.map((_, index) => ({ port: 4789, target: `h${index}.example.net` })),
    },
    ...Object.fromEntries(hosts.map(({ address }, index) => [`A h${index}.example.net`, addresses(address)])),
  });
  const [sw] = switches;
  const set = await command('-s', sw.control, 'link', 'set', 'vxlan0', 'type', 'vxlan', 'remotes', SERVICE);
  expect(set).toMatchObject({ status: 0, stderr: '' });
  await floods(sw, ...others(0));
  expect(await sourceOf(sw)).toMatchObject({ source: `dns ${SERVICE}`, state: 'ok', remotes: 2 });
  await command('-s', sw.control, 'fdb', 'append', '00:00:00:00:00:00', 'dev', 'vxlan0', 'dst', '10.9.9.9');
  const shown = await command('-s', sw.control, 'config', 'show');
  expect(shown.stdout).toContain(SERVICE);
  const file = world.file('shown.yaml', shown.stdout);
  const dry = await command('-s', sw.control, 'apply', '-c', file, '--dry-run');
  expect(dry).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing to do') as string });
  const named = world.file('named.yaml', shown.stdout.replace(SERVICE, `h1.example.net`));
  expect((await command('-s', sw.control, 'apply', '-c', named, '--dry-run')).stdout).toContain(
    'remotes h1.example.net',
  );
  expect(await command('-s', sw.control, 'apply', '-c', named)).toMatchObject({ status: 0 });
  await floods(sw, hosts[1].address, '10.9.9.9');
});

test('a file is followed; a broken or missing one changes nothing', async () => {
  const [, , sw] = switches;
  replace(`remotes: [${hosts[0].address}]\nfdb: [{ mac: "02:00:00:00:77:01", dst: ${hosts[1].address} }]\n`);
  await floods(sw, hosts[0].address);
  await until('the MAC', async () =>
    (await sw.fdb()).some(({ mac, dst }) => mac === '02:00:00:00:77:01' && dst === hosts[1].address),
  );
  replace('remotes: [10.9.1.2,');
  await hasState(sw, 'failed');
  await sw.logged('the fault', ({ reason }) => String(reason).includes('peers.yaml:1:'));
  rmSync(world.path('peers.yaml'));
  await until('it is missed', async () => String((await sourceOf(sw)).fault).includes('no such file'));
  expect(await remotesOf(sw)).toEqual([hosts[0].address]);
  replace(JSON.stringify({ remotes: others(2) }));
  await floods(sw, ...others(2));
  await hasState(sw, 'ok');
  await until('the MAC is gone', async () => (await sw.fdb()).every(({ mac }) => mac !== '02:00:00:00:77:01'));
});
