/**
 * What the tests of faults share: the state of links as it changes, the time that a recovery takes, accounts that balance
 * although ports have come and gone, and what a process holds before and after.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { LinkRow, StatsAnswer } from '../../src/api/api.js';
import { must, type Program } from '../../src/lab/testbed/program.js';
import { quietFor, until } from '../../src/lab/testbed/wait.js';
import type { World } from './host-testbed.js';
import { clientOf, descriptorsOf, residentMiB } from './live-support.js';
import { type RunningSwitch, settledStats } from './switch.js';

/**
 * From the end of a fault to the first frame that gets through: the contract's two seconds are the switch's on a machine of its own,
 * and are printed (`summary`). What a test can hold on a machine that others use is that the end comes, and comes soon.
 */
export const RECOVERY_MS = 10_000;
/** For what an engine has yet to let go. */
const LET_GO_MS = 10_000;
const POLL_MS = 25;
/** What a switch may hold more after all the faults than after half of them: heaps grow to their size in the first thousand. */
const MORE_MEMORY_MIB = 40;

/** Expects that each recovery came in time: see RECOVERY_MS. */
export function expectInTime(times: number | readonly number[], what: string): void {
  expect(Math.max(...[times].flat()), `most milliseconds until ${what}`).toBeLessThan(RECOVERY_MS);
}

// ---- the state of links ----

/** Asks for all links again and again, once for everyone who waits for one. */
export class LinkWatch {
  private rows = new Map<string, LinkRow>();
  private begun = 0;
  private done = 0;
  private over = false;
  private failure: unknown;
  private readonly polling: Promise<void>;

  constructor(sw: RunningSwitch) {
    this.polling = this.poll(sw);
  }

  private async poll(sw: RunningSwitch): Promise<void> {
    const client = clientOf(sw);
    while (!this.over) {
      const number = ++this.begun;
      try {
        const rows = await client.get('/v1/links');
        this.rows = new Map(rows.map((row) => [row.ifname, row]));
      } catch (error) {
        const last = [...sw.program.lines.slice(-5), sw.program.errors].join('\n');
        if (!this.over) this.failure = new Error(`${String(error)}; the switch's last words are:\n${last}`);
        return;
      }
      this.done = number;
      await delay(POLL_MS);
    }
  }

  /** Waits for a state that was asked for after this call. @returns milliseconds */
  async until(name: string, operstate: 'UP' | 'DOWN', limitMs = 10_000): Promise<number> {
    const start = performance.now();
    const asked = this.begun;
    await until(
      `${name} is ${operstate}`,
      () => {
        if (this.failure !== undefined) throw this.failure;
        return this.done > asked && this.rows.get(name)?.operstate === operstate;
      },
      limitMs,
    );
    return performance.now() - start;
  }

  /** The link as it is after this call. */
  async row(name: string): Promise<LinkRow | undefined> {
    const asked = this.begun;
    await until('the links are told', () => {
      if (this.failure !== undefined) throw this.failure;
      return this.done > asked;
    });
    return this.rows.get(name);
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.polling;
  }
}

// ---- reach, timed ----

interface Place {
  readonly netns: string;
  readonly address: string;
}

/** Pings until one is answered, several a second. @returns milliseconds, from `start` on, to the answer */
export async function timeToReach(
  world: World,
  from: Pick<Place, 'netns'>,
  to: Pick<Place, 'address'>,
  start = performance.now(),
): Promise<number> {
  const program = world.spawn(from.netns, ['ping', '-n', '-i', '0.05', '-c', '400', to.address]);
  try {
    await program.line(`${to.address} answers`, (line) => line.includes(' bytes from '), 15_000);
    return performance.now() - start;
  } finally {
    await program.stop('SIGKILL');
  }
}

/** Sends pings all the time: at this rate a second where they are answered, else as often as the kernel's clock ticks. */
export function steadyPing(world: World, netns: string, address: string, rate: number): Program {
  return world.spawn(netns, ['ping', '-n', '-q', '-s', '1200', '-i', String(1 / rate), address]);
}

