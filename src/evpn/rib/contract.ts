/**
 * What the sessions ask of the RIB: the routes of neighbours, the choice among them, and the own routes for each neighbour.
 *
 * The RIB is pure: no socket, no timer; time comes in by `tick`. No call throws for anything that a neighbour sent, and each one's work is
 * bounded by what it is given, but for `configure`, `lost`, `endOfRib`, `expireStale` and `again`, which walk all routes of a neighbour.
 */
import type { EvpnRoute, PathAttributes } from '../../wire/bgp/route.js';
import type {
  FromSpeaker,
  LocalMac,
  LocalPrefix,
  Question,
  RouteAnswer,
  SpeakerConfig,
  VniAnswer,
} from '../contract.js';

/** Most neighbours: what each of them has of our routes is one bit. `configure` throws beyond. */
export const MAX_NEIGHBORS = 32;

/** NO_LLGR and LLGR_STALE (RFC 9494 section 4). */
export const NO_LLGR = 0xffff0007;
export const LLGR_STALE = 0xffff0006;

export interface Update {
  announced: readonly EvpnRoute[];
  /** Of `announced`; null: there are none. Not changed afterwards: the RIB keeps it. */
  attributes: PathAttributes | null;
  withdrawn: readonly EvpnRoute[];
}

export interface Received {
  accepted: number;
  /** Not kept: a loop, or one route too many. */
  refused: number;
}

/** What comes next for a neighbour; either of equal attributes, or withdrawn. */
export type Outgoing =
  | {
      /**
       * As of a route that begins here: AS path empty, no local preference. The session prepends its AS (eBGP), or adds the local
       * preference (iBGP). The same object for equal attributes, so its encoding may be kept by identity.
       */
      attributes: PathAttributes;
      routes: EvpnRoute[];
    }
  | { withdrawn: EvpnRoute[] };

/** Own routes for one neighbour: the present state, however slow it is; what changed twice meanwhile is sent once. */
export interface Outbox {
  /** @param limit most routes. @returns null: the neighbour has everything (the first time after `up`: End-of-RIB is due) */
  next(limit: number): Outgoing | null;
  /** Everything once more: the neighbour asked for a refresh (RFC 2918). */
  again(): void;
}

/** A batch for the control thread. In each delta, `remove` comes first; an added row replaces the one of its key (see `Rib.deltas`). */
export type RoutesMessage = Extract<FromSpeaker, { tell: 'routes' }>;
export type EventMessage = Extract<FromSpeaker, { tell: 'limit' | 'duplicate' }>;

/** Routes of a neighbour, now. */
export interface NeighborCounts {
  /** All that it announced and did not withdraw, as far as they are kept or refused for want of room. */
  received: number;
  /** In its Adj-RIB-In. */
  accepted: number;
  /** Refused, since its attributes have taken their part of the memory. */
  crowded: number;
  /** Own routes that it has. */
  sent: number;
  stale: number;
}

export interface Rib {
  /**
   * Also a changed one: only what differs is announced, withdrawn, imported. Routes that no VNI imports are kept, so a new import target
   * needs no refresh. Own MACs and prefixes of a VNI that is no longer named are forgotten. `imports` may hold `*:NUMBER` (any administrator).
   * @throws RangeError for more than MAX_NEIGHBORS
   */
  configure(config: SpeakerConfig): void;
  receive(neighbor: string, update: Update): Received;
  /** The session is established. Its outbox has everything. @param routerId the neighbour's BGP identifier */
  up(neighbor: string, routerId: string): void;
  /** The session ended. `stale`: its routes stay (RFC 4724), but those that were stale already. */
  lost(neighbor: string, keep: 'none' | 'stale'): void;
  /** The neighbour sends all its routes anew (RFC 7313): until `endOfRib` those that it does not repeat are stale. */
  renewed(neighbor: string): void;
  /** Routes that are still stale go. */
  endOfRib(neighbor: string): void;
  /** The time of stale routes is over; `long-lived`: they stay as the last choice (RFC 9494), but those with NO_LLGR. */
  expireStale(neighbor: string, to: 'gone' | 'long-lived'): void;
  /**
   * A MAC that another VTEP has is announced with the next sequence number. A row that `deltas` adds for an own MAC means that the MAC has
   * moved: the RIB has forgotten it, and it has to be announced anew when it is learned here again.
   */
  announce(macs: readonly LocalMac[], prefixes: readonly LocalPrefix[]): void;
  withdraw(macs: readonly LocalMac[], prefixes: readonly LocalPrefix[]): void;
  /** Absent VNI, MAC: all. */
  clearDuplicates(vni?: number, mac?: string): void;
  outbox(neighbor: string): Outbox;
  /**
   * What changed since the last call, at most BATCH rows, or null. Keys: a MAC is `<vni, mac, ip>` (there is a row without `ip` for each
   * MAC, also if only MAC/IP routes came); a flood is `<vni, remote>`; a prefix is `<vni, prefix, remote>`.
   */
  deltas(): RoutesMessage | null;
  /** Duplicates and limits, since the last call. */
  events(): EventMessage[];
  /** Milliseconds of a clock that never goes back. Thaws duplicates whose time is over. */
  tick(now: number): void;
  counts(neighbor: string): NeighborCounts;
  /** A neighbour whose refused routes have room now: a route refresh brings them. Told once. */
  refreshNeeded(): string | null;
  answer(question: Extract<Question, { ask: 'routes' }>): { routes: RouteAnswer[]; next?: number };
  answer(question: Extract<Question, { ask: 'vnis' }>): { vnis: VniAnswer[] };
  /** Routes that no VNI took, by reason (`encapsulation`, `next_hop`, `pmsi` ...), and loops; since the start. */
  refusals(): Readonly<Record<string, number>>;
}
