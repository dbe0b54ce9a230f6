/**
 * The engine's known flows in the table of flows: giving them to it, counting what it has carried, and taking them back.
 *
 * **Giving.** A busy flow (`seen.ts`) becomes a row between two batches. Its stamps are read before the state that it
 * follows from: whoever changes that state changes them afterwards, and the row is not in force from the beginning.
 *
 * **Taking back.** A changed FDB entry, or any other changed state, takes rows out of force at once (`watchFdb`, `withdrawFlows`). What such
 * a row has carried is counted with the next tick.
 *
 * **Counting.** Once a tick, before ageing: counters of ports and VLANs, and the age of the source, as if the frames had come here.
 */
import {
  ALL_FLOWS,
  COUNT_BYTES,
  COUNT_FRAMES,
  COUNT_LARGE,
  COUNT_NOTED,
  COUNT_WORDS,
  FLOW_ENCAPSULATE_IPV4,
  FLOW_ENTRY,
  FLOW_PLACE,
  FLOW_SLOT,
  FLOW_SLOTS,
  FLOW_STAMP,
  FLOW_TAG,
  FLOW_TAGGED,
  FLOW_OPERATION,
  FLOW_PUSH,
  FLOW_POP,
} from '../../port/flow-table.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import { RETIRED } from '../state/counters.js';
import { destinationOf } from '../state/destination.js';
import { fidOf } from '../state/fid.js';
import {
  CARRIED,
  type Flows,
  type FlowPort,
  FREE,
  INTO,
  LATELY_BYTES,
  LATELY_FRAMES,
  LATELY_SHIFT,
  LEAVING,
  LOCAL,
  OUT_OF,
  ROW_CARRIED,
  ROW_FID,
  ROW_FROM_HIGH,
  ROW_FROM_LOW,
  ROW_IN,
  ROW_IN_TAG,
  ROW_KIND,
  ROW_OUT,
  ROW_OUT_TAG,
  ROW_REMOTE,
  ROW_SHIFT,
  ROW_STATE,
  ROW_TO_HIGH,
  ROW_TO_LOW,
  ROW_UNDER,
  ROW_USED,
  ROW_VID,
  SEEN_FROM_HIGH,
  SEEN_FROM_LOW,
  SEEN_IN,
  SEEN_OUT,
  SEEN_REMOTE,
  SEEN_TAGGED,
  SEEN_TO_HIGH,
  SEEN_TO_LOW,
  SEEN_VID,
  stampPlace,
} from '../state/flows.js';
import { answerOf, beginLook } from './answers.js';
import { carries, NOT_CARRIED } from './carries.js';
import { barFlow, seenAgain } from './seen.js';
import { underlayOf } from './tunnels.js';

/** Ticks without a frame after which a row is given up. */
const IDLE_TICKS = 100;
const WAY_TICKS = 10;
/** Frames that were taken and not carried, of one row: more than are ever under way. */
const MOST_LOST = 64;
/** So many frames of TCP went into the kernel's devices, and in so many ticks none came out: they do not work. */
const HELD = 4;
const HELD_TICKS = 10;

/** Every change of an entry takes the rows that follow from it out of force. */
export function watchFdb(sw: Context, { table }: Flows): void {
  sw.fdb.watch((high, low, fid) => table.touch(stampPlace(high, low, fid)));
}

/** Gives the table the flows that have become busy. Between two batches. */
export function giveFlows(sw: Context, flows: Flows): void {
  for (let i = 0; i < flows.dueCount; i++) give(sw, flows, flows.due[i]);
  flows.dueCount = 0;
}

