/**
 * Faults of TAPs, over and over: deleted under the switch, their namespaces deleted and made again, their NICs set down and
 * up. The port says so and comes back by itself; numbered datagrams of bystanders arrive all; nothing is left behind.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { long } from '../long.js';
import {
  destroy,
  dropped,
  expectBalanced,
  expectInTime,
  Holdings,
  know,
  LinkWatch,
  makeAgain,
  statsOf,
  steadyPing,
  summary,
  timeToReach,
} from './faults-support.js';
import { World } from './host-testbed.js';
import { Bystanders, linkOf, startWith } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { kernelPeer, makeGuest, VNI } from './two-hosts.js';

/** Together a thousand in the long run. */
const DELETIONS = long(800, 16);
const DELETIONS_OF_TWO_ENGINES = long(200, 16);
/** Of namespaces, deleted and made again. */
const CYCLES = long(1000, 16);
/** Of a guest's NIC, down and up. */
const FLAPS = long(1000);
/** Guests that faults befall, all at the same time. */
const VICTIMS = 16;
/** After so many faults of a guest a frame has to get through, too. */
const PROBE = long(10, 1);
/** Numbered datagrams a second. */
const RATE = 1000;
const LIMIT_MS = 300_000;

let world: World;
let hosts: [Host, Host];
/** Two that nothing befalls. */
let bystanders: [Guest, Guest];
let victims: Guest[];
let peer: Guest;
let sw: RunningSwitch;
let links: LinkWatch;

beforeEach(async () => {
  world = new World();
  hosts = await twoHosts(world);
  bystanders = [await makeGuest(world, 1), await makeGuest(world, 2)];
  peer = await kernelPeer(world, hosts[1], hosts[0].address, '198.18.0.99');
});

afterEach(async () => {
  await links?.stop();
  await world.cleanUp();
});

/** @param count of guests that something befalls */
async function start(workers: number, count: number): Promise<void> {
  victims = [];
  for (let number = 0; number < count; number++) {
    const netns = await world.netns(`victim${number}`);
    const [address, mac] = [`198.18.0.${10 + number}`, `02:00:00:00:01:${number.toString(16).padStart(2, '0')}`];
    victims.push({ netns, ifname: 'eth0', address, mac });
  }
  const bridges = plainBridge(
    ...bystanders.map((guest, number) => tapPort(`by${number}`, guest)),
    ...victims.map((guest, number) => tapPort(`tap${number}`, guest)),
    singlePort(hosts[0].address, [hosts[1].address], VNI),
  );
  sw = await startWith(world, hosts[0].netns, 'host1', `workers: ${workers}\nbridges:\n${bridges}`);
  links = new LinkWatch(sw);
}

function traffic(): Promise<Bystanders[]> {
  const [one, two] = bystanders;
  return Promise.all([Bystanders.begin(world, one, two, RATE), Bystanders.begin(world, two, peer, RATE / 2)]);
}

/** A fault of a guest's port, which is over when the promise is. @returns when that was, by `performance.now` */
type Fault = (guest: Guest, port: string) => Promise<number>;

/** Lets a fault befall all victims, beside traffic of the others; each port has to come back every time. */
async function befall(count: number, label: string, fault: Fault): Promise<void> {
  for (const guest of victims) await timeToReach(world, guest, bystanders[0]);
  const holdings = Holdings.of(sw);
  const nics = await Promise.all([hosts[0], ...victims].map(({ netns }) => world.nics(netns)));
  const pairs = await traffic();
  const began = performance.now();
  const times: number[] = [];
  const each = Math.ceil(count / victims.length);
  const one = async (guest: Guest, number: number): Promise<void> => {
    for (let time = 1; time <= each; time++) {
      const over = await fault(guest, `tap${number}`);
      await links.until(`tap${number}`, 'UP');
      if (time % PROBE === 0) await timeToReach(world, guest, bystanders[0]);
      times.push(performance.now() - over);
      if (times.length === Math.floor(count / 2)) holdings.warm();
    }
  };
  await Promise.all(victims.map(one));
  const seconds = (performance.now() - began) / 1000;
  console.log(`${times.length} times ${label} in ${seconds.toFixed(1)} s; recovery: ${summary(times)}`);
  for (const pair of pairs) await pair.expectAll();
  expect(times.length).toBeGreaterThanOrEqual(count);
  expectInTime(times, 'a port is back');
  for (const guest of victims) await timeToReach(world, peer, guest);
  expect(await Promise.all([hosts[0], ...victims].map(({ netns }) => world.nics(netns)))).toEqual(nics);
  await holdings.expectSame(label);
}

