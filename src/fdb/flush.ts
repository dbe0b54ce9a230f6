/**
 * Which entries a flush takes (cold).
 *
 * Owns the match and its test against a row. It never removes: `table.ts` does.
 */
import { ROW_DESTINATION, ROW_MAC_HIGH, ROW_OWNER, ROW_SEGMENT, ROW_SHIFT } from './layout.js';
import type { FdbStore } from './store.js';

/** What is given must all fit; an empty match fits every entry, static ones too. */
export interface FdbMatch {
  owner?: number | undefined;
  segment?: number | undefined;
  destination?: number | undefined;
  /** Entries whose `flags & flagsMask` equals `flagsValue` (0 where left out). Learned entries: flagsMask FLAGS_ALL. */
  flagsMask?: number | undefined;
  flagsValue?: number | undefined;
}

/** @param row the row of an entry */
export function matches(store: FdbStore, row: number, match: FdbMatch): boolean {
  const base = row << ROW_SHIFT;
  const rows = store.rows;
  if (match.owner !== undefined && match.owner !== rows[base + ROW_OWNER]) return false;
  if (match.segment !== undefined && match.segment !== rows[base + ROW_SEGMENT]) return false;
  if (match.destination !== undefined && match.destination !== rows[base + ROW_DESTINATION]) return false;
  const flags = rows[base + ROW_MAC_HIGH] >>> 16;
  return (flags & (match.flagsMask ?? 0)) === (match.flagsValue ?? 0);
}
