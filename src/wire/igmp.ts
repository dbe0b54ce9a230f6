/**
 * IGMP: versions 1 and 2 (RFC 1112, RFC 2236) and 3 (RFC 3376).
 *
 *   bit  0               8               16                              31
 *        +---------------+---------------+-------------------------------+
 *   0    |     type      | max resp code |           checksum            |
 *        +---------------+---------------+-------------------------------+
 *   4    |          group address, or in a v3 report 16 bits             |
 *        |          reserved and 16 bits number of records               |
 *        +---------+-+---+---------------+-------------------------------+
 *   8    | reserved|S|QRV|     QQIC      |      number of sources        |  v3 query
 *        +---------+-+---+---------------+-------------------------------+
 *   12   |                      sources, 4 bytes each                    |
 *        +---------------------------------------------------------------+
 *
 *   a group record of a v3 report, from byte 8 on:
 *        +---------------+---------------+-------------------------------+
 *   0    |  record type  |  words of aux |      number of sources        |
 *        +---------------+---------------+-------------------------------+
 *   4    |                         group address                         |
 *        +---------------------------------------------------------------+
 *   8    |        sources, 4 bytes each, then auxiliary data             |
 *        +---------------------------------------------------------------+
 *
 * Owns the validity of an IGMP message (Linux `ip_mc_check_igmp`) and its parsing. It decides nothing.
 */
import { concatBytes, viewOf } from './bytes.js';
import { internetChecksum } from './checksum.js';
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
import { ipv4Destination, ipv4Source } from './ipv4.js';

export const PROTOCOL_IGMP = 2;

export const IGMP_QUERY = 0x11;
export const IGMP_V1_REPORT = 0x12;
export const IGMP_V2_REPORT = 0x16;
export const IGMP_V2_LEAVE = 0x17;
export const IGMP_V3_REPORT = 0x22;

const IGMP_HEADER = 8;
const V3_QUERY = 12;
const RECORD = 8;

/** 224.0.0.1, all systems. */
const ALL_SYSTEMS = 0xe0000001 | 0;
const MAPPED = 0xffff;
/** A v1 query carries no response time: it is 10 seconds (RFC 2236 section 4). */
const V1_DELAY = 10_000;

/** True for 224.0.0.0/4. */
export function isIpv4Multicast(address: number): boolean {
  return address >>> 28 === 0xe;
}

/** True for 224.0.0.0/24, which every switch floods (RFC 4541 section 2.1.2). */
export function isLocalControlGroup(address: number): boolean {
  return address >>> 8 === 0xe00000;
}

/**
 * The kind of an IGMP datagram; MESSAGE_NONE for a malformed or other one.
 * @param l3 offset of its IPv4 header, `l4` of its IGMP header; both are before `end`
 * @param end end of the packet by its IPv4 header
 * @param finished false: the checksum is partial and cannot be verified
 */
export function igmpMessage(view: DataView, l3: number, l4: number, end: number, finished: boolean): number {
  const length = end - l4;
  if (length < IGMP_HEADER) return MESSAGE_NONE;
  const kind = kindOf(view, l3, l4, length);
  if (kind === MESSAGE_NONE || (finished && internetChecksum(view, l4, length) !== 0)) return MESSAGE_NONE;
  return kind;
}

function kindOf(view: DataView, l3: number, l4: number, length: number): number {
  switch (view.getUint8(l4)) {
    case IGMP_QUERY:
      return isSoundQuery(view, l3, l4, length) ? MESSAGE_QUERY : MESSAGE_NONE;
    case IGMP_V1_REPORT:
    case IGMP_V2_REPORT:
      return MESSAGE_REPORT;
    case IGMP_V2_LEAVE:
      return MESSAGE_LEAVE;
    case IGMP_V3_REPORT:
      return hasAllRecords(view, l4, l4 + length) ? MESSAGE_REPORT : MESSAGE_NONE;
    default:
      return MESSAGE_NONE;
  }
}

function isSoundQuery(view: DataView, l3: number, l4: number, length: number): boolean {
  if (length !== IGMP_HEADER && length < V3_QUERY) return false;
  return view.getInt32(l4 + 4) !== 0 || ipv4Destination(view, l3) === ALL_SYSTEMS;
}

function hasAllRecords(view: DataView, l4: number, end: number): boolean {
  let at = l4 + IGMP_HEADER;
  for (let left = view.getUint16(l4 + 6); left > 0; left--) {
    if (end - at < RECORD) return false;
    at += recordLength(view, at);
    if (at > end) return false;
  }
  return true;
}

function recordLength(view: DataView, at: number): number {
  return RECORD + view.getUint16(at + 2) * 4 + view.getUint8(at + 1) * 4;
}

/**
 * Parses a message that `igmpMessage` has found valid (cold). Of a message truncated since, the complete records.
 * @returns null for a truncated query
 */
