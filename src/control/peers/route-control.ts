/**
 * Routes of sources (`route-contract.ts`), and their way into the routing tables. A route is in force while its VRF has a gateway in the VLAN
 * of the layer-3 VNI; the MACs of the other routers are rows of the same source among the peers, so that the FDB leads to them.
 */
import { readHostIp, readNicMac, Refusal } from '../../values/address.js';
import { readPrefix } from '../../values/route-text.js';
import { MAX_NEXTHOPS, MAX_ROUTES, ROUTE_UNICAST, type Way } from '../../dataplane/state/routes.js';
import { forget, guarded, soon } from '../guard.js';
import type { SwitchModel } from '../model/model.js';
import { macOf } from '../model/naming.js';
import { type EngineRoute, prefixOf, prefixTextOf } from '../model/routes.js';
import { Transition } from '../model/transition.js';
import type { RouteSet } from '../reconcile/routes.js';
import type { PeerOutcome, PeerTables, RowDelta } from './contract.js';
import type { LocalVrf, PeerRoute, RouteNexthop, RouteOwner, RouteTables } from './route-contract.js';
import { doorOf } from './layer3-door.js';
import { localVrfs } from './local-vrfs.js';
import { RouterMacs } from './router-macs.js';
import { type SavedRoutes, savedRoutes } from './saved-routes.js';
import { viewRoutes } from './view-routes.js';
import type { RouteRow } from '../../api/route.js';

const MOST_VNI = 0xff_ffff;
/** Seconds for which routes of the process before wait for their source. */
const GRACE_S = 120;

export interface RouteParts {
  model: SwitchModel;
  routes: RouteSet;
  /** For the MACs of other routers. */
  peers: PeerTables;
  /** Carries out operations between two requests. */
  own(operations: () => Transition): Promise<void>;
}

/** By VRF and prefix. */
type Rows = Map<string, PeerRoute>;

interface Source {
  name: string;
  rows: Rows;
  /** Rows of an earlier beginning of the source, which it has not named again. */
  stale: Set<string>;
  expiry: NodeJS.Timeout | undefined;
  macs: RouterMacs;
  owner: RouteOwner;
}

export class RouteControl implements RouteTables {
  private readonly owners = new Map<string, Source>();
  private readonly listeners = new Set<() => void>();
  private told = '[]';
  /** A look at what `locals` returns is due. */
  private looks = false;

  constructor(private readonly parts: RouteParts) {
    parts.routes.setExtern(
      () => this.inForce(),
      () => this.lookSoon(),
    );
  }

  owner(name: string): RouteOwner {
    const known = this.owners.get(name);
    if (known !== undefined) return known.owner;
    const rows: Rows = new Map();
    const owner: RouteOwner = {
      change: (change) => this.change(source, change),
      clear: async () => {
        clearTimeout(source.expiry);
        await this.change(source, { add: [], remove: [...rows.values()] });
      },
      renew: (seconds) => this.renew(source, seconds),
      settled: () => this.settled(source),
    };
    const macs = new RouterMacs(this.parts.model, this.parts.peers.owner(`${name} routes`));
    const source: Source = { name, rows, stale: new Set(), expiry: undefined, macs, owner };
    this.owners.set(name, source);
    return owner;
  }

  locals(): readonly LocalVrf[] {
    return localVrfs(this.parts.model);
  }

  onLocals(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => this.listeners.delete(changed);
  }

  /** All routes in force, of the configuration too. */
  list(): RouteRow[] {
    const { model, routes } = this.parts;
    return viewRoutes({
      model,
      routes: routes.list(),
      vrfOf: (number) => routes.nameOf(number),
      sourceOf: (route) => (routes.isConfigured(route) ? undefined : this.sourceOf(route)),
    });
  }

  /** The source of a route that is in force and not of the configuration. */
  private sourceOf({ vrf, words, prefix }: EngineRoute): string | undefined {
    const name = this.parts.routes.nameOf(vrf);
    const key = rowKey({ prefix: prefixTextOf(words, prefix), ...(name === undefined ? {} : { vrf: name }) });
    return [...this.owners.values()].find(({ rows }) => rows.has(key))?.name;
  }

  /** Ends the timers. */
  stop(): void {
    for (const { expiry } of this.owners.values()) clearTimeout(expiry);
  }

  // ---- From one process, or one beginning of a source, to the next

  /** Routes of all sources. */
  saved(): SavedRoutes {
    return savedRoutes(this.owners.values());
  }

  /** Routes of the process before hold until their sources have spoken, or for a while. */
  async restore(saved: SavedRoutes): Promise<void> {
    for (const { source, routes } of saved) {
      const owner = this.owner(source);
      await owner.change({ add: routes, remove: [] });
      owner.renew(GRACE_S);
    }
  }

  private renew(source: Source, seconds: number): void {
    for (const key of source.rows.keys()) source.stale.add(key);
    clearTimeout(source.expiry);
    source.expiry = setTimeout(
      guarded('routes of sources', () => this.settled(source)),
      seconds * 1000,
    );
    source.expiry.unref();
  }

  private async settled(source: Source): Promise<void> {
    clearTimeout(source.expiry);
    const remove = [...source.stale].flatMap((key) => source.rows.get(key) ?? []);
    await this.change(source, { add: [], remove });
  }

  // ---- Changes by sources

