/**
 * What the tests of live control share: commands given to a running switch, its whole state at a moment, the configuration
 * that a file would have, and numbered traffic of bystanders that must not notice a thing.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { LinkRow, SwitchEvent } from '../../src/api/api.js';
import { createClient, type SwitchClient } from '../../src/client/client.js';
import { describe as describeEnd, type Ended, type Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import type { World } from './host-testbed.js';
import { command, OVERTAP, RunningSwitch, switchCommand } from './switch.js';
import type { Guest } from './topologies.js';
import { ping, tool } from './traffic.js';

/** At descriptors, until two in a row tell the same. */
const MOST_LOOKS = 20;
/** Readings in a row that have to be equal: a program that waits for a core must not look as if it had done its work. */
const READINGS_AT_REST = 10;

/** Starts a switch with the lines of a configuration that come after `name` and `control`. */
export async function startWith(world: World, netns: string, name: string, lines: string): Promise<RunningSwitch> {
  const control = world.control(name);
  const file = world.file(`${name}.yaml`, `name: ${name}\ncontrol: ${control}\n${lines}`);
  const sw = new RunningSwitch(world.spawn(netns, switchCommand(file)), control);
  await sw.ready();
  return sw;
}

export function clientOf(sw: RunningSwitch): SwitchClient {
  return createClient(sw.control);
}

const commandTo = (sw: RunningSwitch, words: string): Promise<Ended> => command('-s', sw.control, ...words.split(' '));

/** Gives commands, one after the other, that have to succeed. @returns what the last one printed */
export async function give(sw: RunningSwitch, ...commands: string[]): Promise<string> {
  let printed = '';
  for (const words of commands) {
    const ended = await commandTo(sw, words);
    expect(ended.status, `overtap ${words}: ${describeEnd(ended)}`).toBe(0);
    expect(ended.stderr, words).toBe('');
    printed = ended.stdout;
  }
  return printed;
}

/** Everything that a refused command must leave as it was. */
async function stateOf(sw: RunningSwitch): Promise<unknown> {
  const client = clientOf(sw);
  const fdb = await client.get('/v1/fdb');
  const [links, vlans, neigh, mdb, config] = await Promise.all(
    (['/v1/links', '/v1/vlans', '/v1/neigh', '/v1/mdb', '/v1/config'] as const).map(
      (path): Promise<unknown> => client.get(path),
    ),
  );
  // The age of an entry, and where its row lies, say nothing of what there is.
  const rows = fdb.map(({ updated: _, ...row }) => JSON.stringify(row)).sort();
  return { links, vlans, neigh, mdb, config, rows };
}

/**
 * A command that is refused: its reason on standard error, and nothing changed.
 * @param status 1: by the switch; 2: by the command line, since it can mean nothing
 */
export async function expectRefused(sw: RunningSwitch, words: string, reason: RegExp, status = 1): Promise<void> {
  const before = await stateOf(sw);
  const ended = await commandTo(sw, words);
  expect(ended.status, `overtap ${words}: ${describeEnd(ended)}`).toBe(status);
  expect(ended.stdout, words).toBe('');
  expect(ended.stderr, words).toMatch(/^overtap: /);
  expect(ended.stderr, words).toMatch(reason);
  expect(await stateOf(sw), words).toEqual(before);
}

export async function linkOf(sw: RunningSwitch, name: string): Promise<LinkRow | undefined> {
  return (await clientOf(sw).get('/v1/links')).find(({ ifname }) => ifname === name);
}

// ---- reach ----

interface Place {
  readonly netns: string;
  readonly address: string;
}

/** Expects that pings are answered, each once. */
export async function expectReach(world: World, from: Place, to: Pick<Place, 'address'>): Promise<void> {
  const result = await ping(world, from.netns, to.address, { count: 2 });
  expect(result, result.output).toMatchObject({ received: 2, duplicates: 0 });
}

/** Expects that a ping is not answered. Nothing is left of it, such as a request for a MAC that goes on for seconds. */
export async function expectNoReach(world: World, from: Place, to: Pick<Place, 'address'>): Promise<void> {
  const ended = await world.exec(from.netns, ['ping', '-n', '-c', '1', '-W', '1', to.address]);
  expect(ended.stdout, describeEnd(ended)).toContain(' 0 received');
  await world.ip(from.netns, 'neigh flush all');
}

// ---- bystanders ----

export interface Count {
  readonly sent: number;
  readonly received: number;
  readonly late: number;
  readonly twice: number;
  /** The longest time without a datagram, in milliseconds. */
  readonly gap: number;
  /** Datagrams that the receiver's namespace had no room for. */
  readonly noRoom: number;
}

/** A pair of guests between which numbered datagrams flow at a steady rate. */
export class Bystanders {
  /** The longest time without a datagram, in milliseconds; known at the end. */
  gap = Number.NaN;

  private constructor(
    private readonly label: string,
    private readonly netns: string,
    private readonly sender: Program,
    private readonly receiver: Program,
    private readonly rate: number,
  ) {}

  private readonly began = performance.now();

