/**
 * Hostile guests, hosts and clients of all kinds at the same time, a log on a full disk, and two guests of two switches between
 * which pings go on: these lose next to nothing, the accounts balance, memory and descriptors stay, the switch ends as it should.
 *
 * Half an hour with OVERTAP_LONG=1, some seconds without; OVERTAP_SOAK_SECONDS for another time. OVERTAP_SOAK_ONLY names those
 * attackers that are to run, separated by commas (hostile/attackers.ts); empty: none.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { describe, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG, long } from '../long.js';
import { expectBalanced, timeToReach } from './faults-support.js';
import { World } from './host-testbed.js';
import { ATTACKERS, type Attacker, type Counts, countsOf } from './hostile/attackers.js';
import { Curve } from './hostile/curve.js';
import { makeSite, type Site } from './hostile/site.js';
import { clientOf, descriptorsOf, linkOf } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';

const SECONDS = Number(process.env.OVERTAP_SOAK_SECONDS ?? long(1800, 15));
const ONLY = process.env.OVERTAP_SOAK_ONLY?.split(',');
/** Attackers end by themselves, should the test itself be killed. */
const BOUND_S = SECONDS * 2 + 120;
const PING_S = 0.05;
/** Part of the pings that may be lost: on a machine where other tests run, a pause may cost some of a few hundred. */
const MAY_LOSE = LONG ? 0.001 : 0.01;
/** From the first third to the last; in a short run the first third has not seen everything. */
const MAY_GROW = LONG ? { mib: 24, descriptors: 32 } : { mib: 128, descriptors: 600 };
const SAMPLES = 90;
const STOP_LIMIT_MS = 3000;
const RECOVERY_MS = 20_000;
/** Until the switch answers once hundreds of clients have gone. */
const ANSWER_MS = 60_000;

let world: World;
let site: Site | undefined;

afterEach(async () => {
  site?.removePrograms();
  await world?.cleanUp();
});

interface Assault {
  readonly attacker: Attacker;
  readonly program: Program;
}

function begin(attackers: readonly Attacker[], ground: Site): Promise<Assault[]> {
  return Promise.all(
    attackers.map(async (attacker) => {
      const program = attacker.begin(ground, BOUND_S);
      await program.line(`${attacker.name} has begun`, () => true);
      return { attacker, program };
    }),
  );
}

/** Ends an attack, which must not have ended before. */
async function end({ attacker, program }: Assault): Promise<Counts> {
  expect.soft(program.running, `${attacker.name} goes on to the end`).toBe(true);
  const { ended } = await program.stop('SIGTERM');
  expect.soft(ended.status, `${attacker.name}: ${describe(ended)}`).toBe(0);
  return countsOf(ended.stdout);
}

/** Pings of one bystander to the other, all the time. */
async function pings({ bystanders }: Site): Promise<{ sent: number; received: number; output: string }> {
  const count = Math.ceil(SECONDS / PING_S);
  const words = ['ping', '-n', '-q', '-c', String(count), '-i', String(PING_S), '-W', '20', bystanders[1].address];
  const ended = await world.exec(bystanders[0].netns, words, { limitMs: (SECONDS * 1.5 + 60) * 1000 });
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ended.stdout) ?? [];
  return { sent: Number(sent), received: Number(received), output: describe(ended) };
}

async function stats(sw: RunningSwitch): Promise<StatsAnswer> {
  // Clients that were there may be let go only now.
  const ask = (): Promise<StatsAnswer | undefined> =>
    clientOf(sw)
      .get('/v1/stats')
      .catch(() => undefined);
  const began = performance.now();
  const answer = await until('the switch tells its accounts', ask, ANSWER_MS);
  console.log(`the accounts were told after ${(performance.now() - began).toFixed(0)} ms`);
  return answer;
}

/** Everyone loses nothing now, and the switch holds what it held before. */
async function expectRecovered({ bystanders, switches }: Site, held: Record<string, number>): Promise<void> {
  await timeToReach(world, bystanders[1], bystanders[0]);
  const isUp = async (): Promise<boolean> => (await linkOf(switches[0], 'nic'))?.operstate === 'UP';
  await until('the NIC of the guest that did everything with it is there again', isUp, RECOVERY_MS);
  await expect.poll(() => lasting(switches[0]), { timeout: RECOVERY_MS }).toEqual(held);
}

/** What it holds now: a socket that is open for a moment, to ask the kernel for something, is not there a second long. */
async function lastingAtRest(sw: RunningSwitch): Promise<Record<string, number>> {
  let held = lasting(sw);
  let equal = 0;
  return until('the switch holds the same for a second', async () => {
    await delay(200);
    const now = lasting(sw);
    equal = isDeepStrictEqual(now, held) ? equal + 1 : 0;
    held = now;
    return equal >= 5 ? held : undefined;
  });
}