function give(sw: Context, flows: Flows, seen: number): void {
  takeBackEarlier(flows, seen);
  const slot = freeSlot(flows, flows.candidates[seen + SEEN_IN]);
  if (slot < 0 || flows.isBroken) return;
  const { candidates, table, written } = flows;
  const words = written[slot];
  const fid = fidOf(sw.forwarding.portBridge[candidates[seen + SEEN_IN]], candidates[seen + SEEN_VID]);
  const from = stampPlace(candidates[seen + SEEN_FROM_HIGH], candidates[seen + SEEN_FROM_LOW], fid);
  const to = stampPlace(candidates[seen + SEEN_TO_HIGH], candidates[seen + SEEN_TO_LOW], fid);
  words[FLOW_STAMP] = table.stamp(ALL_FLOWS);
  words[FLOW_PLACE] = from;
  words[FLOW_PLACE + 1] = to;
  words[FLOW_ENTRY] = table.stamp(from);
  words[FLOW_ENTRY + 1] = table.stamp(to);
  words[FLOW_SLOT] = flows.engine * FLOW_SLOTS + slot;
  // Written by the control thread, which changes the stamp of all rows afterwards.
  sw.forwarding.adoptStates(sw.states);
  const kind = carries(sw, flows, seen, slot);
  if (kind === NOT_CARRIED) return;
  if ((kind === OUT_OF ? table.setFar(flows.far[slot]) : table.set(words)) === 0)
    noteRow(sw, flows, seen, slot, fid, kind);
}

/** A row of the same key, which is out of force: otherwise the flow's frames would not come here. */
function takeBackEarlier(flows: Flows, seen: number): void {
  const { candidates, end, rows, written } = flows;
  for (let slot = 0; slot < end; slot++) {
    const row = slot << ROW_SHIFT;
    const isEarlier =
      rows[row + ROW_STATE] === CARRIED &&
      rows[row + ROW_FROM_LOW] === candidates[seen + SEEN_FROM_LOW] &&
      rows[row + ROW_TO_LOW] === candidates[seen + SEEN_TO_LOW] &&
      rows[row + ROW_FROM_HIGH] === candidates[seen + SEEN_FROM_HIGH] &&
      rows[row + ROW_TO_HIGH] === candidates[seen + SEEN_TO_HIGH] &&
      rows[row + ROW_IN] === candidates[seen + SEEN_IN] &&
      written[slot][FLOW_TAG] ===
        (candidates[seen + SEEN_TAGGED] === 0 ? 0 : FLOW_TAGGED | candidates[seen + SEEN_VID]);
    if (isEarlier) takeBack(flows, slot);
  }
}

/** A port may have as many rows as are free, so that no guest's flows take all of them. @returns -1: it has its share */
function freeSlot({ end, rows }: Flows, port: number): number {
  let slot = end < FLOW_SLOTS ? end : -1;
  let free = FLOW_SLOTS - end;
  let own = 0;
  for (let other = end - 1; other >= 0; other--) {
    const row = other << ROW_SHIFT;
    if (rows[row + ROW_STATE] === FREE) {
      slot = other;
      free++;
    } else if (rows[row + ROW_IN] === port) own++;
  }
  return own < free ? slot : -1;
}

function noteRow(sw: Context, flows: Flows, seen: number, slot: number, fid: number, kind: number): void {
  const { candidates, rows, written } = flows;
  const row = slot << ROW_SHIFT;
  const words = written[slot];
  const inTag = words[FLOW_TAG] === 0 ? 0 : VLAN_TAG;
  const operation = words[FLOW_OPERATION] & (FLOW_ENCAPSULATE_IPV4 - 1);
  rows[row + ROW_KIND] = kind;
  rows[row + ROW_REMOTE] = candidates[seen + SEEN_REMOTE];
  rows[row + ROW_UNDER] = kind === LOCAL ? 0 : flows.under;
  rows[row + ROW_IN] = candidates[seen + SEEN_IN];
  rows[row + ROW_OUT] = candidates[seen + SEEN_OUT];
  rows[row + ROW_FID] = fid;
  rows[row + ROW_VID] = candidates[seen + SEEN_VID];
  rows[row + ROW_FROM_HIGH] = candidates[seen + SEEN_FROM_HIGH];
  rows[row + ROW_FROM_LOW] = candidates[seen + SEEN_FROM_LOW];
  rows[row + ROW_TO_HIGH] = candidates[seen + SEEN_TO_HIGH];
  rows[row + ROW_TO_LOW] = candidates[seen + SEEN_TO_LOW];
  rows[row + ROW_IN_TAG] = inTag;
  rows[row + ROW_OUT_TAG] = operation === FLOW_PUSH ? VLAN_TAG : operation === FLOW_POP ? 0 : inTag;
  rows[row + ROW_USED] = sw.tick;
  rows[row + ROW_CARRIED] = 0;
  if (slot >= flows.end) flows.end = slot + 1;
  Atomics.store(rows, row + ROW_STATE, CARRIED);
}