describe.each([
  { workers: 1, deletions: DELETIONS },
  { workers: 2, deletions: DELETIONS_OF_TWO_ENGINES },
])('workers: $workers', ({ workers, deletions }) => {
  test(`TAPs are deleted ${deletions} times`, { timeout: LIMIT_MS }, async () => {
    await start(workers, VICTIMS);
    await befall(deletions, 'deleted', async ({ netns, ifname }) => {
      const over = performance.now();
      await world.ip(netns, `link del ${ifname}`);
      return over;
    });
  });
});

test(`namespaces are deleted and made again ${CYCLES} times`, { timeout: LIMIT_MS }, async () => {
  await start(1, VICTIMS);
  await befall(CYCLES, 'a namespace deleted', async ({ netns }, port) => {
    await destroy(netns);
    await links.until(port, 'DOWN');
    const over = performance.now();
    await makeAgain(netns);
    return over;
  });
});

test('a TAP that is deleted stays down as long as another NIC has its name, and is counted', async () => {
  await start(1, 1);
  const [victim] = victims;
  await timeToReach(world, bystanders[0], victim);
  await world.ip(victim.netns, 'link add other type veth peer name far');
  const batch = world.file('usurp.batch', 'link set eth0 name gone\nlink set other name eth0\nlink del gone\n');
  await world.ip(victim.netns, `-batch ${batch}`);
  await links.until('tap0', 'DOWN');
  const before = await settledStats(sw);
  await know(world, bystanders[0].netns, bystanders[0].ifname, victim);
  const lost = await world.exec(bystanders[0].netns, ['ping', '-n', '-c', '5', '-i', '0.1', '-W', '1', victim.address]);
  expect(lost.stdout).toContain(' 0 received');
  const during = await settledStats(sw);
  // Each was learned behind the port, or is flooded to it: either way it is counted.
  expect(dropped(during, 'port_down') - dropped(before, 'port_down')).toBeGreaterThanOrEqual(5);
  expectBalanced(during);
  expect((await linkOf(sw, 'tap0'))?.operstate).toBe('DOWN');
  await timeToReach(world, bystanders[1], bystanders[0]);

  const over = performance.now();
  await world.ip(victim.netns, 'link del eth0');
  await links.until('tap0', 'UP');
  expectInTime(await timeToReach(world, bystanders[0], victim, over), 'the guest answers');
  // The line may come a moment after the answer.
  await sw.logged('the port is up again', ({ port, msg }) => port === 'tap0' && msg === 'port up again');
  expect(sw.log().filter(({ port, msg }) => port === 'tap0' && msg === 'port up again').length).toBe(1);
});

test("a guest's NIC that is down takes nothing: each frame is counted, and the others lose none", async () => {
  await start(1, 1);
  const [victim] = victims;
  const holdings = Holdings.of(sw);
  await timeToReach(world, peer, victim);
  const pairs = await traffic();
  // Two streams into it: by the bridge, and by the tunnel.
  await know(world, bystanders[0].netns, bystanders[0].ifname, victim);
  await know(world, peer.netns, peer.ifname, victim);
  const streams = [bystanders[0], peer].map(({ netns }) => steadyPing(world, netns, victim.address, RATE));
  const sent = async (): Promise<number> => (await statsOf(sw)).links.tap0.tx_packets;
  await until('the streams flow', async () => (await sent()) > RATE);
  await world.ip(victim.netns, 'link set eth0 down');
  await links.until('tap0', 'DOWN');
  const before = await statsOf(sw);
  await until('frames of both streams are refused', async () => {
    const { drops } = (await statsOf(sw)).links.tap0;
    return (drops.port_down ?? 0) > (before.links.tap0.drops.port_down ?? 0) + 200;
  });
  expect(await sent()).toBe(before.links.tap0.tx_packets);

  const over = performance.now();
  await world.ip(victim.netns, 'link set eth0 up');
  await links.until('tap0', 'UP');
  const stopped = before.links.tap0.tx_packets;
  await until('frames pass again', async () => (await sent()) > stopped);
  expectInTime(performance.now() - over, 'frames pass again');
  for (const stream of streams) await stream.stop('SIGKILL');
  for (const pair of pairs) await pair.expectAll();
  await holdings.expectSame('a slow reader');
});

test(`a guest's NIC goes down and up ${FLAPS} times`, { timeout: LIMIT_MS }, async () => {
  await start(1, 4);
  const flaps = 25;
  const batch = world.file('flaps.batch', 'link set eth0 down\nlink set eth0 up\n'.repeat(flaps));
  await befall(FLAPS / flaps, `${flaps} flaps`, async ({ netns }) => {
    await world.ip(netns, `-batch ${batch}`);
    return performance.now();
  });
});
