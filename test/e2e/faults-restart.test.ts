/**
 * kill -9 and a new start, again and again under load: each is ready and forwards in time, takes over the guests' TAPs with
 * all that was on them, and finds nothing in its way that the dead one left. A switch beside it does not notice.
 */
import { existsSync, statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { long } from '../long.js';
import { expectInTime, Holdings, steadyPing, summary } from './faults-support.js';
import { World } from './host-testbed.js';
import { Bystanders, clientOf, expectReach, startWith } from './live-support.js';
import { RunningSwitch, switchCommand } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest } from './two-hosts.js';

const KILLS = long(100, 4);
const VNI = 42;
const RATE = 500;
const LIMIT_MS = 400_000;

/** A host whose switch is killed, its guests, and a kernel peer. */
interface Site {
  world: World;
  hosts: [Host, Host];
  /** Two with persistent TAPs, and one without. */
  guests: Guest[];
  peer: Guest;
}

let worlds: World[];

beforeEach(() => {
  worlds = [];
});

afterEach(async () => {
  for (const world of worlds) await world.cleanUp();
});

async function makeSite(): Promise<Site> {
  const world = new World();
  worlds.push(world);
  const hosts = await twoHosts(world);
  const guests = [await makeGuest(world, 1), await makeGuest(world, 2), await makeGuest(world, 3)];
  return { world, hosts, guests, peer: await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.99') };
}

function bridges({ hosts, guests }: Site): string {
  const persist = '        persist: true\n';
  return plainBridge(
    tapPort('tap0', guests[0]) + persist,
    tapPort('tap1', guests[1]) + persist,
    tapPort('tap2', guests[2]),
    singlePort(hosts[0].address, [hosts[1].address], VNI),
  );
}

/** Another switch on the same host, with guests of its own. */
async function beside({ world, hosts }: Site): Promise<{ sw: RunningSwitch; pair: Bystanders }> {
  const two: Guest[] = [];
  for (const number of [1, 2]) {
    const guest = await makeGuest(world, number + 5);
    two.push({ ...guest, address: `198.19.0.${number}` });
  }
  const ports = two.map((guest, number) => tapPort(`by${number}`, guest));
  const vxlan = `      vxlan9: { type: vxlan, local: ${hosts[0].address}, id: 9, dstport: 8472, remotes: [${hosts[1].address}] }\n`;
  const sw = await startWith(world, hosts[0].netns, 'beside', `bridges:\n${plainBridge(...ports, vxlan)}`);
  return { sw, pair: await Bystanders.begin(world, two[0], two[1], RATE) };
}

interface Nic {
  ifindex: number;
  address: string;
  addr_info: { local: string; prefixlen: number }[];
}

/** What a guest has of its own, and must not lose. */
async function nicOf(world: World, { netns }: Guest): Promise<Nic> {
  const [{ ifindex, address, addr_info }] = await world.ipJson<Nic[]>(netns, 'address show dev eth0');
  return { ifindex, address, addr_info: addr_info.map(({ local, prefixlen }) => ({ local, prefixlen })) };
}

/** Load of the guests, which goes on while there is no switch. */
function load({ world, guests, peer }: Site): Program[] {
  const [one, two] = guests;
  return [
    steadyPing(world, one.netns, peer.address, RATE),
    steadyPing(world, two.netns, peer.address, RATE),
    steadyPing(world, peer.netns, one.address, RATE),
    steadyPing(world, one.netns, two.address, RATE),
  ];
}

/** Kills and starts the switch of a site. @returns milliseconds until it was ready, and until a frame got through */
async function restart(site: Site, times: number): Promise<{ ready: number[]; reached: number[] }> {
  const { world, hosts, guests, peer } = site;
  const config = world.config('host1', bridges(site));
  const control = world.control('host1');
  const start = (): RunningSwitch => new RunningSwitch(world.spawn(hosts[0].netns, switchCommand(config)), control);
  let sw = start();
  await sw.ready();
  for (const guest of guests) await expectReach(world, guest, peer);
  await world.address(guests[0], '198.18.0.77/24');
  await world.ip(guests[0].netns, 'route add 203.0.113.0/24 via 198.18.0.99');
  const nics = (): Promise<Nic[]> => Promise.all(guests.slice(0, 2).map((guest) => nicOf(world, guest)));
  const before = await nics();
  // They run all the time: starting a program in a namespace may take longer than starting a switch.
  const probes = guests.slice(0, 2).map(({ netns }) => world.spawn(netns, ['ping', '-n', '-i', '0.05', peer.address]));
  const answered = (probe: Program): Promise<string> =>
    probe.line('an answer comes', (line) => line.includes(' bytes from '), 15_000, probe.lines.length);
  const programs = [...load(site), ...probes];
  const ready: number[] = [];
  const reached: number[] = [];
  for (let time = 0; time < times; time++) {
    const { ended } = await sw.stop('SIGKILL');
    expect(ended.signal).toBe('SIGKILL');
    expect(existsSync(control)).toBe(true); // the stale file
    const from = performance.now();
    sw = start();
    await sw.ready();
    ready.push(performance.now() - from);
    await Promise.all(probes.map(answered));
    reached.push(performance.now() - from);
  }
  for (const program of programs) expect(program.running, program.command.join(' ')).toBe(true);
  for (const program of programs) await program.stop('SIGKILL');

  // All of it is as it was: the guests' own, and the host.
  expect(await nics()).toEqual(before);
  expect(await world.ip(guests[0].netns, 'route show 203.0.113.0/24')).toContain('via 198.18.0.99');
  expect(await world.nics(guests[2].netns)).toEqual(['eth0']);
  expect(await world.nics(hosts[0].netns)).toEqual(['eth0']);
  expect(statSync(control).isSocket()).toBe(true);
  expect(statSync(control).mode & 0o777).toBe(0o600);
  for (const guest of guests) await expectReach(world, guest, peer);
  await expectReach(world, peer, { address: '198.18.0.77' });
  expect((await sw.stop()).ended).toMatchObject({ status: 0, stderr: '' });
  return { ready, reached };
}

test(`${KILLS} times kill -9 and a new start under load`, { timeout: LIMIT_MS }, async () => {
  const site = await makeSite();
  const { sw, pair } = await beside(site);
  const holdings = Holdings.of(sw);
  const { ready, reached } = await restart(site, KILLS);
  console.log(`${KILLS} restarts: ready: ${summary(ready)}; reached: ${summary(reached)}`);
  expectInTime(reached, 'a frame gets through');
  await pair.expectAll();
  // Nothing runs in the host's namespace any more but the switch that nobody killed.
  const pids = await must(['ip', 'netns', 'pids', site.hosts[0].netns]);
  expect(pids.split('\n').filter(Boolean).map(Number)).toEqual([sw.program.pid]);
  await holdings.expectSame('the switch beside it');
});

test('a second switch on a live control socket is refused and harms nothing; after a kill it is let in', async () => {
  const site = await makeSite();
  const { world, hosts, guests, peer } = site;
  const sw = await world.startSwitch(hosts[0].netns, 'host1', bridges(site));
  await expectReach(world, guests[0], peer);
  const inode = statSync(sw.control).ino;
  // It has ports of its own, so that only the socket stands in its way.
  const own = await makeGuest(world, 4);
  const second = world.config(
    'second',
    plainBridge(
      tapPort('tap9', own),
      `      vxlan9: { type: vxlan, local: ${hosts[0].address}, id: 9, dstport: 8472, remotes: [${hosts[1].address}] }\n`,
    ),
    sw.control,
  );
  const refused = await world.refusedSwitch(hosts[0].netns, second);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain(`a switch already answers on ${sw.control}`);
  expect(await world.nics(own.netns)).toEqual([]);
  expect(statSync(sw.control).ino).toBe(inode);
  expect(await clientOf(sw).get('/v1/links')).toHaveLength(5);
  await expectReach(world, guests[1], peer);

  await sw.stop('SIGKILL');
  await until('the TAP that does not persist goes', async () => (await world.nics(guests[2].netns)).length === 0);
  const next = new RunningSwitch(world.spawn(hosts[0].netns, switchCommand(second)), sw.control);
  await next.ready();
  expect(statSync(next.control).isSocket()).toBe(true);
  expect(await world.nics(own.netns)).toEqual(['eth0']);
});
