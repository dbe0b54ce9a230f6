/**
 * The measuring half of the guard: ratios of whole turns to the reference loop (reference.ts), as a program of its own, since it
 * needs flags of V8 (guard.ts). Prints {"STAGE": ratio} as JSON.
 *
 * Short slices of all stages are interleaved for many rounds, and the shortest slice of each counts: another program
 * on the core prolongs a slice, and never shortens one.
 */
import { pathToFileURL } from 'node:url';
import { makeReference, REFERENCE_FRAMES } from './reference.js';
import { makeScene } from './scene.js';

const ROUNDS = 300;
/** Turns of a slice: about half a millisecond, much less than the scheduler's quantum. */
const TURNS = 5;
const REFERENCE_TURNS = 100;
/** Turns before measuring, so that everything is compiled. */
const WARM_TURNS = 3000;

/** A turn, and the number of frames that it handles. */
export type Turn = readonly [frames: number, work: () => unknown];

/** The turns that are guarded. */
export function guardedTurns(): Record<string, Turn> {
  const turn = (options?: Parameters<typeof makeScene>[0]): Turn => {
    const { engine, frames } = makeScene(options);
    return [frames, () => engine.turn(0)];
  };
  return {
    'both directions, 64 flows': turn(),
    'one flow': turn({ hosts: 1 }),
    'trains of TCP segments': turn({ trains: 5 }),
  };
}

function slice(work: () => unknown, turns: number): number {
  const start = performance.now();
  for (let i = 0; i < turns; i++) work();
  return (performance.now() - start) / turns;
}

/** @returns time of a frame in each turn, divided by that of a frame in the reference loop */
export function measureRatios(turns: Record<string, Turn>, rounds = ROUNDS): Record<string, number> {
  const reference = makeReference();
  const stages = Object.entries(turns).map(([name, [frames, work]]) => ({ name, frames, work, best: Infinity }));
  for (const { work } of stages) for (let i = 0; i < WARM_TURNS; i++) work();
  for (let i = 0; i < WARM_TURNS * 10; i++) reference();
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    best = Math.min(best, slice(reference, REFERENCE_TURNS));
    for (const stage of stages) stage.best = Math.min(stage.best, slice(stage.work, TURNS));
  }
  const unit = best / REFERENCE_FRAMES;
  return Object.fromEntries(stages.map(({ name, frames, best: time }) => [name, time / frames / unit]));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.stdout.write(`${JSON.stringify(measureRatios(guardedTurns()))}\n`);
