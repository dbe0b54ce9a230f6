/** One remote of the flood list of one VNI, and the routes of type 3 that name it. */
import type { RemoteFlood } from '../contract.js';
import { compareClaims } from './mobility.js';
import type { Nlri, Place } from './path.js';

/** Routes that name one remote, by RD. */
const MAX_ROUTES = 64;

export class FloodEntry implements Place {
  told: RemoteFlood | null = null;
  #candidates: readonly Nlri[] = [];

  constructor(
    readonly vni: number,
    readonly remote: string,
    private readonly mark: (entry: FloodEntry) => void,
  ) {}

  /** Its key in the table. */
  get key(): string {
    return this.remote;
  }

  get isEmpty(): boolean {
    return this.#candidates.length === 0 && this.told === null;
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

  /** What the control thread should have. */
  row(): RemoteFlood | null {
    let best: Nlri | null = null;
    for (const nlri of this.#candidates) if (best === null || compareClaims(nlri, best) < 0) best = nlri;
    if (best === null) return null;
    const label = best.chosen.attributes.value.pmsi?.label ?? this.vni;
    return { vni: this.vni, remote: this.remote, ...(label === this.vni ? {} : { sentVni: label }) };
  }
}
