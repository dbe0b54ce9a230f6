/**
 * A fuzzing run: batches of noise with bystanders' frames in between, changes and audits, up to a number of frames. Failures
 * are thrown with seed and turn.
 */
import { Bystanders } from './bystanders.js';
import { Changes } from './changes.js';
import { ControlSide } from './control-side.js';
import { FuzzedSwitch } from './fuzzed-switch.js';
import { Noise } from './noise.js';
import { Random } from './random.js';

/** Frames of noise in a batch at most, and turns between two audits and between two changes. */
const BATCH = 400;
const AUDIT = 32;
const CHANGE = 6;
/** Turns between two storms of one message, and how long they are; turns between two that control sleeps through. */
const STORM = 30;
const STORM_ENDS = 4;
const LAZY = 4;
/** Longest time of a turn: less than any entry of the bystanders lives. */
const MOST_MS = 700;

export interface RunOptions {
  seed: number;
  /** Noise and bystanders' frames together. */
  frames: number;
  engines: number;
}

export interface Report {
  noise: number;
  bystanders: number;
  sent: number;
  own: number;
  /** Frames that gateways have sent on at once. */
  routed: number;
  refused: number;
  audits: number;
  drops: Map<string, number>;
  /** What the control thread has read. */
  seen: Map<string, number>;
}

export function run({ seed, frames, engines }: RunOptions): Report {
  const random = new Random(seed);
  const bystanders = new Bystanders();
  const sw = new FuzzedSwitch(engines, bystanders);
  for (const io of sw.ios) io.begin();
  bystanders.introduce(sw);
  const parts = { random, bystanders, sw, noise: new Noise(random), control: new ControlSide(sw) };
  const changes = new Changes(random, sw);
  parts.noise.look(sw);
  let turns = 0;
  let audits = 0;
  const check = (faults: string[]): void => {
    if (faults.length > 0) throw new Error(faults.join('\n'));
  };
  try {
    while (parts.noise.frames + bystanders.total < frames) {
      turns++;
      playTurn(parts, turns % engines);
      check(bystanders.missing().map((text) => `lost: ${text}`));
      if (turns % CHANGE === 0) {
        parts.control.work();
        const forgetful = changes.make();
        parts.noise.look(sw);
        parts.control.follow(forgetful);
      }
      if (turns % AUDIT !== 0) continue;
      check([...sw.audit(), ...parts.control.look()]);
      audits++;
    }
    check(sw.audit());
  } catch (cause) {
    throw new Error(`seed ${seed}, ${engines} engines, turn ${turns}: ${(cause as Error).stack}`);
  }
  return {
    noise: parts.noise.frames,
    bystanders: bystanders.total,
    sent: total(sw, 'sentFrames') + sw.counters.retired.tx_packets,
    own: sw.ios.reduce((sum, { own }) => sum + own, 0),
    routed: sw.ios.reduce((sum, { routed }) => sum + routed, 0),
    refused: sw.ios.reduce((sum, { refused }) => sum + refused, 0),
    audits: audits + 1,
    drops: sw.drops(),
    seen: parts.control.seen,
  };
}

function total(sw: FuzzedSwitch, word: 'sentFrames'): number {
  return sw.ios.reduce((sum, io) => sum + io[word].reduce((all, one) => all + one, 0), 0);
}

interface Parts {
  random: Random;
  bystanders: Bystanders;
  sw: FuzzedSwitch;
  noise: Noise;
  control: ControlSide;
}

function playTurn({ random, bystanders, sw, noise, control }: Parts, engine: number): void {
  const io = sw.ios[engine];
  if (random.once(STORM)) noise.beginStorm();
  if (random.once(STORM_ENDS)) noise.endStorm();
  const size = 1 + random.below(BATCH);
  while (io.count < size && io.hasRoom(70_000)) {
    if (random.once(40)) bystanders.send(random, sw, engine);
    else noise.send(sw, engine);
  }
  // At least one frame of some bystander, so that they are never forgotten.
  bystanders.send(random, sw, engine);
  noise.sendLast(sw, engine);
  sw.advance(random.once(20) ? random.below(MOST_MS) : random.below(30));
  sw.turn(engine);
  // Storms are too much for it, so that rings run over.
  if (!noise.storms && !random.once(LAZY)) control.work();
}
