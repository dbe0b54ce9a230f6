/** Steps through two switches: each frame is compared where it comes in, at the next switch, and behind a patch port. */
import fc from 'fast-check';
import type { Document } from '../../../../src/config/edit/tree.js';
import { ChangeRefused } from '../../../../src/control/controls.js';
import { type Left, MemorySwitch } from '../../../../src/control/memory/memory-switch.js';
import { type Bytes, bytesOf, compare, Tally } from './compare.js';
import { type Change, type Step, steps } from './steps.js';
import { macOf, SWITCHES, world } from './worlds.js';

type Pair = readonly [Document, Document];

/** Patch ports are followed here, a hop at a time. */
const PATCHES: Readonly<Record<string, string>> = { p1: 'p2', p2: 'p1' };
/** Hops of one frame: to another bridge, another switch, and a bridge there. */
const HOPS = 4;

async function start(document: Document): Promise<MemorySwitch> {
  const sw = await MemorySwitch.start(document);
  const patches = Reflect.get(sw, 'patches') as Map<string, string>;
  patches.clear();
  return sw;
}

async function carryOut(sw: MemorySwitch, change: Change): Promise<void> {
  try {
    if (change.what === 'set')
      await sw.controls.link({ op: 'set', name: change.port, options: { [change.key]: change.value } });
    else if (change.what === 'flush') await sw.controls.fdb({ op: 'flush', br: 'br1' });
    else await sw.controls.fdb({ op: 'replace', mac: macOf(change.host), dev: change.port, state: 'static' });
  } catch (error) {
    if (!(error instanceof ChangeRefused)) throw error;
  }
}

/** Follows copies to the other bridge and to the other switch. */
async function follow(
  sws: readonly MemorySwitch[],
  at: number,
  left: readonly Left[],
  step: Step,
  hops: number,
  tally: Tally,
): Promise<void> {
  if (hops === HOPS) return;
  for (const { port, frame: bytes, remote, offload } of left) {
    const peer = PATCHES[port];
    const given: Bytes = { bytes, ...(offload === undefined ? {} : { offload }) };
    if (peer !== undefined) await go(sws, at, { ...step, port: peer }, given, hops + 1, tally);
    if (remote === undefined || remote.address !== SWITCHES[1 - at] || offload !== undefined) continue;
    const next = { ...step, port: 'v1', from: SWITCHES[at], vni: remote.vni, tos: 0 };
    await go(sws, 1 - at, next, { bytes }, hops + 1, tally);
  }
}

async function go(
  sws: readonly MemorySwitch[],
  at: number,
  step: Step,
  bytes: Bytes,
  hops: number,
  tally: Tally,
): Promise<void> {
  const left = await compare(sws[at], step, bytes, tally);
  await follow(sws, at, left, step, hops, tally);
}

/** @throws AssertionError where a trace is wrong */
async function runPair(documents: Pair, list: readonly Step[], tally: Tally): Promise<void> {
  const sws = await Promise.all(documents.map(start));
  try {
    for (const step of list) {
      for (const sw of sws) await sw.advance(step.wait);
      if (step.change !== undefined) await carryOut(sws[0], step.change);
      const given = bytesOf(step);
      if (step.port === 'v1' && given.offload !== undefined) continue;
      await go(sws, 0, step, given, 0, tally);
    }
  } finally {
    for (const sw of sws) sw.stop();
  }
}

/** Leaves steps out, as long as the rest fails too. @param ms time for it: a failure is told soon */
async function reduced(list: readonly Step[], fails: (rest: Step[]) => Promise<boolean>, ms = 10_000): Promise<Step[]> {
  const end = Date.now() + ms;
  let rest = [...list];
  for (
    let size = Math.ceil(rest.length / 2);
    size >= 1 && Date.now() < end;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < rest.length && Date.now() < end; ) {
      const shorter = [...rest.slice(0, at), ...rest.slice(at + size)];
      if (shorter.length < rest.length && (await fails(shorter))) rest = shorter;
      else at += size;
    }
  }
  return rest;
}

const pairs = fc.tuple(world(SWITCHES[0]), world(SWITCHES[1]));

/**
 * Compares in `runs` pairs of switches with `frames` steps each, in at most `ms`.
 * @param isReduced whether the steps of a failure are made few
 * @returns the first failure, with the seed that leads to it
 */
export async function check(
  runs: number,
  frames: number,
  tally: Tally,
  { ms, isReduced = true }: { ms: number; isReduced?: boolean },
): Promise<string | null> {
  const property = fc.asyncProperty(pairs, steps(frames), async (documents, list) => {
    try {
      await runPair(documents, list, tally);
    } catch (error) {
      if (!isReduced) throw error;
      throw new Error(await explained(documents, list, error));
    }
  });
  // A shrink of fast-check makes other switches and other frames: what fails is made small here, by leaving steps out.
  const details = await fc.check(property, { numRuns: runs, endOnFailure: true, interruptAfterTimeLimit: ms });
  if (!details.failed) return null;
  const { seed, counterexamplePath, errorInstance } = details;
  return `OVERTAP_SEED=${seed}, path ${counterexamplePath}: ${(errorInstance as Error | null)?.message ?? 'failed'}`;
}

async function explained(documents: Pair, list: readonly Step[], error: unknown): Promise<string> {
  let last = error;
  const rest = await reduced(list, (shorter) =>
    runPair(documents, shorter, new Tally()).then(
      () => false,
      (fault: unknown) => {
        last = fault;
        return true;
      },
    ),
  );
  const lines = [...documents, ...rest].map((one) => JSON.stringify(one));
  return `${(last as Error).message}\n${lines.join('\n')}`;
}
