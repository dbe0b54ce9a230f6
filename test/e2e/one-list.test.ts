/**
 * One list of remotes for all hosts: each host takes it without its own addresses, says so, and follows when it gets and loses
 * addresses.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { expectReach, expectRefused, startWith } from './live-support.js';
import { overtap, type RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, tapPort, twoHosts } from './topologies.js';

const THIRD = '192.0.2.3';

let world: World;
let hosts: [Host, Host];
let guests: Guest[];

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  guests = [];
  for (const number of [1, 2]) {
    const netns = await world.netns(`guest${number}`);
    guests.push({ netns, ifname: 'eth0', address: `198.18.0.${number}`, mac: `02:00:00:00:00:0${number}` });
  }
});

afterEach(() => world.cleanUp());

const LIST = ['192.0.2.1', '192.0.2.2', THIRD];

function linesOf(number: number, local: boolean): string {
  const port = { type: 'vxlan', id: 42, remotes: LIST, ...(local ? { local: hosts[number].address } : {}) };
  return `bridges:\n${plainBridge(tapPort('tap0', guests[number]), `      vxlan0: ${JSON.stringify(port)}\n`)}`;
}

/** The remotes of the flood list. */
async function floodOf(sw: RunningSwitch): Promise<string[]> {
  const rows = await sw.fdb('dev vxlan0');
  return rows.flatMap(({ mac, dst }) => (mac === '00:00:00:00:00:00' && dst !== undefined ? [dst] : [])).sort();
}

test.each(cases([true, false], 1))('is taken by each without itself (local is given: %s)', async (local) => {
  const switches: RunningSwitch[] = [];
  for (const [number, host] of hosts.entries()) {
    const sw = await startWith(world, host.netns, `host${number}`, linesOf(number, local));
    switches.push(sw);
    const note = await sw.logged('the note', ({ path }) => path === `bridges.br1.ports.vxlan0.remotes[${number}]`);
    expect(note.msg).toMatch(new RegExp(`^${host.address} is .* left out`));
    expect(await floodOf(sw)).toEqual(LIST.filter((address) => address !== host.address));
    await expectRefused(
      sw,
      `fdb append 00:00:00:00:00:00 dev vxlan0 dst ${host.address}`,
      /own local address|this host/,
    );
  }
  await expectReach(world, guests[0], guests[1]);
  const { drops } = await switches[0].stats();
  expect(drops.vtep_unknown).toBeUndefined();
  const file = world.file('host0.again.yaml', linesOf(0, local));
  const again = await overtap('-s', switches[0].control, 'apply', '--dry-run', '-c', file);
  expect(again.stdout).toContain('nothing to do');
});

test('follows the addresses of the host, where local is not given', async () => {
  const sw = await startWith(world, hosts[0].netns, 'host0', linesOf(0, false));
  const others = LIST.filter((address) => address !== hosts[0].address);
  expect(await floodOf(sw)).toEqual(others);
  await world.address(hosts[0], `${THIRD}/24`);
  await until('the new address is left out', async () => (await floodOf(sw)).join() === hosts[1].address);
  await world.ip(hosts[0].netns, `address del ${THIRD}/24 dev eth0`);
  await until('it comes back', async () => (await floodOf(sw)).join() === others.join());
});

test('is told by check, which finds the file right', async () => {
  const file = world.config('checked', linesOf(0, true).replace('bridges:\n', ''));
  const ended = await overtap('check', '-c', file);
  expect(ended.status).toBe(0);
  expect(ended.stdout).toContain(': ok: 1 bridge, 2 ports');
  expect(ended.stderr).toMatch(/\.remotes\[0\]: note: 192\.0\.2\.1 is the port's own local address and is left out/);
});
