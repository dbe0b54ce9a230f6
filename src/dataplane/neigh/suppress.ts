/**
 * ARP/ND suppression and proxy: decides which requests the switch answers in the owner's name, and which ports get no copy.
 *
 * | port option      | requests                                              | as in Linux                 |
 * |------------------|-------------------------------------------------------|-----------------------------|
 * | `neigh_suppress` | broadcast ARP requests and multicast solicitations    | `br_do_proxy_suppress_arp`, |
 * |                  | for a known owner                                     | `br_do_suppress_nd`         |
 * | `proxy`          | all requests that would enter the tunnel              | `arp_reduce`, `neigh_reduce`|
 *
 * Neither needs an address on the bridge. An owner is known when the neighbour table has its MAC and the FDB has that MAC's
 * place; a binding that was added by hand is behind its own port unless the FDB says otherwise. With `proxy` the FDB need not know it.
 * Ports with `neigh_suppress` get no copy of a request that is answered or whose owner is known to be here; other local ports do.
 * A request without a known owner is flooded, but never into a port with `proxy`.
 *
 * Announcements are flooded, so that roaming works; not by a port with `neigh_suppress` whose `neigh_forward_grat` is off.
 *
 * Requests from a tunnel are not answered: the switch of the owner will answer. Requests by the owner itself are flooded, not
 * answered, so that every switch learns that it moved.
 *
 * A probe whether an address is free (RFC 5227; duplicate address detection, RFC 4862) must reach the owner itself, not the table:
 * ports with `neigh_suppress` get no copy except the one to the owner's place. So an address whose owner is gone can be taken, and one
 * in use is defended. `proxy` answers a probe like any other request.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import { BINDING_FLAGS, BINDING_HIGH, BINDING_LOW, BINDING_PORT, BINDING_WORDS, NEIGH_SET } from '../../neigh/table.js';
import { destinationHigh, isMulticastHigh, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { OUTCOME_ANSWER, OUTCOME_FLOOD_REQUEST } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { HOLDS_GRATUITOUS, NEIGH_SUPPRESS, PORT_TUNNEL, PROXY } from '../state/forwarding.js';
import { mayForward } from '../state/may-forward.js';
import {
  MESSAGE_WORDS,
  OWNER_FLAGS,
  OWNER_HIGH,
  OWNER_LOW,
  PLACE,
  SUBJECT_HIGH,
  SUBJECT_LOW,
  TARGET,
  VERDICT,
  VERDICT_ANSWER,
  VERDICT_MISS,
  VERDICT_NONE,
  WITHHELD,
} from '../state/neigh-message.js';
import { placeOf } from '../state/place.js';
import { isAnnouncement, isProbe } from './parse.js';

/** Scratch of this file: the binding of the request's target. */
const owner = new Int32Array(BINDING_WORDS);

/**
 * A request that would be flooded, since its destination is a group or not in the FDB. Decides whether it is answered and which
 * ports get no copy. @returns whether the outcome is decided; if not, the frame is flooded like any other
 */
export function decideFloodedRequest(sw: Context, frame: number, fid: number): boolean {
  const { batch, forwarding } = sw;
  if (forwarding.portKind[batch.port[frame]] === PORT_TUNNEL) return false;
  const message = frame * MESSAGE_WORDS;
  batch.outcome[frame] = OUTCOME_FLOOD_REQUEST;
  batch.messages[message + WITHHELD] = isAnnouncement(batch, frame) ? PROXY | heldBack(sw, frame) : PROXY;
  batch.messages[message + PLACE] = NOT_FOUND;
  batch.messages[message + VERDICT] = VERDICT_NONE;
  if (!sw.neigh.read(fid, batch.messages, message + TARGET, owner)) batch.messages[message + VERDICT] = VERDICT_MISS;
  else if (!isFromOwner(sw, frame)) decideForOwner(sw, frame, fid);
  return true;
}

/**
 * An unsolicited answer (gratuitous ARP, neighbour advertisement to a group): ports that hold announcements back get no copy.
 * @returns whether the outcome is decided; if not, the frame is flooded like any other
 */
export function decideAnnouncement(sw: Context, frame: number): boolean {
  const { batch, forwarding, view } = sw;
  const isToGroup = isMulticastHigh(destinationHigh(view, batch.offset[frame]));
  const held = heldBack(sw, frame);
  if (held === 0 || !isToGroup || forwarding.portKind[batch.port[frame]] === PORT_TUNNEL) return false;
  if (!isAnnouncement(batch, frame)) return false;
  const message = frame * MESSAGE_WORDS;
  batch.outcome[frame] = OUTCOME_FLOOD_REQUEST;
  batch.messages[message + WITHHELD] = held;
  batch.messages[message + PLACE] = NOT_FOUND;
  batch.messages[message + VERDICT] = VERDICT_NONE;
  return true;
}

