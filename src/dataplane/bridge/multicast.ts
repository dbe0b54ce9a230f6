/**
 * IGMP and MLD snooping on the path of frames (Linux `br_multicast_rcv`, `br_multicast_flood`; RFC 4541): what kind of
 * multicast is a frame, and who has asked for it. What is asked for is in `state/groups.ts`; the messages that say so are handed
 * to the control thread as well as forwarded.
 *
 * While no querier is heard nobody reports, so nothing is known of members and all is flooded, but for groups with a member
 * that was put in by hand. Where a group goes does not depend on `mcast_flood`, which is about flooding.
 */

import { NOT_FOUND } from '../../fdb/table.js';
import { VNET_NEEDS_CSUM } from '../../port/nic.js';
import { MESSAGE_NONE, MESSAGE_QUERY } from '../../wire/group-message.js';
import { igmpMessage, isIpv4Multicast, isLocalControlGroup, PROTOCOL_IGMP } from '../../wire/igmp.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { IPV4_MAPPED } from '../../wire/ip-address.js';
import { ipv4Destination } from '../../wire/ipv4.js';
import { ipv6Destination, PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';
import { isAllNodes, isAutoconfigurationGroup, isIpv6Multicast, mldMessage } from '../../wire/mld.js';
import { isPimHello, PROTOCOL_PIM } from '../../wire/pim.js';
import { emit } from '../egress/egress.js';
import type { Context } from '../state/context.js';
import { destinationPort, destinationRemote } from '../state/destination.js';
import { REASON } from '../state/drop-reasons.js';
import { fidOf } from '../state/fid.js';
import { PORT_LOCAL, PORT_TUNNEL, UP } from '../state/forwarding.js';
import { QUERIER4, QUERIER6 } from '../state/groups.js';
import { mayReceive } from '../state/may-forward.js';
import { PUNT_IGMP, PUNT_MLD, PUNT_PIM } from '../state/punt-ring.js';
import { floodList, isTooMuch, pinOf, replicate, withhold } from './replicate.js';

const NOBODY = new Int32Array(0);

/** Sends a multicast frame where its group is. @returns false when it is to be flooded like any other */
export function forwardToGroup(sw: Context, frame: number): boolean {
  const { batch, forwarding, layout, view } = sw;
  if (forwarding.bridgeSnooping[forwarding.portBridge[batch.port[frame]]] === 0) return false;
  parseInner(view, batch.offset[frame], batch.length[frame], layout);
  if (layout[L3_KIND] === 4) return forward4(sw, frame);
  return layout[L3_KIND] === 6 && forward6(sw, frame);
}

function forward4(sw: Context, frame: number): boolean {
  const { layout, view } = sw;
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  const group = ipv4Destination(view, l3);
  if (!isIpv4Multicast(group)) return false;
  if (l4 !== 0 && layout[L4_PROTOCOL] === PROTOCOL_IGMP) {
    const message = igmpMessage(view, l3, l4, layout[L3_END], hasFullChecksum(sw, frame));
    if (message !== MESSAGE_NONE) return relay(sw, frame, message, PUNT_IGMP, QUERIER4);
  } else if (l4 !== 0 && layout[L4_PROTOCOL] === PROTOCOL_PIM && isPimHello(view, l3, l4, layout[L3_END])) {
    punt(sw, frame, PUNT_PIM);
  }
  if (isLocalControlGroup(group)) return false;
  return deliver(sw, frame, QUERIER4, 0, 0, IPV4_MAPPED, group);
}

function forward6(sw: Context, frame: number): boolean {
  const { layout, view } = sw;
  const l3 = layout[L3_OFFSET];
  const l4 = layout[L4_OFFSET];
  const a0 = ipv6Destination(view, l3, 0);
  if (!isIpv6Multicast(a0)) return false;
  if (l4 !== 0 && layout[L4_PROTOCOL] === PROTOCOL_ICMPV6) {
    const message = mldMessage(view, l3, l4, layout[L3_END], hasFullChecksum(sw, frame));
    if (message !== MESSAGE_NONE) return relay(sw, frame, message, PUNT_MLD, QUERIER6);
  }
  const a1 = ipv6Destination(view, l3, 1);
  const a2 = ipv6Destination(view, l3, 2);
  const a3 = ipv6Destination(view, l3, 3);
  // Every other group is reported by those who listen, link-local ones too (RFC 3810 section 6). But a report for a
  // solicited-node group is often lost or never sent, and the host without it would not be found: all ports get these.
  if (isAllNodes(a0, a1, a2, a3) || isAutoconfigurationGroup(a0, a1, a2, a3)) return false;
  return deliver(sw, frame, QUERIER6, a0, a1, a2, a3);
}

/** Whether the frame's checksum is in it, and not left to a device. */
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
 * A message: a query to everybody, what answers it to the routers alone, so that no host hears another's report and keeps
 * its own to itself (RFC 4541 section 2.1.1). Behind a vxlan port with a router the report goes to all remotes: each of
 * them sends by what it has heard itself, and split horizon lets none hand it on.
 */
function relay(sw: Context, frame: number, message: number, kind: number, querier: number): boolean {
  punt(sw, frame, kind);
  if (message === MESSAGE_QUERY) return false;
  const row = routersOf(sw, frame, querier);
  if (row < 0) return false;
  sendTo(sw, frame, NOBODY, sw.forwarding.groups.destinationsAt(row), true);
  return true;
}

/** To the members of a group and to the routers, who must see all of it. */
function deliver(sw: Context, frame: number, querier: number, a0: number, a1: number, a2: number, a3: number): boolean {
  const { batch, forwarding } = sw;
  const { groups } = forwarding;
  const fid = fidOf(forwarding.portBridge[batch.port[frame]], batch.vid[frame]);
  const routers = groups.findRouters(fid);
  const group = groups.find(fid, a0, a1, a2, a3);
  const isHeard = routers >= 0 && (groups.queriersAt(routers) & querier) !== 0;
  if (!isHeard && !groups.isPermanent(group)) return false;
  sendTo(sw, frame, groups.destinationsAt(group), groups.destinationsAt(routers), false);
  return true;
}

/** Row of the routers in the frame's VLAN; -1 where no querier of the family is heard. */
function routersOf({ batch, forwarding }: Context, frame: number, querier: number): number {
  const { groups } = forwarding;
  const row = groups.findRouters(fidOf(forwarding.portBridge[batch.port[frame]], batch.vid[frame]));
  return row >= 0 && (groups.queriersAt(row) & querier) !== 0 ? row : -1;
}

/** One copy to each destination of two ascending lists. @param wholePorts router ports get it for all of their remotes */
function sendTo(sw: Context, frame: number, members: Int32Array, routers: Int32Array, wholePorts: boolean): void {
  if (isTooMuch(sw, members.length + routers.length)) {
    sw.copies = 1;
    sw.counters.droppedIn(sw.batch.port[frame], REASON.turn_exceeded);
    return;
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
    if (router < routers.length && routers[router] === next) router++;
    copies += sendOne(sw, frame, next);
  }
  const ingress = sw.batch.port[frame];
  sw.copies = copies;
  if (copies === 0) sw.counters.droppedIn(ingress, REASON.no_destination);
  else sw.counters.replicated(copies - 1);
}

/** Copies to the remotes that the frame's MAC is pinned to: whoever put them in wants them served, asked for or not. */
function sendPinned(sw: Context, frame: number): number {
  const { forwarding, replicatedFor } = sw;
  const ports = forwarding.bridgePorts[forwarding.portBridge[sw.batch.port[frame]]];
  let copies = 0;
  sw.replication = (sw.replication + 1) | 0;
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (pinOf(sw, frame, port) === NOT_FOUND || !mayReceive(sw, frame, port, UP)) continue;
    replicatedFor[port] = sw.replication;
    copies += replicate(sw, frame, port);
  }
  return copies;
}

