/**
 * When an entry is too old.
 *
 * Age counts from the last frame *from* the MAC. The limit is the owner's, or its group's where the owner has none.
 *
 * Owns the arithmetic of ages only; the sweep in `table.ts` removes what it finds expired.
 */
import {
  AGEING_NEVER,
  type FdbViews,
  FLAGS_NEVER_AGED,
  ROW_MAC_HIGH,
  ROW_OWNER,
  ROW_SHIFT,
  ROW_STAMP,
} from './layout.js';

/**
 * Ticks from `stamp` to `now`, right also when the clock has wrapped at 2^31 between them. A stamp that is a tick ahead
 * comes from another thread whose clock has just moved on: its age is 0.
 */
export function ageOf(now: number, stamp: number): number {
  const age = (now - stamp) & 0x7fffffff;
  return age > 0x3fffffff ? 0 : age;
}

/** The age in ticks at which an owner's entries go, or AGEING_NEVER. */
export function ageLimitOf(views: FdbViews, owner: number): number {
  const own = views.ageingOfOwner[owner];
  return own > 0 ? own : views.ageingOfGroup[views.groupOfOwner[owner]];
}

/** True when the row's entry ages and has reached its limit. @param row the row of an entry */
export function isExpired(views: FdbViews, row: number, now: number): boolean {
  const base = row << ROW_SHIFT;
  if (((views.rows[base + ROW_MAC_HIGH] >>> 16) & FLAGS_NEVER_AGED) !== 0) return false;
  const limit = ageLimitOf(views, views.rows[base + ROW_OWNER]);
  return limit !== AGEING_NEVER && ageOf(now, views.rows[base + ROW_STAMP]) >= limit;
}
