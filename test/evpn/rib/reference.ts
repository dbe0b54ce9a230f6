/**
 * A RIB that remembers paths as a list and computes all else anew from it whenever it is asked: slow, and simple enough to be right.
 * Without duplicate detection (`moves: 0`). Written from the RFCs, sharing no code with the RIB.
 */
import type { LocalMac, RemoteMac, SpeakerConfig, VniConfig } from '../../../src/evpn/contract.js';
import type { EvpnRoute, MacIpRoute, PathAttributes } from '../../../src/wire/bgp/route.js';
import { keyOf } from './tables.js';

interface RawPath {
  from: string;
  route: EvpnRoute;
  attributes: PathAttributes;
  stale: 0 | 1 | 2;
}

interface LocalClaim {
  vni: number;
  mac: string;
  sequence: number;
  sticky: boolean;
  isGateway: boolean;
  plain: boolean;
  ips: Map<string, boolean>;
}

const NO_LLGR = 0xffff0007;
const LLGR_STALE = 0xffff0006;

export class Reference {
  paths: RawPath[] = [];
  readonly locals = new Map<string, LocalClaim>();
  readonly prefixes = new Set<string>();
  config: SpeakerConfig;

  constructor(config: SpeakerConfig) {
    this.config = config;
  }

  configure(config: SpeakerConfig): void {
    this.config = config;
    for (const [key, { vni }] of this.locals) if (!this.#vni(vni)) this.locals.delete(key);
    this.#yield();
  }

  announced(from: string, route: EvpnRoute, attributes: PathAttributes): void {
    this.paths = this.paths.filter((path) => path.from !== from || keyOf(path.route) !== keyOf(route));
    const { asn, routerId } = this.config;
    const isLoop = attributes.asPath.some(({ asns }) => asns.includes(asn)) || attributes.originatorId === routerId;
    if (!isLoop) this.paths.push({ from, route, attributes, stale: 0 });
    this.#yield();
  }

  withdrawn(from: string, route: EvpnRoute): void {
    this.#remove((path) => path.from === from && keyOf(path.route) === keyOf(route));
  }

  lost(from: string, keep: 'none' | 'stale'): void {
    this.#remove((path) => path.from === from && (keep === 'none' || path.stale === 1));
    this.#restale(from, 0, 1);
  }

  endOfRib(from: string): void {
    this.#remove((path) => path.from === from && path.stale !== 0);
  }

  expire(from: string, to: 'gone' | 'long-lived'): void {
    if (to === 'gone') this.endOfRib(from);
    this.#remove((path) => path.from === from && path.stale === 1 && !!path.attributes.communities?.includes(NO_LLGR));
    this.#restale(from, 1, 2);
  }

  learned(local: LocalMac): void {
    const key = `${local.vni} ${local.mac}`;
    let claim = this.locals.get(key);
    if (claim === undefined) {
      const claims = this.#claims(local.vni, local.mac);
      const best = claims[0];
      const isPinned = best !== undefined && level(best) < 2 && (gateway(best) || sticky(best));
      if (isPinned && !local.sticky && !local.isGateway) return;
      const numbers = claims.filter((path) => !gateway(path)).map(sequence);
      const next = local.isGateway ? 0 : numbers.length === 0 ? 0 : Math.max(...numbers) + 1;
      const { vni, mac } = local;
      claim = { vni, mac, sequence: next, sticky: false, isGateway: false, plain: false, ips: new Map() };
      this.locals.set(key, claim);
    }
    claim.sticky = local.sticky;
    claim.isGateway = local.isGateway;
    if (local.ip === undefined) claim.plain = true;
    else claim.ips.set(local.ip, local.isRouter);
    this.#yield();
  }

  forgotten({ vni, mac, ip }: LocalMac): void {
    const claim = this.locals.get(`${vni} ${mac}`);
    if (claim === undefined) return;
    if (ip === undefined) claim.plain = false;
    else claim.ips.delete(ip);
    if (!claim.plain && claim.ips.size === 0) this.locals.delete(`${vni} ${mac}`);
  }

  /** Rows of MACs, as `vni mac ip -> remote sticky gateway router sentVni`. */
  macRows(): string[] {
    const rows: string[] = [];
    for (const { vni, kind } of this.config.vnis) {
      if (kind === 'l3') continue;
      const macs = new Set(this.#imported(vni).flatMap(({ route }) => (route.type === 2 ? [route.mac] : [])));
      for (const mac of macs) if (!this.locals.has(`${vni} ${mac}`)) rows.push(...this.#macRows(vni, mac));
    }
    return rows.sort();
  }

  floodRows(): string[] {
    const rows = new Set<string>();
    for (const { vni, kind, floods } of this.config.vnis) {
      if (kind === 'l3' || !floods) continue;
      for (const { route, attributes } of this.#imported(vni)) {
        if (route.type !== 3 || attributes.pmsi?.type !== 6) continue;
        rows.add(`${vni} ${attributes.pmsi.endpoint}`);
      }
    }
    return [...rows].sort();
  }

  prefixRows(): string[] {
    const rows = new Set<string>();
    for (const { vni, kind } of this.config.vnis) {
      if (kind !== 'l3') continue;
      const paths = this.#imported(vni).filter(({ route }) => prefixOf(route) !== null);
      for (const prefix of new Set(paths.map(({ route }) => prefixOf(route)))) {
        const all = paths.filter(({ route }) => prefixOf(route) === prefix && !this.#isHere(vni, route));
        const ways = best(all, [(one) => (level(one) === 2 ? 1 : 0), (one) => -sequence(one), ...this.#degrees()]);
        for (const { attributes } of ways) rows.add(`${vni} ${prefix} ${attributes.nextHop}`);
      }
    }
    return [...rows].sort();
  }

  /** Own routes with what a neighbour can tell apart. */
  ownRoutes(): string[] {
    const routes: string[] = [];
    for (const { vni, kind, rd, local, floods, exports } of this.config.vnis) {
      const says = `${local} ${exports.join(',')}`;
      if (kind === 'l2' && floods) routes.push(`3 ${rd} ${local} ${says}`);
      if (kind === 'l3') {
        for (const one of this.prefixes) {
          if (one.startsWith(`${vni} `)) routes.push(`5 ${rd} ${one.slice(`${vni} `.length)} ${says}`);
        }
      }
    }
    for (const claim of this.locals.values()) routes.push(...this.#ownMacs(claim));
    return routes.sort();
  }

  #ownMacs({ vni, mac, sequence: number, sticky: isSticky, plain, ips }: LocalClaim): string[] {
    const { rd, local, exports, l3vni } = this.#vni(vni) as VniConfig;
    const claim = this.locals.get(`${vni} ${mac}`) as LocalClaim;
    const of3 = l3vni === undefined || claim.isGateway ? undefined : this.#vni(l3vni);
    const says = (targets: readonly string[]): string => {
      return `${local} ${[...new Set(targets)].join(',')}${number > 0 || isSticky ? ` ${number} ${isSticky}` : ''}`;
    };
    const routes = plain ? [`2 ${rd} ${mac} ${says(exports)}`] : [];
    for (const ip of ips.keys()) routes.push(`2 ${rd} ${mac} ${ip} ${says([...exports, ...(of3?.exports ?? [])])}`);
    return routes;
  }

  /** Local claims that a remote one has beaten are no more. */
  #yield(): void {
    for (const [key, claim] of this.locals) {
      const [remote] = this.#claims(claim.vni, claim.mac);
      if (remote === undefined || claim.isGateway || claim.sticky || level(remote) === 2) continue;
      const isBeaten =
        gateway(remote) ||
        sticky(remote) ||
        sequence(remote) > claim.sequence ||
        (sequence(remote) === claim.sequence && number(remote.attributes.nextHop) < number(this.#local(claim.vni)));
      if (isBeaten) this.locals.delete(key);
    }
  }

  #macRows(vni: number, mac: string): string[] {
    const claims = this.#claims(vni, mac);
    const seen = new Set<string>();
    const rows = claims.length === 0 ? [] : [rowText(vni, claims[0] as RawPath)];
    for (const claim of claims) {
      const { ip } = claim.route as MacIpRoute;
      if (ip === undefined || seen.has(ip)) continue;
      seen.add(ip);
      rows.push(rowText(vni, claim, ip));
    }
    return rows;
  }

  /** Best paths of all NLRIs that name a MAC, the best first. */
  #claims(vni: number, mac: string): RawPath[] {
    const claims = this.#imported(vni).filter(({ route }) => route.type === 2 && route.mac === mac);
    const order: ((one: RawPath) => number | string)[] = [
      (one) => (level(one) === 2 ? 1 : 0),
      (one) => (gateway(one) ? 0 : 1),
      (one) => (sticky(one) ? 0 : 1),
      (one) => -sequence(one),
      (one) => number(one.attributes.nextHop),
      (one) => one.route.rd,
      (one) => keyOf(one.route),
    ];
    return claims.sort((one, other) => {
      for (const by of order) if (by(one) !== by(other)) return by(one) < by(other) ? -1 : 1;
      return 0;
    });
  }

  #imported(vni: number): RawPath[] {
    const table = this.#vni(vni);
    const own = new Set(this.config.vnis.map(({ local }) => local));
    return [...this.#bestPaths()].filter(({ attributes: { nextHop, extended } }) => {
      if (table === undefined || own.has(nextHop) || (extended.encapsulation ?? 8) !== 8) return false;
      return extended.routeTargets.some((target) => table.imports.includes(target));
    });
  }

  *#bestPaths(): Generator<RawPath> {
    const byKey = new Map<string, RawPath[]>();
    for (const path of this.paths) {
      const key = keyOf(path.route);
      byKey.set(key, [...(byKey.get(key) ?? []), path]);
    }
    const last = [
      (one: RawPath) => number(one.attributes.originatorId ?? one.from),
      (one: RawPath) => number(one.from),
    ];
    for (const paths of byKey.values()) yield best(paths, [level, ...this.#degrees(), ...last])[0] as RawPath;
  }

  #degrees(): ((one: RawPath) => number)[] {
    const isInternal = (from: string): boolean =>
      this.config.neighbors.find(({ address }) => address === from)?.asn === this.config.asn;
    return [
      ({ attributes }) => -(attributes.localPref ?? 100),
      ({ attributes }) => attributes.asPath.reduce((sum, { asns }) => sum + asns.length, 0),
      ({ attributes }) => attributes.origin,
      ({ from }) => (isInternal(from) ? 1 : 0),
    ];
  }

  #isHere(vni: number, route: EvpnRoute): boolean {
    if (route.type !== 2) return false;
    return [...this.locals.values()].some((claim) => {
      return this.#vni(claim.vni)?.l3vni === vni && claim.ips.has(route.ip as string);
    });
  }

  #restale(from: string, before: number, after: 1 | 2): void {
    for (const path of this.paths) if (path.from === from && path.stale === before) path.stale = after;
    this.#yield();
  }

  #remove(isGone: (path: RawPath) => boolean): void {
    this.paths = this.paths.filter((path) => !isGone(path));
    this.#yield();
  }