  /** @param rate datagrams a second. Begins once the two know each other's MACs: before that, their own kernels hold datagrams back. */
  static async begin(world: World, from: Guest, to: Guest, rate: number): Promise<Bystanders> {
    const receiver = world.spawn(to.netns, tool('steady', 'receive', to.address));
    const { port } = JSON.parse(await receiver.line('the receiver listens', () => true)) as { port: number };
    await world.exec(from.netns, ['ping', '-c', '1', '-W', '2', to.address]);
    const sender = world.spawn(from.netns, tool('steady', 'send', to.address, port, rate));
    await sender.line('the datagrams flow', () => true);
    const label = `${from.address} to ${to.address}`;
    return new Bystanders(label, to.netns, sender, receiver, rate);
  }

  /**
   * Ends the traffic, and expects that every datagram arrived, once and in order, and that they flowed all the time: of what the rate
   * promises a busy machine sends a good part. @returns how many there were
   */
  async expectAll(): Promise<number> {
    const promised = ((performance.now() - this.began) * this.rate) / 1000;
    const { ended } = await this.sender.stop('SIGTERM');
    expect(ended.status, describeEnd(ended)).toBe(0);
    const line = await this.receiver.line('the datagrams are counted', (text) => text.includes('received'));
    const count = JSON.parse(line) as Count;
    console.log(`numbered datagrams, ${this.label}: ${line}`);
    // The receiver's own kernel counts what its socket had no room for: that is not the switch's loss.
    expect(count.noRoom, `datagrams that the socket in ${this.netns} had no room for`).toBe(0);
    this.gap = count.gap;
    expect(count).toMatchObject({ received: count.sent, late: 0, twice: 0 });
    expect(count.sent).toBeGreaterThan(promised / 10);
    return count.sent;
  }
}

/** Reads a count again and again, until it changes no more. */
export async function atRest(what: string, read: () => number | Promise<number>): Promise<number> {
  let before = Number.NaN;
  let equal = 0;
  return until(`${what} is at rest`, async () => {
    const now = await read();
    equal = now === before ? equal + 1 : 1;
    before = now;
    return equal >= READINGS_AT_REST && now;
  });
}

// ---- what a process uses ----

/** Resident memory of the switch, in MiB. */
export function residentMiB(sw: RunningSwitch): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${sw.program.pid}/status`, 'latin1'))?.[1];
  return Number(kib) / 1024;
}

/**
 * How many descriptors of each kind the switch has open; the connections of its clients, which come and go, left out. So
 * is what it has open for a moment whenever it asks for the state of a NIC: two looks in a row have to tell the same.
 */
export function descriptorsOf(sw: RunningSwitch): Record<string, number> {
  let before = lookAtDescriptors(sw);
  for (let looks = 1; looks < MOST_LOOKS; looks++) {
    const now = lookAtDescriptors(sw);
    if (isDeepStrictEqual(now, before)) return now;
    before = now;
  }
  return before;
}

function lookAtDescriptors(sw: RunningSwitch): Record<string, number> {
  const { pid } = sw.program;
  // A connection belongs to the namespace of the client, which is this process.
  const unixSockets = (): string =>
    [pid, 'self'].map((process) => readFileSync(`/proc/${process}/net/unix`, 'latin1')).join('');
  // Before and after: a connection that opens or closes meanwhile stands in one of the two.
  const before = unixSockets();
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`));
  const unix = before + unixSockets();
  const kinds: Record<string, number> = {};
  for (const target of targets) {
    const socket = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    // Once, some seconds after the start, it looks at its own pages (src/native/process/start-pages.c).
    if (target === '' || target.endsWith('/pagemap') || (socket !== undefined && unix.includes(` ${socket}`))) continue;
    const kind = target.replace(/\[\d+\]/, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

/** Empty for a descriptor that was closed meanwhile. */
function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

// ---- events ----

/** `overtap monitor --json` on a switch. */
export class Monitor {
  private constructor(readonly program: Program) {}

  static async begin(world: World, netns: string, sw: RunningSwitch, words = 'all'): Promise<Monitor> {
    const program = world.spawn(netns, [
      process.execPath,
      OVERTAP,
      '-s',
      sw.control,
      '--json',
      'monitor',
      ...words.split(' '),
    ]);
    const monitor = new Monitor(program);
    // Nothing is printed when it begins to listen; a change of a link that nobody uses shows it.
    await until('the monitor listens', async () => {
      const client = clientOf(sw);
      await client.post('/v1/links', { op: 'add', name: 'listening', type: 'bridge' });
      await client.post('/v1/links', { op: 'del', name: 'listening' });
      return program.lines.length > 0;
    });
    return monitor;
  }

  /** All events so far, those of the beginning left out. */
  get events(): SwitchEvent[] {
    return this.program.lines
      .map((line) => JSON.parse(line) as SwitchEvent)
      .filter((event) => !(event.event === 'link' && event.ifname === 'listening'));
  }

  of<K extends SwitchEvent['event']>(kind: K): Extract<SwitchEvent, { event: K }>[] {
    return this.events.filter((event): event is Extract<SwitchEvent, { event: K }> => event.event === kind);
  }
}
