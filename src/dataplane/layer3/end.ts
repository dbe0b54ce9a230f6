/** The end of a question, and of packets that wait for its answer. */
import type { Context } from '../state/context.js';
import { dropKept } from '../state/drop.js';
import { ASK_HELD, ASK_PORT, HELD_PACKETS } from '../state/layer3.js';

/** No packet waits in a slot. */
export const FREE = -1;

/** Ends a question. Packets that wait for it must have been taken before. */
export function endAsk({ layer3 }: Context, ask: number): void {
  layer3.asks[layer3.askAt(ask) + ASK_PORT] = -1;
  layer3.askCount--;
}

/** The packet that has waited longest for the answer; -1: none waits. */
export function firstOf({ layer3 }: Context, ask: number): number {
  let first = -1;
  for (let slot = 0; slot < HELD_PACKETS; slot++) {
    if (layer3.heldFor[slot] !== ask) continue;
    if (first < 0 || layer3.heldOrder[slot] < layer3.heldOrder[first]) first = slot;
  }
  return first;
}

/** Drops one packet that waits. */
export function dropHeld(sw: Context, slot: number, reason: number): void {
  const { layer3 } = sw;
  layer3.asks[layer3.askAt(layer3.heldFor[slot]) + ASK_HELD]--;
  layer3.heldFor[slot] = FREE;
  // A port that is gone has no counters any more.
  if (sw.forwarding.portKind[layer3.heldPort[slot]] === 0) return;
  sw.counters.received(layer3.heldPort[slot], layer3.heldLength[slot], 1);
  dropKept(sw, layer3.heldPort[slot], reason, layer3.heldAt(slot), layer3.heldLength[slot]);
}

/** Drops the packets of a question that nobody has answered. */
export function giveUp(sw: Context, ask: number, reason: number): void {
  for (let slot = firstOf(sw, ask); slot >= 0; slot = firstOf(sw, ask)) dropHeld(sw, slot, reason);
}
