/**
 * The multicast database: group members by place, learned from IGMP and MLD as in Linux `br_multicast.c`, or added by command.
 * A pure state machine: messages and time in, operations and events out.
 *
 * A place is an FDB destination: a local port, or a remote behind a tunnel port; a tunnel port without a remote means all its
 * remotes. Each VLAN of a bridge has its own groups, routers and queriers.
 *
 * Memberships are per group: source filters of IGMPv3 and MLDv2 are ignored, so a host may receive more than it asked for,
 * never less. The switch sends no queries: without a querier in the VLAN all multicast is flooded, except groups with a member
 * added by command.
 */

import type { MdbAnswer, MdbRow, SwitchEvent } from '../../api/api.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf, destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import type { GroupAddress, GroupMessage, GroupQuery } from '../../wire/group-message.js';
import { isIpv4Multicast, isLocalControlGroup } from '../../wire/igmp.js';
import { formatAddress, isMapped } from '../../wire/ip-address.js';
import { isAllNodes, isIpv6Multicast } from '../../wire/mld.js';
import { MdbTable, NEVER, type Vlan } from './mdb-table.js';

// The kernel's defaults, in milliseconds.
export const MEMBERSHIP_MS = 260_000;
/** Time without a message after which a querier or router has expired. */
export const QUERIER_MS = 255_000;
const LAST_MEMBER_COUNT = 2;
const LAST_MEMBER_MS = 1000;

/** Names of links and remotes, read while they still exist. */
export interface MdbNames {
  bridge(bridge: number): string;
  port(port: number): string;
  /** Address of a remote. */
  remote(remote: number): string;
}

export interface MdbPortSettings {
  bridge: number;
  /** `mcast_router`: 0 never, 1 learned, 2 always. */
  router: 0 | 1 | 2;
  /** `mcast_fast_leave`. */
  fastLeave: boolean;
}

/** Ingress of a frame. */
export interface MdbPlace {
  port: number;
  /** 0: from a local port. */
  remote: number;
  /** 0 in a bridge without VLAN filtering. */
  vid: number;
}

export interface MdbChanges {
  operations: Operation[];
  events: SwitchEvent[];
}

/** What was learned in one VLAN of a bridge. Times are milliseconds from now; places are FDB destinations. */
export interface HeardVlan {
  bridge: number;
  vid: number;
  groups: { address: GroupAddress; members: [place: number, left: number][] }[];
  routers: [place: number, left: number][];
  queriers: { family: 4 | 6; source: GroupAddress; left: number; settled: number }[];
}

export class Mdb {
  private readonly ports = new Map<number, MdbPortSettings>();
  private events: SwitchEvent[] = [];
  private readonly table = new MdbTable((group, place, change) => {
    const row = this.rowOf(group.vlan, place);
    this.events.push({ event: 'mdb', change, ...row, grp: formatAddress(...group.address) });
  });

  constructor(private readonly names: MdbNames) {}

  // ---- Input. `now` is a monotonic clock in milliseconds ----

  /** Adds a port or changes its settings. A port that changes its bridge loses its memberships. */
  setPort(port: number, settings: MdbPortSettings): void {
    if (this.ports.get(port)?.bridge !== settings.bridge) this.forgetPort(port);
    const before = this.ports.get(port);
    this.ports.set(port, { ...settings });
    const always = settings.router === 2;
    for (const vlan of this.table.vlansOf(settings.bridge)) {
      if (settings.router !== 1) this.table.dropRouters(vlan, (place) => destinationPort(place) === port);
      if (always !== (before?.router === 2)) this.table.touch(vlan);
    }
  }

  /** A valid message received at a place. Messages from unknown ports are ignored. */
  hear(message: GroupMessage, place: MdbPlace, now: number): void {
    const settings = this.ports.get(place.port);
    if (settings === undefined) return;
    if (message.kind === 'query') {
      this.hearQuery(message, settings, place, now);
      return;
    }
    for (const group of message.joins) this.join(settings.bridge, place, group, now);
    for (const group of message.leaves) this.leave(settings, place, group, now);
  }

  /** A multicast router announced itself other than by a query: PIM. */
  hearRouter(place: MdbPlace, now: number): void {
    const settings = this.ports.get(place.port);
    if (settings !== undefined) this.markRouter(settings, place, now);
  }

