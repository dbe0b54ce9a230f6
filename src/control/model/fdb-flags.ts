/**
 * The flags of an FDB row and iproute2's words for them: one list, for entries that are put in, for listings and for events.
 */
import type { FdbState } from '../../api/api.js';
import {
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_INACTIVE,
  FLAG_LOCKED,
  FLAG_NOTIFY,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_ROUTER,
  FLAG_STATIC,
  FLAG_STICKY,
} from '../../fdb/table.js';
import type { Entry } from './entries.js';

/** Words in `flags` of a listing, in its order. */
const LISTED = [
  ['sticky', FLAG_STICKY],
  ['extern_learn', FLAG_EXTERN_LEARN],
  ['router', FLAG_ROUTER],
] as const;

/** Keys of their own in a listing, and in events. */
const KEYS = [
  ['activity_notify', FLAG_NOTIFY],
  ['inactive', FLAG_INACTIVE],
] as const;

/** As LISTED, but only the data path sets it. */
const LEARNED = [['locked', FLAG_LOCKED]] as const;

type Key = (typeof KEYS)[number][0] | (typeof LEARNED)[number][0];

/** The flags of the row of a configured entry. One with a remote is pinned: learning does not move it (vxlan_snoop). */
export function flagsOf(entry: Entry): number {
  const { state, extern_learn, dst, nhid } = entry;
  // Nothing that is learned takes the place of a group (vxlan_snoop).
  let more = nhid === undefined ? 0 : FLAG_STICKY;
  for (const [word, flag] of [...LISTED, ...KEYS]) if (entry[word] === true) more |= flag;
  if (state === 'permanent') return FLAG_PERMANENT | more;
  if (state === 'dynamic') return extern_learn ? more : FLAG_ADDED | more;
  return FLAG_STATIC | (dst === undefined && nhid === undefined ? 0 : FLAG_PINNED) | more;
}

export function stateOf(flags: number): FdbState {
  if ((flags & FLAG_PERMANENT) !== 0) return 'permanent';
  return (flags & (FLAG_STATIC | FLAG_PINNED)) !== 0 ? 'static' : 'dynamic';
}

/** iproute2's words for flags other than the state. */
export function flagWords(flags: number): string[] {
  return [...LISTED, ...LEARNED].flatMap(([word, flag]) => ((flags & flag) === 0 ? [] : [word]));
}

/** Keys of a listed entry that are no words in its `flags`: whether it tells that it is in use, and that it is not. */
export function activityOf(flags: number): { activity_notify?: true; inactive?: true } {
  return keysOf(KEYS, flags);
}

/** Keys of the entry of an event; `locked`: it waits for its authentication. */
export function eventKeysOf(flags: number): { [K in Key]?: true } {
  return keysOf([...KEYS, ...LEARNED], flags);
}

function keysOf<K extends string>(list: readonly (readonly [K, number])[], flags: number): { [Word in K]?: true } {
  const found = list.filter(([, flag]) => (flags & flag) !== 0).map(([key]) => [key, true]);
  return Object.fromEntries(found) as { [Word in K]?: true };
}
