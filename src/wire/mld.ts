/**
 * MLD: versions 1 (RFC 2710) and 2 (RFC 3810), the IGMP of IPv6, carried in ICMPv6 behind a hop-by-hop header.
 *
 *   bit  0               8               16                              31
 *        +---------------+---------------+-------------------------------+
 *   0    |     type      |     code      |           checksum            |
 *        +---------------+---------------+-------------------------------+
 *   4    |   max response delay or code  |           reserved            |
 *        |      (v2 report: reserved)    | (v2 report: number of records)|
 *        +-------------------------------+-------------------------------+
 *   8    |               multicast address, 16 bytes                     |  not in a v2 report
 *        +---------+-+---+---------------+-------------------------------+
 *   24   | reserved|S|QRV|     QQIC      |      number of sources        |  v2 query
 *        +---------+-+---+---------------+-------------------------------+
 *   28   |                     sources, 16 bytes each                    |
 *        +---------------------------------------------------------------+
 *
 *   a group record of a v2 report, from byte 8 on:
 *        +---------------+---------------+-------------------------------+
 *   0    |  record type  |  words of aux |      number of sources        |
 *        +---------------+---------------+-------------------------------+
 *   4    |               multicast address, 16 bytes                     |
 *        +---------------------------------------------------------------+
 *   20   |        sources, 16 bytes each, then auxiliary data            |
 *        +---------------------------------------------------------------+
 *
 * Owns the validity of an MLD message (Linux `ipv6_mc_check_mld`; the hop limit as in RFC 3810 section 5) and its parsing. The
 * Router Alert option is not checked, only the hop-by-hop header that contains it.
 */
import { concatBytes, viewOf } from './bytes.js';
import { fold, pseudoHeaderSum6, sum16 } from './checksum.js';
import {
  floatCode,
  type GroupAddress,
  type GroupMessage,
  type GroupReport,
  joinRecord,
  leaveRecord,
  MESSAGE_LEAVE,
  MESSAGE_NONE,
  MESSAGE_QUERY,
  MESSAGE_REPORT,
  type QueryTimes,
} from './group-message.js';
import { addressBytes } from './ip-address.js';
import {
  encodeIpv6,
  ipv6Destination,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6Source,
  NEXT_HOP_BY_HOP,
  PROTOCOL_ICMPV6,
} from './ipv6.js';
import { fillChecksum } from './transport.js';

export const MLD_QUERY = 130;
export const MLD_V1_REPORT = 131;
export const MLD_V1_DONE = 132;
export const MLD_V2_REPORT = 143;

/** Length of a version 1 message, the minimum of every message (Linux `ipv6_mc_check_mld_msg`). */
const MLD_MESSAGE = 24;
const V2_REPORT = 8;
const V2_QUERY = 28;
const RECORD = 20;

/** True for ff00::/8, given the first word of the address. */
export function isIpv6Multicast(a0: number): boolean {
  return a0 >>> 24 === 0xff;
}

/** True for ff02::1, to which every host listens without a report. */
export function isAllNodes(a0: number, a1: number, a2: number, a3: number): boolean {
  return a0 >>> 0 === 0xff020000 && (a1 | a2) === 0 && a3 === 1;
}

/** True for link-local addresses: groups of that scope (RFC 4291 section 2.7), and fe80::/10. @param a0 the first word */
export function isLinkLocalDestination(a0: number): boolean {
  return (a0 & 0xff0f0000) >>> 0 === 0xff020000 || a0 >>> 22 === 0xfe80 >>> 6;
}

/**
 * True for groups needed by hosts without an address: solicited-node addresses (ff02::1:ff00:0/104, RFC 4291 section 2.7.1) and
 * all DHCP relay agents and servers (ff02::1:2, RFC 8415 section 7.1). Reports for them are often missing or lost.
 */
export function isAutoconfigurationGroup(a0: number, a1: number, a2: number, a3: number): boolean {
  if (a0 >>> 0 !== 0xff020000 || a1 !== 0) return false;
  return a2 === 1 ? a3 >>> 24 === 0xff : a2 === 0 && a3 === 0x10002;
}

