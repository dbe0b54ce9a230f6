/**
 * Route short-circuit (`rsc`; Linux `route_shortcircuit`): a packet on its way to a router behind the tunnel goes straight to its
 * destination host, if the neighbour table has that host, as if the router had sent it: destination MAC the host's, source MAC the
 * router's. The TTL stays, as in Linux.
 *
 * The MACs are rewritten in place, before any copy of the frame is made, so all copies are alike. The neighbour table says which MACs
 * are routers. A frame that may not go to the host goes to the router.
 */

import { NOT_FOUND } from '../../fdb/table.js';
import { BINDING_HIGH, BINDING_LOW, BINDING_WORDS } from '../../neigh/table.js';
import {
  destinationHigh,
  destinationLow,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  isMulticastHigh,
  writeMac,
} from '../../wire/ethernet.js';
import { isIpv4Multicast } from '../../wire/igmp.js';
import { setMapped } from '../../wire/ip-address.js';
import { IPV4_HEADER, ipVersion, ipv4Destination } from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6Destination } from '../../wire/ipv6.js';
import { isIpv6Multicast } from '../../wire/mld.js';
import { ALONE, OUTCOME_FLOOD } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort } from '../state/destination.js';
import { L3MISS, PORT_LOCAL, RSC } from '../state/forwarding.js';
import { mayForward } from '../state/may-forward.js';
import { reportL3Miss } from './misses.js';
import { networkOffset } from './parse.js';

/** Scratch of this file: the packet's destination address, IPv4 mapped, and the binding of it. */
const address = new Int32Array(4);
const host = new Int32Array(BINDING_WORDS);

/**
 * Decides about a frame to a router behind a port with `rsc`.
 * @param destination the FDB destination of the router's MAC, or NOT_FOUND
 * @returns whether the frame's outcome is decided; if not, it is forwarded as it is
 */
export function shortCircuit(sw: Context, frame: number, fid: number, destination: number): boolean {
  const { batch, fdb, forwarding, neigh, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  if (isMulticastHigh(high)) return false;
  const port = destination === NOT_FOUND ? portWithShortCircuit(sw, frame) : destinationPort(destination);
  if (port < 0 || !mayForward(sw, frame, port, RSC) || !neigh.isRouter(fid, high, low)) return false;
  // The next frame of the run may be for another host.
  batch.stage[frame] = ALONE;
  if (!readDestination(sw, frame)) return false;
  if (!neigh.read(fid, address, 0, host)) {
    if ((forwarding.portFlags[port] & L3MISS) !== 0) reportL3Miss(sw, frame, port, address, 0);
    return false;
  }
  const hostHigh = host[BINDING_HIGH];
  const hostLow = host[BINDING_LOW];
  if (hostHigh === high && hostLow === low) return false; // the packet is for the router itself
  const place = fdb.resolve(hostHigh, hostLow, fid);
  if (place !== NOT_FOUND && !mayGo(sw, frame, destinationPort(place))) return false;
  writeMac(view, offset, hostHigh, hostLow);
  writeMac(view, offset + 6, high, low);
  batch.outcome[frame] = place === NOT_FOUND ? OUTCOME_FLOOD : place;
  return true;
}

/** The first port with `rsc` to which the frame would be flooded; -1: none. */
function portWithShortCircuit(sw: Context, frame: number): number {
  const { forwarding } = sw;
  const ports = forwarding.bridgePorts[forwarding.portBridge[sw.batch.port[frame]]];
  for (let index = 0; index < ports.length; index++) {
    if (mayForward(sw, frame, ports[index], RSC)) return ports[index];
  }
  return -1;
}

/** Whether the frame may go to the host: even out of the local port that it came in by, as a router would send it. */
function mayGo(sw: Context, frame: number, port: number): boolean {
  const { forwarding } = sw;
  if (port === sw.batch.port[frame]) return forwarding.portKind[port] === PORT_LOCAL;
  return mayForward(sw, frame, port);
}

/** Reads the packet's destination into `address`. @returns false for multicast, and for frames without an IP header */
function readDestination({ batch, view }: Context, frame: number): boolean {
  const l3 = networkOffset(batch, frame);
  const length = batch.offset[frame] + batch.length[frame] - l3;
  if (length < IPV4_HEADER) return false;
  const type = view.getUint16(l3 - 2);
  if (type === ETHERTYPE_IPV4 && ipVersion(view, l3) === 4) {
    setMapped(address, 0, ipv4Destination(view, l3));
    return !isIpv4Multicast(address[3]);
  }
  if (type !== ETHERTYPE_IPV6 || length < IPV6_HEADER || ipVersion(view, l3) !== 6) return false;
  for (let word = 0; word < 4; word++) address[word] = ipv6Destination(view, l3, word);
  return !isIpv6Multicast(address[0]);
}
