/**
 * BUM frames: past storm control and the source's budget, then a copy out of every port that may have one, and behind a vxlan
 * port one for each remote of the VNI's flood list. Many commands, one payload. Multicast goes where its group is, if a snooping bridge
 * knows (`multicast.ts`). Requests for a MAC may be answered on the way (`neigh/suppress.ts`), and then spare some ports a copy.
 */
import { destinationHigh, destinationLow, isBroadcast, isMulticastHigh } from '../../wire/ethernet.js';
import { emit } from '../egress/egress.js';
import { withholdFrom } from '../neigh/suppress.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { floodSource } from '../state/flood-budget.js';
import { BCAST_FLOOD, FLOOD, MCAST_FLOOD, PORT_LOCAL, SNOOPS_NEIGHBOURS, UP } from '../state/forwarding.js';
import { mayReceive } from '../state/may-forward.js';
import { STORM_BROADCAST, STORM_MULTICAST, STORM_UNKNOWN_UNICAST } from '../state/storm.js';
import { segmentsOf, sendsOf } from './flood-cost.js';
import { forwardToGroup } from './multicast.js';
import { replicate, withhold } from './replicate.js';

const EVERY_PORT = -1;

/** Sends the copies of a frame that has no one destination; one without any is dropped under `no_destination`. */
export function flood(sw: Context, frame: number): void {
  sendWithin(sw, frame, kindOf(sw, sw.batch.offset[frame]), EVERY_PORT);
}

/**
 * Sends a frame that may leave by one vxlan port alone to that port's flood list: an entry says that its MAC is behind the port,
 * and not which VTEP has it. It costs what flooding costs, so the same limits hold.
 */
export function floodTo(sw: Context, frame: number, port: number): void {
  sendWithin(sw, frame, STORM_UNKNOWN_UNICAST, port);
}

/** Past the limits of the kind and of the source. @param only the one port that it may leave by */
function sendWithin(sw: Context, frame: number, kind: Kind, only: number): void {
  const ingress = sw.batch.port[frame];
  const segments = segmentsOf(sw, frame);
  const source = floodSource(ingress, sw.batch.remote[frame]);
  const ownLimit = sw.storm.isLimited(ingress, kind);
  const refusal = sw.floodBudget.refusal(source, ownLimit);
  if (refusal >= 0 || !sw.storm.take(ingress, kind, segments)) {
    sw.counters.droppedIn(ingress, refusal >= 0 ? refusal : REASON.storm_limited);
    return;
  }
  const sends = sendsOf(segments, sw.batch.length[frame]);
  sw.sends = sends;
  sw.floodBegin = sw.commands;
  if (only === EVERY_PORT) sendCopies(sw, frame, ingress, kind);
  else sendCopiesBy(sw, frame, ingress, only);
  sw.extraSends += (sw.commands - sw.floodBegin) * (sends - 1);
  sw.sends = 1;
  // Copies that were dropped on their way out have cost nearly as much.
  sw.floodBudget.charge(source, sw.copies * sends, ownLimit);
}

/** Sends the copies, and leaves their number in `sw.copies`. */
function sendCopies(sw: Context, frame: number, ingress: number, kind: Kind): void {
  const snoops = (sw.forwarding.portFlags[ingress] & SNOOPS_NEIGHBOURS) !== 0;
  sw.withheld = snoops ? withholdFrom(sw, frame, kind !== STORM_UNKNOWN_UNICAST) : 0;
  if (kind === STORM_MULTICAST && forwardToGroup(sw, frame)) return;
  floodAll(sw, frame, UP | flagOf(kind));
}

function sendCopiesBy(sw: Context, frame: number, ingress: number, port: number): void {
  sw.withheld = 0;
  count(sw, ingress, replicate(sw, frame, port));
}

type Kind = typeof STORM_BROADCAST | typeof STORM_UNKNOWN_UNICAST | typeof STORM_MULTICAST;

function kindOf({ view }: Context, offset: number): Kind {
  const high = destinationHigh(view, offset);
  if (!isMulticastHigh(high)) return STORM_UNKNOWN_UNICAST;
  return isBroadcast(high, destinationLow(view, offset)) ? STORM_BROADCAST : STORM_MULTICAST;
}

/** The flag a port needs to have this kind of frame flooded to it. */
function flagOf(kind: Kind): number {
  if (kind === STORM_MULTICAST) return MCAST_FLOOD;
  return kind === STORM_BROADCAST ? BCAST_FLOOD : FLOOD;
}

function floodAll(sw: Context, frame: number, needed: number): void {
  const { forwarding } = sw;
  const ingress = sw.batch.port[frame];
  const ports = forwarding.bridgePorts[forwarding.portBridge[ingress]];
  let copies = 0;
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (!mayReceive(sw, frame, port, needed)) continue;
    if (forwarding.portKind[port] === PORT_LOCAL) {
      if (!withhold(sw, frame, port)) emit(sw, frame, port, 0);
      copies++;
    } else {
      copies += replicate(sw, frame, port);
    }
  }
  count(sw, ingress, copies);
}

function count(sw: Context, ingress: number, copies: number): void {
  sw.copies = copies;
  if (copies === 0) sw.counters.droppedIn(ingress, REASON.no_destination);
  else sw.counters.replicated(copies - 1);
}
