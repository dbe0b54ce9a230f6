/**
 * Which owner has the most learned entries: a binary heap of the owners, the biggest on top. A count changes by one, so
 * keeping the order costs a comparison most of the time, and one for each level of the heap at worst.
 *
 * Called with the lock held. It counts nothing itself: `store.ts` does.
 */
import type { FdbViews } from './layout.js';

/** The owner with the most learned entries; one of them where several have as many. */
export function biggestOwner(views: FdbViews): number {
  return views.ranking[0];
}

/** Puts an owner in its place again after its count has grown. */
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

/** Puts an owner in its place again after its count has shrunk. */
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