/** The flag of ports that get no copy of an announcement (`neigh_forward_grat`); 0 where the sender is behind such a port itself. */
function heldBack({ batch, forwarding }: Context, frame: number): number {
  const flags = forwarding.flagsIn(batch.port[frame], batch.vid[frame]);
  return (flags & NEIGH_SUPPRESS) === 0 ? HOLDS_GRATUITOUS : 0;
}

/** As above, for a request whose target has a binding and which its owner did not send. */
function decideForOwner(sw: Context, frame: number, fid: number): void {
  const { batch, forwarding, view } = sw;
  const ingress = batch.port[frame];
  const message = frame * MESSAGE_WORDS;
  const suppresses =
    isMulticastHigh(destinationHigh(view, batch.offset[frame])) &&
    (forwarding.flagsIn(ingress, batch.vid[frame]) & NEIGH_SUPPRESS) === 0;
  const place = placeOf(sw, owner[BINDING_HIGH], owner[BINDING_LOW], fid);
  const probes = suppresses && isProbe(batch, frame);
  if (probes && mayReachOwner(sw, place)) {
    batch.messages[message + PLACE] = place;
    batch.messages[message + WITHHELD] = NEIGH_SUPPRESS | PROXY;
    return;
  }
  const any = suppresses && !probes ? NEIGH_SUPPRESS | PROXY : PROXY;
  const answers = isAnsweredFor(sw, frame, portOfOwner(sw, place), any);
  if (answers) noteAnswer(sw, frame);
  if (suppresses && (answers || (place !== NOT_FOUND && !probes))) {
    batch.messages[message + WITHHELD] = NEIGH_SUPPRESS | PROXY;
  }
}

/**
 * A request whose destination is one known MAC. Into a port with `proxy` it does not go: it ends here, answered or not.
 * @returns whether the outcome is decided
 */
export function decideUnicastRequest(sw: Context, frame: number, fid: number, destination: number): boolean {
  const { batch } = sw;
  if (!mayForward(sw, frame, destinationPort(destination), PROXY)) return false;
  const message = frame * MESSAGE_WORDS;
  batch.outcome[frame] = OUTCOME_ANSWER;
  batch.messages[message + PLACE] = destination;
  batch.messages[message + VERDICT] = VERDICT_NONE;
  if (!sw.neigh.read(fid, batch.messages, message + TARGET, owner)) {
    batch.messages[message + VERDICT] = VERDICT_MISS;
  } else if (!isFromOwner(sw, frame)) {
    const place = placeOf(sw, owner[BINDING_HIGH], owner[BINDING_LOW], fid);
    if (isAnsweredFor(sw, frame, portOfOwner(sw, place), PROXY)) noteAnswer(sw, frame);
  }
  return true;
}

/** Keeps what the answer will say: the binding may have changed when it is sent. */
function noteAnswer({ batch }: Context, frame: number): void {
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  messages[message + VERDICT] = VERDICT_ANSWER;
  messages[message + OWNER_HIGH] = owner[BINDING_HIGH];
  messages[message + OWNER_LOW] = owner[BINDING_LOW];
  messages[message + OWNER_FLAGS] = owner[BINDING_FLAGS];
}

/**
 * Whether one copy of a probe reaches the owner of the probed address. A port with `proxy` lets none into its tunnel, and without
 * a known place all ports need one.
 */
function mayReachOwner({ forwarding }: Context, place: number): boolean {
  if (place === NOT_FOUND) return false;
  const port = destinationPort(place);
  if (forwarding.portKind[port] !== PORT_TUNNEL) return true;
  return destinationRemote(place) !== 0 && (forwarding.portFlags[port] & PROXY) === 0;
}

/** Whether the sender of a request is the owner in the table, or claims to be. */
function isFromOwner({ batch, view }: Context, frame: number): boolean {
  if (isAnnouncement(batch, frame)) return true;
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  const high = owner[BINDING_HIGH];
  const low = owner[BINDING_LOW];
  if (messages[message + SUBJECT_LOW] === low && messages[message + SUBJECT_HIGH] === high) return true;
  const offset = batch.offset[frame];
  return sourceLow(view, offset) === low && sourceHigh(view, offset) === high;
}

/** The port that the owner is behind; -1: not known. @param place the owner's MAC in the FDB */
function portOfOwner({ forwarding }: Context, place: number): number {
  if (place !== NOT_FOUND) return destinationPort(place);
  const port = owner[BINDING_PORT];
  const isTrusted = (owner[BINDING_FLAGS] & NEIGH_SET) !== 0 || (forwarding.portFlags[port] & PROXY) !== 0;
  return isTrusted ? port : -1;
}

/** Whether the switch answers for an owner behind this port: one with a flag of `any`, to which the frame may go. */
function isAnsweredFor(sw: Context, frame: number, port: number, any: number): boolean {
  const { batch, forwarding } = sw;
  return port >= 0 && (forwarding.flagsIn(port, batch.vid[frame]) & any) !== 0 && mayForward(sw, frame, port);
}
