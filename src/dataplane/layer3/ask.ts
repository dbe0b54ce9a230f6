/** The questions for the MACs of neighbours of layer-3 ports. `speak.ts` sends them. */
import type { Context } from '../state/context.js';
import {
  ASK_FROM,
  ASK_HELD,
  ASK_HIGH,
  ASK_HOP,
  ASK_LAST,
  ASK_LOW,
  ASK_PORT,
  ASK_SENDER,
  ASK_TRIES,
  ASK_VID,
  ASKS,
  ASKS_OF_PORT,
  NO_ASK,
} from '../state/layer3.js';
import { ALL_PORTS, askGivesWay } from './give-way.js';

/** A question that has not been sent yet. */
export const NEVER = -1;

/**
 * The question for the neighbour at `hop`, added if it is new.
 * @param from whose packet it is for (`sourceOf`)
 * @param high, low the MAC that is asked for a proof; zeros: all are asked. A question to all replaces one to a MAC
 * @returns its number, or NO_ASK
 */
export function askFor(
  sw: Context,
  port: number,
  vid: number,
  hop: Int32Array,
  sender: Int32Array,
  from: number,
  high: number,
  low: number,
): number {
  const { asks } = sw.layer3;
  const isToAll = (high | low) === 0;
  let free = NO_ASK;
  let ofPort = 0;
  for (let ask = 0; ask < ASKS; ask++) {
    const at = sw.layer3.askAt(ask);
    if (asks[at + ASK_PORT] < 0) {
      if (free === NO_ASK) free = ask;
      continue;
    }
    if (asks[at + ASK_PORT] !== port) continue;
    ofPort++;
    if (asks[at + ASK_VID] !== vid || !isHop(asks, at + ASK_HOP, hop)) continue;
    if (isToAll && (asks[at + ASK_HIGH] | asks[at + ASK_LOW]) !== 0) begin(sw, ask, sender, 0, 0);
    return ask;
  }
  if (free === NO_ASK || ofPort >= ASKS_OF_PORT)
    free = askGivesWay(sw, ofPort >= ASKS_OF_PORT ? port : ALL_PORTS, from);
  if (free === NO_ASK) return NO_ASK;
  const at = sw.layer3.askAt(free);
  asks[at + ASK_PORT] = port;
  asks[at + ASK_VID] = vid;
  for (let word = 0; word < 4; word++) asks[at + ASK_HOP + word] = hop[word];
  asks[at + ASK_HELD] = 0;
  asks[at + ASK_FROM] = from;
  begin(sw, free, sender, high, low);
  sw.layer3.askCount++;
  return free;
}

function begin({ layer3 }: Context, ask: number, sender: Int32Array, high: number, low: number): void {
  const { asks } = layer3;
  const at = layer3.askAt(ask);
  for (let word = 0; word < 4; word++) asks[at + ASK_SENDER + word] = sender[word];
  asks[at + ASK_HIGH] = high;
  asks[at + ASK_LOW] = low;
  asks[at + ASK_LAST] = NEVER;
  asks[at + ASK_TRIES] = 0;
  layer3.isDue = true;
}

function isHop(asks: Int32Array, at: number, hop: Int32Array): boolean {
  return asks[at + 3] === hop[3] && asks[at + 2] === hop[2] && asks[at + 1] === hop[1] && asks[at] === hop[0];
}