  /** Expires entries. Cheap while nothing is due. */
  tick(now: number): void {
    if (now < this.table.due) return;
    this.table.due = NEVER;
    for (const vlan of this.table.vlans()) this.tickVlan(vlan, now);
  }

  /**
   * Adds a permanent member in each of the VLANs; a learned one becomes permanent. A tunnel port with remote 0 means all its
   * remotes. Done completely or not at all. `exists`: it is a member in all of them; `invalid`: a group that is never
   * restricted, such as 224.0.0.1.
   */
  add(
    bridge: number,
    vids: readonly number[],
    address: GroupAddress,
    place: number,
  ): 'added' | 'exists' | 'full' | 'invalid' {
    if (!isSnooped(address)) return 'invalid';
    const missing = vids.filter((vid) => this.table.find(bridge, vid, address)?.members.get(place) !== NEVER);
    if (missing.length === 0) return 'exists';
    if (!this.table.hasRoom(bridge, missing, address, place)) {
      this.table.refused++;
      return 'full';
    }
    for (const vid of missing) this.table.setMember(bridge, vid, address, place, NEVER);
    return 'added';
  }

  /** Removes a member, permanent or learned, from each of the VLANs. @returns false when it is a member in none */
  remove(bridge: number, vids: readonly number[], address: GroupAddress, place: number): boolean {
    const groups = vids.flatMap((vid) => this.table.find(bridge, vid, address) ?? []);
    const holding = groups.filter(({ members }) => members.has(place));
    for (const group of holding) this.table.dropMember(group, place);
    return holding.length > 0;
  }

  // ---- Removal. Called while names still exist ----

  /** A port is deleted or has left its bridge: all its state is removed. */
  forgetPort(port: number): void {
    const settings = this.ports.get(port);
    if (settings === undefined) return;
    this.ports.delete(port);
    this.table.drop((place) => destinationPort(place) === port);
    if (settings.router !== 2) return;
    for (const vlan of this.table.vlansOf(settings.bridge)) this.table.touch(vlan);
  }

  /** A port is down: learned state is removed, permanent members remain (`br_multicast_disable_port`). */
  forgetLearned(port: number): void {
    this.table.drop((place, until) => destinationPort(place) === port && until !== NEVER);
  }

  /** @param heirs by deleted remote, the new index of its VTEP; 0: the VTEP is removed */
  forgetRemotes(heirs: ReadonlyMap<number, number>): void {
    for (const [remote, heir] of heirs) if (heir !== 0) this.table.rename(remote, heir);
    this.table.drop((place) => heirs.has(destinationRemote(place)));
  }

  /** The remotes that are permanent members. */
  permanentRemotes(): Set<number> {
    const remotes = new Set<number>();
    for (const { groups } of this.table.vlans()) {
      for (const { members } of groups.values()) {
        for (const [place, until] of members) if (until === NEVER) remotes.add(destinationRemote(place));
      }
    }
    return remotes;
  }

  /** A port has left a VLAN. */
  forgetMembership(port: number, vid: number): void {
    this.table.drop((place, _until, vlan) => vlan.vid === vid && destinationPort(place) === port);
  }

  /** A bridge is deleted, or its VLAN filtering was switched: state by VID is removed. Its ports remain known. */
  forgetBridge(bridge: number): void {
    this.forgetIn(bridge, () => true);
  }

  /** Snooping is off: learned state is removed, permanent members act again when it is switched on. */
  forgetHeard(bridge: number): void {
    this.forgetIn(bridge, (until) => until !== NEVER);
  }

  private forgetIn(bridge: number, isOver: (until: number) => boolean): void {
    this.table.drop((_place, until, vlan) => vlan.bridge === bridge && isOver(until));
    for (const vlan of this.table.vlansOf(bridge)) {
      vlan.queriers = { 4: null, 6: null };
      this.settle(vlan, 0);
      this.table.prune(vlan);
    }
  }

  // ---- From one process to the next ----