export function readIgmp(view: DataView, l3: number, l4: number, end: number): GroupMessage | null {
  if (end - l4 < IGMP_HEADER) return null;
  const type = view.getUint8(l4);
  if (type === IGMP_QUERY) return readQuery(view, l3, l4, end);
  const report: GroupReport = { kind: 'report', family: 4, records: [] };
  if (type === IGMP_V3_REPORT) readRecords(view, l4, end, report);
  else if (type === IGMP_V2_LEAVE) report.records.push(leaveRecord(groupAt(view, l4 + 4)));
  else report.records.push(joinRecord(groupAt(view, l4 + 4)));
  return report;
}

function readQuery(view: DataView, l3: number, l4: number, end: number): GroupMessage | null {
  const source: GroupAddress = [0, 0, MAPPED, ipv4Source(view, l3)];
  const group = view.getInt32(l4 + 4) === 0 ? null : groupAt(view, l4 + 4);
  const code = view.getUint8(l4 + 1);
  const common = { kind: 'query', family: 4, source } as const;
  if (end - l4 === IGMP_HEADER) {
    if (code === 0) return { ...common, group: null, maxDelay: V1_DELAY, sources: 0, suppress: false };
    return { ...common, group, maxDelay: code * 100, sources: 0, suppress: false };
  }
  if (end - l4 < V3_QUERY) return null;
  const suppress = (view.getUint8(l4 + 8) & 0x08) !== 0;
  return { ...common, group, maxDelay: delayOf(code), sources: view.getUint16(l4 + 10), suppress };
}

/** Milliseconds of a v3 response code: tenths of a second, from 128 on as a floating-point number (RFC 3376 section 4.1.1). */
function delayOf(code: number): number {
  const tenths = code < 0x80 ? code : ((code & 0x0f) | 0x10) << (((code >>> 4) & 0x07) + 3);
  return Math.max(1, tenths * 100);
}

function readRecords(view: DataView, l4: number, end: number, report: GroupReport): void {
  let at = l4 + IGMP_HEADER;
  for (let left = view.getUint16(l4 + 6); left > 0; left--) {
    if (end - at < RECORD || at + recordLength(view, at) > end) return;
    const count = view.getUint16(at + 2);
    const sources = Array.from({ length: count }, (_, index) => groupAt(view, at + RECORD + index * 4));
    report.records.push({ type: view.getUint8(at), group: groupAt(view, at + 4), sources });
    at += recordLength(view, at);
  }
}

function groupAt(view: DataView, at: number): GroupAddress {
  return [0, 0, MAPPED, view.getInt32(at)];
}

export interface IgmpFields {
  /** IGMP_QUERY, a report of version 1 or 2, or a leave. */
  type: number;
  /** Default 0.0.0.0. */
  group?: string;
  /** Max resp code. */
  code?: number;
  /** Makes a query one of version 3; `interval` in seconds, default 125. */
  version3?: { sources?: string[]; suppress?: boolean; interval?: number };
}

/** Builds a query, a report of version 1 or 2, or a leave (cold). @throws RangeError when an address cannot be read */
export function encodeIgmp(fields: IgmpFields): Uint8Array {
  const head = new Uint8Array(fields.version3 === undefined ? IGMP_HEADER : V3_QUERY);
  head.set([fields.type, fields.code ?? 0]);
  head.set(addressBytes(fields.group ?? '0.0.0.0'), 4);
  const sources = fields.version3?.sources ?? [];
  if (fields.version3 !== undefined) {
    // Robustness 2: the default (RFC 3376 section 8.1).
    head.set([(fields.version3.suppress ? 0x08 : 0) | 2, floatCode(fields.version3.interval ?? 125, 4)], 8);
    viewOf(head).setUint16(10, sources.length);
  }
  return finish(concatBytes(head, ...sources.map(addressBytes)));
}

/** The fields of a query with these times (cold). In version 2 the longest delay is 25.5 seconds. */
export function igmpQueryFields(version: 2 | 3, { maxDelay, interval }: QueryTimes, suppress: boolean): IgmpFields {
  const tenths = Math.max(1, Math.round(maxDelay / 100));
  if (version === 2) return { type: IGMP_QUERY, code: Math.min(tenths, 0xff) };
  return { type: IGMP_QUERY, code: floatCode(tenths, 4), version3: { suppress, interval: interval / 1000 } };
}

/** Builds a report of version 3 (cold). @throws RangeError when an address cannot be read */
export function encodeIgmpV3Report(
  records: readonly { type: number; group: string; sources?: string[] }[],
): Uint8Array {
  const head = Uint8Array.of(IGMP_V3_REPORT, 0, 0, 0, 0, 0, records.length >> 8, records.length);
  const bodies = records.map(({ type, group, sources = [] }) =>
    concatBytes(
      Uint8Array.of(type, 0, sources.length >> 8, sources.length),
      addressBytes(group),
      ...sources.map(addressBytes),
    ),
  );
  return finish(concatBytes(head, ...bodies));
}

function finish(message: Uint8Array): Uint8Array {
  viewOf(message).setUint16(2, internetChecksum(viewOf(message), 0, message.length));
  return message;
}
