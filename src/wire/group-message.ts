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

/** Joins and leaves of whole groups; source lists are omitted. */
export interface GroupReport {
  kind: 'report';
  family: 4 | 6;
  joins: GroupAddress[];
  leaves: GroupAddress[];
}

export type GroupMessage = GroupQuery | GroupReport;

// Types of group records (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12), the same in both protocols.
export const MODE_IS_INCLUDE = 1;
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;
export const ALLOW_NEW_SOURCES = 5;

/**
 * Adds one group record to a report. INCLUDE of no sources is a leave; EXCLUDE, or INCLUDE of any source, is a join. After
 * BLOCK the host remains a member for the remaining sources, which it will report; otherwise the membership expires.
 */
export function enterRecord(report: GroupReport, type: number, sources: number, group: GroupAddress): void {
  switch (type) {
    case MODE_IS_EXCLUDE:
    case CHANGE_TO_EXCLUDE:
      report.joins.push(group);
      return;
    case MODE_IS_INCLUDE:
    case CHANGE_TO_INCLUDE:
      if (sources === 0) report.leaves.push(group);
      else report.joins.push(group);
      return;
    case ALLOW_NEW_SOURCES:
      if (sources > 0) report.joins.push(group);
      return;
  }
}
