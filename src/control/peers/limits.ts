/** How many rows sources may have. The configuration, own addresses and what is learned keep their part of each table. */
import type { SwitchModel } from '../model/model.js';

/** Most rows of flood lists. */
const MOST_FLOODS = 262_144;
/** The part of the FDB that is not for sources: an eighth. */
const RESERVE = 8;

interface Counted {
  kind: 'flood' | 'mac' | 'binding';
}

export class Limits {
  private readonly counts = { flood: 0, mac: 0, binding: 0 };

  constructor(
    private readonly model: SwitchModel,
    private readonly mostBindings: number,
  ) {}

  get macCount(): number {
    return this.counts.mac;
  }

  begin({ kind }: Counted): void {
    this.counts[kind]++;
  }

  end({ kind }: Counted): void {
    this.counts[kind]--;
  }

  /** Why there is no room for one more row of a flood list; null: there is. */
  floods(): string | null {
    return this.counts.flood < MOST_FLOODS ? null : `flood lists of sources have at most ${MOST_FLOODS} rows`;
  }

  macs(): string | null {
    const { config, entries } = this.model;
    const most = config.fdb_size - Math.ceil(config.fdb_size / RESERVE);
    if (this.counts.mac + entries.size < most) return null;
    return `the FDB has room for ${most} entries that are not learned; set a larger fdb_size and start again`;
  }

  bindings(): string | null {
    return this.counts.binding < this.mostBindings
      ? null
      : `the neighbour table has room for ${this.mostBindings} bindings of sources`;
  }
}
