/**
 * Packets of layer-3 ports that wait for the MAC of their next hop: a copy each, in a slot of the arena that no batch overwrites. They
 * come again as frames of a later batch, and are counted then.
 */
import {
  KIND_FRAME,
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRIDE,
  RX_VNET,
} from '../../port/packet-io.js';
import { writeMac } from '../../wire/ethernet.js';
import { OUTCOME_HELD } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { PORT_GATEWAY } from '../state/forwarding.js';
import { ASK_HELD, HELD_BYTES, HELD_OF_HOP, HELD_OF_PORT, HELD_PACKETS, NO_ASK } from '../state/layer3.js';
import { FREE, firstOf } from './end.js';
import { ALL_PORTS, heldGivesWay } from './give-way.js';

/** A slot that a packet has left for the present batch. */
const LEAVING = -2;
/** Bytes of both MACs. */
const MACS = 12;

/** Keeps the packet until its question is answered. @returns false: it goes no further now */
export function hold(sw: Context, frame: number, ask: number): false {
  const { batch } = sw;
  const { csum, gso, length, offset, port, vnet } = batch;
  // One that has waited does so once.
  const isKept =
    ask !== NO_ASK &&
    !isReleased(sw, frame) &&
    keepPacket(sw, ask, port[frame], port[frame], offset[frame], length[frame], vnet[frame], gso[frame], csum[frame]);
  if (!isKept) return batch.drop(frame, REASON.neigh_failed);
  batch.outcome[frame] = OUTCOME_HELD;
  return false;
}

/**
 * Keeps a copy of a packet until its question is answered.
 * @param port that it goes on from @param from whose it is (`sourceOf`)
 * @param offset of its Ethernet header, which is written when it goes on @param length with that header
 * @returns false when there is no room for it
 */
export function keepPacket(
  sw: Context,
  ask: number,
  port: number,
  from: number,
  offset: number,
  length: number,
  vnet: number,
  gso: number,
  csum: number,
): boolean {
  const { layer3 } = sw;
  const slot = length > HELD_BYTES ? -1 : freeSlot(sw, ask, port, from);
  if (slot < 0) return false;
  const at = layer3.heldAt(slot);
  sw.bytes.copyWithin(at, offset, offset + length);
  // Again a packet without an Ethernet header.
  sw.bytes.fill(0, at, at + MACS);
  layer3.heldFor[slot] = ask;
  layer3.heldOrder[slot] = layer3.order++;
  layer3.heldPort[slot] = port;
  layer3.heldFrom[slot] = from;
  layer3.heldLength[slot] = length;
  layer3.heldVnet[slot] = vnet;
  layer3.heldGso[slot] = gso;
  layer3.heldCsum[slot] = csum;
  layer3.asks[layer3.askAt(ask) + ASK_HELD]++;
  return true;
}

function isReleased({ layer3 }: Context, frame: number): boolean {
  return frame >= layer3.spoken && frame < layer3.spoken + layer3.released;
}

/** @returns -1: the question, the port or the engine has as many packets as it may have, and nobody has to give way */
function freeSlot(sw: Context, ask: number, port: number, from: number): number {
  const { layer3 } = sw;
  if (layer3.asks[layer3.askAt(ask) + ASK_HELD] >= HELD_OF_HOP) return -1;
  let free = -1;
  let ofPort = 0;
  for (let slot = 0; slot < HELD_PACKETS; slot++) {
    if (layer3.heldFor[slot] === FREE) free = slot;
    else if (layer3.heldPort[slot] === port) ofPort++;
  }
  if (ofPort >= HELD_OF_PORT) return heldGivesWay(sw, port, from);
  return free >= 0 ? free : heldGivesWay(sw, ALL_PORTS, from);
}

/**
 * Has the packets of a question come again, in their order, as descriptors from `row` on. Those of a gateway are frames then: they were
 * routed before they waited. @param high, low the MAC that was asked for @returns the row behind the last
 */
export function release(sw: Context, ask: number, row: number, high: number, low: number): number {
  const { forwarding, layer3, rx, view } = sw;
  let next = row;
  for (let slot = firstOf(sw, ask); slot >= 0; slot = firstOf(sw, ask)) {
    const at = next++ * RX_STRIDE;
    rx.fill(0, at, at + RX_STRIDE);
    rx[at + RX_KIND] = KIND_FRAME;
    rx[at + RX_INDEX] = layer3.heldPort[slot];
    rx[at + RX_OFFSET] = layer3.heldAt(slot);
    rx[at + RX_LENGTH] = layer3.heldLength[slot];
    rx[at + RX_VNET] = layer3.heldVnet[slot];
    rx[at + RX_GSO] = layer3.heldGso[slot];
    rx[at + RX_CSUM] = layer3.heldCsum[slot];
    layer3.heldFor[slot] = LEAVING;
    const host = layer3.of[layer3.heldPort[slot]];
    if (host === undefined || forwarding.portKind[layer3.heldPort[slot]] !== PORT_GATEWAY) continue;
    writeMac(view, layer3.heldAt(slot), high, low);
    writeMac(view, layer3.heldAt(slot) + 6, host.macHigh, host.macLow);
  }
  return next;
}

/** The batch of the released packets is through. */
export function freeLeft({ layer3 }: Context): void {
  for (let slot = 0; slot < HELD_PACKETS; slot++) if (layer3.heldFor[slot] === LEAVING) layer3.heldFor[slot] = FREE;
}
