/**
 * Whether an entry has expired, or is out of use.
 *
 * Age counts from the last frame *from* the MAC. The limit is the owner's, or its group's where the owner has none.
 *
 * The sweep in `table.ts` removes expired entries.
 */
import { ageOf } from '../shared-memory/age.js';
import {
  AGEING_NEVER,
  type FdbViews,
  FLAG_INACTIVE,
  FLAG_NOTIFY,
  FLAGS_NEVER_AGED,
  ROW_MAC_HIGH,
  ROW_OWNER,
  ROW_SHIFT,
  ROW_STAMP,
} from './layout.js';

/** The age in ticks at which an owner's entries expire, or AGEING_NEVER. */
export function ageLimitOf(views: FdbViews, owner: number): number {
  const own = views.ageingOfOwner[owner];
  return own > 0 ? own : views.ageingOfGroup[views.groupOfOwner[owner]];
}

/**
 * True when the row's entry has reached its limit and ages, or tells that it is not in use and has not yet (Linux br_fdb_cleanup).
 * @param row the row of an entry
 */
export function isDue(views: FdbViews, row: number, now: number): boolean {
  const base = row << ROW_SHIFT;
  const flags = views.rows[base + ROW_MAC_HIGH] >>> 16;
  if ((flags & FLAGS_NEVER_AGED) !== 0 && (flags & (FLAG_NOTIFY | FLAG_INACTIVE)) !== FLAG_NOTIFY) return false;
  const limit = ageLimitOf(views, views.rows[base + ROW_OWNER]);
  return limit !== AGEING_NEVER && ageOf(now, views.rows[base + ROW_STAMP]) >= limit;
}