/**
 * The kind of an ICMPv6 packet; MESSAGE_NONE for a malformed one or no MLD.
 * @param l3 offset of its IPv6 header, `l4` of its ICMPv6 header; both are before `end`
 * @param end end of the packet by its IPv6 header
 * @param finished false: the checksum is partial and cannot be verified
 */
export function mldMessage(view: DataView, l3: number, l4: number, end: number, finished: boolean): number {
  const length = end - l4;
  if (length < MLD_MESSAGE || ipv6HopLimit(view, l3) !== 1 || ipv6NextHeader(view, l3) !== NEXT_HOP_BY_HOP) {
    return MESSAGE_NONE;
  }
  const kind = kindOf(view, l3, l4, length);
  if (kind === MESSAGE_NONE || (finished && !isIcmpv6ChecksumRight(view, l3, l4, length))) return MESSAGE_NONE;
  return kind;
}

/** Whether the checksum of an ICMPv6 message is right. */
export function isIcmpv6ChecksumRight(view: DataView, l3: number, l4: number, length: number): boolean {
  return fold(sum16(view, l4, length, pseudoHeaderSum6(view, l3, PROTOCOL_ICMPV6, length))) === 0xffff;
}

function kindOf(view: DataView, l3: number, l4: number, length: number): number {
  switch (view.getUint8(l4)) {
    case MLD_QUERY:
      return isSoundQuery(view, l3, l4, length) ? MESSAGE_QUERY : MESSAGE_NONE;
    case MLD_V1_REPORT:
      return MESSAGE_REPORT;
    case MLD_V1_DONE:
      return MESSAGE_LEAVE;
    case MLD_V2_REPORT:
      return hasAllRecords(view, l4, l4 + length) ? MESSAGE_REPORT : MESSAGE_NONE;
    default:
      return MESSAGE_NONE;
  }
}

function isSoundQuery(view: DataView, l3: number, l4: number, length: number): boolean {
  if (length !== MLD_MESSAGE && length < V2_QUERY) return false;
  if (ipv6Source(view, l3, 0) >>> 22 !== 0xfe80 >>> 6) return false; // link-local: fe80::/10
  if (!isZero(view, l4 + 8)) return true;
  return isAllNodes(
    ipv6Destination(view, l3, 0),
    ipv6Destination(view, l3, 1),
    ipv6Destination(view, l3, 2),
    ipv6Destination(view, l3, 3),
  );
}

function isZero(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8) | view.getInt32(at + 12)) === 0;
}

function hasAllRecords(view: DataView, l4: number, end: number): boolean {
  let at = l4 + V2_REPORT;
  for (let left = view.getUint16(l4 + 6); left > 0; left--) {
    if (end - at < RECORD) return false;
    at += recordLength(view, at);
    if (at > end) return false;
  }
  return true;
}

function recordLength(view: DataView, at: number): number {
  return RECORD + view.getUint16(at + 2) * 16 + view.getUint8(at + 1) * 4;
}

/**
 * Parses a message that `mldMessage` has found valid (cold). Of a message truncated since, the complete records.
 * @returns null for a version 1 query without a delay, which asks nothing (Linux `br_ip6_multicast_query`)
 */
export function readMld(view: DataView, l3: number, l4: number, end: number): GroupMessage | null {
  if (end - l4 < MLD_MESSAGE) return null;
  const type = view.getUint8(l4);
  if (type === MLD_QUERY) return readQuery(view, l3, l4, end);
  const report: GroupReport = { kind: 'report', family: 6, records: [] };
  if (type === MLD_V2_REPORT) readRecords(view, l4, end, report);
  else if (type === MLD_V1_DONE) report.records.push(leaveRecord(groupAt(view, l4 + 8)));
  else report.records.push(joinRecord(groupAt(view, l4 + 8)));
  return report;
}

function readQuery(view: DataView, l3: number, l4: number, end: number): GroupMessage | null {
  const source = groupAt(view, l3 + 8);
  const group = isZero(view, l4 + 8) ? null : groupAt(view, l4 + 8);
  const code = view.getUint16(l4 + 4);
  const common = { kind: 'query', family: 6, source, group } as const;
  if (end - l4 === MLD_MESSAGE) {
    return code === 0 ? null : { ...common, maxDelay: code, sources: 0, suppress: false };
  }
  if (end - l4 < V2_QUERY) return null;
  const suppress = (view.getUint8(l4 + 24) & 0x08) !== 0;
  return { ...common, maxDelay: delayOf(code), sources: view.getUint16(l4 + 26), suppress };
}

