/** Keeps the own routes as the own MACs, prefixes and VNIs say: announces what is new or differs, withdraws what is no more. */
import type { AttributeStore } from './attributes.js';
import { familyOf } from '../../values/address.js';
import { keyOf } from './keys.js';
import type { MacEntry } from './mac-entry.js';
import { type Announcement, ownFloods, ownMacs, ownPrefix } from './own-attributes.js';
import type { OwnRoutes } from './own-routes.js';
import type { VniTable } from './vni-table.js';

export class Exporter {
  constructor(
    private readonly routes: OwnRoutes,
    private readonly attributes: AttributeStore,
  ) {}

  /** All own routes of a VNI, as of its configuration. */
  rebuild(table: VniTable): void {
    const before = [...table.own.keys()];
    const wanted = new Set(ownFloods(table).map((one) => this.#announce(table, one)));
    for (const prefix of table.ownPrefixes) {
      for (const one of ownPrefix(table, prefix)) wanted.add(this.#announce(table, one));
    }
    for (const entry of table.macs.values()) {
      if (entry.local === null) continue;
      this.publishMac(table, entry);
      for (const key of entry.published) wanted.add(key);
    }
    for (const key of before) if (!wanted.has(key)) this.#withdraw(table, key);
  }

  /** Own routes of one MAC. */
  publishMac(table: VniTable, entry: MacEntry): void {
    const before = entry.published;
    const all = ownMacs(table, entry);
    entry.published = all.map((one) => this.#announce(table, one));
    for (const key of before) if (!entry.published.includes(key)) this.#withdraw(table, key);
    countHosts(table, entry, all);
  }

  publishPrefix(table: VniTable, prefix: string): void {
    const wanted = table.ownPrefixes.has(prefix) ? ownPrefix(table, prefix) : [];
    for (const one of wanted) this.#announce(table, one);
    if (wanted.length === 0) this.#withdraw(table, `5 0 ${prefix}`);
  }

  /** The VNI takes part no more; its own MACs are forgotten. */
  clear(table: VniTable): void {
    for (const entry of table.macs.values()) {
      countHosts(table, entry, []);
      entry.local = null;
    }
    for (const key of [...table.own.keys()]) this.#withdraw(table, key);
  }

  #announce(table: VniTable, { route, attributes }: Announcement): string {
    const key = keyOf(route);
    let before = table.own.get(key);
    if (before !== undefined && before.route.rd !== route.rd) {
      this.routes.remove(before);
      before = undefined;
    }
    table.own.set(key, this.routes.set(before, route, this.attributes.find(attributes)));
    return key;
  }

  #withdraw(table: VniTable, key: string): void {
    const own = table.own.get(key);
    if (own === undefined) return;
    table.own.delete(key);
    this.routes.remove(own);
  }
}

/** Addresses that are here: host routes of others to them do not count. */
function countHosts(table: VniTable, entry: MacEntry, announced: readonly Announcement[]): void {
  const before = entry.hosts;
  entry.hosts = [];
  for (const { route } of announced) {
    if (route.type !== 2 || route.ip === undefined || table.l3 === null) continue;
    const host = table.l3.prefix(`${route.ip}/${familyOf(route.ip) === 4 ? 32 : 128}`);
    host.countLocal(1);
    entry.hosts = [...entry.hosts, host];
  }
  for (const host of before) host.countLocal(-1);
}
