/**
 * A million random source MACs (a tenth in `npm test`) out of one port, as a guest that would fill the table sends them: what another port has
 * learned stays, its traffic is never flooded, memory stays within a bound, and the FDB's counters add up.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { atRest, Bystanders, clientOf, expectReach, residentMiB, startWith } from './live-support.js';
import { sniff } from './sniffer.js';
import type { RunningSwitch } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { tool } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const MACS = long(1_000_000);
/** Where the frames go: known to be on the port that they come from, so that nobody else gets one. */
const SINK = '02:00:00:00:ff:01';
/** Datagrams a second between two others. */
const RATE = 1000;
const MACS_A_SECOND = 250_000;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

/** Sends so many MACs into the switch: those that the NIC's queue had no room for are made up by others. */
async function sendMacs(from: Guest, sw: RunningSwitch): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 32);
  let first = 0;
  for (let missing = MACS; missing > 0; ) {
    const source = `random:${seed}:${first}`;
    const ended = await world.exec(from.netns, tool('frames', from.ifname, SINK, source, missing, MACS_A_SECOND));
    expect(ended.status, ended.stderr).toBe(0);
    first += missing;
    missing = MACS - (await settledCount(sw));
    console.log(`seed ${seed}: ${first} sent, ${missing} found no room`);
  }
}

/** How many of them have come in, once that rests. */
async function settledCount(sw: RunningSwitch): Promise<number> {
  return atRest('the noisy port', async () => {
    const { links } = await clientOf(sw).get('/v1/stats');
    return links.noisy.drops.same_port ?? 0;
  });
}

const TABLES = [
  { fdbSize: 65_536, mayGrowMiB: 64, workers: 2 },
  { fdbSize: 65_536, mayGrowMiB: 48, workers: 1 },
  { fdbSize: 1_048_576, mayGrowMiB: 160, workers: 1 },
];

test.each(cases(TABLES, 2))('fdb_size: $fdbSize, workers: $workers', async ({ fdbSize, mayGrowMiB, workers }) => {
  const host = await world.netns('host');
  const guests: Guest[] = [];
  for (const number of [1, 2, 3, 4]) guests.push(await makeGuest(world, number));
  const [noisy, one, two, third] = guests;
  const pinned = `        fdb: [{ mac: "${SINK}", state: static }]\n`;
  const ports = [tapPort('noisy', noisy) + pinned, tapPort('one', one), tapPort('two', two), tapPort('third', third)];
  const lines = `workers: ${workers}\nfdb_size: ${fdbSize}\nbridges:\n${plainBridge(...ports)}`;
  const sw = await startWith(world, host, 'host1', lines);
  await expectReach(world, two, one);
  const before = residentMiB(sw);
  const learnedBefore = (await sw.stats()).fdb.learned;

  const flooded = await sniff(world, third, `udp and ether src ${one.mac}`);
  const pair = await Bystanders.begin(world, one, two, RATE);
  const began = performance.now();
  await sendMacs(noisy, sw);
  const ms = performance.now() - began;
  const count = await pair.expectAll();

  const { fdb, links } = await clientOf(sw).get('/v1/stats');
  const grown = residentMiB(sw) - before;
  console.log(
    `${MACS} MACs in ${ms.toFixed(0)} ms: ${JSON.stringify(fdb)}, ${grown.toFixed(0)} MiB more, ${count} datagrams`,
  );
  expect(links.noisy.drops).toEqual({ same_port: MACS });
  // Whoever is in the table was learned or pinned, and whoever was learned is there, gave way, or was refused.
  expect(fdb.capacity).toBe(fdbSize);
  expect(fdb.entries).toBeLessThanOrEqual(fdbSize);
  expect(fdb.entries - 1).toBe(fdb.learned - (fdb.evicted ?? 0) - fdb.aged);
  expect(fdb.learned + fdb.refused).toBe(MACS + learnedBefore);
  expect(fdb.entries).toBe(Math.min(fdbSize, MACS + learnedBefore + 1));
  expect(await sw.fdb('dev one')).toMatchObject([{ mac: one.mac, state: 'dynamic' }]);
  expect(await sw.fdb('dev two')).toMatchObject([{ mac: two.mac, state: 'dynamic' }]);
  expect(flooded.packets).toEqual([]);
  expect(grown).toBeLessThan(mayGrowMiB);
});