/** A neighbour whose MAC is known beforehand, so that frames are sent although nobody answers a request for it. */
export async function know(
  world: World,
  netns: string,
  ifname: string,
  to: { address: string; mac: string },
): Promise<void> {
  await world.ip(netns, `neigh replace ${to.address} lladdr ${to.mac} dev ${ifname} nud permanent`);
}

/**
 * Deletes a namespace in which no program runs. `World.deleteNetns` ends those first, and could take the switch for one of
 * them: for a moment it is there itself, whenever it asks for the state of a NIC.
 */
export async function destroy(netns: string): Promise<void> {
  await must(['ip', 'netns', 'del', netns]);
}

/** Makes a namespace of the world again that was deleted; `cleanUp` deletes it as it would have the first one. */
export async function makeAgain(netns: string): Promise<void> {
  await must(['ip', 'netns', 'add', netns]);
  await must(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
}

// ---- accounts ----

/** The accounts as they are, while traffic may go on. */
export function statsOf(sw: RunningSwitch): Promise<StatsAnswer> {
  return clientOf(sw).get('/v1/stats');
}

/** Every frame received, and every copy, was transmitted or dropped for one reason; those of ports that are no more too. */
export function expectBalanced(stats: StatsAnswer): void {
  const all = [...Object.values(stats.links), stats.retired];
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  const drops = sum([...Object.values(stats.drops), ...Object.values(stats.retired.drops)]);
  expect(sum(all.map(({ tx_packets }) => tx_packets)) + drops).toBe(
    sum(all.map(({ rx_packets }) => rx_packets)) + stats.replicated,
  );
}

/** How many frames were dropped for a reason, by ports that are no more too. */
export function dropped(stats: StatsAnswer, reason: string): number {
  return (stats.drops[reason] ?? 0) + (stats.retired.drops[reason] ?? 0);
}

// ---- what a process holds ----

/** What the switch holds at a moment. */
export class Holdings {
  private constructor(
    private readonly sw: RunningSwitch,
    private readonly descriptors: Record<string, number>,
    private memory: number,
  ) {}

  static of(sw: RunningSwitch): Holdings {
    return new Holdings(sw, restingDescriptors(sw), residentMiB(sw));
  }

  /** From here on memory is compared: caches are warm. */
  warm(): void {
    this.memory = residentMiB(this.sw);
  }

  /** Expects the same descriptors as before, no more memory than a little, no line of the log that tells of an error. */
  async expectSame(label: string): Promise<void> {
    await quietFor();
    // A descriptor is closed once the engines have let it go.
    await expect.poll(() => descriptorsOf(this.sw), { timeout: LET_GO_MS }).toEqual(this.descriptors);
    const more = residentMiB(this.sw) - this.memory;
    console.log(`${label}: ${this.memory.toFixed(0)} MiB, then ${more.toFixed(1)} more`);
    expect(more).toBeLessThan(MORE_MEMORY_MIB);
    expect(this.sw.log().filter(({ level }) => level >= 50)).toEqual([]);
    expectBalanced(await settledStats(this.sw));
  }
}

/**
 * Descriptors by kind, of the moment when the switch holds the fewest: once a second it opens a namespace and some sockets for a moment,
 * to look around.
 */
function restingDescriptors(sw: RunningSwitch): Record<string, number> {
  const total = (kinds: Record<string, number>): number => Object.values(kinds).reduce((sum, one) => sum + one, 0);
  let fewest = descriptorsOf(sw);
  for (let tries = 0; tries < 100; tries++) {
    const kinds = descriptorsOf(sw);
    if (total(kinds) < total(fewest)) fewest = kinds;
  }
  return fewest;
}

/** Statistics of some times, as text. */
export function summary(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(0);
  return `median ${at(0.5)} ms, 99% ${at(0.99)} ms, longest ${at(1)} ms`;
}
