/**
 * Bindings of addresses to MACs, for ARP and ND suppression and for gateways: holds and validates the configured ones, and lists those
 * that the engines have snooped. Engines send the answers, and gateways find their next hops.
 */
import type { NeighRequest, NeighRow } from '../../api/api.js';
import { MAX_BINDINGS } from '../../config/rules/tables.js';
import type { NeighConfig } from '../../config/types.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { fidOf, fidParts } from '../../dataplane/state/fid.js';
import {
  ageOf,
  type NeighRow as Heard,
  NEIGH_EXTERN,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  NEIGH_SET,
  NEIGH_TUNNEL,
  type NeighReader,
} from '../../neigh/table.js';
import { command } from '../../text/shell.js';
import { formatMac, parseMac } from '../../wire/ethernet.js';
import { formatAddress, parseAddress } from '../../wire/ip-address.js';
import { ChangeRefused, notFound } from '../controls.js';
import { type GatewayPort, isGateway, isTunnel, type Port, type SwitchModel, type VxlanPort } from '../model/model.js';
import { macOf, vniOf } from '../model/naming.js';

/** Seconds after which a snooped binding is shown as stale. */
const FRESH_S = 30;
/** Rows read before a pause. */
const PIECE = 2048;

type Addition = Extract<NeighRequest, { op: 'add' | 'replace' }>;

/** A port that has bindings: what is behind a tunnel, and neighbours of a gateway. */
type BoundPort = VxlanPort | GatewayPort;

/** A configured binding. */
interface Binding {
  /** Link name of the port. */
  name: string;
  /** 0: bridge without VLAN filtering. */
  vid: number;
  dst: string;
  lladdr: string;
  router: boolean;
  /** The operation last sent; null: none yet. */
  told: Operation | null;
}

export interface NeighParts {
  model: SwitchModel;
  neigh: NeighReader;
  /** The engines' clock. */
  tick(): number;
}

export class NeighTable {
  private readonly bindings = new Map<string, Binding>();

  constructor(private readonly parts: NeighParts) {}

  /** All bindings used for answers; undefined is a yield point. */
  *list(): Generator<NeighRow | undefined> {
    const { neigh } = this.parts;
    const now = this.parts.tick();
    for (let from = 0; from < neigh.slots; from += PIECE) {
      const piece: NeighRow[] = [];
      neigh.forEach(
        (binding) => {
          const row = this.rowOf(binding, now);
          if (row !== null) piece.push(row);
        },
        from,
        PIECE,
      );
      yield* piece;
      yield undefined;
    }
  }

  private rowOf({ fid, address, high, low, flags, port: index, stamp }: Heard, now: number): NeighRow | null {
    const { model } = this.parts;
    const port = model.portAt[index];
    const place = fidParts(fid);
    if (port === undefined || place === null) return null; // deleted meanwhile
    const updated = Math.floor((ageOf(now, stamp) * TICK_MS) / 1000);
    const isManual = (flags & NEIGH_MANUAL) !== 0;
    const isExtern = (flags & NEIGH_EXTERN) !== 0;
    const vni = isTunnel(port) ? vniOf(port, place.vid) : undefined;
    return {
      dst: formatAddress(...address),
      lladdr: formatMac(high, low),
      ...(place.vid === 0 ? {} : { vlan: place.vid }),
      ...(vni === undefined ? {} : { vni }),
      ifname: port.name,
      // As the kernel shows what a routing daemon has put in: no message confirms it.
      state: isManual ? 'permanent' : isExtern ? 'noarp' : updated <= FRESH_S ? 'reachable' : 'stale',
      ...((flags & NEIGH_ROUTER) !== 0 ? { router: true } : {}),
      origin: isManual ? 'manual' : isExtern ? 'extern_learn' : (flags & NEIGH_TUNNEL) !== 0 ? 'tunnel' : 'local',
      updated,
    };
  }

  /** The configured ones. */
  manual(): NeighConfig[] {
    return [...this.bindings.values()].map(({ name, told: _, ...binding }) => ({ dev: name, ...binding }));
  }

  /** @throws ChangeRefused @returns operations for the engines */
  change(request: NeighRequest): Operation[] {
    const port = this.portOf(request.dev);
    const dst = canonicalAddress(request.dst);
    const place = placeOf(port, request);
    const key = `${port.name} ${place.vid} ${dst}`;
    const before = this.bindings.get(key);
    if (request.op === 'del') return this.remove(key, port, dst, place.vid);
    if (request.op === 'add' && before !== undefined)
      throw new ChangeRefused(`${dst} has a binding already; use replace, or del first`, 'exists');
    const other = before === undefined ? this.elsewhere(port, place.vid, dst) : undefined;
    if (other !== undefined)
      throw new ChangeRefused(
        `${dst} has a binding at port ${other.name} already, and the bridge has one table; del that one first`,
        'exists',
      );
    if (before === undefined && this.bindings.size >= MAX_BINDINGS)
      throw new ChangeRefused(
        `a switch holds at most ${MAX_BINDINGS} bindings that are put in by hand; delete some first`,
        'full',
      );
    this.bindings.set(key, bindingOf(request, port, dst, place.vid));
    return this.follow();
  }

  /** The configured binding of the address at another port of the bridge. */
  private elsewhere(port: BoundPort, vid: number, dst: string): Binding | undefined {
    for (const name of this.parts.model.ports.keys()) {
      const found = name === port.name ? undefined : this.bindings.get(`${name} ${vid} ${dst}`);
      if (found !== undefined && this.parts.model.ports.get(name)?.bridge === port.bridge) return found;
    }
    return undefined;
  }

