/**
 * What exporters know about a sampled frame: names and numbers for collectors, and the fields of its inner headers. Reads within the
 * kept bytes only; a frame that is cut off has the fields that are there.
 */
import type { CopyRecord, FrameRecord } from '../../dataplane/state/observer-reader.js';
import { viewOf } from '../../wire/bytes.js';
import { L3_KIND, L3_OFFSET, parseInner } from '../../wire/inner.js';
import {
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Tos,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6TrafficClass } from '../../wire/ipv6.js';

export interface Headers {
  destination: Uint8Array;
  source: Uint8Array;
  etherType: number;
  /** 4, 6, or 0: no IP. */
  family: number;
  sourceAddress: Uint8Array;
  destinationAddress: Uint8Array;
  protocol: number;
  tos: number;
  sourcePort: number;
  destinationPort: number;
}

const layout = new Int32Array(8);
const NONE = new Uint8Array(0);

/** @returns null for a frame without an Ethernet header */
export function headersOf({ bytes }: FrameRecord): Headers | null {
  if (bytes.length < 14) return null;
  const view = viewOf(bytes);
  parseInner(view, 0, bytes.length, layout);
  const l3 = layout[L3_OFFSET];
  const family = layout[L3_KIND];
  const tagged = view.getUint16(12) === 0x8100 && bytes.length >= 18;
  const base = {
    destination: bytes.subarray(0, 6),
    source: bytes.subarray(6, 12),
    etherType: view.getUint16(tagged ? 16 : 12),
    family,
    sourceAddress: NONE,
    destinationAddress: NONE,
    protocol: 0,
    tos: 0,
    sourcePort: 0,
    destinationPort: 0,
  };
  if (family === 0) return base;
  const isV4 = family === 4;
  const addresses = l3 + (isV4 ? 12 : 8);
  const size = isV4 ? 4 : 16;
  const protocol = isV4 ? ipv4Protocol(view, l3) : view.getUint8(l3 + 6);
  const l4 = l3 + (isV4 ? ipv4HeaderLength(view, l3) : IPV6_HEADER);
  const isFirst = !isV4 || ipv4FragmentOffset(view, l3) === 0;
  const hasPorts = (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) && isFirst && l4 + 4 <= bytes.length;
  return {
    ...base,
    sourceAddress: bytes.subarray(addresses, addresses + size),
    destinationAddress: bytes.subarray(addresses + size, addresses + 2 * size),
    protocol,
    tos: isV4 ? ipv4Tos(view, l3) : ipv6TrafficClass(view, l3),
    sourcePort: hasPorts ? view.getUint16(l4) : 0,
    destinationPort: hasPorts ? view.getUint16(l4 + 2) : 0,
  };
}

/** Interface number of a port, for collectors: 0 means "unknown" there. */
export const interfaceOf = (port: number): number => port + 1;

/** The copies that were sent, and the first of those that were not. */
export function fateOf({ copies, reason }: FrameRecord): { sent: CopyRecord[]; reason: number } {
  const sent = copies.filter((copy) => copy.reason < 0);
  const lost = copies.find((copy) => copy.reason >= 0);
  return { sent, reason: sent.length > 0 ? -1 : reason >= 0 ? reason : (lost?.reason ?? -1) };
}

/** The bytes of an address of four words, IPv4 mapped: 4 or 16. */
export function addressBytes(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [index, word] of words.entries()) bytes.writeInt32BE(word | 0, index * 4);
  const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return isMapped ? bytes.subarray(12) : bytes;
}
