/** One NLRI, its paths (one for each neighbour that announced it), and where it is a candidate. */
import type { EvpnRoute } from '../../wire/bgp/route.js';
import type { Attributes } from './attributes.js';
import type { Neighbor } from './neighbor.js';

/** 0: fresh; 1: of a session that restarts; 2: long-lived stale. */
export type Staleness = 0 | 1 | 2;

export interface Path {
  readonly neighbor: Neighbor;
  route: EvpnRoute;
  attributes: Attributes;
  stale: Staleness;
}

/** Where an NLRI is a candidate: a MAC, a flood, a prefix of one VNI. */
export interface Place {
  readonly vni: number;
  /** Whether there is room. */
  add(nlri: Nlri): boolean;
  remove(nlri: Nlri): void;
  /** The best path is another one, or has other attributes. */
  change(nlri: Nlri): void;
}

const NOWHERE: readonly Place[] = [];

export class Nlri {
  paths: Path[] = [];
  places: readonly Place[] = NOWHERE;
  /** What places compare; the NLRI leaves them before it is null. */
  best: Path | null = null;

  constructor(
    readonly rd: string,
    readonly key: string,
  ) {}

  /** The best path of an NLRI that is a candidate somewhere. */
  get chosen(): Path {
    return this.best as Path;
  }
}
