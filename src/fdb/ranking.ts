/**
 * The owner with the most learned entries: a binary heap of the owners. Counts change by one, so a change usually costs one
 * comparison, and at most one for each level of the heap.
 *
 * The caller holds the lock; `store.ts` changes the counts.
 */
import type { FdbViews } from './layout.js';

/** The owner with the most learned entries, or one of several. */
export function biggestOwner(views: FdbViews): number {
  return views.ranking[0];
}

/** Restores the order after the count of an owner has increased. */
export function rankUp(views: FdbViews, owner: number): void {
  const { learnedByOwner, ranking } = views;
  const count = learnedByOwner[owner];
  let place = views.rankOfOwner[owner];
  while (place > 0) {
    const above = (place - 1) >> 1;
    if (learnedByOwner[ranking[above]] >= count) break;
    put(views, place, ranking[above]);
    place = above;
  }
  put(views, place, owner);
}

/** Restores the order after the count of an owner has decreased. */
export function rankDown(views: FdbViews, owner: number): void {
  const { learnedByOwner, ranking } = views;
  const count = learnedByOwner[owner];
  let place = views.rankOfOwner[owner];
  for (;;) {
    let below = place * 2 + 1;
    if (below >= ranking.length) break;
    if (below + 1 < ranking.length && learnedByOwner[ranking[below + 1]] > learnedByOwner[ranking[below]]) below++;
    if (learnedByOwner[ranking[below]] <= count) break;
    put(views, place, ranking[below]);
    place = below;
  }
  put(views, place, owner);
}

function put(views: FdbViews, place: number, owner: number): void {
  views.ranking[place] = owner;
  views.rankOfOwner[owner] = place;
}
