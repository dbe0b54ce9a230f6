/**
 * Flooding: broadcast, unknown unicast and multicast (BUM) frames, as one copy per eligible port and, behind a tunnel port, one per
 * remote of the VNI's flood list; many commands on one payload. Storm control and the source's budget come first.
 *
 * Multicast goes to its group's members where a snooping bridge knows them (`multicast.ts`). Some ports get no copy of an ARP or ND
 * request (`neigh/suppress.ts`).
 */
import { destinationHigh, destinationLow, isBroadcast, isMulticastHigh } from '../../wire/ethernet.js';
import { emit } from '../egress/egress.js';
import { actOnFloodedRequest } from '../neigh/answer.js';
import { OUTCOME_FLOOD_REQUEST } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { dropIn } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { floodSource } from '../state/flood-budget.js';
import { BCAST_FLOOD, FLOOD, MCAST_FLOOD, PORT_LOCAL, UP } from '../state/forwarding.js';
import { mayForward } from '../state/may-forward.js';
import { MESSAGE_WORDS, PLACE, WITHHELD } from '../state/neigh-message.js';
import { STORM_BROADCAST, STORM_MULTICAST, STORM_UNKNOWN_UNICAST } from '../state/storm.js';
import { segmentsOf, sendsOf } from './flood-cost.js';
import { forwardToGroup, NO_GROUP } from './multicast.js';
import { replicate, withhold } from './replicate.js';

const EVERY_PORT = -1;

/** STORM_*: the kinds of traffic that are flooded. */
export type Kind = typeof STORM_BROADCAST | typeof STORM_UNKNOWN_UNICAST | typeof STORM_MULTICAST;

/** Sends the copies of a frame whose outcome is a flood. */
export function flood(sw: Context, frame: number): void {
  sendWithinLimits(sw, frame, kindOf(sw, sw.batch.offset[frame]), EVERY_PORT);
}

/**
 * Sends a frame to the flood list of one tunnel port: its FDB entry names the port and no VTEP. The limits are those of unknown
 * unicast, since the cost is the same.
 */
export function floodTo(sw: Context, frame: number, port: number): void {
  sendWithinLimits(sw, frame, STORM_UNKNOWN_UNICAST, port);
}

/** @param only the one port that the frame may leave by, or EVERY_PORT */
function sendWithinLimits(sw: Context, frame: number, kind: Kind, only: number): void {
  const { batch, floodBudget, flooding } = sw;
  sw.counters.flooded();
  const ingress = batch.port[frame];
  const segments = segmentsOf(sw, frame);
  const source = floodSource(ingress, batch.remote[frame]);
  const ownLimit = sw.storm.isLimited(ingress, kind);
  const refusal = floodBudget.refusal(source, ownLimit);
  if (refusal >= 0 || !sw.storm.take(ingress, kind, segments)) {
    dropIn(sw, frame, refusal >= 0 ? refusal : REASON.storm_limited);
    return;
  }
  const sends = sendsOf(segments, batch.length[frame]);
  flooding.begin(sends, sw.commands);
  const copies = only === EVERY_PORT ? sendCopies(sw, frame, kind) : replicate(sw, frame, only);
  flooding.end(sw.commands);
  countCopies(sw, frame, copies);
  // Copies that egress dropped have cost nearly as much.
  floodBudget.charge(source, copies * sends, ownLimit);
}

/** Sends the copies to all ports that may have one. @returns how many */
function sendCopies(sw: Context, frame: number, kind: Kind): number {
  if (sw.batch.outcome[frame] === OUTCOME_FLOOD_REQUEST) beginRequest(sw, frame);
  if (kind === STORM_MULTICAST) {
    const copies = forwardToGroup(sw, frame);
    if (copies !== NO_GROUP) return copies;
  }
  return floodAll(sw, frame, UP | flagOf(kind));
}

/** An ARP or ND request: answers or reports it as decided, and takes over which ports get no copy. */
function beginRequest(sw: Context, frame: number): void {
  const { batch, flooding } = sw;
  const message = frame * MESSAGE_WORDS;
  actOnFloodedRequest(sw, frame);
  flooding.withheld = batch.messages[message + WITHHELD];
  flooding.probed = batch.messages[message + PLACE];
}

/** The kind of a flooded frame, by its destination MAC at `offset`. */
export function kindOf({ view }: Context, offset: number): Kind {
  const high = destinationHigh(view, offset);
  if (!isMulticastHigh(high)) return STORM_UNKNOWN_UNICAST;
  return isBroadcast(high, destinationLow(view, offset)) ? STORM_BROADCAST : STORM_MULTICAST;
}

/** The flag of ports to which this kind of frame is flooded. */
export function flagOf(kind: Kind): number {
  if (kind === STORM_MULTICAST) return MCAST_FLOOD;
  return kind === STORM_BROADCAST ? BCAST_FLOOD : FLOOD;
}

/** @param needed flags of the ports that get a copy @returns how many copies */
function floodAll(sw: Context, frame: number, needed: number): number {
  const { forwarding } = sw;
  const ports = forwarding.bridgePorts[forwarding.portBridge[sw.batch.port[frame]]];
  let copies = 0;
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (!mayForward(sw, frame, port, needed)) continue;
    if (forwarding.portKind[port] === PORT_LOCAL) {
      if (!withhold(sw, frame, port)) emit(sw, frame, port, 0);
      copies++;
    } else {
      copies += replicate(sw, frame, port);
    }
  }
  return copies;
}

/** Counts a frame without a copy as dropped, and the copies beyond the first. */
function countCopies(sw: Context, frame: number, copies: number): void {
  if (copies === 0) dropIn(sw, frame, REASON.no_destination);
  else sw.counters.replicated(copies - 1);
}
