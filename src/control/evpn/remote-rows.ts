/**
 * What the speaker tells of other hosts, as rows of a source of peers. Several routes of one MAC (alone, and with each of its addresses) make one
 * FDB entry: the last one that came decides where it is, and the entry goes with the last of them.
 */
import type { Delta, RemoteFlood, RemoteMac } from '../../evpn/contract.js';
import type { PeerBinding, PeerChange, PeerFlood, PeerMac, RowDelta } from '../peers/contract.js';

interface Mac {
  /** One for each address at most, and one without; the last one that came is the last. */
  routes: readonly RemoteMac[];
  told: PeerMac | null;
}

export interface Routes {
  macs: Delta<RemoteMac>;
  floods: Delta<RemoteFlood>;
}

/** Routes that are moved at once: some milliseconds. */
const PIECE = 1024;

export class RemoteRows {
  /** By VNI, by MAC. */
  private macs = new Map<number, Map<string, Mac>>();
  /** By VNI, by remote. */
  private floods = new Map<number, Map<string, RemoteFlood>>();
  /** By VNI: the port that has its rows. */
  private readonly ports = new Map<number, string>();

  /** @param portOf the vxlan port that takes part with a VNI */
  constructor(private readonly portOf: (vni: number) => string | undefined) {}

  /** Nothing of what came before holds. */
  forget(): void {
    this.macs = new Map();
    this.floods = new Map();
    this.ports.clear();
  }

  changeOf({ macs, floods }: Routes): PeerChange {
    const bindings = { add: this.bindingsOf(macs.add), remove: this.bindingsOf(macs.remove) };
    const touched = new Map<Mac, RemoteMac>();
    for (const route of macs.remove) this.remove(route, touched);
    for (const route of macs.add) this.add(route, touched);
    const rows: { add: PeerMac[]; remove: PeerMac[] } = { add: [], remove: [] };
    for (const [mac, { vni, mac: address }] of touched) {
      const last = mac.routes.at(-1);
      const wanted = last === undefined ? null : this.rowOf(last);
      // Said again even if it is the same: learning may have moved the entry meanwhile.
      if (wanted !== null) rows.add.push(wanted);
      else if (mac.told !== null) rows.remove.push(mac.told);
      mac.told = wanted;
      if (last === undefined) dropFrom(this.macs, vni, address);
    }
    return { floods: this.floodsOf(floods), macs: rows, bindings };
  }

  /**
   * VNIs that another port has now than when their rows were told: these leave the old one, and come to the new one. Changes in the order in
   * which they are to be made, of bounded size.
   */
  *moves(): Generator<PeerChange> {
    for (const [vni, before] of [...this.ports]) {
      const after = this.portOf(vni);
      if (after === undefined || after === before) continue;
      // From here on, what comes for the VNI goes to the new port.
      this.ports.set(vni, after);
      const floods = [...(this.floods.get(vni)?.values() ?? [])];
      yield {
        floods: { remove: floods.map((row) => floodAt(before, row)), add: floods.map((row) => floodAt(after, row)) },
      };
      yield* this.movesOf(vni, before, after);
    }
  }

  private *movesOf(vni: number, before: string, after: string): Generator<PeerChange> {
    let change = { macs: lists<PeerMac>(), bindings: lists<PeerBinding>() };
    let size = 0;
    for (const mac of [...(this.macs.get(vni)?.values() ?? [])]) {
      size += moveMac(mac, before, after, change);
      if (size < PIECE) continue;
      yield change;
      change = { macs: lists(), bindings: lists() };
      size = 0;
    }
    yield change;
  }

  private add(route: RemoteMac, touched: Map<Mac, RemoteMac>): void {
    const macs = entryOf(this.macs, route.vni, () => new Map<string, Mac>());
    const mac = entryOf(macs, route.mac, () => ({ routes: NONE, told: null }));
    mac.routes = mac.routes.length === 0 ? [route] : [...mac.routes.filter(({ ip }) => ip !== route.ip), route];
    touched.set(mac, route);
  }

  private remove(route: RemoteMac, touched: Map<Mac, RemoteMac>): void {
    const mac = this.macs.get(route.vni)?.get(route.mac);
    if (mac === undefined) return;
    const left = mac.routes.filter(({ ip }) => ip !== route.ip);
    if (left.length === mac.routes.length) return;
    mac.routes = left;
    touched.set(mac, route);
  }

  /** The port that the rows of a VNI are at, or are to be. */
  private portFor(vni: number): string | undefined {
    const known = this.ports.get(vni);
    if (known !== undefined) return known;
    const port = this.portOf(vni);
    if (port !== undefined) this.ports.set(vni, port);
    return port;
  }

  private rowOf({ vni, mac, remote, sentVni, sticky }: RemoteMac): PeerMac | null {
    const port = this.portFor(vni);
    if (port === undefined) return null;
    const row: PeerMac = { port, vni, mac, remote, sticky };
    if (sentVni !== undefined) row.sentVni = sentVni;
    return row;
  }

  private floodsOf({ add, remove }: Delta<RemoteFlood>): { add: PeerFlood[]; remove: PeerFlood[] } {
    const rows: { add: PeerFlood[]; remove: PeerFlood[] } = { add: [], remove: [] };
    for (const flood of remove) {
      dropFrom(this.floods, flood.vni, flood.remote);
      const port = this.portFor(flood.vni);
      if (port !== undefined) rows.remove.push(floodAt(port, flood));
    }
    for (const flood of add) {
      entryOf(this.floods, flood.vni, () => new Map<string, RemoteFlood>()).set(flood.remote, flood);
      const port = this.portFor(flood.vni);
      if (port !== undefined) rows.add.push(floodAt(port, flood));
    }
    return rows;
  }

  private bindingsOf(routes: readonly RemoteMac[]): PeerBinding[] {
    return routes.flatMap((route) => {
      const port = route.ip === undefined ? undefined : this.portFor(route.vni);
      return port === undefined ? [] : bindingAt(port, route);
    });
  }
}

const NONE: readonly never[] = [];

function lists<T>(): Lists<T> {
  return { add: [], remove: [] };
}

type Lists<T> = { [List in keyof RowDelta<T>]: T[] };

/** Puts a MAC and its addresses from one port to another. @returns how many rows that are */
function moveMac(
  mac: Mac,
  before: string,
  after: string,
  { macs, bindings }: { macs: Lists<PeerMac>; bindings: Lists<PeerBinding> },
): number {
  if (mac.told !== null) {
    macs.remove.push(mac.told);
    mac.told = { ...mac.told, port: after };
    macs.add.push(mac.told);
  }
  for (const route of mac.routes) {
    bindings.remove.push(...bindingAt(before, route));
    bindings.add.push(...bindingAt(after, route));
  }
  return mac.routes.length;
}

function floodAt(port: string, { vni, remote, sentVni }: RemoteFlood): PeerFlood {
  return { port, vni, remote, ...(sentVni === undefined ? {} : { sentVni }) };
}

function bindingAt(port: string, { vni, ip, mac, isRouter }: RemoteMac): PeerBinding[] {
  return ip === undefined ? [] : [{ port, vni, ip, mac, isRouter }];
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Takes a row out, and the map of its VNI when it was the last one. */
function dropFrom<V>(maps: Map<number, Map<string, V>>, vni: number, key: string): void {
  const map = maps.get(vni);
  map?.delete(key);
  if (map?.size === 0) maps.delete(vni);
}