  /** All that was learned. */
  heard(now: number): HeardVlan[] {
    return [...this.table.vlans()].map(({ bridge, vid, groups, routers, queriers }) => ({
      bridge,
      vid,
      groups: [...groups.values()].flatMap(({ address, members }) => {
        const learned = [...members].filter(([, until]) => until !== NEVER);
        return learned.length === 0
          ? []
          : [{ address, members: learned.map(([place, until]) => [place, until - now]) }];
      }),
      routers: [...routers].map(([place, until]) => [place, until - now]),
      queriers: ([4, 6] as const).flatMap((family) => {
        const querier = queriers[family];
        if (querier === null) return [];
        const { source, until, settled } = querier;
        return [{ family, source, left: until - now, settled: settled - now }];
      }),
    }));
  }

  /** Goes on from what another MDB has learned, beside what was added by command. */
  restore(vlans: readonly HeardVlan[], now: number): void {
    for (const { bridge, vid, groups, routers, queriers } of vlans) {
      const vlan = this.table.vlan(bridge, vid);
      for (const { family, source, left, settled } of queriers) {
        vlan.queriers[family] = { source, until: now + left, settled: now + settled };
        this.table.wake(settled > 0 ? now + settled : now + left);
      }
      for (const [place, left] of routers) this.table.setRouter(vlan, place, now + left);
      for (const { address, members } of groups) {
        for (const [place, left] of members) this.restoreMember(vlan, address, place, now + left);
      }
      this.settle(vlan, now);
      this.table.prune(vlan);
    }
  }

  private restoreMember({ bridge, vid }: Vlan, address: GroupAddress, place: number, until: number): void {
    const isPermanent = this.table.find(bridge, vid, address)?.members.get(place) === NEVER;
    if (isSnooped(address) && !isPermanent) this.table.setMember(bridge, vid, address, place, until);
  }

  // ---- Output ----

  /** The changes since the last call: operations for every engine, and events. */
  take(): MdbChanges {
    const { events } = this;
    this.events = [];
    return { operations: this.table.operations((vlan) => this.routersOf(vlan)), events };
  }

  /** When `tick` is due next; Infinity: not until more messages arrive. */
  get due(): number {
    return this.table.due;
  }

  /** Members, groups and routers rejected for lack of room. */
  get refused(): number {
    return this.table.refused;
  }

  /** All contents, in the shape of `bridge -j mdb`. */
  rows(now: number): MdbAnswer {
    const answer: MdbAnswer = { mdb: [], router: [] };
    for (const [port, { bridge, router }] of this.ports) {
      if (router !== 2) continue;
      answer.router.push({ dev: this.names.bridge(bridge), port: this.names.port(port), type: 'permanent' });
    }
    for (const vlan of this.table.vlans()) this.showVlan(vlan, now, answer);
    return answer;
  }

  private showVlan(vlan: Vlan, now: number, { mdb, router }: MdbAnswer): void {
    for (const { address, members } of vlan.groups.values()) {
      for (const [place, until] of members) {
        const row: MdbRow = { ...this.rowOf(vlan, place), grp: formatAddress(...address), state: 'permanent' };
        mdb.push(until === NEVER ? row : { ...row, state: 'temp', timer: secondsTo(until, now) });
      }
    }
    for (const [place, until] of vlan.routers) {
      router.push({ ...this.rowOf(vlan, place), type: 'temp', timer: secondsTo(until, now) });
    }
  }

  private rowOf({ bridge, vid }: Vlan, place: number): { dev: string; port: string; vid?: number; dst?: string } {
    const remote = destinationRemote(place);
    return {
      dev: this.names.bridge(bridge),
      port: this.names.port(destinationPort(place)),
      ...(vid === 0 ? {} : { vid }),
      ...(remote === 0 ? {} : { dst: this.names.remote(remote) }),
    };
  }

  private routersOf({ bridge, routers }: Vlan): number[] {
    const always = [...this.ports].filter(([, settings]) => settings.bridge === bridge && settings.router === 2);
    return [...always.map(([port]) => destinationOf(port, 0)), ...routers.keys()];
  }

  // ---- Queries ----

