/**
 * Route short-circuit (`rsc`; Linux `route_shortcircuit`): a packet on its way to a router through the tunnel goes to the
 * host that it is for, when the neighbour table knows that one, as if the router had sent it: with the host's MAC as
 * destination and the router's as source. Its TTL stays, as in Linux.
 *
 * The addresses are rewritten where the frame lies. That is before any copy of it is made, so all that leave are alike, and
 * nobody keeps what was there. Which MACs are routers' the neighbour table says. It never takes a short cut to where the
 * frame might not go: then the router has it.
 */

import { NOT_FOUND } from '../../fdb/table.js';
import { BINDING_HIGH, BINDING_LOW } from '../../neigh/table.js';
import {
  destinationHigh,
  destinationLow,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  isMulticastHigh,
  writeMac,
} from '../../wire/ethernet.js';
import { isIpv4Multicast } from '../../wire/igmp.js';
import { IPV4_MAPPED } from '../../wire/ip-address.js';
import { IPV4_HEADER, ipVersion, ipv4Destination } from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6Destination } from '../../wire/ipv6.js';
import { isIpv6Multicast } from '../../wire/mld.js';
import { ALONE, OUTCOME_FLOOD } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort } from '../state/destination.js';
import { L3MISS, PORT_LOCAL, RSC, UP } from '../state/forwarding.js';
import { mayReceive } from '../state/may-forward.js';
import { TARGET } from '../state/neigh-message.js';
import { reportL3Miss } from './misses.js';
import { networkOffset } from './parse.js';

/**
 * Sends a frame the short way, if it is one for a router behind a port with `rsc`.
 * @param destination what the FDB has for the router's MAC
 * @returns whether the frame's outcome is decided; else it goes where it was to go
 */
export function shortCircuit(sw: Context, frame: number, fid: number, destination: number): boolean {
  const { batch, binding, fdb, forwarding, neigh, neighbour, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  if (isMulticastHigh(high)) return false;
  const port = destination === NOT_FOUND ? portWithShortCircuit(sw, frame) : destinationPort(destination);
  if (port < 0 || !mayReceive(sw, frame, port, UP | RSC) || !neigh.isRouter(fid, high, low)) return false;
  // What follows in a run may be for another host.
  batch.stage[frame] = ALONE;
  if (!readDestination(sw, frame)) return false;
  if (!neigh.read(fid, neighbour, TARGET, binding)) {
    if ((forwarding.portFlags[port] & L3MISS) !== 0) reportL3Miss(sw, frame, port, neighbour, TARGET);
    return false;
  }
  const hostHigh = binding[BINDING_HIGH];
  const hostLow = binding[BINDING_LOW];
  if (hostHigh === high && hostLow === low) return false; // it is for the router
  const place = fdb.resolve(hostHigh, hostLow, fid);
  if (place !== NOT_FOUND && !mayGo(sw, frame, destinationPort(place))) return false;
  writeMac(view, offset, hostHigh, hostLow);
  writeMac(view, offset + 6, high, low);
  batch.outcome[frame] = place === NOT_FOUND ? OUTCOME_FLOOD : place;
  return true;
}

/** A port with `rsc` that the frame would be flooded to; -1: there is none. */
function portWithShortCircuit(sw: Context, frame: number): number {
  const { forwarding } = sw;
  const ports = forwarding.bridgePorts[forwarding.portBridge[sw.batch.port[frame]]];
  for (let index = 0; index < ports.length; index++) {
    if (mayReceive(sw, frame, ports[index], UP | RSC)) return ports[index];
  }
  return -1;
}

/** Whether the frame may go to where the host is: also out of the local port that it came in by, as from a router. */
function mayGo(sw: Context, frame: number, port: number): boolean {
  const { forwarding } = sw;
  if (port === sw.batch.port[frame]) return forwarding.portKind[port] === PORT_LOCAL;
  return mayReceive(sw, frame, port, UP);
}

/** Reads the packet's destination into the TARGET words of `sw.neighbour`. @returns false for what is not for one host */
function readDestination(sw: Context, frame: number): boolean {
  const { batch, neighbour, view } = sw;
  const l3 = networkOffset(sw, frame);
  const length = batch.offset[frame] + batch.length[frame] - l3;
  if (length < IPV4_HEADER) return false;
  const type = view.getUint16(l3 - 2);
  if (type === ETHERTYPE_IPV4 && ipVersion(view, l3) === 4) {
    neighbour[TARGET] = 0;
    neighbour[TARGET + 1] = 0;
    neighbour[TARGET + 2] = IPV4_MAPPED;
    neighbour[TARGET + 3] = ipv4Destination(view, l3);
    return !isIpv4Multicast(neighbour[TARGET + 3]);
  }
  if (type !== ETHERTYPE_IPV6 || length < IPV6_HEADER || ipVersion(view, l3) !== 6) return false;
  for (let word = 0; word < 4; word++) neighbour[TARGET + word] = ipv6Destination(view, l3, word);
  return !isIpv6Multicast(neighbour[TARGET]);
}
