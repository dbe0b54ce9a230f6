/**
 * Nanoseconds per frame in TypeScript, by stage, and the number of garbage collections in a steady state.
 * `npm run bench:micro`; `--quick`: a run of a few seconds that only shows that it works.
 */
import os from 'node:os';
import { PerformanceObserver } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { bridgeFrame } from '../../dataplane/bridge/bridge.js';
import { emit } from '../../dataplane/egress/egress.js';
import { transmitCommands } from '../../dataplane/egress/transmit.js';
import { ingressLocal } from '../../dataplane/ingress/local.js';
import { ingressTunnel } from '../../dataplane/ingress/tunnel.js';
import { RX_STRIDE } from '../../port/packet-io.js';
import { fdbStages, printPauses, SIZES } from './fdb.js';
import { type Effort, measure, type Stage, type Timing } from './measure.js';
import { measureNative } from './native-path.js';
import { makeScene } from './scene.js';

const HALF = 128;

/** The stages by name. One call handles HALF frames (a whole turn both halves), so that the cost of the call is negligible. */
function stages(): Record<string, Stage> {
  const { context, engine, frames } = makeScene();
  for (let i = 0; i < 50; i++) engine.turn(0); // so that every MAC is learned
  return {
    'parse and classify, from a TAP': [
      HALF,
      () => each((i) => ingressLocal(context, HALF + i, (HALF + i) * RX_STRIDE)),
    ],
    'parse and classify, from a remote': [HALF, () => each((i) => ingressTunnel(context, i, i * RX_STRIDE))],
    'learn and look up (bridge)': [HALF, () => each((i) => bridgeFrame(context, i))],
    'encapsulate and command, to a remote': [
      HALF,
      () => {
        each((i) => {
          context.batch.flowKnown[HALF + i] = 0;
          emit(context, HALF + i, 1, 1);
        });
        transmitCommands(context);
      },
    ],
    'whole turn, both directions': [frames, () => engine.turn(0)],
    'whole turn, runs of one flow': oneFlow(),
    'whole turn, trains of TCP segments': trains(),
    ...floods(),
    ...fdbStages(),
  };
}

/** A batch in which all frames have the same headers, as the segments of one flow. */
function oneFlow(): Stage {
  const { engine, frames } = makeScene({ hosts: 1 });
  for (let i = 0; i < 50; i++) engine.turn(0);
  return [frames, () => engine.turn(0)];
}

/** A TCP stream through the tunnel: 220 segments of 1400 bytes, in five trains. */
function trains(): Stage {
  const { engine, frames } = makeScene({ trains: 5 });
  for (let i = 0; i < 50; i++) engine.turn(0);
  return [frames, () => engine.turn(0)];
}

/** Batches of broadcasts to 1, 10 and 1000 remotes; the time is per copy. */
function floods(): Record<string, Stage> {
  return Object.fromEntries(
    [1, 10, 1000].map((remotes) => {
      const { engine, frames } = makeScene({ remotes, broadcasts: 4 });
      return [`flood to ${remotes} remotes, a copy`, [frames * remotes, () => engine.turn(0)]];
    }),
  );
}

function each(work: (row: number) => void): void {
  for (let i = 0; i < HALF; i++) work(i);
}

/** Measures all stages. */
export function measureStages(effort: Effort = {}): Timing[] {
  return Object.entries(stages()).map(([name, stage]) => measure(name, stage, effort));
}

/** Garbage collections in a steady state. */
interface Steady {
  readonly collections: number;
  readonly frames: number;
  /** Growth of the heap in bytes. */
  readonly grown: number;
}

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 50));

/** Counts garbage collections during some seconds of traffic, after a warm-up. */
export async function countCollections({ seconds = 30, hosts = 1000 } = {}): Promise<Steady> {
  const { engine, frames } = makeScene({ hosts });
  const run = (ms: number): number => {
    const end = performance.now() + ms;
    let turns = 0;
    while (performance.now() < end) for (let i = 0; i < 1000; i++, turns++) engine.turn(0);
    return turns;
  };
  run(Math.min(2000, seconds * 500));
  globalThis.gc?.();
  await pause(); // so that this collection is reported before the observer starts
  const starts: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) starts.push(startTime);
  });
  observer.observe({ entryTypes: ['gc'] });
  const before = process.memoryUsage().heapUsed;
  const begin = performance.now();
  const turns = run(seconds * 1000);
  const end = performance.now();
  const grown = process.memoryUsage().heapUsed - before;
  await pause(); // so that the observer gets the last collections
  observer.disconnect();
  // V8 also collects during the pause after the traffic; that does not count.
  const collections = starts.filter((start) => start >= begin && start <= end).length;
  return { collections, frames: turns * frames, grown };
}

function printRow({ name, median, low, high }: Timing): void {
  console.log(`${name.padEnd(44)}${[median, low, high].map((ns) => ns.toFixed(1).padStart(9)).join('')}`);
}

async function main(quick: boolean): Promise<void> {
  console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}, Node ${process.version}`);
  const rows = measureStages(quick ? { seconds: 0.05, samples: 3 } : {});
  console.log(`${'ns per 64-byte frame'.padEnd(44)}${'median'.padStart(9)}${'min'.padStart(9)}${'max'.padStart(9)}`);
  rows.forEach(printRow);
  console.log('the addon, ns per frame or segment, over loopback sockets and a TAP');
  if (process.getuid?.() === 0) measureNative(quick ? { seconds: 0.05, samples: 3 } : {}).forEach(printRow);
  else console.log('not measured: a TAP in a network namespace needs root');
  console.log('longest delays of frames by the FDB');
  printPauses(quick ? SIZES[1] : SIZES[2]);
  const seconds = quick ? 1 : 30;
  const { collections, frames, grown } = await countCollections({ seconds });
  console.log(
    `garbage collections in ${seconds} s of steady traffic (${frames} frames): ${collections}; heap grew by ${grown} bytes`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--quick'));
