/**
 * Own routes, and for each neighbour what it does not have of them yet.
 *
 * A route notes which neighbours have it (one bit each), so a withdrawal goes only to those. What waits for a neighbour is a set of
 * routes, by attributes: it cannot outgrow the routes themselves, plus those that this neighbour has and that are no more.
 */
import type { EvpnRoute } from '../../wire/bgp/route.js';
import type { Attributes, AttributeStore } from './attributes.js';
import type { Outbox, Outgoing } from './contract.js';
import { isSameRoute } from './keys.js';
import type { Neighbor } from './neighbor.js';

export interface OwnRoute {
  route: EvpnRoute;
  /** Null: withdrawn, while a neighbour has it still. */
  attributes: Attributes | null;
  /** Bits of the neighbours that have it. */
  has: number;
}

class NeighborOutbox implements Outbox {
  sent = 0;
  readonly #announce = new Map<Attributes, Set<OwnRoute>>();
  readonly #withdraw = new Set<OwnRoute>();

  constructor(
    readonly neighbor: Neighbor,
    private readonly routes: OwnRoutes,
  ) {}

  next(limit: number): Outgoing | null {
    return this.#nextWithdrawn(limit) ?? this.#nextAnnounced(limit);
  }

  again(): void {
    for (const route of this.routes.live) this.announce(route);
  }

  announce(route: OwnRoute): void {
    const { attributes } = route;
    if (attributes === null) return;
    this.#withdraw.delete(route);
    const waiting = this.#announce.get(attributes);
    if (waiting === undefined) this.#announce.set(attributes, new Set([route]));
    else waiting.add(route);
  }

  /** What waits with attributes is no more to be sent. */
  cancel(route: OwnRoute, attributes: Attributes): void {
    const waiting = this.#announce.get(attributes);
    waiting?.delete(route);
    if (waiting?.size === 0) this.#announce.delete(attributes);
  }

  withdraw(route: OwnRoute): void {
    if (route.has & this.neighbor.bit) this.#withdraw.add(route);
  }

  #nextWithdrawn(limit: number): Outgoing | null {
    if (this.#withdraw.size === 0) return null;
    const withdrawn: EvpnRoute[] = [];
    for (const route of this.#withdraw) {
      if (withdrawn.length >= limit) break;
      this.#withdraw.delete(route);
      route.has &= ~this.neighbor.bit;
      this.sent--;
      withdrawn.push(route.route);
    }
    return { withdrawn };
  }

  #nextAnnounced(limit: number): Outgoing | null {
    for (const [attributes, waiting] of this.#announce) {
      const routes: EvpnRoute[] = [];
      for (const route of waiting) {
        if (routes.length >= limit) break;
        waiting.delete(route);
        if ((route.has & this.neighbor.bit) === 0) this.sent++;
        route.has |= this.neighbor.bit;
        routes.push(route.route);
      }
      if (waiting.size === 0) this.#announce.delete(attributes);
      return { attributes: attributes.value, routes };
    }
    return null;
  }
}

export class OwnRoutes {
  readonly live = new Set<OwnRoute>();
  readonly #outboxes = new Map<Neighbor, NeighborOutbox>();

  constructor(private readonly attributes: AttributeStore) {}

  /** Announces a route, new or changed. @param before what was announced with this key */
  set(before: OwnRoute | undefined, route: EvpnRoute, attributes: Attributes): OwnRoute {
    if (before?.attributes === attributes && isSameRoute(before.route, route)) return before;
    const own = before ?? { route, attributes: null, has: 0 };
    this.#cancel(own);
    this.attributes.hold(attributes);
    if (own.attributes !== null) this.attributes.release(own.attributes);
    own.attributes = attributes;
    own.route = route;
    this.live.add(own);
    for (const outbox of this.#outboxes.values()) outbox.announce(own);
    return own;
  }

  remove(own: OwnRoute): void {
    this.#cancel(own);
    if (own.attributes !== null) this.attributes.release(own.attributes);
    own.attributes = null;
    this.live.delete(own);
    for (const outbox of this.#outboxes.values()) outbox.withdraw(own);
  }

  /** The outbox of a session; one that began anew has everything to send. */
  open(neighbor: Neighbor): void {
    this.close(neighbor);
    const outbox = new NeighborOutbox(neighbor, this);
    this.#outboxes.set(neighbor, outbox);
    outbox.again();
  }

  /** The neighbour has nothing of ours any more. */
  close(neighbor: Neighbor): void {
    if (!this.#outboxes.delete(neighbor)) return;
    for (const own of this.live) own.has &= ~neighbor.bit;
  }

  outbox(neighbor: Neighbor): (Outbox & { sent: number }) | undefined {
    return this.#outboxes.get(neighbor);
  }

  #cancel(own: OwnRoute): void {
    if (own.attributes === null) return;
    for (const outbox of this.#outboxes.values()) outbox.cancel(own, own.attributes);
  }
}
