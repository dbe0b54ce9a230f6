/**
 * Storm control with real frames: of what a guest broadcasts far above its limit the limit arrives, the rest is counted,
 * and the unicast of the same port does not notice.
 */
import { afterEach, expect, test } from 'vitest';
import { until } from '../../src/lab/testbed/wait.js';
import { cases } from '../long.js';
import { World } from './host-testbed.js';
import { atRest, Bystanders, clientOf, expectReach, give, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import { settledStats } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { BROADCAST, tool } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const LIMIT = 200;
const FRAMES = 30_000;
const A_SECOND = 15_000;
/**
 * Of frames, for the guest's NIC: the datagrams go the same way, and none may be lost while the switch waits for a core. The
 * kernel's own thousand are all there before a tenth of a second is over.
 */
const QUEUE = 40_000;
/** Each captured frame takes 64 KiB: room for a thousand, should the capture wait for a core. */
const ROOM_MB = 64;
const TICK_MS = 100;
const UNKNOWN = '02:00:00:00:ee:01';
const GROUP = '01:00:5e:01:02:03';

let world: World;

afterEach(() => world.cleanUp());

const STORMS = [
  { workers: 2, kind: 'broadcast', destination: BROADCAST },
  { workers: 1, kind: 'broadcast', destination: BROADCAST },
  { workers: 1, kind: 'unknown_unicast', destination: UNKNOWN },
  { workers: 1, kind: 'multicast', destination: GROUP },
];

test.each(cases(STORMS, 2))('$kind, workers: $workers', async ({ workers, kind, destination }) => {
  world = new World();
  const host = await world.netns('host');
  const guests: Guest[] = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const [noisy, other] = guests;
  const ports = plainBridge(tapPort('noisy', noisy), tapPort('other', other));
  const sw = await startWith(world, host, 'host1', `workers: ${workers}\nbridges:\n${ports}`);
  await expectReach(world, noisy, other);
  await world.ip(noisy.netns, `link set ${noisy.ifname} txqueuelen ${QUEUE}`);
  // A setting that is made while it runs.
  await give(sw, `link set noisy type bridge_slave storm_limit ${kind} ${LIMIT}`);
  const sniffer = await sniff(world, other, 'ether proto 0x88b5', ROOM_MB);
  const pair = await Bystanders.begin(world, noisy, other, 1000);

  const words = tool('frames', noisy.ifname, destination, noisy.mac, FRAMES, A_SECOND);
  const began = performance.now();
  const ended = await world.exec(noisy.netns, words);
  expect(ended.status, ended.stderr).toBe(0);
  const { ms, steady } = JSON.parse(ended.stdout) as { ms: number; steady: number[] };
  await pair.expectAll();

  const { links, drops } = await settledStats(sw);
  const seconds = (performance.now() - began) / 1000;
  const seen = (): Promise<number> => atRest('the sniffer', () => sniffer.packets.length);
  const passed = await seen();
  const limited = links.noisy.drops.storm_limited;
  // A tick of the clock brings a tenth of the limit. A tick in which sender or switch waited for a core may be lost; of the
  // others one is, at the ends of each stretch. The bucket is full at the start.
  const refill = LIMIT / 10;
  const ticks = steady.reduce((sum, stretch) => sum + Math.max(0, Math.floor(stretch / TICK_MS) - 1), 0);
  const least = Math.max(1, ticks) * refill;
  console.log(`${kind}: ${FRAMES} in ${ms} ms, ${passed} passed, at least ${least}, ${limited} limited`);
  expect(passed).toBeGreaterThanOrEqual(least);
  // Until the last one was taken out of the NIC's queue; a tick may fall beyond each end.
  expect(passed).toBeLessThanOrEqual(LIMIT * seconds + 3 * refill);
  // What the guest's own NIC had no room for never came to the switch.
  expect(passed + limited).toBeGreaterThan(FRAMES / 2);
  expect(passed + limited).toBeLessThanOrEqual(FRAMES);
  expect(drops).toEqual({ storm_limited: limited });

  await give(sw, 'link set noisy type bridge_slave storm_limit off');
  const again = tool('frames', noisy.ifname, destination, noisy.mac, LIMIT * 2, LIMIT * 10);
  expect((await world.exec(noisy.netns, again)).status).toBe(0);
  await until('they all pass', () => sniffer.packets.length >= passed + LIMIT * 2);
  await settledStats(sw);
  expect(await seen()).toBe(passed + LIMIT * 2);
  expect((await clientOf(sw).get('/v1/stats')).drops).toEqual({ storm_limited: limited });
});
