/**
 * Requests for a MAC that the switch answers itself, in the owner's name, instead of sending them far away.
 *
 * | port option      | what                                        | as in Linux                              |
 * |------------------|---------------------------------------------|------------------------------------------|
 * | `neigh_suppress` | broadcast ARP requests, multicast            | `br_do_proxy_suppress_arp`,              |
 * |                  | solicitations whose owner is known          | `br_do_suppress_nd`                      |
 * | `proxy`          | every request that would go into the tunnel | `arp_reduce`, `neigh_reduce`             |
 *
 * Neither needs an address on the bridge. An owner is known when the neighbour table has its MAC and the FDB knows where
 * that is; one put in by hand is behind its port as long as the FDB does not say otherwise. With `proxy` the FDB need not
 * know it. A request that is answered, or whose owner is known to be here, has no copy on ports with `neigh_suppress`, and
 * the other local ports have theirs; one that finds nobody is flooded, but never into a port with `proxy`.
 *
 * What comes through the tunnel is not answered: where the owner is it will be. Nor is a request that its owner sends, so
 * that it is heard everywhere who has moved.
 *
 * A probe whether an address is free (RFC 5227, and duplicate address detection, RFC 4862) asks the owner itself, not the table:
 * ports with `neigh_suppress` have no copy of it but the one to the owner's place. So an address whose owner is gone can be
 * taken, and one that is in use is defended. `proxy` answers it like any other request.
 */
import { NOT_FOUND } from '../../fdb/table.js';
import {
  BINDING_FLAGS,
  BINDING_HIGH,
  BINDING_LOW,
  BINDING_PORT,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
} from '../../neigh/table.js';
import { ARP_LENGTH, writeArpReply } from '../../wire/arp.js';
import {
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  sourceHigh,
  sourceLow,
  writeMac,
} from '../../wire/ethernet.js';
import { ADVERTISEMENT_PACKET, ND_OVERRIDE, ND_ROUTER, ND_SOLICITED, writeAdvertisement } from '../../wire/nd.js';
import { answer, beginOriginated, NO_ROOM } from '../egress/originate.js';
import { transmitCommands } from '../egress/transmit.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { fidOf } from '../state/fid.js';
import { L3MISS, NEIGH_SUPPRESS, PORT_TUNNEL, PROXY, UP } from '../state/forwarding.js';
import { mayReceive } from '../state/may-forward.js';
import { FAMILY, NEIGHBOUR_REQUEST, SUBJECT, SUBJECT_HIGH, SUBJECT_LOW, TARGET } from '../state/neigh-message.js';
import { reportL3Miss } from './misses.js';
import { isAnnouncement, isProbe, readNeighbour } from './parse.js';

/** ff02::1, and the MAC of it. */
const ALL_NODES = Int32Array.of(0xff020000, 0, 0, 1);
const ALL_NODES_HIGH = 0x3333;
const ALL_NODES_LOW = 1;

/**
 * Looks whether a frame that is about to be flooded is a request, and answers it if that is for the switch to do.
 * @param isGroup it is for everybody, not for one MAC that is not known
 * @returns the port flags, any of which keeps a port from having a copy; `sw.probed` is set for a probe
 */
export function withholdFrom(sw: Context, frame: number, isGroup: boolean): number {
  const { batch, forwarding } = sw;
  const ingress = batch.port[frame];
  sw.probed = NOT_FOUND;
  if (forwarding.portKind[ingress] === PORT_TUNNEL || readNeighbour(sw, frame) !== NEIGHBOUR_REQUEST) return 0;
  const fid = fidOf(forwarding.portBridge[ingress], batch.vid[frame]);
  if (!sw.neigh.read(fid, sw.neighbour, TARGET, sw.binding)) {
    tellProxies(sw, frame);
    return PROXY;
  }
  if (isOfOwner(sw, frame)) return PROXY;
  const suppresses = isGroup && (forwarding.flagsIn(ingress, batch.vid[frame]) & NEIGH_SUPPRESS) === 0;
  const place = sw.fdb.resolve(sw.binding[BINDING_HIGH], sw.binding[BINDING_LOW], fid);
  const asksOwner = suppresses && isProbe(sw);
  if (asksOwner && mayAskOwner(sw, place)) {
    sw.probed = place;
    return NEIGH_SUPPRESS | PROXY;
  }
  const port = portOfOwner(sw, place);
  const answered = isAnsweredFor(sw, frame, port, suppresses && !asksOwner ? NEIGH_SUPPRESS | PROXY : PROXY);
  if (answered) reply(sw, frame);
  return suppresses && (answered || (place !== NOT_FOUND && !asksOwner)) ? NEIGH_SUPPRESS | PROXY : PROXY;
}

/**
 * Whether the owner of a probed address can be asked by one copy of the probe, wherever it is: nothing is answered then. A
 * vxlan port with `proxy` has none, and of an owner whose place is not known all are asked.
 */
function mayAskOwner({ forwarding }: Context, place: number): boolean {
  if (place === NOT_FOUND) return false;
  const port = destinationPort(place);
  if (forwarding.portKind[port] !== PORT_TUNNEL) return true;
  return destinationRemote(place) !== 0 && (forwarding.portFlags[port] & PROXY) === 0;
}

