/**
 * A guest that floods as fast as it can beside two that ping each other, with 1,000 remotes: the attacker is an ordinary user
 * in a user namespace of its own, with a packet socket at its NIC. How long a ping takes is printed, not judged.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { describe, type Program } from '../../src/lab/testbed/program.js';
import { cases, long } from '../long.js';
import { World } from './host-testbed.js';
import { type RunningSwitch, settledStats } from './switch.js';
import { type Guest, type Host, twoHosts } from './topologies.js';
import { BROADCAST, ping } from './traffic.js';
import { expectBalance, makeGuest, startSwitch } from './two-hosts.js';

const REMOTES = 1000;
const PINGS = long(2000, 100);
const NOBODY = '65534';
const UNKNOWN = '02:00:00:00:ee:01';
const GROUP = '01:00:5e:01:02:03';

const world = new World();
let directory: string;
let keeper: Program;
let hosts: [Host, Host];
let evil: Guest;
let bystanders: [Guest, Guest];
let sw: RunningSwitch;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'overtap-flood-'));
  chmodSync(directory, 0o755);
  const source = fileURLToPath(new URL('tools/flood.c', import.meta.url));
  execFileSync(process.env.CC ?? 'cc', ['-O1', '-D_GNU_SOURCE', '-o', join(directory, 'flood'), source]);
  hosts = await twoHosts(world);
  const [own, far] = hosts;
  // The copies arrive, and nobody has asked for them.
  await world.ip(far.netns, 'route add blackhole 10.9.0.0/16');
  await world.ip(own.netns, `route add 10.9.0.0/16 via ${far.address}`);
  const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', 'unshare', '-Urn'];
  keeper = world.spawn(own.netns, [...user, 'sh', '-c', 'echo there; exec sleep 1000']);
  await keeper.line('the namespace is there', (line) => line === 'there');
  evil = { netns: `/proc/${keeper.pid}/ns/net`, ifname: 'eth0', address: '198.18.0.9', mac: '02:00:00:00:00:09' };
  bystanders = [await makeGuest(world, 1), await makeGuest(world, 2)];
  const remotes = Array.from({ length: REMOTES }, (_, n) => `10.9.${Math.floor(n / 250)}.${(n % 250) + 1}`);
  sw = await startSwitch(world, own, remotes, [evil, ...bystanders]);
  await ping(world, bystanders[0].netns, bystanders[1].address);
});

afterAll(async () => {
  await world.cleanUp();
  rmSync(directory, { recursive: true, force: true });
});

/** The attacker's program, as root of its own user namespace. */
function flood(destination: string, ...superframe: (string | number)[]): Program {
  const enter = ['nsenter', '--target', String(keeper.pid), '--user', '--net', '--setuid', '0', '--setgid', '0'];
  const words = [evil.ifname, destination, evil.mac, ...superframe.map(String)];
  return world.spawn(hosts[0].netns, [...enter, join(directory, 'flood'), ...words]);
}

/** Pings of one bystander to the other: how many were answered, and the times of all in milliseconds, ascending. */
async function pings(): Promise<{ received: number; times: number[]; output: string }> {
  const command = ['ping', '-n', '-c', String(PINGS), '-i', '0.01', '-W', '2', bystanders[1].address];
  const ended = await world.exec(bystanders[0].netns, command);
  const times = [...ended.stdout.matchAll(/ time=([\d.]+) ms/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
  return { received: times.length, times, output: describe(ended) };
}

const difference = (
  after: StatsAnswer,
  before: StatsAnswer,
  reason: 'storm_limited' | 'turn_exceeded' | 'offload_invalid',
) => (after.drops[reason] ?? 0) - (before.drops[reason] ?? 0);

const FLOODS = [
  { kind: 'broadcasts', words: [BROADCAST], reasons: ['storm_limited', 'turn_exceeded'] },
  { kind: 'multicast', words: [GROUP], reasons: ['storm_limited', 'turn_exceeded'] },
  { kind: 'unknown unicast', words: [UNKNOWN], reasons: ['storm_limited', 'turn_exceeded'] },
  { kind: 'superframes of 16 bytes a segment', words: [BROADCAST, 16, 60_000], reasons: ['offload_invalid'] },
  { kind: 'superframes of 400 segments', words: [BROADCAST, 150, 60_000], reasons: ['turn_exceeded'] },
  { kind: 'superframes of 7 segments', words: [BROADCAST, 1000, 7000], reasons: ['storm_limited', 'turn_exceeded'] },
  { kind: 'unicast superframes of 400 segments', words: ['02:00:00:00:00:02', 150, 60_000], reasons: [] },
] as const;

test.each(cases<(typeof FLOODS)[number]>(FLOODS, 5))(
  '$kind cost the others none of their pings',
  async ({ kind, words, reasons }) => {
    const before = await settledStats(sw);
    const [destination, ...superframe] = words;
    const attacker = flood(destination, ...superframe);
    await attacker.line('it floods', (line) => line === 'flooding');
    const result = await pings();
    const { ended } = await attacker.stop('SIGTERM');
    expect(ended.status, describe(ended)).toBe(0);
    const at = (part: number): number => result.times[Math.floor((result.times.length - 1) * part)];
    console.log(
      `${kind}: ${ended.stdout.split('\n')[1]} sent; ${result.received} of ${PINGS} pings; ms: p50 ${at(0.5)}, p99 ${at(0.99)}`,
    );
    expect(result.received, result.output).toBeGreaterThanOrEqual(PINGS * 0.99);
    const after = await settledStats(sw);
    const dropped = reasons.map((reason) => difference(after, before, reason));
    if (reasons.length > 0) expect(dropped.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    await expectBalance(sw);
  },
);
