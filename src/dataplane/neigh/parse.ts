/**
 * The ARP or neighbour discovery message in a frame, read into words: what it asks for, who says so, and what it claims.
 *
 * A frame is looked at in the VLAN that it is in: a tag that is payload hides the message. It never decides or answers.
 */

import { HEARD_ROLE, HEARD_ROUTER, HEARD_WEAK } from '../../neigh/table.js';
import { VNET_NEEDS_CSUM } from '../../port/nic.js';
import {
  ARP_LENGTH,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_MAC,
  arpOperation,
  arpSenderAddress,
  arpTargetAddress,
  isArp4,
} from '../../wire/arp.js';
import {
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  isMulticastHigh,
  isZeroMac,
  macHigh,
  macLow,
  sourceHigh,
  sourceLow,
} from '../../wire/ethernet.js';
import { IPV4_MAPPED, setMapped } from '../../wire/ip-address.js';
import { IPV6_HEADER, ipv6Source } from '../../wire/ipv6.js';
import { isIpv6Multicast } from '../../wire/mld.js';
import {
  looksLikeNd,
  ND_ADVERTISEMENT,
  ND_NONE,
  ND_OVERRIDE,
  ND_ROUTER,
  ND_SOLICITATION,
  ND_SOURCE_LINK,
  ND_TARGET,
  ND_TARGET_LINK,
  ndEnd,
  ndFlags,
  ndLinkAddress,
  ndMessage,
} from '../../wire/nd.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import { NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import {
  CLAIMS,
  FAMILY,
  NEIGHBOUR_NONE,
  NEIGHBOUR_REPLY,
  NEIGHBOUR_REQUEST,
  SUBJECT,
  SUBJECT_HIGH,
  SUBJECT_LOW,
  TARGET,
  TRAITS,
} from '../state/neigh-message.js';

/** Where the frame's network header begins. */
export function networkOffset({ batch }: Context, frame: number): number {
  return batch.offset[frame] + ETHERNET_HEADER + (batch.tci[frame] === NO_TAG ? 0 : VLAN_TAG);
}

/** A cheap look: whether the frame may hold such a message. */
export function looksLikeNeighbour(sw: Context, frame: number): boolean {
  const { batch, view } = sw;
  const l3 = networkOffset(sw, frame);
  const length = batch.offset[frame] + batch.length[frame] - l3;
  if (length < ARP_LENGTH) return false;
  const type = view.getUint16(l3 - 2);
  return type === ETHERTYPE_ARP || (type === ETHERTYPE_IPV6 && looksLikeNd(view, l3, length));
}

/** Reads the frame's message into `sw.neighbour`. @returns NEIGHBOUR_NONE for one that is malformed or none */
export function readNeighbour(sw: Context, frame: number): number {
  if (!looksLikeNeighbour(sw, frame)) return NEIGHBOUR_NONE;
  const l3 = networkOffset(sw, frame);
  const end = sw.batch.offset[frame] + sw.batch.length[frame];
  return sw.view.getUint16(l3 - 2) === ETHERTYPE_ARP ? readArp(sw, l3, end) : readNd(sw, frame, l3, end);
}

function readArp({ neighbour, view }: Context, at: number, end: number): number {
  if (!isArp4(view, at, end - at)) return NEIGHBOUR_NONE;
  const operation = arpOperation(view, at);
  const target = arpTargetAddress(view, at);
  const sender = arpSenderAddress(view, at);
  const high = macHigh(view, at + ARP_SENDER_MAC);
  const low = macLow(view, at + ARP_SENDER_MAC);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return NEIGHBOUR_NONE;
  if (isMulticastHigh(high) || isZeroMac(high, low)) return NEIGHBOUR_NONE;
  if (operation === ARP_REQUEST && !isHost4(target)) return NEIGHBOUR_NONE;
  setMapped(neighbour, TARGET, target);
  setMapped(neighbour, SUBJECT, sender);
  neighbour[SUBJECT_HIGH] = high;
  neighbour[SUBJECT_LOW] = low;
  neighbour[CLAIMS] = isHost4(sender) ? 1 : 0;
  neighbour[TRAITS] = 0;
  neighbour[FAMILY] = 4;
  return operation === ARP_REQUEST ? NEIGHBOUR_REQUEST : NEIGHBOUR_REPLY;
}

/** Whether an IPv4 address may be a host's: not of 0/8 or 127/8, not multicast or reserved. */
function isHost4(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

function readNd(sw: Context, frame: number, l3: number, end: number): number {
  const { batch, neighbour, view } = sw;
  const type = ndMessage(view, l3, end, (batch.vnet[frame] & VNET_NEEDS_CSUM) === 0);
  if (type === ND_NONE) return NEIGHBOUR_NONE;
  const l4 = l3 + IPV6_HEADER;
  const asks = type === ND_SOLICITATION;
  const link = ndLinkAddress(view, l4, ndEnd(view, l3), asks ? ND_SOURCE_LINK : ND_TARGET_LINK);
  for (let word = 0; word < 4; word++) {
    neighbour[TARGET + word] = view.getInt32(l4 + ND_TARGET + word * 4);
    neighbour[SUBJECT + word] = asks ? ipv6Source(view, l3, word) : neighbour[TARGET + word];
  }
  neighbour[SUBJECT_HIGH] = link === 0 ? sourceHigh(view, batch.offset[frame]) : macHigh(view, link);
  neighbour[SUBJECT_LOW] = link === 0 ? sourceLow(view, batch.offset[frame]) : macLow(view, link);
  neighbour[CLAIMS] = link !== 0 && isHost6(neighbour, SUBJECT) ? 1 : 0;
  neighbour[TRAITS] = type === ND_ADVERTISEMENT ? traitsOf(ndFlags(view, l4)) : 0;
  neighbour[FAMILY] = 6;
  return asks ? NEIGHBOUR_REQUEST : NEIGHBOUR_REPLY;
}

function traitsOf(flags: number): number {
  const role = HEARD_ROLE | ((flags & ND_ROUTER) !== 0 ? HEARD_ROUTER : 0);
  return (flags & ND_OVERRIDE) === 0 ? role | HEARD_WEAK : role;
}

/** Whether an IPv6 address may be a host's: not `::` or `::1`, not IPv4 in disguise, not multicast. */
function isHost6(words: Int32Array, at: number): boolean {
  if (isIpv6Multicast(words[at])) return false;
  return (words[at] | words[at + 1]) !== 0 || (words[at + 2] !== 0 && words[at + 2] !== IPV4_MAPPED);
}

/** Whether the message comes from a host that has no address yet and looks whether one is free. */
export function isProbe({ neighbour }: Context): boolean {
  if (neighbour[FAMILY] === 4) return neighbour[SUBJECT + 3] === 0;
  return (neighbour[SUBJECT] | neighbour[SUBJECT + 1] | neighbour[SUBJECT + 2] | neighbour[SUBJECT + 3]) === 0;
}

/** Whether a request asks for the asker's own address: it tells of it. */
export function isAnnouncement({ neighbour }: Context): boolean {
  for (let word = 0; word < 4; word++) {
    if (neighbour[TARGET + word] !== neighbour[SUBJECT + word]) return false;
  }
  return true;
}
