/**
 * A switch and a neighbour with 100,000 MACs: all of them come into the FDB, change a thousand times a second, and go, while two guests of the
 * switch lose no frame. What the speaker and the control thread keep of it is measured.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { LONG, long } from '../long.js';
import { World } from './host-testbed.js';
import { Bystanders, clientOf, residentMiB } from './live-support.js';
import { RunningSwitch, switchCommand } from './switch.js';
import { type Guest, plainBridge, tapPort } from './topologies.js';
import { tool } from './traffic.js';
import { makeGuest } from './two-hosts.js';

const MACS = 100_000;
const VNI = 10010;
const [LOCAL, PEER] = ['192.0.2.1', '192.0.2.2'];
/** Changes a second: that many MACs come, and as many go. */
const CHURN = 1000;
const CHURN_S = long(600, 5);
/** Datagrams a second between the two guests. */
const RATE = 1000;
/** By the clock, or, where others use the machine, of processor time of all threads of the switch. */
const LOAD_LIMIT_MS = 10_000;
const PATIENCE_MS = 90_000;
/** The longest a request may wait while routes come, on a machine that others use. */
const ANSWER_LIMIT_MS = 3000;
/** Of the last third over the first one, in MiB. */
const MAY_GROW = { resident: 16, heap: 8 };
const SAMPLES = 60;

const world = new World();

/** The neighbour of the switch. */
class Source {
  private constructor(
    private readonly program: Program,
    private readonly commands: Socket,
  ) {}

  static async start(netns: string): Promise<Source> {
    const path = world.path('routes.sock');
    const program = world.spawn(netns, tool('routes', path, PEER, 65000, VNI));
    await program.line('it takes commands', (line) => line.includes('takes'));
    return new Source(program, connect(path));
  }

  async up(): Promise<void> {
    await this.program.line('the session is up', (line) => line.includes('"up"'));
  }

  /** @returns when all of it was given to the kernel */
  async tell(command: string, limitMs = 30_000): Promise<void> {
    this.commands.write(`${command}\n`);
    await this.program.line(command, (line) => line.includes(`"${command}"`), limitMs);
  }

  end(): void {
    this.commands.destroy();
  }
}