/** A request for one MAC, which was read into `sw.neighbour` and is on its way into a port with `proxy`: it ends here. */
export function reduceRequest(sw: Context, frame: number, fid: number, port: number): void {
  if (!sw.neigh.read(fid, sw.neighbour, TARGET, sw.binding)) {
    if ((sw.forwarding.portFlags[port] & L3MISS) !== 0) reportL3Miss(sw, frame, port, sw.neighbour, TARGET);
    return;
  }
  if (isOfOwner(sw, frame)) return;
  const place = sw.fdb.resolve(sw.binding[BINDING_HIGH], sw.binding[BINDING_LOW], fid);
  if (isAnsweredFor(sw, frame, portOfOwner(sw, place), PROXY)) reply(sw, frame);
}

/** Tells of a request that nobody is known for, where ports with `proxy` keep it from the tunnel. */
function tellProxies(sw: Context, frame: number): void {
  const { forwarding } = sw;
  const ports = forwarding.bridgePorts[forwarding.portBridge[sw.batch.port[frame]]];
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (mayReceive(sw, frame, port, UP | PROXY | L3MISS)) reportL3Miss(sw, frame, port, sw.neighbour, TARGET);
  }
}

/** Whether the request comes from the owner itself, as the table knows it, or claims to. */
function isOfOwner(sw: Context, frame: number): boolean {
  const { batch, binding, neighbour, view } = sw;
  if (isAnnouncement(sw)) return true;
  const high = binding[BINDING_HIGH];
  const low = binding[BINDING_LOW];
  if (neighbour[SUBJECT_LOW] === low && neighbour[SUBJECT_HIGH] === high) return true;
  const offset = batch.offset[frame];
  return sourceLow(view, offset) === low && sourceHigh(view, offset) === high;
}

/** The port that the owner is behind; -1: not known. @param place where the FDB has its MAC */
function portOfOwner({ binding, forwarding }: Context, place: number): number {
  if (place !== NOT_FOUND) return destinationPort(place);
  const port = binding[BINDING_PORT];
  const isTrusted = (binding[BINDING_FLAGS] & NEIGH_MANUAL) !== 0 || (forwarding.portFlags[port] & PROXY) !== 0;
  return isTrusted ? port : -1;
}

/** Whether the switch answers for an owner behind this port: one with a flag of `any` that the asker could reach. */
function isAnsweredFor(sw: Context, frame: number, port: number, any: number): boolean {
  const { batch, forwarding } = sw;
  return port >= 0 && (forwarding.flagsIn(port, batch.vid[frame]) & any) !== 0 && mayReceive(sw, frame, port, UP);
}

/** Sends the answer to the asking port, from the owner's MAC. */
function reply(sw: Context, frame: number): void {
  const row = roomForReply(sw);
  const length = sw.neighbour[FAMILY] === 4 ? writeArp(sw, row) : writeNd(sw, row);
  answer(sw, row, length, frame);
}

/** Room for a frame of the switch's own; where this batch has had its share, those before it are sent to make some. */
function roomForReply(sw: Context): number {
  const row = beginOriginated(sw);
  if (row !== NO_ROOM) return row;
  transmitCommands(sw, true);
  sw.originated = 0;
  return beginOriginated(sw);
}

function writeArp({ batch, binding, neighbour, view }: Context, row: number): number {
  const at = batch.offset[row];
  const high = binding[BINDING_HIGH];
  const low = binding[BINDING_LOW];
  const toHigh = neighbour[SUBJECT_HIGH];
  const toLow = neighbour[SUBJECT_LOW];
  writeMac(view, at, toHigh, toLow);
  writeMac(view, at + 6, high, low);
  view.setUint16(at + 12, ETHERTYPE_ARP);
  writeArpReply(view, at + ETHERNET_HEADER, high, low, neighbour[TARGET + 3], toHigh, toLow, neighbour[SUBJECT + 3]);
  return ETHERNET_HEADER + ARP_LENGTH;
}

/** Who has no address yet is told by telling all (RFC 4861 section 7.2.4). */
function writeNd(sw: Context, row: number): number {
  const { batch, binding, neighbour, view } = sw;
  const at = batch.offset[row];
  const high = binding[BINDING_HIGH];
  const low = binding[BINDING_LOW];
  const role = (binding[BINDING_FLAGS] & NEIGH_ROUTER) !== 0 ? ND_ROUTER | ND_OVERRIDE : ND_OVERRIDE;
  const l3 = at + ETHERNET_HEADER;
  if (isProbe(sw)) {
    writeMac(view, at, ALL_NODES_HIGH, ALL_NODES_LOW);
    writeAdvertisement(view, l3, role, neighbour, TARGET, ALL_NODES, 0, high, low);
  } else {
    writeMac(view, at, neighbour[SUBJECT_HIGH], neighbour[SUBJECT_LOW]);
    writeAdvertisement(view, l3, role | ND_SOLICITED, neighbour, TARGET, neighbour, SUBJECT, high, low);
  }
  writeMac(view, at + 6, high, low);
  view.setUint16(at + 12, ETHERTYPE_IPV6);
  return ETHERNET_HEADER + ADVERTISEMENT_PACKET;
}
