/**
 * The switch's own IGMP and MLD queries (Linux `br_multicast_send_query`): general ones at their intervals, as long as no better querier
 * is heard, and questions about groups and sources that somebody has left.
 *
 * Decides when a query is due. Frames are built by `query-frames.ts`, and sent by the engines.
 */
import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { familyOf } from './group-address.js';
import { lastMemberTime, type QuerierIdentity, type SnoopSettings } from './mdb-settings.js';
import { type Group, type Member, NEVER, type Source, STOPPED, type Vlan } from './mdb-state.js';
import { type QueryFields, queryFrame } from './query-frames.js';

/**
 * Queries that wait to be sent: a bridge may have thousands of VLANs, and guests may leave groups as fast as they like. Questions about a
 * port's groups take no more than is left for others.
 */
const MAX_GENERAL = 64;
const MAX_ASKED = 192;
/** Milliseconds after which a general query that found no room is tried again; least time between two in one VLAN. */
const RETRY_MS = 100;
const SPACING_MS = 1000;

export const FAMILIES = [4, 6] as const;

export interface QuerierParts {
  settings(vlan: Vlan): SnoopSettings;
  /** Undefined: the bridge is not known yet. */
  identity(bridge: number): QuerierIdentity | undefined;
  wake(at: number): void;
}

export class MdbQuerier {
  private waiting: Operation[] = [];
  /** General ones among them, and questions by port. */
  private general = 0;
  private readonly asked = new Map<number, number>();

  constructor(private readonly parts: QuerierParts) {}

  /** The queries since the last call. */
  take(): Operation[] {
    const { waiting } = this;
    this.waiting = [];
    this.general = 0;
    this.asked.clear();
    return waiting;
  }

  /** Whether the switch is the querier of a VLAN. */
  isQuerier({ own, queriers }: Vlan, family: 4 | 6, now: number): boolean {
    const other = queriers[family];
    return own[family] !== null && (other === null || other.until <= now);
  }

  /** The switch's own address in queries, with which others are compared; null where it is no querier. */
  addressOf(vlan: Vlan, family: 4 | 6, now: number): GroupAddress | null {
    if (!this.isQuerier(vlan, family, now)) return null;
    return this.parts.identity(vlan.bridge)?.addresses[family] ?? null;
  }

  /** Begins, or ends, to be a querier, as configured. A present one goes on. */
  follow(vlan: Vlan, wanted: boolean, now: number): void {
    const { queryResponseInterval } = this.parts.settings(vlan);
    for (const family of FAMILIES) {
      if (!wanted) vlan.own[family] = null;
      if (!wanted || vlan.own[family] !== null) continue;
      vlan.own[family] = { next: NEVER, last: NEVER, sent: 0, settled: now + queryResponseInterval };
      this.begin(vlan, family, now);
      this.parts.wake(now + queryResponseInterval);
    }
  }

  /** Begins with the queries of the start, unless another one is the querier. */
  begin(vlan: Vlan, family: 4 | 6, now: number): void {
    const own = vlan.own[family];
    if (own === null || !this.isQuerier(vlan, family, now)) return;
    own.sent = 0;
    const earliest = own.last === NEVER ? now : own.last + SPACING_MS;
    own.next = Math.max(now, earliest);
    this.parts.wake(own.next);
  }

  /** Sends the general queries that are due. */
  tick(vlan: Vlan, now: number): void {
    for (const family of FAMILIES) {
      const own = vlan.own[family];
      if (own === null) continue;
      if (own.settled > now) this.parts.wake(own.settled);
      if (!this.isQuerier(vlan, family, now)) own.next = NEVER;
      else if (own.next === NEVER) this.begin(vlan, family, now);
      if (own.next <= now) this.sendGeneral(vlan, family, now);
      if (own.next !== NEVER) this.parts.wake(own.next);
    }
  }

  private sendGeneral(vlan: Vlan, family: 4 | 6, now: number): void {
    const own = vlan.own[family];
    if (own === null) return;
    if (this.general >= MAX_GENERAL) {
      own.next = now + RETRY_MS;
      return;
    }
    const { startupQueryCount, startupQueryInterval, queryInterval } = this.parts.settings(vlan);
    this.send(vlan, null, { family, group: null, sources: [], suppress: false });
    if (own.sent < startupQueryCount) own.sent++;
    own.last = now;
    own.next = now + (own.sent < startupQueryCount ? startupQueryInterval : queryInterval);
  }

  // ---- Questions about groups and sources ----

  /** Begins to ask about a group, or sources of it, behind the place of a member. */
  ask(group: Group, place: number, member: Member, about: { group: boolean; sources: Source[] }, now: number): void {
    const { lastMemberCount } = this.parts.settings(group.vlan);
    if (!this.isQuerier(group.vlan, familyOf(group.address), now)) return;
    if (about.group) member.asks = lastMemberCount;
    for (const source of about.sources) source.asks = lastMemberCount;
    if (!about.group && about.sources.length === 0) return;
    member.nextAsk = now;
    this.pursue(group, place, member, now);
  }

  /** Asks what is due. */
  pursue(group: Group, place: number, member: Member, now: number): void {
    if (member.nextAsk > now) {
      if (member.nextAsk !== NEVER) this.parts.wake(member.nextAsk);
      return;
    }
    const family = familyOf(group.address);
    const settings = this.parts.settings(group.vlan);
    const asked = [...member.sources.values()].filter(({ asks, until }) => asks > 0 && until !== STOPPED);
    member.nextAsk = NEVER;
    if (!this.isQuerier(group.vlan, family, now)) return;
    const common = { family, group: group.address };
    if (member.asks > 0) {
      member.asks--;
      // Others must not lower their timers where the group was reported meanwhile.
      const suppress = member.until > now + lastMemberTime(settings);
      this.send(group.vlan, place, { ...common, sources: [], suppress });
    }
    for (const suppress of [true, false]) {
      const some = asked.filter(({ until }) => until > now + lastMemberTime(settings) === suppress);
      if (some.length === 0) continue;
      this.send(group.vlan, place, { ...common, sources: some.map(({ address }) => address), suppress });
    }
    for (const source of asked) source.asks--;
    if (member.asks === 0 && !asked.some(({ asks }) => asks > 0)) return;
    member.nextAsk = now + settings.lastMemberInterval;
    this.parts.wake(member.nextAsk);
  }

  /** Counts the query, if it may wait. @param place null: a general one, whose number is bounded already */
  private hasRoom(place: number | null): boolean {
    if (place === null) {
      this.general++;
      return true;
    }
    const port = destinationPort(place);
    const own = this.asked.get(port) ?? 0;
    if (own >= MAX_ASKED - (this.waiting.length - this.general)) return false;
    this.asked.set(port, own + 1);
    return true;
  }

  /** @param place null: the whole VLAN */
  private send(vlan: Vlan, place: number | null, fields: QueryFields): void {
    const identity = this.parts.identity(vlan.bridge);
    if (identity === undefined || !this.hasRoom(place)) return;
    this.waiting.push({
      op: 'query',
      bridge: vlan.bridge,
      vid: vlan.vid,
      port: place === null ? null : destinationPort(place),
      remote: place === null ? 0 : destinationRemote(place),
      frame: queryFrame(fields, this.parts.settings(vlan), identity),
    });
  }
}
