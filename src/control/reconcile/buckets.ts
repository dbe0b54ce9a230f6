/**
 * The buckets of a nexthop group, by weighted rendezvous hashing: each bucket goes to the member that scores highest for it. So a
 * member that is removed takes no other's flows along, and one that is added takes flows only for itself. The table depends on IDs and weights
 * alone: a restart, an upgrade and another host choose alike.
 */
import { NEXTHOP_BUCKETS } from '../../dataplane/state/destination.js';

export interface Member {
  id: number;
  weight: number;
  remote: number;
}

/** The remote of each bucket; empty without members. */
export function bucketsOf(members: readonly Member[]): number[] {
  const able = members.filter(({ remote }) => remote !== 0);
  const [first] = able;
  if (first === undefined) return [];
  return Array.from({ length: NEXTHOP_BUCKETS }, (_, bucket) => {
    let best = first;
    let most = Number.NEGATIVE_INFINITY;
    for (const member of able) {
      const score = -member.weight / Math.log(chance(bucket, member.id));
      if (score <= most) continue;
      most = score;
      best = member;
    }
    return best.remote;
  });
}

/** A number between 0 and 1, both excluded, the same for the same two integers. */
function chance(bucket: number, id: number): number {
  let h = Math.imul(id ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + Math.imul(bucket + 1, 0xc2b2ae35), 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 13), 0x165667b1);
  return (((h ^ (h >>> 16)) >>> 0) + 0.5) / 0x1_0000_0000;
}