/**
 * Counts what the table has carried since the last time, and removes rows that are out of force, or idle.
 * @param frees slots whose rows have left since the last tick are free again
 */
export function countFlows(sw: Context, flows: Flows, frees = true): void {
  countRows(sw, flows, frees);
  if (sw.tick !== flows.tick) flows.heldTicks = flows.table.holds() < HELD ? 0 : flows.heldTicks + 1;
  if (flows.heldTicks > HELD_TICKS) giveUp(flows);
  flows.tick = sw.tick;
}

function countRows(sw: Context, flows: Flows, frees: boolean): void {
  if (flows.end === 0) return;
  const { counts, rows, table } = flows;
  table.read(counts);
  let end = 0;
  for (let slot = 0; slot < flows.end; slot++) {
    const row = slot << ROW_SHIFT;
    if (rows[row + ROW_STATE] === FREE) continue;
    countRow(sw, flows, slot);
    if (rows[row + ROW_STATE] === LEAVING) {
      if (frees) Atomics.store(rows, row + ROW_STATE, FREE);
    } else if (!isInForce(flows, slot) || !isWay(sw, flows, row) || sw.tick - rows[row + ROW_USED] > IDLE_TICKS)
      takeBack(flows, slot);
    if (rows[row + ROW_STATE] !== FREE) end = slot + 1;
  }
  flows.end = end;
  for (let slot = 0; slot < end; slot++) {
    const answer = answerOf(sw, flows, slot);
    if (answer < 0) continue;
    lookAt(sw, flows, slot);
    lookAt(sw, flows, answer);
  }
}

function lookAt(sw: Context, flows: Flows, slot: number): void {
  takeBack(flows, slot);
  beginLook(flows, seenAgain(sw, flows, slot), slot);
}

/** Its last frames may be under way: they are counted with the next tick. */
function takeBack({ far, rows, table, written }: Flows, slot: number): void {
  if (rows[(slot << ROW_SHIFT) + ROW_KIND] === OUT_OF) table.removeFar(far[slot]);
  else table.remove(written[slot]);
  Atomics.store(rows, (slot << ROW_SHIFT) + ROW_STATE, LEAVING);
}

/** Whether the route of a tunnel's flow is still the one that it was carried by. Asked once a second. */
function isWay(sw: Context, flows: Flows, row: number): boolean {
  const { rows } = flows;
  const kind = rows[row + ROW_KIND];
  if (kind === LOCAL || sw.tick % WAY_TICKS !== 0) return true;
  const port = rows[row + (kind === INTO ? ROW_OUT : ROW_IN)];
  return underlayOf(sw, flows, port, rows[row + ROW_REMOTE], rows[row + ROW_VID], -1) === rows[row + ROW_UNDER];
}

function isInForce({ table, written }: Flows, slot: number): boolean {
  const words = written[slot];
  return (
    words[FLOW_STAMP] === table.stamp(ALL_FLOWS) &&
    words[FLOW_ENTRY] === table.stamp(words[FLOW_PLACE]) &&
    words[FLOW_ENTRY + 1] === table.stamp(words[FLOW_PLACE + 1])
  );
}

