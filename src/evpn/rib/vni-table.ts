/** What the RIB has of one VNI: candidates by MAC, remote and prefix, own prefixes, and own routes. */
import type { VniConfig } from '../contract.js';
import { orderOf } from './attributes.js';
import type { Duplicates } from './duplicates.js';
import { FloodEntry } from './flood-entry.js';
import { MacEntry } from './mac-entry.js';
import type { OwnRoute } from './own-routes.js';
import { PrefixEntry } from './prefix-entry.js';

export interface TableSurroundings {
  readonly duplicates: Duplicates;
  markMac(table: VniTable, entry: MacEntry): void;
  markFlood(table: VniTable, entry: FloodEntry): void;
  markPrefix(table: VniTable, entry: PrefixEntry): void;
  publish(table: VniTable, entry: MacEntry): void;
}

export class VniTable {
  readonly macs = new Map<string, MacEntry>();
  readonly floods = new Map<string, FloodEntry>();
  readonly prefixes = new Map<string, PrefixEntry>();
  readonly ownPrefixes = new Set<string>();
  /** By the key of the NLRI. */
  own = new Map<string, OwnRoute>();
  readonly vni: number;
  readonly duplicates: Duplicates;
  vtepOrder: string;
  /** Of a VNI of layer 2: the table of its VRF. */
  l3: VniTable | null = null;
  /** Changes when own routes have to be made anew. */
  signature = '';

  constructor(
    public config: VniConfig,
    private readonly around: TableSurroundings,
  ) {
    this.vni = config.vni;
    this.duplicates = around.duplicates;
    this.vtepOrder = orderOf(config.local);
  }

  /** What is known stays; own MACs are chosen anew when the VTEP is another one, since ties are broken by it. */
  configure(config: VniConfig): void {
    const isOther = config.local !== this.config.local;
    this.config = config;
    if (!isOther) return;
    this.vtepOrder = orderOf(config.local);
    for (const entry of this.macs.values()) if (entry.local !== null) entry.settle();
  }

  mac(mac: string): MacEntry {
    return entryOf(this.macs, mac, () => new MacEntry(mac, this));
  }

  flood(remote: string): FloodEntry {
    return entryOf(this.floods, remote, () => new FloodEntry(this.vni, remote, this.markFlood));
  }

  prefix(prefix: string): PrefixEntry {
    return entryOf(this.prefixes, prefix, () => new PrefixEntry(this.vni, prefix, this.markPrefix));
  }

  mark(entry: MacEntry): void {
    this.around.markMac(this, entry);
  }

  publish(entry: MacEntry): void {
    this.around.publish(this, entry);
  }

  private readonly markFlood = (entry: FloodEntry): void => this.around.markFlood(this, entry);
  private readonly markPrefix = (entry: PrefixEntry): void => this.around.markPrefix(this, entry);
}

function entryOf<E>(entries: Map<string, E>, key: string, create: () => E): E {
  let entry = entries.get(key);
  if (entry === undefined) {
    entry = create();
    entries.set(key, entry);
  }
  return entry;
}