  #vni(vni: number): VniConfig | undefined {
    return this.config.vnis.find((one) => one.vni === vni);
  }

  #local(vni: number): string {
    return (this.#vni(vni) as VniConfig).local;
  }
}

/** A row as the reference writes it. */
export function textOf({ vni, mac, ip, remote, sticky: isSticky, isGateway, sentVni }: RemoteMac): string {
  return `${vni} ${mac} ${ip ?? ''} -> ${remote} ${isSticky} ${isGateway} ${sentVni ?? vni}`;
}

function rowText(vni: number, { route, attributes }: RawPath, ip = ''): string {
  const { mobility, isGateway } = attributes.extended;
  const { mac, label } = route as MacIpRoute;
  return `${vni} ${mac} ${ip} -> ${attributes.nextHop} ${mobility?.sticky ?? false} ${isGateway} ${label}`;
}

function best(paths: RawPath[], degrees: ((one: RawPath) => number)[]): RawPath[] {
  let left = paths;
  for (const degree of degrees) {
    const least = Math.min(...left.map(degree));
    left = left.filter((path) => degree(path) === least);
  }
  return left;
}

function prefixOf(route: EvpnRoute): string | null {
  if (route.type === 5) return route.prefix;
  return route.type === 2 && route.ip !== undefined && route.label2 !== undefined ? `${route.ip}/32` : null;
}

const level = (one: RawPath): number => (one.attributes.communities?.includes(LLGR_STALE) ? 2 : one.stale);
const sequence = (one: RawPath): number => one.attributes.extended.mobility?.sequence ?? 0;
const sticky = (one: RawPath): boolean => one.attributes.extended.mobility?.sticky ?? false;
const gateway = (one: RawPath): boolean => one.attributes.extended.isGateway;

/** An IPv4 address as a number. */
function number(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
