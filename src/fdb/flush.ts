/**
 * Selects the entries of a flush (control path). `changes.ts` removes them.
 */
import { type FdbViews, ROW_DESTINATION, ROW_MAC_HIGH, ROW_OWNER, ROW_FID, ROW_SHIFT } from './layout.js';

/** Selects entries; they must match all given conditions. An empty match selects all entries, static ones too. */
export interface FdbMatch {
  owner?: number | undefined;
  fid?: number | undefined;
  destination?: number | undefined;
  /** Entries with one of these destinations. */
  destinations?: ReadonlySet<number> | undefined;
  /** Entries in FIDs from this one on, and up to the other one. */
  firstFid?: number | undefined;
  lastFid?: number | undefined;
  /** Entries whose `flags & flagsMask` equals `flagsValue` (0 where left out). Learned entries: flagsMask FLAGS_SET. */
  flagsMask?: number | undefined;
  flagsValue?: number | undefined;
  /** Entries with at least one of these flags. Static ones of every kind: flagsAny FLAGS_NEVER_AGED, flagsMask FLAG_PERMANENT. */
  flagsAny?: number | undefined;
}

/** @param row the row of an entry */
export function matches(views: FdbViews, row: number, match: FdbMatch): boolean {
  const base = row << ROW_SHIFT;
  const { rows } = views;
  if (match.owner !== undefined && match.owner !== rows[base + ROW_OWNER]) return false;
  if (match.fid !== undefined && match.fid !== rows[base + ROW_FID]) return false;
  if (match.destination !== undefined && match.destination !== rows[base + ROW_DESTINATION]) return false;
  if (match.destinations?.has(rows[base + ROW_DESTINATION]) === false) return false;
  if (match.firstFid !== undefined && match.firstFid > rows[base + ROW_FID]) return false;
  if (match.lastFid !== undefined && match.lastFid < rows[base + ROW_FID]) return false;
  const flags = rows[base + ROW_MAC_HIGH] >>> 16;
  if (match.flagsAny !== undefined && (match.flagsAny & flags) === 0) return false;
  return (flags & (match.flagsMask ?? 0)) === (match.flagsValue ?? 0);
}
