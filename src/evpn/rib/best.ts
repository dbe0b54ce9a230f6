/**
 * The best path to one NLRI (RFC 4271 section 9.1.2.2, as far as there is no interior cost; RFC 4456 section 9; RFC 9494 section 4.3).
 *
 * Steps narrow the whole set, not pairs: MED is compared within one neighbouring AS only, which is no order of pairs.
 */
import type { Attributes } from './attributes.js';
import { compareTexts } from './keys.js';
import type { Path, Staleness } from './path.js';

/** A neighbour that sent LLGR_STALE says so itself. */
export function stalenessOf({ stale, attributes }: Path): Staleness {
  return attributes.isLongLivedStale ? 2 : stale;
}

/** The best of several paths. @param paths at least one */
export function bestPath(paths: readonly Path[]): Path {
  if (paths.length === 1) return paths[0] as Path;
  const fresh = narrowBy(paths, stalenessOf);
  const equal = narrow(fresh);
  return equal.reduce((best, path) => (compareLast(path, best) < 0 ? path : best));
}

/** Paths that are as good as the best one up to the choice between neighbours: those may share the traffic. */
export function narrow(paths: readonly Path[]): readonly Path[] {
  let left = narrowBy(paths, ({ attributes }) => -attributes.localPref);
  left = narrowBy(left, ({ attributes }) => attributes.pathLength);
  left = narrowBy(left, ({ attributes }) => attributes.value.origin);
  left = withoutWorseMed(left);
  return narrowBy(left, ({ neighbor }) => (neighbor.isInternal ? 1 : 0));
}

/** Those with the lowest value. */
export function narrowBy<T>(all: readonly T[], value: (one: T) => number): readonly T[] {
  if (all.length < 2) return all;
  let least = Number.POSITIVE_INFINITY;
  for (const one of all) least = Math.min(least, value(one));
  return all.filter((one) => value(one) === least);
}

function withoutWorseMed(paths: readonly Path[]): readonly Path[] {
  if (paths.length < 2) return paths;
  const least = new Map<number, number>();
  for (const { attributes } of paths) {
    const { neighborAs, med } = attributes;
    least.set(neighborAs, Math.min(least.get(neighborAs) ?? med, med));
  }
  return paths.filter(({ attributes }) => attributes.med === least.get(attributes.neighborAs));
}

/** Router identifier (or originator), length of the cluster list, address of the neighbour. */
function compareLast(one: Path, other: Path): number {
  return (
    compareTexts(identifierOf(one), identifierOf(other)) ||
    clusters(one.attributes) - clusters(other.attributes) ||
    compareTexts(one.neighbor.order, other.neighbor.order)
  );
}

function identifierOf({ attributes, neighbor }: Path): string {
  return attributes.originatorOrder ?? neighbor.routerOrder;
}

function clusters({ value }: Attributes): number {
  return value.clusterList?.length ?? 0;
}
