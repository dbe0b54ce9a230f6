/** The links of a lab: the cables of the guests and of the underlay, with the names and ends that `weather` knows. */
import type { LabFile } from './lab-file.js';

/** The end of an underlay cable that is no host. */
export const NET = 'net';

export interface Link {
  /** The first one is shown. */
  readonly names: readonly string[];
  /** The two ends, in the order of `weather`'s directions. */
  readonly ends: readonly [string, string];
  readonly kind: 'guest' | 'pair' | 'underlay';
}

/** All links; a guest that is the host itself has none. */
export function linksOf({ hosts, guests, underlay }: Pick<LabFile, 'hosts' | 'guests' | 'underlay'>): Link[] {
  const own = guests.filter(({ isHost }) => !isHost);
  const cables = own.map(({ name, host }): Link => ({ names: [name], ends: [name, host], kind: 'guest' }));
  const [first, second] = hosts;
  if (underlay === 'pair') {
    if (first === undefined || second === undefined) return cables;
    return [{ names: [first.name, second.name], ends: [first.name, second.name], kind: 'pair' }, ...cables];
  }
  return [...hosts.map(({ name }): Link => ({ names: [name], ends: [name, NET], kind: 'underlay' })), ...cables];
}
