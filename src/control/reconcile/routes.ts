/**
 * What engines know of VRFs and routes: the connected and static routes of the gateways of the configuration, and behind them those that
 * sources put in (`peers/route-contract.ts`). Compared with what was sent last, as a whole, at the end of each change.
 */
import { Refusal } from '../../values/address.js';
import { readRoute } from '../../values/route-text.js';
import { MAX_ROUTES, MAX_VRFS, ROUTE_UNICAST, type Way } from '../../dataplane/state/routes.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { ZERO_MAC } from '../../values/address.js';
import { connectedRoutes, type EngineRoute, keyOf, prefixOf, wordsOf } from '../model/routes.js';
import { type GatewayPort, isGateway, type SwitchModel } from '../model/model.js';
import { macOf } from '../model/naming.js';
import { Numbers } from '../model/numbers.js';
import type { Transition } from '../model/transition.js';
import type { Told } from './told.js';

/** The name of the default table in maps. */
const DEFAULT = '';

export class RouteSet {
  /** By name. The default table has number 0. */
  private readonly vrfs = new Map<string, number>([[DEFAULT, 0]]);
  private readonly numbers = new Numbers('VRFs', 1, MAX_VRFS);
  /** What engines have, as text by key. */
  private readonly sent = new Map<string, { text: string; route: EngineRoute }>();
  /** Keys of the routes of the configuration: no source replaces one. */
  private configured: ReadonlySet<string> = new Set();
  private extern: () => Iterable<EngineRoute> = () => [];
  private settled: () => void = () => undefined;

  constructor(
    private readonly model: SwitchModel,
    private readonly told: Told,
  ) {}

  /** @param extern routes of sources, asked for at each change @param settled called after each change */
  setExtern(extern: () => Iterable<EngineRoute>, settled: () => void): void {
    this.extern = extern;
    this.settled = settled;
  }

  /** How many routes fit beside those that are in force. */
  get room(): number {
    return MAX_ROUTES - this.sent.size;
  }

  /**
   * Changes one route of a source; one of the configuration stays.
   * @param route undefined: it is gone
   */
  setOne(at: Pick<EngineRoute, 'vrf' | 'words' | 'prefix'>, route: EngineRoute | undefined, change: Transition): void {
    const key = keyOf(at);
    if (this.configured.has(key)) return;
    if (route !== undefined) {
      // Without room it waits for the next look at all routes (`settle`).
      if (this.room > 0 || this.sent.has(key)) this.put(key, route, change);
    } else if (this.sent.has(key)) this.take(key, change);
  }

  /** Whether the configuration has the route. */
  isConfigured(route: Pick<EngineRoute, 'vrf' | 'words' | 'prefix'>): boolean {
    return this.configured.has(keyOf(route));
  }

  /** The number of a VRF that a gateway has; undefined: none does. */
  numberOf(vrf: string | undefined): number | undefined {
    return this.vrfs.get(vrf ?? DEFAULT);
  }

  nameOf(number: number): string | undefined {
    for (const [name, other] of this.vrfs) if (other === number && name !== DEFAULT) return name;
    return undefined;
  }

  /** All routes in force. */
  *list(): Iterable<EngineRoute> {
    for (const { route } of this.sent.values()) yield route;
  }

  /** Tells engines of gateways and routes that differ from what they know. */
  settle(change: Transition): void {
    const gateways = [...this.model.ports.values()].filter(isGateway);
    if (gateways.length === 0 && this.sent.size === 0) return;
    this.nameVrfs(gateways, change);
    this.tellMacs(change);
    for (const gateway of gateways) this.told.tell(gateway, this.gatewayOperation(gateway), change.structure);
    this.tellRoutes(this.wanted(gateways), change);
    this.settled();
  }

  private nameVrfs(gateways: readonly GatewayPort[], change: Transition): void {
    const used = new Set([DEFAULT, ...gateways.map(({ config }) => config.vrf ?? DEFAULT)]);
    for (const [name, number] of [...this.vrfs]) {
      if (used.has(name)) continue;
      this.vrfs.delete(name);
      // Its routes go with this change.
      change.afterwards.push(() => this.numbers.give(number));
    }
    for (const name of used) if (!this.vrfs.has(name)) this.vrfs.set(name, this.numbers.take());
  }

  private gatewayOperation({ index, config, ownMac }: GatewayPort): Operation {
    return {
      op: 'gateway',
      port: index,
      vrf: this.numberOf(config.vrf) ?? 0,
      mac: macOf(ownMac),
      addresses: config.addresses.map(({ address, prefix, family }) => ({
        words: wordsOf(address),
        prefix: family === 4 ? 96 + prefix : prefix,
      })),
    };
  }

  /** The one MAC of the gateways of a bridge that have addresses. */
  private tellMacs(change: Transition): void {
    for (const bridge of this.model.bridges.values()) {
      const gateway = bridge.ports.filter(isGateway).find(({ config }) => config.addresses.length > 0);
      const operation: Operation = {
        op: 'bridge-mac',
        bridge: bridge.index,
        mac: macOf(gateway?.ownMac ?? ZERO_MAC),
      };
      this.told.tell(bridge, operation, change.structure);
    }
  }

  private wanted(gateways: readonly GatewayPort[]): Map<string, EngineRoute> {
    const wanted = new Map<string, EngineRoute>();
    const put = (route: EngineRoute): void => {
      const key = keyOf(route);
      if (!wanted.has(key) && wanted.size < MAX_ROUTES) wanted.set(key, route);
    };
    for (const gateway of gateways) {
      const { index: port, config } = gateway;
      for (const route of connectedRoutes({ port, vrf: this.numberOf(config.vrf) ?? 0, addresses: config.addresses }))
        put(route);
    }
    for (const route of this.statics(gateways)) put(route);
    this.configured = new Set(wanted.keys());
    for (const route of this.extern()) put(route);
    return wanted;
  }

  /** Equal prefixes of several routers are one route with several ways. */
  private statics(gateways: readonly GatewayPort[]): Iterable<EngineRoute> {
    const routes = new Map<string, EngineRoute & { ways: Way[] }>();
    for (const { index: port, config } of gateways) {
      for (const text of config.routes) {
        const read = readRoute(text);
        if (read instanceof Refusal) continue;
        const at = { vrf: this.numberOf(config.vrf) ?? 0, ...prefixOf(read.address, read.length) };
        const key = keyOf(at);
        const route = routes.get(key) ?? { ...at, kind: ROUTE_UNICAST, ways: [] };
        route.ways.push({ port, via: wordsOf(read.via) });
        routes.set(key, route);
      }
    }
    return routes.values();
  }

  private tellRoutes(wanted: ReadonlyMap<string, EngineRoute>, change: Transition): void {
    for (const key of [...this.sent.keys()]) if (!wanted.has(key)) this.take(key, change);
    for (const [key, route] of wanted) this.put(key, route, change);
  }

  private put(key: string, route: EngineRoute, change: Transition): void {
    const text = JSON.stringify(route);
    if (this.sent.get(key)?.text === text) return;
    this.sent.set(key, { text, route });
    change.structure.push({ op: 'route', ...route });
  }

  private take(key: string, change: Transition): void {
    const { vrf, words, prefix } = (this.sent.get(key) as { route: EngineRoute }).route;
    this.sent.delete(key);
    change.structure.push({ op: 'route-del', vrf, words, prefix });
  }
}
