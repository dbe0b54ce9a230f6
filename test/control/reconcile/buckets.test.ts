/** The buckets of nexthop groups: shares by weight, and stability. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketsOf, type Member } from '../../../src/control/reconcile/buckets.js';
import { NEXTHOP_BUCKETS } from '../../../src/dataplane/state/destination.js';

const member = (id: number, weight = 1): Member => ({ id, weight, remote: id });
const share = (buckets: number[], id: number): number => buckets.filter((one) => one === id).length / NEXTHOP_BUCKETS;

const one = fc.record({ id: fc.integer({ min: 1, max: 0xffffffff }), weight: fc.integer({ min: 1, max: 65_536 }) });
const groups = fc
  .uniqueArray(one, { selector: ({ id }) => id, minLength: 1, maxLength: 12 })
  .map((members) => members.map(({ id, weight }, index) => ({ id, weight, remote: index + 1 })));

describe('buckets of a nexthop group', () => {
  it('lead nowhere without members, or where no member has a remote', () => {
    expect(bucketsOf([])).toEqual([]);
    expect(bucketsOf([{ id: 1, weight: 1, remote: 0 }])).toEqual([]);
  });

  it.each([
    [1, 1],
    [1, 3],
    [2, 5],
    [10, 1],
  ])('weights %i and %i are shares', (first, second) => {
    const buckets = bucketsOf([member(1, first), member(2, second)]);
    expect(buckets).toHaveLength(NEXTHOP_BUCKETS);
    // The standard deviation of a share is 1.6 % at most.
    expect(Math.abs(share(buckets, 1) - first / (first + second))).toBeLessThan(0.05);
  });

  it('a member that goes takes its own buckets along, and no other', () => {
    fc.assert(
      fc.property(groups, fc.nat(), (members, at) => {
        const gone = members[at % members.length];
        const all = bucketsOf(members);
        const left = bucketsOf(members.filter((other) => other !== gone));
        if (members.length === 1) expect(left).toEqual([]);
        else expect(left.filter((remote, bucket) => all[bucket] !== gone.remote && all[bucket] !== remote)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('do not depend on the order of members', () => {
    fc.assert(
      fc.property(groups, (members) => {
        expect(bucketsOf([...members].reverse())).toEqual(bucketsOf(members));
      }),
      { numRuns: 50 },
    );
  });
});
