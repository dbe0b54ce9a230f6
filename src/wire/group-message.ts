/**
 * What IGMP and MLD share: queries ask for listeners, reports announce them, leaves (done messages) withdraw them.
 *
 * Owns the shapes only: numbers for the data path, which must not allocate, and objects for the control thread. The files of
 * the two protocols fill them.
 */

// Kinds of messages. A frame that is malformed is no message.
export const MESSAGE_NONE = 0;
export const MESSAGE_QUERY = 1;
export const MESSAGE_REPORT = 2;
export const MESSAGE_LEAVE = 3;

/** Four signed words in network order, IPv4 as ::ffff:a.b.c.d. */
export type GroupAddress = readonly [number, number, number, number];

export interface GroupQuery {
  kind: 'query';
  family: 4 | 6;
  /** Null: a general query. */
  group: GroupAddress | null;
  /** Address of the querier. */
  source: GroupAddress;
  /** Milliseconds within which listeners answer. */
  maxDelay: number;
  /** Number of queried sources; 0: the whole group. */
  sources: number;
  /** The S flag: other routers must not lower their timers. */
  suppress: boolean;
}

/** What a report says about one group. Reports of the versions without sources are records too (RFC 3376 section 7.3.2). */
export interface GroupRecord {
  /** MODE_IS_INCLUDE and the like. */
  type: number;
  group: GroupAddress;
  sources: GroupAddress[];
}

export interface GroupReport {
  kind: 'report';
  family: 4 | 6;
  records: GroupRecord[];
}

export type GroupMessage = GroupQuery | GroupReport;

// Types of group records (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12), the same in both protocols.
export const MODE_IS_INCLUDE = 1;
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;
export const ALLOW_NEW_SOURCES = 5;
export const BLOCK_OLD_SOURCES = 6;

/** A report of a version without sources: every source is wanted. */
export function joinRecord(group: GroupAddress): GroupRecord {
  return { type: MODE_IS_EXCLUDE, group, sources: [] };
}

/** A leave, or done message. */
export function leaveRecord(group: GroupAddress): GroupRecord {
  return { type: CHANGE_TO_INCLUDE, group, sources: [] };
}

/**
 * The code of a time that may be too long for its bits: a floating-point number with a mantissa of `bits` and an exponent of three
 * (RFC 3376 sections 4.1.1 and 4.1.7, RFC 3810 section 5.1.3). The largest code for what exceeds it.
 */
export function floatCode(units: number, bits: number): number {
  const whole = Math.max(0, Math.round(units));
  const linear = 1 << (bits + 3);
  if (whole < linear) return whole;
  for (let exponent = 0; exponent < 8; exponent++) {
    const mantissa = Math.floor(whole / 2 ** (exponent + 3));
    if (mantissa < 1 << (bits + 1)) return linear | (exponent << bits) | (mantissa & ((1 << bits) - 1));
  }
  return (linear << 1) - 1;
}

/** The fields of a query that hosts take over (RFC 3376 section 4.1). */
export interface QueryTimes {
  /** Milliseconds within which listeners answer. */
  maxDelay: number;
  /** Milliseconds between two general queries. */
  interval: number;
}
