/** The neighbours of a configuration, each with a bit of its own as long as it is named. */
import type { SpeakerConfig } from '../contract.js';
import { MAX_NEIGHBORS } from './contract.js';
import { Neighbor } from './neighbor.js';

export class Neighbors {
  readonly #byAddress = new Map<string, Neighbor>();

  find(address: string): Neighbor | undefined {
    return this.#byAddress.get(address);
  }

  [Symbol.iterator](): IterableIterator<Neighbor> {
    return this.#byAddress.values();
  }

  /** @returns neighbours that are named no more. @throws RangeError for too many */
  configure({ neighbors, asn }: SpeakerConfig): Neighbor[] {
    if (neighbors.length > MAX_NEIGHBORS) {
      throw new RangeError(
        `${neighbors.length} neighbours; give at most ${MAX_NEIGHBORS}, such as two route reflectors`,
      );
    }
    const named = new Set(neighbors.map(({ address }) => address));
    const gone = [...this].filter(({ address }) => !named.has(address));
    for (const { address } of gone) this.#byAddress.delete(address);
    for (const config of neighbors) {
      const known = this.#byAddress.get(config.address);
      const isInternal = config.asn === asn;
      if (known === undefined)
        this.#byAddress.set(config.address, new Neighbor(config, this.#freeBit(gone), isInternal));
      else Object.assign(known, { config, isInternal });
    }
    for (const neighbor of this) neighbor.share(neighbors.length);
    return gone;
  }

  /** Not one of those that go: their routes are still to be cleared. */
  #freeBit(gone: readonly Neighbor[]): number {
    const used = [...this, ...gone].reduce((bits, { bit }) => bits | bit, 0);
    const free = ~used;
    // All used: those that go have some, and are cleared before anything is sent.
    if (free === 0) return (gone[0] as Neighbor).bit;
    return free & -free;
  }
}
