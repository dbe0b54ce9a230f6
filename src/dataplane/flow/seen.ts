/** The flows that an engine sees: which of them are busy, and so may be carried. */
import {
  ETHERNET_HEADER,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  destinationHigh,
  destinationLow,
  etherType,
  sourceHigh,
  sourceLow,
} from '../../wire/ethernet.js';
import { FLOW_TAG } from '../../port/flow-table.js';
import { RX_SEGMENT, RX_STRIDE } from '../../port/packet-io.js';
import { IPV4_HEADER, ipv4Protocol, ipVersion, PROTOCOL_TCP } from '../../wire/ipv4.js';
import { ipv6NextHeader } from '../../wire/ipv6.js';
import { VLAN_TAG, vidOf } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import {
  type Flows,
  MOST_DUE,
  ROW_FROM_HIGH,
  ROW_FROM_LOW,
  ROW_IN,
  ROW_OUT,
  ROW_REMOTE,
  ROW_SHIFT,
  ROW_TO_HIGH,
  ROW_TO_LOW,
  ROW_VID,
  SEEN_BARRED,
  SEEN_FRAMES,
  SEEN_FROM_HIGH,
  SEEN_FROM_LOW,
  SEEN_IN,
  SEEN_KEPT,
  SEEN_LOOKED,
  SEEN_OUT,
  SEEN_QUICK,
  SEEN_REMOTE,
  SEEN_SINCE,
  SEEN_TAGGED,
  SEEN_TICKS,
  SEEN_TO_HIGH,
  SEEN_TO_LOW,
  SEEN_VID,
} from '../state/flows.js';
import { hasOutgrown, isSoonerCarried } from './answers.js';

/** Frames within SEEN_TICKS that make a flow a busy one. */
const HOT = 4;
/** Ticks for which a flow with trains stays with the engine. */
const BARRED_TICKS = 100;
/** The same where TCP is carried with its superframes: then a carried flow meets trains only if its sender makes no superframes. */
const BARRED_LONGER = 600;

/** Counts a run of frames that go to one port. @param first row of the batch @param toRemote behind a tunnel port; 0: none */
export function seeFlow(sw: Context, flows: Flows, first: number, frames: number, out: number, toRemote: number): void {
  const { batch, view } = sw;
  const port = batch.port[first];
  const fromRemote = batch.remote[first];
  if (flows.ports[port] === undefined && (fromRemote === 0 || flows.ports[out] === undefined)) return;
  if (flows.ports[out] === undefined && toRemote === 0) return;
  const offset = batch.offset[first];
  const tci = batch.tci[first];
  if (tci >= 0 && vidOf(tci) === 0) return; // a priority tag
  const type = etherType(view, tci < 0 ? offset : offset + VLAN_TAG);
  if ((type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) || batch.length[first] < ETHERNET_HEADER + VLAN_TAG) return;
  const fromLow = sourceLow(view, offset);
  const toLow = destinationLow(view, offset);
  const vid = batch.vid[first];
  const { candidates } = flows;
  const seen = flows.candidateOf(port, fromLow, toLow, vid);
  const isSame =
    candidates[seen + SEEN_FROM_LOW] === fromLow &&
    candidates[seen + SEEN_TO_LOW] === toLow &&
    candidates[seen + SEEN_IN] === port &&
    candidates[seen + SEEN_OUT] === out &&
    candidates[seen + SEEN_VID] === vid &&
    candidates[seen + SEEN_REMOTE] === fromRemote + toRemote &&
    candidates[seen + SEEN_TAGGED] === (tci < 0 ? 0 : 1) &&
    candidates[seen + SEEN_FROM_HIGH] === sourceHigh(view, offset) &&
    candidates[seen + SEEN_TO_HIGH] === destinationHigh(view, offset);
  const isRecent = sw.tick - candidates[seen + SEEN_SINCE] < SEEN_TICKS;
  if (!isSame || !isRecent) {
    candidates[seen + SEEN_IN] = port;
    candidates[seen + SEEN_OUT] = out;
    candidates[seen + SEEN_VID] = vid;
    candidates[seen + SEEN_TAGGED] = tci < 0 ? 0 : 1;
    candidates[seen + SEEN_FROM_HIGH] = sourceHigh(view, offset);
    candidates[seen + SEEN_FROM_LOW] = fromLow;
    candidates[seen + SEEN_TO_HIGH] = destinationHigh(view, offset);
    candidates[seen + SEEN_TO_LOW] = toLow;
    candidates[seen + SEEN_REMOTE] = fromRemote + toRemote;
    if (!isSame) forget(candidates, seen);
    candidates[seen + SEEN_FRAMES] = candidates[seen + SEEN_LOOKED] = 0;
    candidates[seen + SEEN_SINCE] = sw.tick;
  }
  if (fromRemote !== 0 && hasTrain(sw, first) && !(flows.table.takesSuperframes && isTcp(sw, first)))
    candidates[seen + SEEN_BARRED] = sw.tick + BARRED_TICKS;
  if (candidates[seen + SEEN_BARRED] > sw.tick) return;
  const before = candidates[seen + SEEN_FRAMES];
  candidates[seen + SEEN_FRAMES] = before + frames;
  if (candidates[seen + SEEN_LOOKED] !== 0) {
    if (isSoonerCarried(candidates, seen, sw.tick)) makeDue(flows, seen);
  } else if (candidates[seen + SEEN_QUICK] > sw.tick) {
    if (hasOutgrown(candidates, seen, batch.length[first]))
      candidates[seen + SEEN_QUICK] = candidates[seen + SEEN_FRAMES] = 0;
  } else if (before < HOT && before + frames >= HOT) makeDue(flows, seen);
}

