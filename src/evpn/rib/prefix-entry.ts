/**
 * One prefix of one VNI of layer 3, and the ways to it: routes of type 5 (RFC 9136 section 4.4.1), and host routes from MAC/IP routes with
 * a second label (RFC 9135 section 5).
 */
import type { RemotePrefix } from '../contract.js';
import { narrow, narrowBy, stalenessOf } from './best.js';
import { compareTexts, keyOf } from './keys.js';
import type { Nlri, Path, Place } from './path.js';

/** Routes of one prefix; further ones are not imported. */
const MAX_ROUTES = 1024;
/** Ways that share the traffic of a prefix. */
export const MAX_WAYS = 64;

export class PrefixEntry implements Place {
  told: readonly RemotePrefix[] = [];
  /** Own MAC/IP routes of this address: a guest that is here is not looked for elsewhere. */
  locals = 0;
  #candidates: readonly Nlri[] = [];

  constructor(
    readonly vni: number,
    readonly prefix: string,
    private readonly mark: (entry: PrefixEntry) => void,
  ) {}

  /** Its key in the table. */
  get key(): string {
    return this.prefix;
  }

  get isEmpty(): boolean {
    return this.#candidates.length === 0 && this.told.length === 0 && this.locals === 0;
  }

  add(nlri: Nlri): boolean {
    if (this.#candidates.length >= MAX_ROUTES) return false;
    this.#candidates = [...this.#candidates, nlri];
    this.mark(this);
    return true;
  }

  remove(nlri: Nlri): void {
    this.#candidates = this.#candidates.filter((one) => one !== nlri);
    this.mark(this);
  }

  change(): void {
    this.mark(this);
  }

  /** @param by 1: an own MAC/IP route of this address came; -1: it went */
  countLocal(by: 1 | -1): void {
    this.locals += by;
    this.mark(this);
  }

  /** What the control thread should have. */
  rows(): readonly RemotePrefix[] {
    const usable = this.#candidates.filter(({ chosen }) => chosen.route.type === 5 || this.locals === 0);
    const rows = new Map<string, RemotePrefix>();
    for (const path of equalWays(usable.map(({ chosen }) => chosen))) {
      const row = this.#row(path);
      if (rows.size < MAX_WAYS && !rows.has(row.remote)) rows.set(row.remote, row);
    }
    return [...rows.values()];
  }

  #row({ route, attributes }: Path): RemotePrefix {
    const label = route.type === 2 ? route.label2 : route.type === 5 ? route.label : undefined;
    const row: RemotePrefix = {
      vni: this.vni,
      prefix: this.prefix,
      remote: attributes.vtep,
      routerMac: attributes.value.extended.routerMac ?? '',
    };
    if (label !== undefined && label !== this.vni) row.sentVni = label;
    return row;
  }
}

/** The best ways, in the order of their VTEPs. A host route that moved later goes before older ones (RFC 9135 section 4.4). */
function equalWays(paths: readonly Path[]): Path[] {
  const fresh = narrowBy(paths, (path) => (stalenessOf(path) === 2 ? 1 : 0));
  const latest = narrowBy(fresh, ({ attributes }) => -attributes.sequence);
  return [...narrow(latest)].sort(
    (one, other) =>
      compareTexts(one.attributes.vtepOrder, other.attributes.vtepOrder) ||
      compareTexts(one.route.rd, other.route.rd) ||
      compareTexts(keyOf(one.route), keyOf(other.route)),
  );
}
