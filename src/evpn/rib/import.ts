/** Into which VNIs a route goes, by its route targets (RFC 7432 section 7.10, RFC 8365 section 5.1), and why into none. */
import type { MacIpRoute, PathAttributes, PrefixRoute } from '../../wire/bgp/route.js';
import { NO_ESI } from '../../wire/bgp/route.js';
import { familyOf } from '../../values/address.js';
import { type Attributes, isStationMac, isUsable } from './attributes.js';
import type { Path, Place } from './path.js';
import type { VniTable } from './vni-table.js';

/** VNIs that import one route; a neighbour that names the targets of all VNIs in each route does not multiply our memory. */
export const MAX_IMPORTS = 8;
/** PMSI tunnel type of ingress replication (RFC 6514 section 5). */
export const INGRESS_REPLICATION = 6;
const MAX_VNI = 0xffffff;

export class ImportTable {
  readonly #byTarget = new Map<string, number[]>();
  /** By the number of a target, whatever its administrator. */
  readonly #byNumber = new Map<string, number[]>();
  readonly #tables = new Map<number, VniTable>();
  readonly #own = new Set<string>();
  readonly refusals: Record<string, number> = {};
  #generation = 0;
  #signature = '';

  /** @returns whether anything differs: then all routes are to be imported anew */
  configure(tables: Iterable<VniTable>): boolean {
    const all = [...tables];
    const signature = JSON.stringify(all.map(({ config }) => [config.vni, config.kind, config.local, config.imports]));
    // A table that was made anew is another one, so floods are no part of this: they are asked for at each import.
    const floods = JSON.stringify(all.map(({ config }) => config.floods));
    if (signature + floods === this.#signature) return false;
    this.#signature = signature + floods;
    this.#generation++;
    for (const map of [this.#byTarget, this.#byNumber, this.#tables, this.#own]) map.clear();
    for (const table of all) this.#add(table);
    return true;
  }

  /** Whether an address is one of our VTEPs. */
  isOwn(address: string): boolean {
    return this.#own.has(address);
  }

  /** The places of a path; empty: no VNI imports it. */
  placesOf({ route, attributes }: Path): readonly Place[] {
    if (attributes.fault !== null) return this.#refuse(attributes.fault);
    if (this.isOwn(attributes.vtep)) return NOWHERE;
    const vnis = this.#vnisOf(attributes);
    if (vnis.length === 0) return NOWHERE;
    if (route.type === 2) return this.#bounded(vnis, (table) => this.#macPlace(table, route, attributes.value));
    if (route.type === 5) return this.#bounded(vnis, (table) => this.#prefixPlace(table, route, attributes.value));
    return this.#bounded(vnis, (table) => this.#floodPlace(table, route.tag, attributes.value));
  }

  /** Counts a reason. */
  refuse(reason: string): void {
    this.refusals[reason] = (this.refusals[reason] ?? 0) + 1;
  }

  #add(table: VniTable): void {
    this.#own.add(table.config.local);
    this.#tables.set(table.vni, table);
    for (const target of new Set(table.config.imports)) {
      const isAny = target.startsWith('*:');
      const [map, key] = isAny ? [this.#byNumber, target.slice(2)] : [this.#byTarget, target];
      const vnis = map.get(key);
      if (vnis === undefined) map.set(key, [table.vni]);
      else vnis.push(table.vni);
    }
  }

  #vnisOf(attributes: Attributes): readonly number[] {
    if (attributes.generation !== this.#generation) {
      attributes.generation = this.#generation;
      attributes.vnis = this.#find(attributes.value.extended.routeTargets);
    }
    return attributes.vnis;
  }

  #find(targets: readonly string[]): readonly number[] {
    const found = new Set<number>();
    for (const target of targets) {
      for (const vni of this.#byTarget.get(target) ?? []) found.add(vni);
      if (this.#byNumber.size === 0) continue;
      const number = target.slice(target.lastIndexOf(':') + 1);
      for (const vni of this.#byNumber.get(number) ?? []) found.add(vni);
    }
    return found.size === 0 ? NO_VNIS : [...found];
  }

  #bounded(vnis: readonly number[], placeIn: (table: VniTable) => Place | null): readonly Place[] {
    const places: Place[] = [];
    for (const vni of vnis) {
      if (places.length >= MAX_IMPORTS) {
        this.refuse('imports');
        break;
      }
      const place = placeIn(this.#tables.get(vni) as VniTable);
      if (place !== null) places.push(place);
    }
    return places;
  }

  #macPlace(table: VniTable, route: MacIpRoute, { nextHop, extended }: PathAttributes): Place | null {
    if (!isStationMac(route.mac)) return this.#none('mac');
    if (familyOf(nextHop) !== familyOf(table.config.local)) return this.#none('family');
    if (table.config.kind === 'l3') {
      if (route.ip === undefined || route.label2 === undefined) return null;
      if (!isVni(route.label2)) return this.#none('label');
      if (!hasRouterMac(extended.routerMac)) return this.#none('router_mac');
      return table.prefix(`${route.ip}/${familyOf(route.ip) === 4 ? 32 : 128}`);
    }
    if (!isVni(route.label)) return this.#none('label');
    return isTagOf(route.tag, route.label, table.vni) ? table.mac(route.mac) : this.#none('tag');
  }

  #floodPlace(table: VniTable, tag: number, { pmsi, nextHop }: PathAttributes): Place | null {
    if (table.config.kind === 'l3' || !table.config.floods) return null;
    if (pmsi?.type !== INGRESS_REPLICATION) return this.#none('pmsi');
    const remote = pmsi.endpoint ?? nextHop;
    if (!isUsable(remote)) return this.#none('next_hop');
    if (this.isOwn(remote)) return null;
    if (familyOf(remote) !== familyOf(table.config.local)) return this.#none('family');
    if (!isVni(pmsi.label)) return this.#none('label');
    return isTagOf(tag, pmsi.label, table.vni) ? table.flood(remote) : this.#none('tag');
  }

  #prefixPlace(table: VniTable, route: PrefixRoute, { nextHop, extended }: PathAttributes): Place | null {
    if (table.config.kind !== 'l3') return null;
    if (!isVni(route.label)) return this.#none('label');
    // Overlay indexes (RFC 9136 sections 4.1 to 4.3) would need a second look-up; ways here are VTEPs.
    if (route.esi !== NO_ESI || !isZero(route.gateway)) return this.#none('overlay_index');
    if (!hasRouterMac(extended.routerMac)) return this.#none('router_mac');
    if (familyOf(nextHop) !== familyOf(table.config.local)) return this.#none('family');
    return table.prefix(route.prefix);
  }

  #refuse(reason: string): readonly Place[] {
    this.refuse(reason);
    return NOWHERE;
  }

  #none(reason: string): null {
    this.refuse(reason);
    return null;
  }
}

const NOWHERE: readonly Place[] = [];
const NO_VNIS: readonly number[] = [];

function isVni(label: number): boolean {
  return label > 0 && label <= MAX_VNI;
}

/** A tag names the broadcast domain of a bundle (RFC 8365 section 5.1.2): it has to be ours. */
function isTagOf(tag: number, label: number, vni: number): boolean {
  return tag === 0 || tag === vni || label === vni;
}

function hasRouterMac(mac: string | undefined): boolean {
  return mac !== undefined && isStationMac(mac);
}

function isZero(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