function countRow(sw: Context, flows: Flows, slot: number): void {
  const { counted, counts, lately, rows } = flows;
  const at = slot * COUNT_WORDS;
  const lost = (counts[at + COUNT_NOTED] - counts[at + COUNT_FRAMES]) | 0;
  const before = (counted[at + COUNT_NOTED] - counted[at + COUNT_FRAMES]) | 0;
  if (lost - before > MOST_LOST) giveUp(flows);
  if (counts[at + COUNT_LARGE] !== counted[at + COUNT_LARGE]) {
    barFlow(sw, flows, slot);
    if (flows.rows[(slot << ROW_SHIFT) + ROW_STATE] === CARRIED) takeBack(flows, slot);
  }
  counted[at + COUNT_LARGE] = counts[at + COUNT_LARGE];
  const frames = (counts[at + COUNT_FRAMES] - counted[at + COUNT_FRAMES]) >>> 0;
  const bytes = (counts[at + COUNT_BYTES] - counted[at + COUNT_BYTES]) >>> 0;
  const ticks = Math.max(1, (sw.tick - flows.tick) & 0x7fffffff);
  lately[(slot << LATELY_SHIFT) + LATELY_FRAMES] = Math.floor(frames / ticks);
  lately[(slot << LATELY_SHIFT) + LATELY_BYTES] = Math.min(Math.floor(bytes / ticks), 0x7fffffff);
  if (frames === 0 && bytes === 0) return;
  counted[at + COUNT_FRAMES] = counts[at + COUNT_FRAMES];
  counted[at + COUNT_BYTES] = counts[at + COUNT_BYTES];
  // What is lost stays in the difference.
  counted[at + COUNT_NOTED] = (counts[at + COUNT_FRAMES] + before) | 0;
  const row = slot << ROW_SHIFT;
  rows[row + ROW_USED] = flows.tick;
  rows[row + ROW_CARRIED] += frames;
  credit(sw, rows, row, frames, bytes);
  keepAlive(sw, rows, row);
}

/** Other programs of an interface stop frames between look-up and sending. */
function giveUp(flows: Flows): void {
  flows.isBroken = true;
  flows.table.touch(ALL_FLOWS);
}

function credit({ counters, forwarding }: Context, rows: Int32Array, row: number, frames: number, bytes: number): void {
  const hasBoth = forwarding.portKind[rows[row + ROW_IN]] !== 0 && forwarding.portKind[rows[row + ROW_OUT]] !== 0;
  const port = hasBoth ? rows[row + ROW_IN] : RETIRED;
  const out = hasBoth ? rows[row + ROW_OUT] : RETIRED;
  const vid = rows[row + ROW_VID];
  const received = bytes + frames * rows[row + ROW_IN_TAG];
  const sent = bytes + frames * rows[row + ROW_OUT_TAG];
  counters.received(port, received, frames);
  counters.transmitted(out, sent, frames);
  counters.offloaded(port, out, received, sent, frames);
  if (!hasBoth) return;
  const kind = rows[row + ROW_KIND];
  const remote = rows[row + ROW_REMOTE];
  if (kind === INTO) counters.transmittedTo(remote, forwarding.tunnels[out].counterOfVlan[vid], sent, frames);
  if (kind === OUT_OF) counters.receivedFrom(remote, forwarding.tunnels[port].counterOfVlan[vid], received, frames);
  const inCounter = forwarding.vlanCounter(port, vid);
  const outCounter = forwarding.vlanCounter(out, vid);
  if (inCounter !== 0) counters.receivedIn(inCounter, received, frames);
  if (outCounter !== 0) counters.transmittedIn(outCounter, sent, frames);
}

/** The source has sent: its entry is no older than that, if it is still that entry. */
function keepAlive({ fdb }: Context, rows: Int32Array, row: number): void {
  const entry = fdb.lookup(rows[row + ROW_FROM_HIGH], rows[row + ROW_FROM_LOW], rows[row + ROW_FID]);
  const remote = rows[row + ROW_KIND] === OUT_OF ? rows[row + ROW_REMOTE] : 0;
  if (entry < 0 || fdb.destinationOf(entry) !== destinationOf(rows[row + ROW_IN], remote)) return;
  const used = rows[row + ROW_USED];
  if (((used - fdb.stampOf(entry)) | 0) > 0) fdb.refresh(entry, used);
}

/** Takes a port's interface into the table of flows, by the packet socket of this engine. */
export function attachFlows({ flows }: Context, port: number, fd: number, settings: FlowPort): void {
  if (flows === null || flows.table.listen(fd, settings.filter) !== 0) return;
  flows.ports[port] = settings;
}

/** Takes all rows out of force, of all engines, for the next frame on, and counts what they have carried. */
export function withdrawFlows(sw: Context): void {
  const { flows } = sw;
  if (flows === null) return;
  flows.table.touch(ALL_FLOWS);
  flows.dueCount = 0;
  flows.candidates.fill(0);
  countFlows(sw, flows, false);
}