/** Milliseconds of a v2 response code, from 32768 on a floating-point number (RFC 3810 section 5.1.3). */
function delayOf(code: number): number {
  const delay = code < 0x8000 ? code : ((code & 0x0fff) | 0x1000) << (((code >>> 12) & 0x07) + 3);
  return Math.max(1, delay);
}

function readRecords(view: DataView, l4: number, end: number, report: GroupReport): void {
  let at = l4 + V2_REPORT;
  for (let left = view.getUint16(l4 + 6); left > 0; left--) {
    if (end - at < RECORD || at + recordLength(view, at) > end) return;
    const count = view.getUint16(at + 2);
    const sources = Array.from({ length: count }, (_, index) => groupAt(view, at + RECORD + index * 16));
    report.records.push({ type: view.getUint8(at), group: groupAt(view, at + 4), sources });
    at += recordLength(view, at);
  }
}

function groupAt(view: DataView, at: number): GroupAddress {
  return [view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12)];
}

export interface MldFields {
  /** MLD_QUERY, MLD_V1_REPORT or MLD_V1_DONE. */
  type: number;
  /** Default `::`. */
  group?: string;
  /** Max response delay in ms, or in a version 2 query its code. */
  code?: number;
  /** Makes a query one of version 2; `interval` in seconds, default 125. */
  version2?: { sources?: string[]; suppress?: boolean; interval?: number };
}

/** Builds a message of version 1 or a query, without its checksum (cold). @throws RangeError for a bad address */
export function encodeMld(fields: MldFields): Uint8Array {
  const head = new Uint8Array(fields.version2 === undefined ? MLD_MESSAGE : V2_QUERY);
  head[0] = fields.type;
  viewOf(head).setUint16(4, fields.code ?? 0);
  head.set(addressBytes(fields.group ?? '::'), 8);
  const sources = fields.version2?.sources ?? [];
  if (fields.version2 !== undefined) {
    // Robustness 2: the default (RFC 3810 section 9.1).
    head.set([(fields.version2.suppress ? 0x08 : 0) | 2, floatCode(fields.version2.interval ?? 125, 4)], 24);
    viewOf(head).setUint16(26, sources.length);
  }
  return concatBytes(head, ...sources.map(addressBytes));
}

/** The fields of a query with these times (cold). In version 1 the longest delay is 65.5 seconds. */
export function mldQueryFields(version: 1 | 2, { maxDelay, interval }: QueryTimes, suppress: boolean): MldFields {
  const delay = Math.max(1, Math.round(maxDelay));
  if (version === 1) return { type: MLD_QUERY, code: Math.min(delay, 0xffff) };
  return { type: MLD_QUERY, code: floatCode(delay, 12), version2: { suppress, interval: interval / 1000 } };
}

/** Builds a report of version 2, without its checksum (cold). @throws RangeError for a bad address */
export function encodeMldV2Report(records: readonly { type: number; group: string; sources?: string[] }[]): Uint8Array {
  const head = Uint8Array.of(MLD_V2_REPORT, 0, 0, 0, 0, 0, records.length >> 8, records.length);
  const bodies = records.map(({ type, group, sources = [] }) =>
    concatBytes(
      Uint8Array.of(type, 0, sources.length >> 8, sources.length),
      addressBytes(group),
      ...sources.map(addressBytes),
    ),
  );
  return concatBytes(head, ...bodies);
}

/** The IPv6 packet of a message: hop limit 1, a Router Alert option, the checksum (cold). */
export function encodeMldPacket(message: Uint8Array, path: { source: string; destination: string }): Uint8Array {
  const body = message.slice();
  fillChecksum(body, 2, path, PROTOCOL_ICMPV6, false);
  // Next header, length, Router Alert (5, 2 bytes: 0 for MLD; RFC 2711), PadN of no bytes.
  const hopByHop = Uint8Array.of(PROTOCOL_ICMPV6, 0, 5, 2, 0, 0, 1, 0);
  return encodeIpv6({ ...path, nextHeader: NEXT_HOP_BY_HOP, hopLimit: 1, payload: concatBytes(hopByHop, body) });
}
