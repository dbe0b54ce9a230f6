/**
 * The table "sandboxes" of docs/install.md: in each the switch starts, and ping and TCP pass. `npm run test:sandboxes` runs all
 * rows, measures TCP in turns, and prints the table.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cases } from '../long.js';
import { compileRefusals } from './refuse.js';
import { type Means, SANDBOXES, type Sandbox, startIn, type Tried } from './sandbox-modes.js';
import { ping } from './traffic.js';
import { expectTransfer, MB } from './two-hosts.js';

const WITH_TABLE = process.env.OVERTAP_SANDBOXES === '1';
const ROUNDS = 7;
const BYTES = 30 * MB;
const LIMIT_MS = 20 * 60_000;

let means: Means;

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-sandboxes-'));
  const tun = join(folder, 'tun');
  execFileSync('mknod', ['-m', '666', tun, 'c', '10', '200']);
  execFileSync('chmod', ['755', folder]);
  means = { folder, library: compileRefusals(folder), tun };
});
afterAll(() => rmSync(means.folder, { recursive: true, force: true }));

async function expectTraffic({ world, guest, peer, sandbox }: Tried, bytes: number): Promise<[number, number]> {
  const out = await expectTransfer(world, guest, peer, bytes, sandbox.name);
  return [out, await expectTransfer(world, peer, guest, bytes, sandbox.name)];
}

async function expectPing({ world, guest, peer }: Tried): Promise<void> {
  expect(await ping(world, guest.netns, peer.address)).toMatchObject({ sent: 3, received: 3 });
}

// Other tests have most of them; what none has is the sum of what one sandbox refuses.
test.each(WITH_TABLE ? [] : cases(SANDBOXES.slice(1), 2))('$name', async (sandbox: Sandbox) => {
  const tried = await startIn(sandbox, means);
  try {
    await expectPing(tried);
    await expectTraffic(tried, 2 * MB);
  } finally {
    await tried.world.cleanUp();
  }
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** One value a round, each divided by that of the unrefused switch just before it. */
interface Ratios {
  /** Megabits a second from the guest, and to it. */
  readonly out: number[];
  readonly back: number[];
  /** CPU time of all threads of the switch for the same bytes. */
  readonly cpu: number[];
}

/** CPU time of a process so far, in nanoseconds. */
function cpuOf(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const times = readdirSync(folder).map((task) =>
    Number(readFileSync(`${folder}/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return times.reduce((sum, time) => sum + time, 0);
}

/** @returns rates of both ways, and CPU time */
async function load(tried: Tried): Promise<[number, number, number]> {
  const before = cpuOf(tried.sw.program.pid);
  const [out, back] = await expectTraffic(tried, BYTES);
  return [out, back, cpuOf(tried.sw.program.pid) - before];
}

/** Each round has all of them: the machine has other work to do. */
async function measure(base: Tried, all: readonly Tried[]): Promise<Map<Tried, Ratios>> {
  const results = new Map(all.map((tried): [Tried, Ratios] => [tried, { out: [], back: [], cpu: [] }]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [tried, ratios] of results) {
      const plain = await load(base);
      const own = await load(tried);
      for (const [at, key] of (['out', 'back', 'cpu'] as const).entries())
        ratios[key].push((own[at] ?? 0) / (plain[at] ?? 1));
    }
  }
  return results;
}

test.each(WITH_TABLE ? ['the table'] : [])(
  '%s',
  async () => {
    const all: Tried[] = [];
    try {
      for (const sandbox of SANDBOXES) all.push(await startIn(sandbox, means));
      for (const tried of all) await expectPing(tried);
      const base = await startIn(SANDBOXES[0] as Sandbox, means);
      const results = await measure(base, all).finally(() => base.world.cleanUp());
      // The code of the one that all are compared with is warm from all their rounds: its equal in the first row is not.
      const cold = median(results.get(all[0] as Tried)?.cpu ?? [1]);
      const lines = [...results].map(([{ sandbox }, { out, back, cpu }]) => {
        const cells = [median(out), median(back), median(cpu) / cold].map((ratio) => ratio.toFixed(2));
        return `| ${sandbox.name} | yes | yes | ${cells.join(' | ')} |`;
      });
      const head =
        '| refused, or sandbox | starts | ping | TCP from the guest | TCP to the guest | CPU of the switch |';
      console.log([head, '|---|---|---|---:|---:|---:|', ...lines].join('\n'));
    } finally {
      for (const { world } of all) await world.cleanUp();
    }
  },
  LIMIT_MS,
);