/** Between this batch and the next one. Where there is no place, its next frame asks again. */
function makeDue(flows: Flows, seen: number): void {
  if (flows.dueCount < MOST_DUE) flows.due[flows.dueCount++] = seen;
  else flows.candidates[seen + SEEN_FRAMES] = HOT - 1;
}

function forget(candidates: Int32Array, seen: number): void {
  candidates[seen + SEEN_BARRED] = candidates[seen + SEEN_KEPT] = candidates[seen + SEEN_QUICK] = 0;
}

/** A train of datagrams, or a frame that may be an unsegmented one: sockets are better at those, and a flow keeps its order by one way. */
function hasTrain({ batch, forwarding, rx }: Context, row: number): boolean {
  if (row < batch.size && rx[row * RX_STRIDE + RX_SEGMENT] !== 0) return true;
  return batch.gsoHeader[row] !== 0 && batch.length[row] > forwarding.portMtu[batch.port[row]] + ETHERNET_HEADER;
}

/** Whether a frame of IP has TCP right behind its header. */
function isTcp({ batch, view }: Context, row: number): boolean {
  const packet = batch.offset[row] + ETHERNET_HEADER + (batch.tci[row] < 0 ? 0 : VLAN_TAG);
  if (batch.offset[row] + batch.length[row] < packet + IPV4_HEADER) return false;
  return (ipVersion(view, packet) === 4 ? ipv4Protocol(view, packet) : ipv6NextHeader(view, packet)) === PROTOCOL_TCP;
}

/** A flow that was carried has trains: those are the engine's, and so all of it is. */
export function barFlow(sw: Context, flows: Flows, slot: number): void {
  const ticks = flows.table.takesSuperframes ? BARRED_LONGER : BARRED_TICKS;
  flows.candidates[seenAgain(sw, flows, slot) + SEEN_BARRED] = sw.tick + ticks;
}

/** A flow that is not carried any more, as if its first frame came now. @returns the candidate */
export function seenAgain({ tick }: Context, flows: Flows, slot: number): number {
  const { candidates, rows, written } = flows;
  const row = slot << ROW_SHIFT;
  const seen = flows.seenAt(slot);
  candidates[seen + SEEN_IN] = rows[row + ROW_IN];
  candidates[seen + SEEN_OUT] = rows[row + ROW_OUT];
  candidates[seen + SEEN_VID] = rows[row + ROW_VID];
  candidates[seen + SEEN_TAGGED] = written[slot][FLOW_TAG] === 0 ? 0 : 1;
  candidates[seen + SEEN_FROM_HIGH] = rows[row + ROW_FROM_HIGH];
  candidates[seen + SEEN_FROM_LOW] = rows[row + ROW_FROM_LOW];
  candidates[seen + SEEN_TO_HIGH] = rows[row + ROW_TO_HIGH];
  candidates[seen + SEEN_TO_LOW] = rows[row + ROW_TO_LOW];
  candidates[seen + SEEN_REMOTE] = rows[row + ROW_REMOTE];
  candidates[seen + SEEN_FRAMES] = candidates[seen + SEEN_LOOKED] = 0;
  candidates[seen + SEEN_SINCE] = tick;
  forget(candidates, seen);
  return seen;
}
