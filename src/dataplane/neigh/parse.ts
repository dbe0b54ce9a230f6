/**
 * Reads the ARP or neighbour discovery message of a frame into the frame's row of `Batch.messages`. It never decides or answers.
 *
 * The message is sought behind the tag of the frame's VLAN; behind a tag that is payload it is not seen.
 */

import { HEARD_ROLE, HEARD_ROUTER, HEARD_WEAK } from '../../neigh/table.js';
import { VNET_NEEDS_CSUM } from '../../port/packet-io.js';
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
import type { Batch } from '../state/batch.js';
import type { Context } from '../state/context.js';
import {
  CLAIMS,
  FAMILY,
  MESSAGE_WORDS,
  NEIGHBOUR_NONE,
  NEIGHBOUR_REPLY,
  NEIGHBOUR_REQUEST,
  SUBJECT,
  SUBJECT_HIGH,
  SUBJECT_LOW,
  TARGET,
  TRAITS,
} from '../state/neigh-message.js';

/** Offset of the frame's network header in the arena. */
export function networkOffset(batch: Batch, frame: number): number {
  return batch.offset[frame] + ETHERNET_HEADER + (batch.tci[frame] < 0 ? 0 : VLAN_TAG);
}

/** A cheap test: whether the frame may be such a message. */
export function looksLikeNeighbour(sw: Context, frame: number): boolean {
  const { batch, view } = sw;
  const l3 = networkOffset(batch, frame);
  const length = batch.offset[frame] + batch.length[frame] - l3;
  if (length < ARP_LENGTH) return false;
  const type = view.getUint16(l3 - 2);
  return type === ETHERTYPE_ARP || (type === ETHERTYPE_IPV6 && looksLikeNd(view, l3, length));
}

/** @returns NEIGHBOUR_*; NONE for a frame that is no such message, or a malformed one */
export function readNeighbour(sw: Context, frame: number): number {
  if (!looksLikeNeighbour(sw, frame)) return NEIGHBOUR_NONE;
  const l3 = networkOffset(sw.batch, frame);
  const end = sw.batch.offset[frame] + sw.batch.length[frame];
  return sw.view.getUint16(l3 - 2) === ETHERTYPE_ARP ? readArp(sw, frame, l3, end) : readNd(sw, frame, l3, end);
}

function readArp({ batch, view }: Context, frame: number, l3: number, end: number): number {
  if (!isArp4(view, l3, end - l3)) return NEIGHBOUR_NONE;
  const operation = arpOperation(view, l3);
  const target = arpTargetAddress(view, l3);
  const sender = arpSenderAddress(view, l3);
  const high = macHigh(view, l3 + ARP_SENDER_MAC);
  const low = macLow(view, l3 + ARP_SENDER_MAC);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return NEIGHBOUR_NONE;
  if (isMulticastHigh(high) || isZeroMac(high, low)) return NEIGHBOUR_NONE;
  if (operation === ARP_REQUEST && !isHost4(target)) return NEIGHBOUR_NONE;
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  setMapped(messages, message + TARGET, target);
  setMapped(messages, message + SUBJECT, sender);
  messages[message + SUBJECT_HIGH] = high;
  messages[message + SUBJECT_LOW] = low;
  messages[message + CLAIMS] = isHost4(sender) ? 1 : 0;
  messages[message + TRAITS] = 0;
  messages[message + FAMILY] = 4;
  return operation === ARP_REQUEST ? NEIGHBOUR_REQUEST : NEIGHBOUR_REPLY;
}

/** Whether an IPv4 address can be a host's: not in 0/8 or 127/8, not multicast or reserved. */
function isHost4(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

function readNd({ batch, view }: Context, frame: number, l3: number, end: number): number {
  const type = ndMessage(view, l3, end, (batch.vnet[frame] & VNET_NEEDS_CSUM) === 0);
  if (type === ND_NONE) return NEIGHBOUR_NONE;
  const { messages } = batch;
  const message = frame * MESSAGE_WORDS;
  const l4 = l3 + IPV6_HEADER;
  const asks = type === ND_SOLICITATION;
  const link = ndLinkAddress(view, l4, ndEnd(view, l3), asks ? ND_SOURCE_LINK : ND_TARGET_LINK);
  for (let word = 0; word < 4; word++) {
    const target = view.getInt32(l4 + ND_TARGET + word * 4);
    messages[message + TARGET + word] = target;
    messages[message + SUBJECT + word] = asks ? ipv6Source(view, l3, word) : target;
  }
  messages[message + SUBJECT_HIGH] = link === 0 ? sourceHigh(view, batch.offset[frame]) : macHigh(view, link);
  messages[message + SUBJECT_LOW] = link === 0 ? sourceLow(view, batch.offset[frame]) : macLow(view, link);
  messages[message + CLAIMS] = link !== 0 && isHost6(messages, message + SUBJECT) ? 1 : 0;
  messages[message + TRAITS] = type === ND_ADVERTISEMENT ? traitsOf(ndFlags(view, l4)) : 0;
  messages[message + FAMILY] = 6;
  return asks ? NEIGHBOUR_REQUEST : NEIGHBOUR_REPLY;
}

function traitsOf(flags: number): number {
  const role = HEARD_ROLE | ((flags & ND_ROUTER) !== 0 ? HEARD_ROUTER : 0);
  return (flags & ND_OVERRIDE) === 0 ? role | HEARD_WEAK : role;
}

/** Whether an IPv6 address can be a host's: not `::` or `::1`, not IPv4-mapped, not multicast. */
function isHost6(words: Int32Array, at: number): boolean {
  if (isIpv6Multicast(words[at])) return false;
  return (words[at] | words[at + 1]) !== 0 || (words[at + 2] !== 0 && words[at + 2] !== IPV4_MAPPED);
}

/** Whether a request is a probe for a free address (RFC 5227, RFC 4862): its sender has no address yet. */
export function isProbe({ messages }: Batch, frame: number): boolean {
  const subject = frame * MESSAGE_WORDS + SUBJECT;
  if (messages[frame * MESSAGE_WORDS + FAMILY] === 4) return messages[subject + 3] === 0;
  return (messages[subject] | messages[subject + 1] | messages[subject + 2] | messages[subject + 3]) === 0;
}

/** Whether a request asks for the sender's own address, and so announces it. */
export function isAnnouncement({ messages }: Batch, frame: number): boolean {
  const message = frame * MESSAGE_WORDS;
  for (let word = 0; word < 4; word++) {
    if (messages[message + TARGET + word] !== messages[message + SUBJECT + word]) return false;
  }
  return true;
}
