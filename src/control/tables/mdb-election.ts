/**
 * Queries of others: the election of the querier of a VLAN, multicast routers, and questions that lower the timers of members.
 */
import { destinationOf } from '../../dataplane/state/destination.js';
import type { GroupAddress, GroupQuery } from '../../wire/group-message.js';
import { isMapped } from '../../wire/ip-address.js';
import { FAMILIES, type MdbQuerier } from './mdb-querier.js';
import type { SnoopSettings } from './mdb-settings.js';
import { type MdbPlace, type MdbPortSettings, routerIn, type Vlan } from './mdb-state.js';
import type { MdbTable } from './mdb-table.js';

export class MdbElection {
  constructor(
    private readonly table: MdbTable,
    private readonly querier: MdbQuerier,
    private readonly settingsOf: (vlan: Vlan) => SnoopSettings,
  ) {}

  hear(query: GroupQuery, vlan: Vlan, settings: MdbPortSettings, place: MdbPlace, now: number): void {
    // Sources are ignored; the S flag says that the querier has received an answer already.
    if (query.sources > 0 || (query.group !== null && query.suppress)) return;
    if (this.isOfGuest(query, vlan, settings)) return;
    if (query.group === null) {
      this.hearQuerier(query, vlan, settings, place, now);
      return;
    }
    if (!this.isFromQuerier(query, vlan, place, now)) return;
    const group = this.table.find(vlan.bridge, vlan.vid, query.group);
    if (group === undefined) return;
    const end = now + query.maxDelay * this.settingsOf(vlan).lastMemberCount;
    for (const member of group.members.values()) if (member.isExclude) this.table.lower(member, end);
  }

  /**
   * Where the switch asks itself, nobody behind a port without routers (`mcast_router` 0) silences it: any guest could, and memberships
   * of those that its queries do not reach would end.
   */
  private isOfGuest({ family }: GroupQuery, vlan: Vlan, settings: MdbPortSettings): boolean {
    return vlan.own[family] !== null && routerIn(settings, vlan.vid) === 0;
  }

  /**
   * Whether a question about a group is the querier's: those of others must not end memberships, since members need not hear them (behind
   * isolated ports, or other VTEPs). Without a querier nothing is restricted to members.
   */
  private isFromQuerier({ family }: GroupQuery, vlan: Vlan, { port, remote }: MdbPlace, now: number): boolean {
    const other = vlan.queriers[family];
    if (other === null || other.until <= now) return !this.querier.isQuerier(vlan, family, now);
    return other.place === undefined || other.place === destinationOf(port, remote);
  }

  /** The querier election: the lowest address wins (RFC 3376 section 6.6.2, Linux `br_multicast_select_querier`). */
  private hearQuerier(query: GroupQuery, vlan: Vlan, settings: MdbPortSettings, place: MdbPlace, now: number): void {
    const { family } = query;
    const before = vlan.queriers[family];
    const known = before !== null && before.until > now;
    const best = known ? before.source : this.querier.addressOf(vlan, family, now);
    if (best !== null && !isUnspecified(best) && compare(query.source, best) > 0) return;
    // The switch's own query, come back by a loop.
    if (!known && family === 6 && best !== null && compare(query.source, best) === 0) return;
    const until = now + this.settingsOf(vlan).querierInterval;
    const settled = known ? before.settled : now + query.maxDelay;
    const at = destinationOf(place.port, place.remote);
    vlan.queriers[family] = { source: query.source, place: at, until, settled };
    this.table.wake(settled > now ? settled : until);
    this.settle(vlan, now);
    this.markRouter(vlan, settings, place, now);
  }

  markRouter(vlan: Vlan, settings: MdbPortSettings, { port, remote }: MdbPlace, now: number): void {
    if (routerIn(settings, vlan.vid) !== 1) return;
    this.table.setRouter(vlan, destinationOf(port, remote), now + this.settingsOf(vlan).querierInterval);
  }

  /** Records the families that have a querier whose first answers are complete. */
  settle(vlan: Vlan, now: number): void {
    for (const family of FAMILIES) {
      const other = vlan.queriers[family];
      const own = vlan.own[family];
      const isOther = other !== null && other.until > now && other.settled <= now;
      const heard = isOther || (own !== null && own.settled <= now);
      if (heard === vlan.heard[family]) continue;
      vlan.heard[family] = heard;
      this.table.touch(vlan);
    }
  }

  /** Ends queriers that are silent. The caller settles. */
  tick(vlan: Vlan, now: number): void {
    for (const family of FAMILIES) {
      const querier = vlan.queriers[family];
      if (querier === null) continue;
      if (querier.until <= now) vlan.queriers[family] = null;
      else this.table.wake(querier.settled > now ? querier.settled : querier.until);
    }
  }
}

/** 0.0.0.0: a snooping switch that queries without an address of its own. */
function isUnspecified([a0, a1, a2, a3]: GroupAddress): boolean {
  return isMapped(a0, a1, a2) && a3 === 0;
}

/** Compares address bytes. */
function compare(one: GroupAddress, other: GroupAddress): number {
  for (let word = 0; word < 4; word++) {
    if (one[word] !== other[word]) return (one[word] >>> 0) - (other[word] >>> 0);
  }
  return 0;
}