/** Descriptors by kind; what the first superframe opens for good (`tunnel_gso`) left out: a TAP with a BPF program. */
function lasting(sw: RunningSwitch): Record<string, number> {
  const { 'anon_inode:bpf_link': programs = 0, ...kinds } = descriptorsOf(sw);
  return { ...kinds, '/dev/net/tun': (kinds['/dev/net/tun'] ?? 0) - programs };
}

/** Ends both switches, the first one amid clients that mean harm and with its log on a full disk. */
async function expectEnd(ground: Site): Promise<void> {
  const clients = ATTACKERS.filter(({ name }) => name === 'clients' && isWanted(name));
  const assaults = await begin(clients, ground);
  const { hosts, hostile, bystanders, switches } = ground;
  for (const sw of switches) {
    const { ended, ms } = await sw.stop('SIGTERM');
    console.log(`SIGTERM: gone after ${ms.toFixed(0)} ms`);
    expect.soft(ended, describe(ended)).toMatchObject({ status: 0, signal: null });
    expect.soft(ms).toBeLessThan(STOP_LIMIT_MS);
    expect.soft(existsSync(sw.control)).toBe(false);
  }
  for (const { program } of assaults) await program.stop('SIGTERM');
  for (const { netns } of hosts) expect.soft(await world.nics(netns), netns).toEqual(['eth0']);
  for (const { netns } of bystanders) expect.soft(await world.nics(netns), netns).toEqual([]);
  for (const [name, guest] of Object.entries(hostile)) expect.soft(await guest.nics(), name).toEqual([]);
}

const isWanted = (name: string): boolean => ONLY === undefined || ONLY.includes(name);

test(`a bystander pair loses next to nothing in ${SECONDS} s of attacks`, {
  timeout: (SECONDS * 3 + 240) * 1000,
}, async () => {
  world = new World();
  site = await makeSite(world, BOUND_S);
  const { bystanders, switches, logDisk } = site;
  const [attacked] = switches;
  for (const [from, to] of [bystanders, [...bystanders].reverse()]) await timeToReach(world, from, to);
  logDisk.fill(attacked);
  const held = await lastingAtRest(attacked);

  const assaults = await begin(
    ATTACKERS.filter(({ name }) => isWanted(name)),
    site,
  );
  const curves = switches.map(
    (sw, index) => new Curve(['attacked', 'peer    '][index], sw, (SECONDS * 1000) / SAMPLES),
  );
  const began = performance.now();
  const { sent, received, output } = await pings(site);
  const seconds = (performance.now() - began) / 1000;
  for (const curve of curves) await curve.stop();
  const done: [Attacker, Counts][] = [];
  for (const assault of assaults) done.push([assault.attacker, await end(assault)]);

  console.log(`${received} of ${sent} pings in ${seconds.toFixed(0)} s; ${output.split('\n').at(-2)}`);
  for (const [{ name }, counts] of done) console.log(`${name}: ${JSON.stringify(counts)}`);
  for (const curve of curves) console.log(curve.text());
  expect(attacked.program.running, `the switch is alive; its last words: ${attacked.program.errors}`).toBe(true);
  expect.soft(logDisk.freeBlocks(attacked), 'free blocks of the disk of the log').toBe(0);

  const [after, peer] = [await stats(attacked), await stats(switches[1])];
  console.log(
    JSON.stringify({ drops: after.drops, retired: after.retired, replicated: after.replicated, fdb: after.fdb }),
  );
  for (const [attacker, counts] of done) attacker.expectReal(counts, after, seconds);
  console.log(JSON.stringify(after.control));
  expect.soft(after.control?.faults, 'faults of the control thread').toEqual({});
  if (isWanted('nic')) expect.soft(after.control?.log_lost, 'lines of the log without room').toBeGreaterThan(0);
  expect.soft(sent - received, `lost of ${sent}: ${output}`).toBeLessThanOrEqual(sent * MAY_LOSE);
  expect.soft(peer.links.by.rx_packets).toBeGreaterThanOrEqual(received);
  for (const curve of curves) {
    const { mib, descriptors } = curve.growth();
    console.log(`from the second quarter to the last: ${mib.toFixed(1)} MiB, ${descriptors} descriptors`);
    expect.soft(mib).toBeLessThan(MAY_GROW.mib);
    expect.soft(descriptors).toBeLessThan(MAY_GROW.descriptors);
  }
  await expectRecovered(site, held);
  for (const sw of switches) expectBalanced(await settledStats(sw));
  await expectEnd(site);
});