/** Copies to all remotes of those vxlan ports that stand in the list without one, or with `any`, that stand in it. */
function sendToWholePorts(sw: Context, frame: number, destinations: Int32Array, any: boolean): number {
  const { forwarding, replicatedFor } = sw;
  let copies = 0;
  for (let index = 0; index < destinations.length; index++) {
    const port = destinationPort(destinations[index]);
    if (forwarding.portKind[port] !== PORT_TUNNEL || replicatedFor[port] === sw.replication) continue;
    const named = destinationRemote(destinations[index]) !== 0;
    // One that is named gets its own copy where there is no list that it could be on.
    if (named && (!any || floodList(sw, frame, port).length === 0)) continue;
    if (!mayReceive(sw, frame, port, UP)) continue;
    replicatedFor[port] = sw.replication;
    copies += replicate(sw, frame, port);
  }
  return copies;
}

/** The copy to one TAP, or to one remote that has had none with the whole of its port. */
function sendOne(sw: Context, frame: number, destination: number): number {
  const { forwarding } = sw;
  const port = destinationPort(destination);
  const remote = destinationRemote(destination);
  if (!mayReceive(sw, frame, port, UP)) return 0;
  if (forwarding.portKind[port] !== PORT_LOCAL) {
    if (remote === 0 || forwarding.tunnels[port].vniOfVlan[sw.batch.vid[frame]] === 0) return 0;
    if (sw.replicatedFor[port] === sw.replication && floodList(sw, frame, port).includes(remote)) return 0;
  }
  if (!withhold(sw, frame, port)) emit(sw, frame, port, remote);
  return 1;
}