describe('a neighbour with very many MACs', () => {
  let one: Guest;
  let two: Guest;
  let sw: RunningSwitch;
  let source: Source;
  const heapFile = (): string => world.path('heap');

  beforeAll(async () => {
    const [host, far] = await Promise.all(['h', 'f'].map((label) => world.netns(label)));
    await world.veth({ netns: host, ifname: 'u0' }, { netns: far, ifname: 'u0' });
    await world.address({ netns: host, ifname: 'u0' }, `${LOCAL}/24`);
    await world.address({ netns: far, ifname: 'u0' }, `${PEER}/24`);
    [one, two] = [await makeGuest(world, 1), await makeGuest(world, 2)];
    source = await Source.start(far);
    const vxlan = `      vx0: { type: vxlan, id: ${VNI}, local: ${LOCAL}, evpn: true }\n`;
    const bridges = plainBridge(tapPort('one', one), tapPort('two', two), vxlan);
    const evpn = `evpn: { asn: 65000, listen: 0, neighbors: [{ address: ${PEER}, connect_retry: 1 }] }`;
    const head = `name: sw\ncontrol: ${world.control('sw')}\nfdb_size: 131072\n${evpn}\nbridges:\n`;
    const [node, ...words] = switchCommand(world.file('sw.yaml', head + bridges));
    const hook = fileURLToPath(new URL('preload/heap.cjs', import.meta.url));
    writeFileSync(heapFile(), '');
    const command = ['env', `OVERTAP_HEAP_FILE=${heapFile()}`, node as string, '--require', hook, ...words];
    sw = new RunningSwitch(world.spawn(host, command), world.control('sw'));
    await sw.ready();
    await source.up();
  }, 60_000);

  afterAll(async () => {
    source?.end();
    await world.cleanUp();
  });

  /** Waits for a number of entries that came by routes. @returns milliseconds by the clock and of processor time, and the longest that one request took */
  async function entries(count: number): Promise<{ ms: number; cpu: number; slowest: number }> {
    const client = clientOf(sw);
    const began = performance.now();
    const before = processorMs(sw);
    let slowest = 0;
    await until(
      `${count} entries`,
      async () => {
        const asked = performance.now();
        const { fdb } = await client.get('/v1/stats');
        slowest = Math.max(slowest, performance.now() - asked);
        return fdb.entries - own === count;
      },
      PATIENCE_MS,
    );
    const ms = Math.round(performance.now() - began);
    return { ms, cpu: processorMs(sw) - before, slowest: Math.round(slowest) };
  }

  let own = 0;

  it(`has ${MACS} entries within ${LOAD_LIMIT_MS / 1000} s, while two guests lose no frame`, async () => {
    const pair = await Bystanders.begin(world, one, two, RATE);
    own = (await clientOf(sw).get('/v1/stats')).fdb.entries;
    const [, { ms, cpu, slowest }] = await Promise.all([source.tell(`announce 0 ${MACS}`, PATIENCE_MS), entries(MACS)]);
    const count = await pair.expectAll();
    console.log(
      `${MACS} routes in ${ms} ms, ${cpu} ms of processor time, slowest answer ${slowest} ms, ${count} datagrams, longest gap ${pair.gap} ms`,
    );
    expect(Math.min(ms, cpu)).toBeLessThan(LOAD_LIMIT_MS);
    expect(slowest).toBeLessThan(ANSWER_LIMIT_MS);
    expect(sw.log().filter(({ level }) => level >= 40)).toEqual([]);
  });

  it(`keeps its memory while ${CHURN} of them a second change for ${CHURN_S} s`, async () => {
    const pair = await Bystanders.begin(world, one, two, RATE);
    writeFileSync(heapFile(), '');
    const resident: number[] = [];
    let isOver = false;
    const watched = (async () => {
      while (!isOver) {
        resident.push(residentMiB(sw));
        await delay((CHURN_S * 1000) / SAMPLES);
      }
    })();
    await source.tell(`churn 0 ${MACS} ${CHURN} ${CHURN_S}`, CHURN_S * 2000 + 30_000);
    isOver = true;
    await watched;
    const { ms } = await entries(MACS);
    const count = await pair.expectAll();
    console.log(`${count} datagrams, longest gap ${pair.gap} ms, the last change after ${ms} ms`);
    expect(await sw.fdb(`dev vx0`).then((rows) => rows.filter(({ proto }) => proto === 'bgp').length)).toBe(MACS + 1);
    for (const [what, samples] of [['resident', resident], ...heaps(heapFile())] as const) {
      const thirds = [0, 1, 2].map((third) => least(samples, third));
      console.log(`${what}, MiB: ${thirds.map((mib) => mib.toFixed(1)).join(', ')} (${samples.length} samples)`);
      const most = what === 'resident' ? MAY_GROW.resident : MAY_GROW.heap;
      if (LONG) expect(thirds[2], what).toBeLessThan((thirds[0] as number) + most);
    }
    expect(sw.log().filter(({ level }) => level >= 40)).toEqual([]);
  });

  it('loses all of them with the session, and no frame', async () => {
    const pair = await Bystanders.begin(world, one, two, RATE);
    const first = CHURN * CHURN_S;
    const [, { ms, cpu, slowest }] = await Promise.all([
      source.tell(`withdraw ${first} ${MACS}`, PATIENCE_MS),
      entries(0),
    ]);
    await pair.expectAll();
    console.log(
      `${MACS} withdrawn in ${ms} ms, ${cpu} ms of processor time, slowest answer ${slowest} ms, longest gap ${pair.gap} ms`,
    );
    expect(slowest).toBeLessThan(ANSWER_LIMIT_MS);
  });
});

/** Processor time of all threads, to ten milliseconds. */
function processorMs({ program }: RunningSwitch): number {
  const words = readFileSync(`/proc/${program.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(words[11]) + Number(words[12])) * 10;
}

/** The least of a third of the samples: what is garbage comes and goes. */
function least(samples: readonly number[], third: number): number {
  const [from, to] = [third, third + 1].map((at) => Math.floor((samples.length * at) / 3));
  return Math.min(...samples.slice(from, to));
}

/** Samples by thread, in MiB. */
function heaps(path: string): [string, number[]][] {
  const byThread = new Map<string, number[]>();
  for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
    const at = line.lastIndexOf(' ');
    const list = byThread.get(line.slice(0, at)) ?? [];
    byThread.set(line.slice(0, at), [...list, Number(line.slice(at + 1)) / 2 ** 20]);
  }
  return [...byThread];
}
