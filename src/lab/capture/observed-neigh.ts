/**
 * Parses ARP requests and replies (RFC 826), and neighbour solicitations and advertisements (RFC 4861). Like
 * observed-frame.ts it uses nothing of the engine.
 */
import {
  ARP_REPLY,
  ARP_REQUEST,
  ARP_SENDER_MAC,
  arpOperation,
  arpSenderAddress,
  arpTargetAddress,
  isArp4,
} from '../../wire/arp.js';
import { viewOf } from '../../wire/bytes.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, formatMac, macHigh, macLow } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { IPV6_HEADER, ipv6NextHeader, PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';

/** A request for the MAC of an address, or a reply. */
export interface ObservedNeighbour {
  readonly kind: 'request' | 'reply';
  /** The requested address, or the address of the reply's MAC. */
  readonly address: string;
  /** The MAC in a reply, or the sender's MAC in a request; null in messages without one. */
  readonly mac: string | null;
}

const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** Length of both messages before their options; the target is at the same offset in both. */
const ND_MESSAGE = 24;
const ND_TARGET = 8;
const SOURCE_LINK = 1;
const TARGET_LINK = 2;

/** Parses the payload of a frame, at offset `at`. @returns null for other messages */
export function readNeigh(bytes: Uint8Array, etherType: number, at: number): ObservedNeighbour | null {
  if (etherType === ETHERTYPE_ARP) return readArp(bytes, at);
  return etherType === ETHERTYPE_IPV6 ? readNd(bytes, at) : null;
}

function readArp(bytes: Uint8Array, at: number): ObservedNeighbour | null {
  const view = viewOf(bytes);
  if (!isArp4(view, at, bytes.length - at)) return null;
  const mac = formatMac(macHigh(view, at + ARP_SENDER_MAC), macLow(view, at + ARP_SENDER_MAC));
  const ipv4 = (word: number): string => formatAddress(0, 0, 0xffff, word);
  switch (arpOperation(view, at)) {
    case ARP_REQUEST:
      return { kind: 'request', address: ipv4(arpTargetAddress(view, at)), mac };
    case ARP_REPLY:
      return { kind: 'reply', address: ipv4(arpSenderAddress(view, at)), mac };
    default:
      return null;
  }
}

function readNd(bytes: Uint8Array, at: number): ObservedNeighbour | null {
  const view = viewOf(bytes);
  const message = at + IPV6_HEADER;
  if (bytes.length < message + ND_MESSAGE || ipv6NextHeader(view, at) !== PROTOCOL_ICMPV6) return null;
  const type = view.getUint8(message);
  if (type !== SOLICITATION && type !== ADVERTISEMENT) return null;
  const word = (index: number): number => view.getInt32(message + ND_TARGET + 4 * index);
  const address = formatAddress(word(0), word(1), word(2), word(3));
  const isRequest = type === SOLICITATION;
  const mac = linkAddress(view, message + ND_MESSAGE, isRequest ? SOURCE_LINK : TARGET_LINK);
  return { kind: isRequest ? 'request' : 'reply', address, mac };
}

/** The first link-layer address option of a kind. Option lengths are in units of 8 bytes. */
function linkAddress(view: DataView, options: number, kind: number): string | null {
  for (let at = options; at + 8 <= view.byteLength; at += 8 * view.getUint8(at + 1)) {
    if (view.getUint8(at + 1) === 0) return null;
    if (view.getUint8(at) === kind) return formatMac(macHigh(view, at + 2), macLow(view, at + 2));
  }
  return null;
}
