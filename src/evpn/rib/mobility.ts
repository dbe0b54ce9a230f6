/**
 * Which VTEP has a MAC, of all that say so (RFC 7432 sections 7.7, 15 and 15.2).
 *
 * A default gateway, then a sticky MAC, then the higher sequence number, then the lower VTEP address; what is long-lived stale comes last.
 */
import { NO_ESI } from '../../wire/bgp/route.js';
import { compareTexts } from './keys.js';
import { stalenessOf } from './best.js';
import type { Nlri } from './path.js';

/** Sequence numbers have 32 bits and do not wrap. */
export const MAX_SEQUENCE = 0xffffffff;

/** Facts of the own MAC that the choice depends on. */
export interface LocalClaim {
  readonly sequence: number;
  readonly isSticky: boolean;
  readonly isGateway: boolean;
  /** `orderOf` of the own VTEP. */
  readonly vtepOrder: string;
}

/** Negative when `one` is the better place of a MAC. Total: equal only for the same NLRI. */
export function compareClaims(one: Nlri, other: Nlri): number {
  const a = one.chosen.attributes;
  const b = other.chosen.attributes;
  return (
    longLived(one) - longLived(other) ||
    Number(b.isGateway) - Number(a.isGateway) ||
    Number(b.isSticky) - Number(a.isSticky) ||
    b.sequence - a.sequence ||
    compareTexts(a.vtepOrder, b.vtepOrder) ||
    compareNlris(one, other)
  );
}

/** Order of routes that are equal in all else, so that the choice does not depend on which came first. */
export function compareNlris(one: Nlri, other: Nlri): number {
  return compareTexts(one.rd, other.rd) || compareTexts(one.key, other.key);
}

/** The best of some routes, or null. */
export function bestClaim(candidates: readonly Nlri[], isWanted: (nlri: Nlri) => boolean = () => true): Nlri | null {
  let best: Nlri | null = null;
  for (const nlri of candidates) {
    if (isWanted(nlri) && (best === null || compareClaims(nlri, best) < 0)) best = nlri;
  }
  return best;
}

/** Whether the own MAC stays against the best remote one. */
export function localStays(local: LocalClaim, remote: Nlri): boolean {
  if (local.isGateway || local.isSticky) return true;
  if (longLived(remote) !== 0) return true;
  const { isGateway, isSticky, sequence, vtepOrder } = remote.chosen.attributes;
  if (isGateway || isSticky) return false;
  return local.sequence === sequence ? local.vtepOrder < vtepOrder : local.sequence > sequence;
}

/** Whether a MAC that is learned here may not be announced, since it is pinned elsewhere (RFC 7432 section 15.2). */
export function isPinnedElsewhere(remote: Nlri): boolean {
  const { isGateway, isSticky } = remote.chosen.attributes;
  return longLived(remote) === 0 && (isGateway || isSticky);
}

/** The sequence number of a MAC that is learned here after others had it (RFC 7432 section 15). */
export function nextSequence(candidates: readonly Nlri[]): number {
  let highest = -1;
  for (const { chosen } of candidates) {
    if (!chosen.attributes.isGateway) highest = Math.max(highest, chosen.attributes.sequence);
  }
  return Math.min(highest + 1, MAX_SEQUENCE);
}

/** Routes of one Ethernet segment: the MAC did not move between them. */
export function isSameSegment(one: Nlri, other: Nlri): boolean {
  const a = one.chosen.route;
  const b = other.chosen.route;
  return a.type === 2 && b.type === 2 && a.esi !== NO_ESI && a.esi === b.esi;
}

function longLived(nlri: Nlri): number {
  return stalenessOf(nlri.chosen) === 2 ? 1 : 0;
}
