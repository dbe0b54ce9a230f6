/**
 * IGMP and MLD snooping in the data path (Linux `br_multicast_rcv`, `br_multicast_flood`; RFC 4541): multicast goes to the members in
 * `state/groups.ts`, and IGMP, MLD, PIM and MRD messages are copied to the control thread, which keeps that table.
 *
 * Without a querier hosts send no reports, so members are unknown and multicast is flooded, except to groups with a member that was
 * added by hand. Delivery to members does not depend on `mcast_flood`, which controls flooding only.
 */

import { NOT_FOUND } from '../../fdb/table.js';
import { VNET_NEEDS_CSUM } from '../../port/packet-io.js';
import {
  destinationHigh,
  destinationLow,
  ETHERNET_HEADER,
  sourceHigh,
  sourceLow,
  writeMac,
} from '../../wire/ethernet.js';
import { MESSAGE_NONE, MESSAGE_QUERY } from '../../wire/group-message.js';
import { igmpMessage, isIpv4Multicast, isLocalControlGroup, PROTOCOL_IGMP } from '../../wire/igmp.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { IPV4_MAPPED } from '../../wire/ip-address.js';
import { ipv4Destination, ipv4Source } from '../../wire/ipv4.js';
import { ipv6Destination, ipv6Source, PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';
import { isAllNodes, isAutoconfigurationGroup, isIpv6Multicast, mldMessage } from '../../wire/mld.js';
import { isRouterAdvertisement4, isRouterAdvertisement6 } from '../../wire/mrd.js';
import { isPimHello, PROTOCOL_PIM } from '../../wire/pim.js';
import { hasTag, VLAN_TAG } from '../../wire/vlan.js';
import { emit } from '../egress/egress.js';
import { transmitCommands } from '../egress/transmit.js';
import { NO_SERVICE_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { dropIn, dropOut } from '../state/drop.js';
import { REASON } from '../state/drop-reasons.js';
import { fidOf } from '../state/fid.js';
import { PORT_LOCAL, PORT_TUNNEL } from '../state/forwarding.js';
import { MAC_GROUP, QUERIER4, QUERIER6 } from '../state/groups.js';
import { mayForward } from '../state/may-forward.js';
import { PUNT_IGMP, PUNT_MLD, PUNT_MRD, PUNT_PIM } from '../state/punt-ring.js';
import { hostsHear } from './query-hearers.js';
import { exceedsTurn, floodList, pinOf, replicate, withhold } from './replicate.js';
import { tunnelGroupRemotes } from './tunnel-groups.js';

/** `forwardToGroup`: the frame is flooded like any other. */
export const NO_GROUP = -1;

/** Of no group. */
const NO_ROW = -1;
/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

/**
 * Sends a multicast frame to the members of its group and to routers.
 * @returns the number of copies; 1 where the frame was dropped as too many; NO_GROUP when the frame is to be flooded
 */
export function forwardToGroup(sw: Context, frame: number): number {
  const { batch, forwarding, view } = sw;
  if (forwarding.bridgeSnooping[forwarding.portBridge[batch.port[frame]]] === 0) return NO_GROUP;
  parseInner(view, batch.offset[frame], batch.length[frame], layout);
  if (layout[L3_KIND] === 0 || hasFurtherTag(sw, frame)) return forwardOther(sw, frame);
  return layout[L3_KIND] === 4 ? forward4(sw, frame) : forward6(sw, frame);
}

/** A frame that is not IP, or that of a customer, goes by its group MAC, if that was put in by hand. */
function forwardOther(sw: Context, frame: number): number {
  const { batch, forwarding, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  return deliver(sw, frame, 0, forwarding.groups.find(fidOfFrame(sw, frame), 0, MAC_GROUP, high, low));
}

/** Whether there is a tag behind that of the frame's VLAN: such a packet is a customer's, in another network (Linux looks at no such one). */
function hasFurtherTag({ batch, view }: Context, frame: number): boolean {
  const offset = batch.offset[frame];
  const tci = batch.tci[frame];
  const headers = layout[L3_OFFSET] - offset;
  if (tci >= 0) return headers > ETHERNET_HEADER + VLAN_TAG;
  if (headers === ETHERNET_HEADER) return false;
  // Without VLAN filtering a single tag of 802.1Q is no obstacle.
  return tci === NO_SERVICE_TAG || headers > ETHERNET_HEADER + VLAN_TAG || !hasTag(view, offset);
}

function forward4(sw: Context, frame: number): number {
  const { view } = sw;
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  const group = ipv4Destination(view, l3);
  if (!isIpv4Multicast(group)) return NO_GROUP;
  if (l4 !== 0 && layout[L4_PROTOCOL] === PROTOCOL_IGMP) {
    const message = igmpMessage(view, l3, l4, layout[L3_END], hasFullChecksum(sw, frame));
    if (message !== MESSAGE_NONE) return relay(sw, frame, message, PUNT_IGMP, QUERIER4);
    if (isRouterAdvertisement4(view, l3, l4, layout[L3_END], hasFullChecksum(sw, frame))) punt(sw, frame, PUNT_MRD);
  } else if (l4 !== 0 && layout[L4_PROTOCOL] === PROTOCOL_PIM && isPimHello(view, l3, l4, layout[L3_END])) {
    punt(sw, frame, PUNT_PIM);
  }
  if (isLocalControlGroup(group)) return NO_GROUP;
  const row = sw.forwarding.groups.find(fidOfFrame(sw, frame), 0, 0, IPV4_MAPPED, group);
  if (!sw.forwarding.groups.hasSources(row)) return deliver(sw, frame, QUERIER4, row);
  const own = sw.forwarding.groups.rowFor(row, 0, 0, IPV4_MAPPED, ipv4Source(view, l3));
  return deliver(sw, frame, QUERIER4, own);
}

function forward6(sw: Context, frame: number): number {
  const { view } = sw;
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  const a0 = ipv6Destination(view, l3, 0);
  if (!isIpv6Multicast(a0)) return NO_GROUP;
  if (l4 !== 0 && layout[L4_PROTOCOL] === PROTOCOL_ICMPV6) {
    const message = mldMessage(view, l3, l4, layout[L3_END], hasFullChecksum(sw, frame));
    if (message !== MESSAGE_NONE) return relay(sw, frame, message, PUNT_MLD, QUERIER6);
    if (isRouterAdvertisement6(view, l3, l4, layout[L3_END], hasFullChecksum(sw, frame))) punt(sw, frame, PUNT_MRD);
  }
  const a1 = ipv6Destination(view, l3, 1);
  const a2 = ipv6Destination(view, l3, 2);
  const a3 = ipv6Destination(view, l3, 3);
  // Listeners report every other group, link-local ones too (RFC 3810 section 6). But reports for solicited-node groups are often
  // lost or never sent, and such a host could not be resolved: these are flooded.
  if (isAllNodes(a0, a1, a2, a3) || isAutoconfigurationGroup(a0, a1, a2, a3)) return NO_GROUP;
  const row = sw.forwarding.groups.find(fidOfFrame(sw, frame), a0, a1, a2, a3);
  return deliver(sw, frame, QUERIER6, sw.forwarding.groups.hasSources(row) ? rowOfSource6(sw, row, l3) : row);
}

function rowOfSource6({ forwarding, view }: Context, row: number, l3: number): number {
  const s0 = ipv6Source(view, l3, 0);
  const s1 = ipv6Source(view, l3, 1);
  return forwarding.groups.rowFor(row, s0, s1, ipv6Source(view, l3, 2), ipv6Source(view, l3, 3));
}

/** Whether the frame carries a full checksum, not one that is left to a device. */
function hasFullChecksum({ batch }: Context, frame: number): boolean {
  return (batch.vnet[frame] & VNET_NEEDS_CSUM) === 0;
}

function punt({ batch, punts, view }: Context, frame: number, kind: number): void {
  punts.push(
    kind,
    batch.port[frame],
    batch.remote[frame],
    batch.vid[frame],
    view,
    batch.offset[frame],
    batch.length[frame],
  );
}

/**
 * A query is flooded; a report goes to routers only, so that no host hears another's report and suppresses its own (RFC 4541 section
 * 2.1.1). Behind a tunnel port with a router the report goes to all remotes: each forwards by the reports that it has heard itself,
 * and split horizon keeps remotes from relaying it.
 */
function relay(sw: Context, frame: number, message: number, kind: number, querier: number): number {
  const { groups } = sw.forwarding;
  if (message === MESSAGE_QUERY) {
    if (hostsHear(sw.view, sw.batch.offset[frame], layout)) punt(sw, frame, kind);
    return NO_GROUP;
  }
  punt(sw, frame, kind);
  const routers = groups.findRouters(fidOfFrame(sw, frame));
  if (routers < 0 || (groups.queriersAt(routers) & querier) === 0) return NO_GROUP;
  return sendTo(sw, frame, NO_ROW, groups.destinationsAt(routers), true);
}

/** Sends to the members of a group, or of a source and group, and to routers, which must receive all multicast. */
function deliver(sw: Context, frame: number, querier: number, group: number): number {
  const { groups } = sw.forwarding;
  const routers = groups.findRouters(fidOfFrame(sw, frame));
  const isHeard = routers >= 0 && (groups.queriersAt(routers) & querier) !== 0;
  if (!isHeard && !groups.isPermanent(group)) return NO_GROUP;
  return sendTo(sw, frame, group, groups.destinationsAt(routers), false);
}

function fidOfFrame({ batch, forwarding }: Context, frame: number): number {
  return fidOf(forwarding.portBridge[batch.port[frame]], batch.vid[frame]);
}

/**
 * Sends one copy to each destination of two ascending lists: of a group's row, and of routers.
 * @param wholePorts tunnel ports in `routers` get a copy for each of their remotes
 * @returns the number of copies; 1 where the frame was dropped
 */
function sendTo(sw: Context, frame: number, row: number, routers: Int32Array, wholePorts: boolean): number {
  const members = sw.forwarding.groups.destinationsAt(row);
  const hosts = sw.forwarding.groups.hasHosts(row);
  if (exceedsTurn(sw, members.length + routers.length)) {
    dropIn(sw, frame, REASON.turn_exceeded);
    return 1;
  }
  let copies = sendPinned(sw, frame);
  copies += sendToWholePorts(sw, frame, members, false);
  copies += sendToWholePorts(sw, frame, routers, wholePorts);
  let member = 0;
  let router = 0;
  while (member < members.length || router < routers.length) {
    const fromMembers = router >= routers.length || (member < members.length && members[member] <= routers[router]);
    const next = fromMembers ? members[member] : routers[router];
    if (fromMembers) member++;
    const isRouter = router < routers.length && routers[router] === next;
    if (isRouter) router++;
    // A router hears multicast as it is.
    copies += hosts && !isRouter ? sendToHosts(sw, frame, row, next) : sendOne(sw, frame, next);
  }
  return copies;
}

/** Sends copies to the remotes that the frame's MAC is pinned to, whether they asked for the group or not. */
function sendPinned(sw: Context, frame: number): number {
  const { flooding, forwarding } = sw;
  const ports = forwarding.bridgePorts[forwarding.portBridge[sw.batch.port[frame]]];
  let copies = 0;
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (pinOf(sw, frame, port) === NOT_FOUND || !mayForward(sw, frame, port)) continue;
    flooding.noteReplicated(port);
    copies += replicate(sw, frame, port);
  }
  return copies;
}

/** Sends copies to the whole flood list of tunnel ports that are listed without a remote, or with `any`, that are listed at all. */
function sendToWholePorts(sw: Context, frame: number, destinations: Int32Array, any: boolean): number {
  const { flooding, forwarding } = sw;
  let copies = 0;
  for (let index = 0; index < destinations.length; index++) {
    const port = destinationPort(destinations[index]);
    if (forwarding.portKind[port] !== PORT_TUNNEL || flooding.isReplicated(port)) continue;
    const named = destinationRemote(destinations[index]) !== 0;
    // A remote that is listed gets a copy of its own where the port has no flood list; the port's own database knows better.
    if (named && !decides(sw, frame, port) && (!any || floodList(sw, frame, port).length === 0)) continue;
    if (!mayForward(sw, frame, port)) continue;
    flooding.noteReplicated(port);
    copies += replicate(sw, frame, port);
  }
  return copies;
}

/** Whether the database of a tunnel port says which of its remotes have the frame. */
function decides(sw: Context, frame: number, port: number): boolean {
  return tunnelGroupRemotes(sw, frame, port) !== null;
}

/** Sends the copy to one local port, or to one remote that had none with its port's flood list. */
function sendOne(sw: Context, frame: number, destination: number): number {
  const { forwarding } = sw;
  const port = destinationPort(destination);
  const remote = destinationRemote(destination);
  if (!mayForward(sw, frame, port)) return 0;
  if (forwarding.portKind[port] !== PORT_LOCAL) {
    if (remote === 0 || forwarding.tunnels[port].vniOfVlan[sw.batch.vid[frame]] === 0) return 0;
    const isDone = sw.flooding.isReplicated(port);
    if (isDone && (decides(sw, frame, port) || floodList(sw, frame, port).includes(remote))) return 0;
  }
  if (!withhold(sw, frame, port)) emit(sw, frame, port, remote);
  return 1;
}

/** Sends a copy to each host behind a port that has copies of its own; otherwise one to the port. */
function sendToHosts(sw: Context, frame: number, row: number, destination: number): number {
  const port = destinationPort(destination);
  const macs = sw.forwarding.groups.hostsAt(row, port);
  if (macs.length === 0 || sw.forwarding.portKind[port] !== PORT_LOCAL) return sendOne(sw, frame, destination);
  if (!mayForward(sw, frame, port)) return 0;
  if (withhold(sw, frame, port)) return 1;
  if (exceedsTurn(sw, macs.length / 2)) {
    dropOut(sw, frame, port, REASON.turn_exceeded);
    return 1;
  }
  return unicastTo(sw, frame, port, macs);
}

/**
 * Copies with the MACs of hosts as their destination, written into the frame in turn (Linux `maybe_deliver_addr`). The PacketIo has
 * read a frame when it has been transmitted, so each copy is before the next is made, and those before the first.
 */
function unicastTo(sw: Context, frame: number, port: number, macs: Int32Array): number {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset);
  const isBack = batch.port[frame] === port;
  let copies = 0;
  for (let index = 0; index < macs.length; index += 2) {
    // Even with hairpin no host hears itself.
    if (isBack && macs[index] === sourceHigh(view, offset) && macs[index + 1] === (sourceLow(view, offset) | 0))
      continue;
    transmitCommands(sw, true);
    writeMac(view, offset, macs[index], macs[index + 1]);
    emit(sw, frame, port, 0);
    copies++;
  }
  transmitCommands(sw, true);
  writeMac(view, offset, high, low);
  return copies;
}
