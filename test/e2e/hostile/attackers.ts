/**
 * The attackers of the soak. Each runs until it is stopped, has a bound of its own in time, counts what it did, and says which
 * counts show that it was no empty threat.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { StatsAnswer } from '../../../src/api/api.js';
import type { Program } from '../../../src/lab/testbed/program.js';
import { dropped } from '../faults-support.js';
import { BROADCAST } from '../traffic.js';
import { KNOWN_VNI, OPEN_VNI, type Site } from './site.js';

/** What an attacker counted, by its own names. */
export type Counts = Readonly<Record<string, number>>;

export interface Attacker {
  readonly name: string;
  /** @param seconds after which it ends by itself */
  begin(site: Site, seconds: number): Program;
  /**
   * Expects that the attack took place.
   * @param stats of the switch that was attacked, when it was over
   * @param seconds that it took
   */
  expectReal(counts: Counts, stats: StatsAnswer, seconds: number): void;
}

/** What an attacker does per second at least, however busy the machine. */
const LEAST_RATE = 20;
const CLIENTS = 500;
const SPOOFED_SOURCES = 33_000;

const more = (counts: Counts, key: string, than: number): void => expect.soft(counts[key], key).toBeGreaterThan(than);
const droppedFor = (stats: StatsAnswer, ...reasons: string[]): void => {
  for (const reason of reasons) expect.soft(dropped(stats, reason), reason).toBeGreaterThan(0);
};

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const netlink: Attacker = {
  name: 'netlink',
  begin({ hostile, program, switches }, seconds) {
    // A socket that names no port of its own gets the pid of its process.
    const guessed = switches.map((sw) => String(sw.program.pid));
    return hostile.junk.spawn(program('netlink-junk'), '5000', String(seconds), ...guessed);
  },
  expectReal(counts, _stats, seconds) {
    more(counts, 'taken', seconds * LEAST_RATE);
    more(counts, 'arrived', seconds);
  },
};

const nic: Attacker = {
  name: 'nic',
  begin({ hostile }) {
    const script = readFileSync(here('own-nic.sh'), 'utf8');
    return hostile.nic.spawn('sh', '-c', script, 'sh', hostile.nic.ifname, String(hostile.nic.farPid));
  },
  expectReal(counts, _stats, seconds) {
    for (const key of ['renamed', 'moved', 'deleted']) more(counts, key, Math.floor(seconds / 20));
  },
};

const vteps: Attacker = {
  name: 'vteps',
  begin({ world, hosts, program, underlayMac }, seconds) {
    const [own, far] = hosts;
    const words = [SPOOFED_SOURCES, `${KNOWN_VNI},${OPEN_VNI}`, 2000, seconds].map(String);
    return world.spawn(far.netns, [program('spoofed-vteps'), far.ifname, underlayMac, own.address, ...words]);
  },
  expectReal(counts, stats, seconds) {
    more(counts, 'taken', seconds * LEAST_RATE);
    more(counts, 'malformed', seconds);
    droppedFor(stats, 'vtep_unknown', 'vxlan_flag_missing', 'vxlan_too_short', 'vni_unknown');
    expect.soft(stats.vnis[OPEN_VNI]?.rx_packets, 'frames of the port that takes all').toBeGreaterThan(0);
  },
};

/** Frames as fast as the kernel takes them, until it is stopped: `flood` has no bound of its own but `timeout`'s. */
const flooding = (name: string, destination: string, ...superframe: number[]): Attacker => ({
  name,
  begin({ hostile, program }, seconds) {
    const { ifname, mac } = hostile.flood;
    const words = [program('flood'), ifname, destination, mac, ...superframe.map(String)];
    return hostile.flood.spawn('timeout', '--foreground', String(seconds), ...words);
  },
  expectReal(counts, stats, seconds) {
    more(counts, 'sent', seconds * LEAST_RATE);
    expect.soft(stats.replicated, 'copies').toBeGreaterThan(seconds * LEAST_RATE);
    const limited = dropped(stats, 'storm_limited') + dropped(stats, 'turn_exceeded');
    expect.soft(limited, 'frames of floods that were held back').toBeGreaterThan(0);
  },
});

const offloads: Attacker = {
  name: 'offloads',
  begin({ hostile, program }, seconds) {
    const { ifname, mac } = hostile.odd;
    return hostile.odd.spawn(program('odd-offloads'), ifname, mac, '2000', String(seconds));
  },
  expectReal(counts, stats, seconds) {
    more(counts, 'taken', seconds * LEAST_RATE);
    droppedFor(stats, 'offload_invalid');
  },
};

const clients: Attacker = {
  name: 'clients',
  begin({ world, hosts, switches }, seconds) {
    const words = [switches[0].control, CLIENTS, seconds].map(String);
    return world.spawn(hosts[0].netns, [process.execPath, here('control-clients.mjs'), ...words]);
  },
  expectReal(counts) {
    more(counts, 'connected', CLIENTS);
    more(counts, 'most', CLIENTS / 10);
  },
};

export const ATTACKERS: readonly Attacker[] = [
  netlink,
  nic,
  vteps,
  flooding('broadcasts', BROADCAST),
  offloads,
  clients,
];

/** What an attacker printed at its end: a line of JSON, or a number alone. */
export function countsOf(stdout: string): Counts {
  const last: unknown = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? 'null');
  if (typeof last === 'number') return { sent: last };
  if (typeof last !== 'object' || last === null) throw new Error(`the attacker told no counts: ${stdout}`);
  return last as Counts;
}