  private async change(source: Source, { add, remove }: RowDelta<PeerRoute>): Promise<PeerOutcome> {
    const { rows, stale, macs } = source;
    const reasons: string[] = [];
    const touched = new Map<string, PeerRoute>();
    // Rows without a gateway take no room in the table, so those that are kept have a bound of their own.
    let room = Math.min(this.parts.routes.room, MAX_ROUTES - rows.size);
    for (const row of remove) {
      const key = rowKey(row);
      const known = rows.get(key);
      stale.delete(key);
      if (known === undefined) continue;
      rows.delete(key);
      room += 1;
      macs.release(known);
      touched.set(key, known);
    }
    for (const row of add) {
      const read = readRow(row);
      if (typeof read === 'string') {
        reasons.push(read);
        continue;
      }
      const key = rowKey(read);
      const known = rows.get(key);
      if (known === undefined && room <= 0) {
        reasons.push('the routing table is full');
        continue;
      }
      if (known === undefined) room -= 1;
      rows.set(key, read);
      macs.take(read);
      if (known !== undefined) macs.release(known);
      stale.delete(key);
      touched.set(key, read);
    }
    // The MAC first, and last: no frame is flooded for want of it.
    const outcome = await macs.add();
    await this.parts.own(() => this.transitionOf(touched.values()));
    await macs.remove();
    const refused = reasons.length + outcome.refused;
    const reason = reasons[0] ?? outcome.reason;
    return { refused, ...(reason === undefined ? {} : { reason }) };
  }

  private transitionOf(touched: Iterable<PeerRoute>): Transition {
    const change = new Transition();
    for (const row of touched) this.tell(row, change);
    return change;
  }

  private tell(row: PeerRoute, change: Transition): void {
    const { routes } = this.parts;
    const vrf = routes.numberOf(row.vrf);
    if (vrf !== undefined) routes.setOne({ vrf, ...placeOf(row) }, this.routeOf(rowKey(row)), change);
  }

  private *inForce(): Iterable<EngineRoute> {
    const keys = new Set([...this.owners.values()].flatMap(({ rows }) => [...rows.keys()]));
    for (const key of keys) {
      const route = this.routeOf(key);
      if (route !== undefined) yield route;
    }
  }

  /** The first source that has a way decides. */
  private routeOf(key: string): EngineRoute | undefined {
    for (const { rows } of this.owners.values()) {
      const row = rows.get(key);
      const vrf = row === undefined ? undefined : this.parts.routes.numberOf(row.vrf);
      if (row === undefined || vrf === undefined) continue;
      const ways = this.waysOf(row).slice(0, MAX_NEXTHOPS);
      if (ways.length > 0) return { vrf, ...placeOf(row), kind: ROUTE_UNICAST, ways };
    }
    return undefined;
  }

  /** Routers behind dead VTEPs are left out while there is another one. */
  private waysOf(row: PeerRoute): Way[] {
    const found = row.nexthops.flatMap((nexthop) => this.wayOf(row, nexthop));
    const alive = found.filter(({ isDead }) => !isDead);
    return (alive.length > 0 ? alive : found).map(({ way }) => way);
  }

  private wayOf({ vrf }: PeerRoute, { l3vni, remote, routerMac }: RouteNexthop): { way: Way; isDead: boolean }[] {
    const door = doorOf(this.parts.model, l3vni, vrf);
    if (door === undefined) return [];
    return [
      { way: { port: door.gateway.index, mac: macOf(routerMac) }, isDead: door.tunnel.dead?.has(remote) === true },
    ];
  }

  // ---- Changes of the model

  /** These VTEPs have died, or are alive again: routes with several ways go by the others. */
  followLiveness(addresses: ReadonlySet<string>, change: Transition): void {
    const isAffected = ({ nexthops }: PeerRoute): boolean =>
      nexthops.length > 1 && nexthops.some(({ remote }) => addresses.has(remote));
    for (const { rows } of this.owners.values()) {
      for (const row of rows.values()) if (isAffected(row)) this.tell(row, change);
    }
  }

  private lookSoon(): void {
    if (this.looks) return;
    this.looks = true;
    soon('routes of gateways', () => this.look());
  }

  private look(): void {
    this.looks = false;
    const text = JSON.stringify(this.locals());
    if (text === this.told) return;
    this.told = text;
    for (const source of this.owners.values()) {
      source.macs.lookAgain();
      forget('MACs of routers', source.macs.add());
      forget('MACs of routers', source.macs.remove());
    }
    for (const listener of this.listeners) listener();
  }
}

function rowKey({ vrf, prefix }: Pick<PeerRoute, 'vrf' | 'prefix'>): string {
  return `${vrf ?? ''} ${prefix}`;
}

function placeOf({ prefix: text }: PeerRoute): { words: number[]; prefix: number } {
  const [address = '', length] = text.split('/');
  return prefixOf(address, Number(length));
}

/** Checks a row: it comes from another host. @returns it in its one form, or the reason of a refusal */
function readRow({ vrf, prefix: text, nexthops }: PeerRoute): PeerRoute | string {
  const prefix = readPrefix(text);
  if (prefix instanceof Refusal) return prefix.message;
  const read: RouteNexthop[] = [];
  for (const { remote, dstport, l3vni, routerMac } of nexthops) {
    const [ip, mac] = [readHostIp(remote), readNicMac(routerMac)];
    if (ip instanceof Refusal) return ip.message;
    if (mac instanceof Refusal) return mac.message;
    if (!Number.isInteger(l3vni) || l3vni < 1 || l3vni > MOST_VNI) return `${l3vni} is no VNI`;
    read.push({ remote: ip, l3vni, routerMac: mac, ...(dstport === undefined ? {} : { dstport }) });
  }
  if (read.length === 0) return `the route to ${text} has no nexthop`;
  return {
    ...(vrf === undefined ? {} : { vrf }),
    prefix: `${prefix.address}/${prefix.length}`,
    nexthops: read,
  };
}
