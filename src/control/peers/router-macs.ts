/**
 * MACs of the other routers that the routes of a source lead to: rows among the peers, so that the FDB knows the way to them. Thousands of
 * routes share a router, so the routes are counted: a change costs what it touches, not a walk over all routes.
 */
import type { SwitchModel } from '../model/model.js';
import type { PeerMac, PeerOutcome, PeerOwner } from './contract.js';
import { doorOf } from './layer3-door.js';
import type { PeerRoute, RouteNexthop } from './route-contract.js';

/** A router of another host as the routes of one VRF name it. */
interface Router {
  vrf: string | undefined;
  nexthop: RouteNexthop;
  /** Routes that lead to it. */
  routes: number;
  /** Text of its row among the peers; undefined: no gateway leads to it. */
  row: string | undefined;
}

export class RouterMacs {
  private readonly routers = new Map<string, Router>();
  /** Keys of routers that came or went, or whose gateway may have changed, since the last look. */
  private readonly changed = new Set<string>();
  /** Rows among the peers, by text, with the routers that share each (one of two VRFs). */
  private readonly rows = new Map<string, { row: PeerMac; routers: number }>();
  /** Texts of rows, one for each router that needs it no more. */
  private left: string[] = [];

  constructor(
    private readonly model: SwitchModel,
    private readonly peers: PeerOwner,
  ) {}

  /** A route is there. */
  take({ vrf, nexthops }: PeerRoute): void {
    for (const nexthop of nexthops) {
      const key = keyOf(vrf, nexthop);
      const router = this.routers.get(key);
      if (router === undefined) this.routers.set(key, { vrf, nexthop, routes: 1, row: undefined });
      else router.routes += 1;
      if (router === undefined || router.routes === 1) this.changed.add(key);
    }
  }

  /** A route that was there is gone. */
  release({ vrf, nexthops }: PeerRoute): void {
    for (const nexthop of nexthops) {
      const key = keyOf(vrf, nexthop);
      const router = this.routers.get(key);
      if (router === undefined) continue;
      router.routes -= 1;
      if (router.routes === 0) this.changed.add(key);
    }
  }

  /** Gateways or VNIs changed: each router may have another gateway before it. */
  lookAgain(): void {
    for (const key of this.routers.keys()) this.changed.add(key);
  }

  /** Adds the rows of routers that are new. */
  async add(): Promise<PeerOutcome> {
    const add: PeerMac[] = [];
    for (const key of this.changed) {
      const router = this.routers.get(key);
      if (router === undefined || router.routes === 0) continue;
      this.changed.delete(key);
      const row = rowOf(this.model, router);
      const text = row === undefined ? undefined : JSON.stringify(row);
      if (text === router.row) continue;
      if (router.row !== undefined) this.left.push(router.row);
      router.row = text;
      if (row === undefined || text === undefined) continue;
      const known = this.rows.get(text);
      if (known !== undefined) known.routers += 1;
      else {
        this.rows.set(text, { row, routers: 1 });
        add.push(row);
      }
    }
    return add.length === 0 ? { refused: 0 } : this.peers.change({ macs: { add, remove: [] } });
  }

  /** Removes the rows of routers that no route leads to, or that lie behind another gateway now. */
  async remove(): Promise<void> {
    for (const key of this.changed) {
      const router = this.routers.get(key);
      if (router === undefined || router.routes > 0) continue;
      this.changed.delete(key);
      this.routers.delete(key);
      if (router.row !== undefined) this.left.push(router.row);
    }
    const remove = this.left.flatMap((text) => this.unused(text));
    this.left = [];
    if (remove.length > 0) await this.peers.change({ macs: { add: [], remove } });
  }

  /** One router needs this row no more. @returns the row, if it was the last */
  private unused(text: string): PeerMac | [] {
    const known = this.rows.get(text);
    if (known === undefined) return [];
    known.routers -= 1;
    if (known.routers > 0) return [];
    this.rows.delete(text);
    return known.row;
  }
}

function keyOf(vrf: string | undefined, { remote, dstport, l3vni, routerMac }: RouteNexthop): string {
  return `${vrf ?? ''} ${remote} ${dstport ?? ''} ${l3vni} ${routerMac}`;
}

function rowOf(model: SwitchModel, { vrf, nexthop }: Router): PeerMac | undefined {
  const { remote, dstport, l3vni, routerMac } = nexthop;
  const port = doorOf(model, l3vni, vrf)?.tunnel.name;
  if (port === undefined) return undefined;
  const at = { port, vni: l3vni, remote, ...(dstport === undefined ? {} : { dstport }) };
  return { ...at, mac: routerMac, sticky: true };
}
