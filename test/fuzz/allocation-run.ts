/**
 * What an engine allocates for mixed traffic: the noise of the fuzzing run, which reaches every stage of the path, with failing
 * transmissions. A process of its own, bundled by `allocation.test.ts`; the young generation is so large that nothing is collected
 * in a turn.
 *
 *   node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 FILE WARM_UP_TURNS TURNS
 *
 * prints {"frames", "bytes", "drops"} as JSON.
 */
import { getHeapStatistics } from 'node:v8';
import { TX_STATUS, TX_STRIDE } from '../../src/port/packet-io.js';
import { Bystanders } from './bystanders.js';
import { ControlSide } from './control-side.js';
import { FuzzedSwitch } from './fuzzed-switch.js';
import { Noise } from './noise.js';
import { Random } from './random.js';

const BATCH = 400;
/** Turns between two storms of one message, and how long they are. */
const STORM = 30;
const STORM_ENDS = 4;
/** Turns between two collections. */
const COLLECT = 80;
/** EMSGSIZE, EIO, EAGAIN, ECONNREFUSED, ENOBUFS. */
const ERRNOS = [90, 5, 11, 111, 105];

const random = new Random(Number(process.env.OVERTAP_SEED ?? 1));
const sw = new FuzzedSwitch(1, new Bystanders());
const noise = new Noise(random);
const control = new ControlSide(sw);
const io = sw.ios[0];

/** In place of the PacketIo's judgement, which allocates: every eighth command fails in one turn of four. */
function transmit(count: number): number {
  let failed = 0;
  for (let command = 0; command < count; command++) {
    const fails = command % 8 === 0 && (io.count & 3) === 0;
    io.tx[command * TX_STRIDE + TX_STATUS] = fails ? ERRNOS[command % ERRNOS.length] : 0;
    if (fails) failed++;
  }
  return failed;
}

function fill(): void {
  if (random.once(STORM)) noise.beginStorm();
  if (random.once(STORM_ENDS)) noise.endStorm();
  const size = 1 + random.below(BATCH);
  while (io.count < size && io.hasRoom(70_000)) noise.send(sw, 0);
  sw.advance(random.below(30));
}

const used = (): number => getHeapStatistics().used_heap_size;

/** @returns frames and the bytes that turns have allocated; what makes the frames is not among them */
function play(turns: number): { frames: number; bytes: number } {
  let frames = 0;
  let bytes = 0;
  for (let turn = 0; turn < turns; turn++) {
    // Making the frames fills the young generation; no collection may fall into a turn.
    if (turn % COLLECT === 0) globalThis.gc?.({ type: 'minor' });
    fill();
    frames += io.count;
    const before = used();
    sw.engines[0].turn(0);
    bytes += used() - before;
    io.begin();
    if (turn % 4 === 0) control.work();
  }
  return { frames, bytes };
}

/** Bytes that reading the heap costs by itself. */
function readingCost(): number {
  let cost = 0;
  for (let reading = 0; reading < 100; reading++) {
    const before = used();
    cost = used() - before;
  }
  return cost;
}

Object.assign(io, { transmit });
io.begin();
noise.look(sw);
const [warmUp, turns] = process.argv.slice(2).map(Number);
play(warmUp);
const cost = readingCost();
const { frames, bytes } = play(turns);
process.stdout.write(JSON.stringify({ frames, bytes: bytes - cost * turns, drops: Object.fromEntries(sw.drops()) }));
