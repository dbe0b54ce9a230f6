/**
 * Path attributes out of an UPDATE: `flags, type, length (1 or 2), value` each (RFC 4271 section 4.3).
 *
 * What is wrong is judged by RFC 7606: an attribute is dropped (`discard`), the routes of the message count as withdrawn (`withdraw`), or
 * the session ends (`reset`). Owns the list and the general rules (sections 3 and 4); each attribute's own rules are in `attribute-values.ts`.
 */
import { viewOf } from '../bytes.js';
import {
  AS4_PATH,
  attributeFlags,
  attributeName,
  FLAG_EXTENDED,
  FLAG_OPTIONAL,
  FLAGS_FIXED,
  MP_REACH,
  MP_UNREACH,
} from './attribute-types.js';
import { type Draft, type Problem, readValue, type Value } from './attribute-values.js';
import {
  ERROR_UPDATE,
  type Notification,
  notification,
  UPDATE_BAD_ATTRIBUTE_LIST,
  UPDATE_BAD_OPTIONAL,
  UPDATE_UNKNOWN_WELL_KNOWN,
} from './notification.js';
import type { SessionFormat } from './session.js';

/** Something wrong in an UPDATE that does not end the session. */
export interface AttributeFault {
  /** Type of the attribute. */
  attribute: number;
  approach: 'discard' | 'withdraw';
  /** In words, with the attribute's name: `ORIGIN: value 7`. */
  what: string;
}

/** Faults named one by one; further ones count for the verdict only. */
export const FAULT_LIMIT = 16;

/** All attributes of a message. */
export interface AttributeList {
  draft: Draft;
  faults: AttributeFault[];
  /** The strongest of the faults. */
  verdict: 'fine' | 'discard' | 'withdraw';
  /** Types that were there. */
  present: ReadonlySet<number>;
}

/** Reads attributes from `at` to `end`. @returns a NOTIFICATION when only the end of the session helps */
export function decodeAttributes(
  bytes: Uint8Array,
  at: number,
  end: number,
  session: SessionFormat,
): AttributeList | { reset: Notification } {
  const present = new Set<number>();
  const list: AttributeList = { draft: {}, faults: [], verdict: 'fine', present };
  const value: Value = { bytes, view: viewOf(bytes), at: 0, end: 0, session };
  while (at < end) {
    const start = at;
    const isExtended = (bytes[at] & FLAG_EXTENDED) !== 0;
    const head = isExtended ? 4 : 3;
    // RFC 7606 section 4.
    if (end - at < head) {
      note(list, bytes[at + 1] ?? 0, 'withdraw', 'is cut off');
      break;
    }
    const type = bytes[at + 1];
    value.at = at + head;
    value.end = value.at + (isExtended ? value.view.getUint16(at + 2) : bytes[at + 2]);
    if (value.end > end) {
      note(list, type, 'withdraw', 'reaches past the attributes');
      break;
    }
    at = value.end;
    const reset = readAttribute(list, present, value, bytes[start], type, start);
    if (reset !== null) return { reset };
  }
  return list;
}

function readAttribute(
  list: AttributeList,
  present: Set<number>,
  value: Value,
  flags: number,
  type: number,
  start: number,
): Notification | null {
  if (present.has(type)) {
    // RFC 7606 section 3 (g).
    if (type === MP_REACH || type === MP_UNREACH) return notification(ERROR_UPDATE, UPDATE_BAD_ATTRIBUTE_LIST);
    note(list, type, 'discard', 'stands there twice');
    return null;
  }
  present.add(type);
  const fixed = attributeFlags(type);
  const attribute = value.bytes.subarray(start, value.end);
  if (fixed === undefined) {
    if ((flags & FLAG_OPTIONAL) !== 0) return null;
    return notification(ERROR_UPDATE, UPDATE_UNKNOWN_WELL_KNOWN, attribute);
  }
  if ((flags & FLAGS_FIXED) !== fixed) {
    // RFC 7606 section 3 (c); RFC 6793 section 6 for AS4_PATH.
    note(list, type, type === AS4_PATH ? 'discard' : 'withdraw', `flags 0x${flags.toString(16)}`);
    if (type !== MP_REACH && type !== MP_UNREACH) return null;
  }
  const problem: Problem | null = readValue(type, value, list.draft);
  if (problem === null) return null;
  if (problem.approach === 'reset') return notification(ERROR_UPDATE, UPDATE_BAD_OPTIONAL, attribute);
  note(list, type, problem.approach, problem.what);
  return null;
}

/** Adds a fault. The strongest approach wins (RFC 7606 section 3 (h)). */
export function note(list: AttributeList, type: number, approach: 'discard' | 'withdraw', what: string): void {
  if (list.verdict !== 'withdraw') list.verdict = approach;
  if (list.faults.length < FAULT_LIMIT) {
    list.faults.push({ attribute: type, approach, what: `${attributeName(type)}: ${what}` });
  }
}