  private hearQuery(query: GroupQuery, settings: MdbPortSettings, place: MdbPlace, now: number): void {
    // Sources are ignored; the S flag says that the querier has received an answer already.
    if (query.sources > 0 || (query.group !== null && query.suppress)) return;
    if (query.group === null) {
      this.hearQuerier(query, settings, place, now);
      return;
    }
    const group = this.table.find(settings.bridge, place.vid, query.group);
    if (group === undefined) return;
    const end = now + query.maxDelay * LAST_MEMBER_COUNT;
    for (const member of group.members.keys()) this.table.lower(group, member, end);
  }

  /** The querier election: the lowest address wins (RFC 3376 section 6.6.2, Linux `br_multicast_select_querier`). */
  private hearQuerier(query: GroupQuery, settings: MdbPortSettings, place: MdbPlace, now: number): void {
    const vlan = this.table.vlan(settings.bridge, place.vid);
    const before = vlan.queriers[query.family];
    const known = before !== null && before.until > now;
    if (known && compare(query.source, before.source) > 0 && !isUnspecified(before.source)) return;
    const until = now + QUERIER_MS;
    const settled = known ? before.settled : now + query.maxDelay;
    vlan.queriers[query.family] = { source: query.source, until, settled };
    this.table.wake(settled > now ? settled : until);
    this.settle(vlan, now);
    this.markRouter(settings, place, now);
  }

  private markRouter(settings: MdbPortSettings, { port, remote, vid }: MdbPlace, now: number): void {
    if (settings.router !== 1) return;
    this.table.setRouter(this.table.vlan(settings.bridge, vid), destinationOf(port, remote), now + QUERIER_MS);
  }

  /** Records the families that have a querier whose first answers are complete. */
  private settle(vlan: Vlan, now: number): void {
    for (const family of [4, 6] as const) {
      const querier = vlan.queriers[family];
      const heard = querier !== null && querier.until > now && querier.settled <= now;
      if (heard === vlan.heard[family]) continue;
      vlan.heard[family] = heard;
      this.table.touch(vlan);
    }
  }

  // ---- Reports ----

  private join(bridge: number, { port, remote, vid }: MdbPlace, address: GroupAddress, now: number): void {
    const place = destinationOf(port, remote);
    if (!isSnooped(address) || this.table.find(bridge, vid, address)?.members.get(place) === NEVER) return;
    this.table.setMember(bridge, vid, address, place, now + MEMBERSHIP_MS);
  }

  private leave(settings: MdbPortSettings, { port, remote, vid }: MdbPlace, address: GroupAddress, now: number): void {
    const group = this.table.find(settings.bridge, vid, address);
    const place = destinationOf(port, remote);
    const until = group?.members.get(place);
    if (group === undefined || until === undefined || until === NEVER) return;
    if (settings.fastLeave) {
      this.table.dropMember(group, place);
      return;
    }
    // The querier asks for remaining members, and its query lowers the timers.
    const querier = group.vlan.queriers[familyOf(address)];
    if (querier !== null && querier.until > now) return;
    this.table.lower(group, place, now + LAST_MEMBER_COUNT * LAST_MEMBER_MS);
  }

  // ---- Time ----

  private tickVlan(vlan: Vlan, now: number): void {
    const { table } = this;
    for (const group of vlan.groups.values()) {
      for (const [place, until] of group.members) {
        if (until <= now) table.dropMember(group, place);
        else table.wake(until);
      }
    }
    table.dropRouters(vlan, (_place, until) => until <= now);
    for (const until of vlan.routers.values()) table.wake(until);
    for (const family of [4, 6] as const) {
      const querier = vlan.queriers[family];
      if (querier === null) continue;
      if (querier.until <= now) vlan.queriers[family] = null;
      else table.wake(querier.settled > now ? querier.settled : querier.until);
    }
    this.settle(vlan, now);
    table.prune(vlan);
  }
}

/** Whether a group is ever restricted, so that its members matter. */
function isSnooped([a0, a1, a2, a3]: GroupAddress): boolean {
  if (isMapped(a0, a1, a2)) return isIpv4Multicast(a3) && !isLocalControlGroup(a3);
  return isIpv6Multicast(a0) && !isAllNodes(a0, a1, a2, a3);
}

function familyOf([a0, a1, a2]: GroupAddress): 4 | 6 {
  return isMapped(a0, a1, a2) ? 4 : 6;
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

function secondsTo(until: number, now: number): number {
  return Math.max(0, Math.round((until - now) / 10) / 100);
}
