/**
 * The Adj-RIBs-In of all neighbours, as one table: each NLRI once, with a path for each neighbour that announced it.
 *
 * Costs of a route: one NLRI, one path, the route itself; attributes are shared, and so is the route between neighbours. Maps shrink
 * as they empty.
 */
import { type EvpnRoute, NO_ESI } from '../../wire/bgp/route.js';
import type { Attributes, AttributeStore } from './attributes.js';
import { bestPath } from './best.js';
import { isSameRoute, keyOf } from './keys.js';
import type { Neighbor } from './neighbor.js';
import { Nlri, type Path } from './path.js';

/** Routes of one RD. */
interface Distinguished {
  readonly rd: string;
  readonly routes: Map<string, Nlri>;
}

export class PathTable {
  readonly #byRd = new Map<string, Distinguished>();

  constructor(
    private readonly attributes: AttributeStore,
    /** A path of an NLRI came, went or changed. */
    private readonly settle: (nlri: Nlri, path: Path) => void,
  ) {}

  *[Symbol.iterator](): Generator<Nlri> {
    for (const { routes } of this.#byRd.values()) yield* routes.values();
  }

  find(route: EvpnRoute): Nlri | undefined {
    return this.#byRd.get(route.rd)?.routes.get(keyOf(route));
  }

  /** Puts a path in, or in place of the neighbour's former one. @returns false: it would be a new one, and `hasRoom` is false */
  announce(neighbor: Neighbor, route: EvpnRoute, attributes: Attributes, hasRoom: () => boolean): boolean {
    const key = keyOf(route);
    const nlri = this.#byRd.get(route.rd)?.routes.get(key);
    const path = nlri?.paths.find((one) => one.neighbor === neighbor);
    if (nlri === undefined || path === undefined) {
      if (!hasRoom()) return false;
      this.#insert(nlri ?? this.#create(route.rd, key), neighbor, route, attributes);
      return true;
    }
    if (path.stale !== 0) neighbor.stale--;
    const isSame = path.stale === 0 && path.attributes === attributes && isSameRoute(path.route, route);
    path.stale = 0;
    if (isSame) return true;
    this.#replace(path, attributes);
    if (!isSameRoute(path.route, route)) path.route = shared(nlri, route);
    this.settle(nlri, path);
    return true;
  }

  withdraw(neighbor: Neighbor, route: EvpnRoute): void {
    const nlri = this.find(route);
    if (nlri !== undefined) this.#removeWhere(nlri, (path) => path.neighbor === neighbor);
  }

  /** Judges all paths of a neighbour. @param judge may change the path, and says so */
  sweep(neighbor: Neighbor, judge: (path: Path) => 'gone' | 'changed' | 'same'): void {
    for (const nlri of this) {
      const path = nlri.paths.find((one) => one.neighbor === neighbor);
      if (path === undefined) continue;
      const verdict = judge(path);
      if (verdict === 'gone') this.#removeWhere(nlri, (one) => one === path);
      else if (verdict === 'changed') this.settle(nlri, path);
    }
  }

  #create(rd: string, key: string): Nlri {
    let kept = this.#byRd.get(rd);
    if (kept === undefined) {
      kept = { rd, routes: new Map() };
      this.#byRd.set(rd, kept);
    }
    const nlri = new Nlri(kept.rd, key);
    kept.routes.set(key, nlri);
    return nlri;
  }

  #insert(nlri: Nlri, neighbor: Neighbor, route: EvpnRoute, attributes: Attributes): void {
    const path: Path = {
      neighbor,
      route: shared(nlri, route),
      attributes: this.attributes.hold(attributes, neighbor),
      stale: 0,
    };
    // Of the exact size: most NLRIs have one path or two.
    nlri.paths = [...nlri.paths, path];
    neighbor.routes++;
    this.settle(nlri, path);
  }

  #replace(path: Path, attributes: Attributes): void {
    const before = path.attributes;
    path.attributes = this.attributes.hold(attributes, path.neighbor);
    this.attributes.release(before);
  }

  #removeWhere(nlri: Nlri, isGone: (path: Path) => boolean): void {
    const path = nlri.paths.find(isGone);
    if (path === undefined) return;
    nlri.paths = nlri.paths.filter((one) => one !== path);
    path.neighbor.lose();
    if (path.stale !== 0) path.neighbor.stale--;
    this.settle(nlri, path);
    this.attributes.release(path.attributes);
    if (nlri.paths.length > 0) return;
    const routes = this.#byRd.get(nlri.rd)?.routes;
    routes?.delete(nlri.key);
    if (routes?.size === 0) this.#byRd.delete(nlri.rd);
  }
}

/** The best path of an NLRI, or null. */
export function chooseBest(nlri: Nlri): Path | null {
  return nlri.paths.length === 0 ? null : bestPath(nlri.paths);
}

/** A route as another neighbour's path has it already; texts that many routes share are kept once. */
function shared(nlri: Nlri, route: EvpnRoute): EvpnRoute {
  for (const path of nlri.paths) if (isSameRoute(path.route, route)) return path.route;
  if (route.type === 3) return { ...route, rd: nlri.rd };
  return { ...route, rd: nlri.rd, esi: route.esi === NO_ESI ? NO_ESI : route.esi };
}