  /** Removes a configured or snooped binding. Whatever a gateway has learned in its VLAN is its neighbour, wherever that is. */
  private remove(key: string, port: BoundPort, dst: string, vid: number): Operation[] {
    const bridge = port.bridge?.index ?? 0;
    const address = wordsOf(dst);
    const isKnown = this.bindings.delete(key);
    const heard = this.parts.neigh.find(fidOf(bridge, vid), address);
    const isIts = heard !== null && (heard.port === port.index || (isGateway(port) && (heard.flags & NEIGH_SET) === 0));
    if (!isKnown && !isIts)
      throw new ChangeRefused(
        `port ${port.name} has no binding of ${dst}${vid === 0 ? '' : ` in VLAN ${vid}`}; "${command`neigh show dev ${port.name}`}" lists those it has`,
        'not_found',
      );
    return [{ op: 'neigh-del', bridge, vid, address }];
  }

  /** Follows the model after a change: removes bindings of deleted ports and VLANs. @returns operations for the engines */
  follow(): Operation[] {
    const operations: Operation[] = [];
    for (const [key, binding] of this.bindings) {
      const port = this.parts.model.ports.get(binding.name);
      const isThere = isBound(port) && port.bridge !== null && (binding.vid === 0 || port.vlans.has(binding.vid));
      const wanted = isThere ? operationOf(binding, port) : null;
      if (JSON.stringify(wanted) === JSON.stringify(binding.told)) continue;
      if (binding.told?.op === 'neigh') {
        const { bridge, vid, address } = binding.told;
        if (wanted?.bridge !== bridge) operations.push({ op: 'neigh-del', bridge, vid, address });
      }
      if (wanted !== null) operations.push(wanted);
      binding.told = wanted;
      if (wanted === null) this.bindings.delete(key);
    }
    return operations;
  }

  private portOf(name: string): BoundPort {
    const port: Port | undefined = this.parts.model.ports.get(name);
    if (isBound(port)) return port;
    if (port === undefined && !this.parts.model.bridges.has(name)) throw notFound('port', name);
    throw new ChangeRefused(
      `${name} is no vxlan port and no gateway; give the vxlan port that leads to the address, or the gateway whose neighbour it is`,
    );
  }
}

function isBound(port: Port | undefined): port is BoundPort {
  return isTunnel(port) || isGateway(port);
}

/** VLAN and VNI imply each other on a vlan_tunnel port; on a single-VNI port the default VLAN is the PVID. */
function placeOf(port: BoundPort, { vlan, vni }: NeighRequest): { vid: number } {
  const { bridge } = port;
  if (bridge === null) throw new ChangeRefused(`port ${port.name} belongs to no bridge; give it one with "link set"`);
  if (isGateway(port) || !port.config.vlan_tunnel) {
    if (isGateway(port) && vni !== undefined)
      throw new ChangeRefused(`${port.name} is a gateway, in a VLAN and no VNI; leave vni out`);
    if (isTunnel(port) && vni !== undefined && vni !== port.config.id)
      throw new ChangeRefused(`port ${port.name} carries VNI ${port.config.id} only; leave vni out`);
    if (!bridge.config.vlan_filtering) {
      if (vlan === undefined) return { vid: 0 };
      throw new ChangeRefused(`bridge ${bridge.name} does not look at VLANs; leave vlan out`);
    }
    const vid = vlan ?? port.pvid;
    if (!port.vlans.has(vid)) throw notMember(port, vlan);
    return { vid };
  }
  if (vlan === undefined && vni === undefined)
    throw new ChangeRefused(
      `port ${port.name} carries many networks; say with vlan or vni which one the binding is in`,
    );
  const mapped = port.vnis.find(
    (one) => (vlan === undefined || one.vid === vlan) && (vni === undefined || one.vni === vni),
  );
  if (mapped === undefined || mapped.vid === null) {
    if (vlan !== undefined) throw notMember(port, vlan);
    throw new ChangeRefused(
      `no VLAN of port ${port.name} is mapped to VNI ${vni}; "${command`vlan tunnelshow dev ${port.name}`}" lists those that are`,
    );
  }
  return { vid: mapped.vid };
}

function notMember(port: BoundPort, vlan: number | undefined): ChangeRefused {
  return new ChangeRefused(
    vlan === undefined
      ? `port ${port.name} has no PVID; say with vlan which VLAN the binding is in`
      : `port ${port.name} does not carry VLAN ${vlan}; "${command`vlan show dev ${port.name}`}" lists those it does`,
  );
}

function bindingOf(request: Addition, port: BoundPort, dst: string, vid: number): Binding {
  const mac = parseMac(request.lladdr);
  if (mac === null || (mac.high & 0x0100) !== 0 || (mac.high === 0 && mac.low === 0))
    throw new ChangeRefused(`"${request.lladdr}" is no unicast MAC address; give one such as 02:00:00:00:00:01`);
  const { lladdr, router = false } = request;
  return { name: port.name, vid, dst, lladdr, router, told: null };
}

function operationOf({ vid, dst, lladdr, router }: Binding, port: BoundPort): Extract<Operation, { op: 'neigh' }> {
  return {
    op: 'neigh',
    bridge: port.bridge?.index ?? 0,
    vid,
    address: wordsOf(dst),
    ...macOf(lladdr),
    router,
    port: port.index,
  };
}

function wordsOf(address: string): number[] {
  return [...(parseAddress(address)?.words ?? [])];
}

function canonicalAddress(text: string): string {
  const parsed = parseAddress(text);
  if (parsed === null) throw new ChangeRefused(`"${text}" is no IP address; give one such as 198.18.0.3`);
  return formatAddress(...parsed.words);
}
