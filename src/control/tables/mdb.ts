/**
 * The multicast database: group members by place, learned from IGMP and MLD as in Linux `br_multicast.c`, or added by command.
 * A pure state machine: messages and time in, operations and events out.
 *
 * A place is an FDB destination: a local port, or a remote behind a tunnel port; a tunnel port without a remote means all its
 * remotes. Each VLAN of a bridge has its own groups, routers and queriers.
 *
 * With IGMPv3 or MLDv2 set, members have sources (`group-filter.ts`); with the older versions source filters are ignored, so a host may
 * receive more than it asked for, never less. Without a querier in the VLAN, another one or the switch itself (`mdb-querier.ts`), all
 * multicast is flooded, except groups with a member added by command.
 */

import type { MdbAnswer, SwitchEvent } from '../../api/api.js';
import type { GroupConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf, destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import type { GroupAddress, GroupMessage } from '../../wire/group-message.js';
import { familyOf, formatGroup } from './group-address.js';
import { MdbElection } from './mdb-election.js';
import { heardVlans, type HeardVlan, restoreVlan } from './mdb-heard.js';
import { type MdbEntry, type MdbOutcome, putEntry, removeEntry } from './mdb-entries.js';
import { FAMILIES, MdbQuerier } from './mdb-querier.js';
import { configuredGroups, type MdbNames, placeOf, showVlan } from './mdb-rows.js';
import {
  filtersSources,
  groupMembershipInterval,
  type QuerierIdentity,
  type SnoopSettings,
  snoopSettings,
} from './mdb-settings.js';
import { MAX_GROUPS_OF_BRIDGE, type MdbPlace, type MdbPortSettings, NEVER, routerIn, type Vlan } from './mdb-state.js';
import { MdbReports } from './mdb-reports.js';
import { MdbTable } from './mdb-table.js';
import { bridgeOptions } from '../../config/options/bridge.js';
import { defaultsOf } from '../../config/options/option.js';

export type { HeardVlan } from './mdb-heard.js';
export type { MdbNames } from './mdb-rows.js';
export type { MdbPlace, MdbPortSettings } from './mdb-state.js';

const DEFAULTS = snoopSettings(defaultsOf(bridgeOptions));
export const MEMBERSHIP_MS = DEFAULTS.membershipInterval;
/** Time without a message after which a querier or router has expired. */
export const QUERIER_MS = DEFAULTS.querierInterval;

export interface MdbBridgeSettings {
  settings: SnoopSettings;
  identity: QuerierIdentity;
  /** With `mcast_vlan_snooping`: the settings of VLANs, in place of the bridge's. Those that are not there have the defaults. */
  ofVlans?: ReadonlyMap<number, SnoopSettings> | undefined;
  /** VLANs with a port, in which the switch may be a querier; 0 in a bridge without VLAN filtering. */
  vids: ReadonlySet<number>;
  /** `mcast_hash_max`; absent: its default. */
  maxGroups?: number;
}

function settingsIn({ settings, ofVlans }: MdbBridgeSettings, vid: number): SnoopSettings {
  return ofVlans === undefined ? settings : (ofVlans.get(vid) ?? DEFAULTS);
}

export interface MdbChanges {
  operations: Operation[];
  events: SwitchEvent[];
}

export class Mdb {
  private readonly ports = new Map<number, MdbPortSettings>();
  private readonly bridges = new Map<number, MdbBridgeSettings>();
  private events: SwitchEvent[] = [];
  private readonly table = new MdbTable((group, place, change) => {
    const row = placeOf(this.names, group.vlan, place);
    this.events.push({ event: 'mdb', change, ...row, grp: formatGroup(group.address) });
  });
  private readonly querier = new MdbQuerier({
    settings: (vlan) => this.settingsOf(vlan),
    identity: (bridge) => this.bridges.get(bridge)?.identity,
    wake: (at) => this.table.wake(at),
  });
  private readonly election = new MdbElection(this.table, this.querier, (vlan) => this.settingsOf(vlan));
  private readonly reports = new MdbReports(this.table, this.querier, (vlan) => this.settingsOf(vlan));

  constructor(private readonly names: MdbNames) {}

  // ---- Input. `now` is a monotonic clock in milliseconds ----

  /** Adds a port or changes its settings. A port that changes its bridge loses its memberships. */
  setPort(port: number, settings: MdbPortSettings): void {
    if (this.ports.get(port)?.bridge !== settings.bridge) this.forgetPort(port);
    const before = this.ports.get(port);
    this.ports.set(port, { ...settings });
    this.table.counts.setLimits(port, settings.limits);
    this.table.setUnicast(port, settings.toUnicast === true);
    for (const vlan of this.table.vlansOf(settings.bridge)) {
      const router = routerIn(settings, vlan.vid);
      if (router !== 1) this.table.dropRouters(vlan, (place) => destinationPort(place) === port);
      if ((router === 2) !== (before !== undefined && routerIn(before, vlan.vid) === 2)) this.table.touch(vlan);
    }
  }

  /** Entries of a port, or of it in a VLAN (`mcast_n_groups`). */
  entriesOf(port: number, vid?: number): number {
    return vid === undefined ? this.table.counts.of(port) : this.table.counts.inVlan(port, vid);
  }

  /** Adds a bridge or changes its settings. A bridge that is not told of has the defaults, and no querier. */
  setBridge(bridge: number, settings: MdbBridgeSettings, now: number): void {
    this.bridges.set(bridge, settings);
    this.table.setMaxGroups(bridge, settings.maxGroups ?? MAX_GROUPS_OF_BRIDGE);
    const isQuerier = (vid: number): boolean => {
      const { querier, snooping } = settingsIn(settings, vid);
      return querier && snooping && settings.settings.snooping && settings.vids.has(vid);
    };
    for (const vid of settings.vids) if (isQuerier(vid)) this.table.vlan(bridge, vid);
    for (const vlan of this.table.vlansOf(bridge)) {
      this.querier.follow(vlan, isQuerier(vlan.vid), now);
      this.followSettings(vlan);
      this.election.settle(vlan, now);
      this.table.prune(vlan);
    }
  }

  /** A port has come up, or into a VLAN: its hosts are asked at once. */
  askAgain(bridge: number, vids: Iterable<number>, now: number): void {
    for (const vid of vids) {
      if (this.bridges.get(bridge)?.vids.has(vid) !== true) continue;
      for (const family of FAMILIES) this.querier.begin(this.table.vlan(bridge, vid), family, now);
    }
  }

  private settingsOf({ bridge, vid }: Vlan): SnoopSettings {
    const settings = this.bridges.get(bridge);
    return settings === undefined ? DEFAULTS : settingsIn(settings, vid);
  }

  private vlanOf(bridge: number, vid: number): Vlan {
    const vlan = this.table.vlan(bridge, vid);
    this.followSettings(vlan);
    return vlan;
  }

  /** Snooping, or forwarding by source, begins or ends. */
  private followSettings(vlan: Vlan): void {
    const settings = this.settingsOf(vlan);
    if (vlan.isOff === settings.snooping) this.switchSnooping(vlan);
    for (const family of FAMILIES) {
      const filters = filtersSources(settings, family);
      if (filters === vlan.filters[family]) continue;
      vlan.filters[family] = filters;
      for (const group of vlan.groups.values()) if (familyOf(group.address) === family) this.table.touchGroup(group);
    }
  }

  /** In a VLAN that does not snoop only what was added by command is kept, and engines know nothing of it. */
  private switchSnooping(vlan: Vlan): void {
    vlan.isOff = !vlan.isOff;
    if (vlan.isOff) {
      this.table.dropIn(vlan, (_place, until) => until !== NEVER);
      vlan.queriers = { 4: null, 6: null };
    }
    for (const group of vlan.groups.values()) this.table.touchGroup(group);
    this.table.touch(vlan);
  }

  /** A valid message received at a place. Messages from unknown ports are ignored. */
  hear(message: GroupMessage, place: MdbPlace, now: number): void {
    const settings = this.ports.get(place.port);
    if (settings === undefined) return;
    const vlan = this.vlanOf(settings.bridge, place.vid);
    if (vlan.isOff) return;
    if (message.kind === 'query') this.election.hear(message, vlan, settings, place, now);
    else for (const record of message.records) this.reports.hear(record, vlan, settings, place, now);
    this.table.prune(vlan);
  }

  /** A multicast router announced itself other than by a query: by a PIM hello or an advertisement (RFC 4286). */
  hearRouter(place: MdbPlace, now: number): void {
    const settings = this.ports.get(place.port);
    if (settings === undefined) return;
    const vlan = this.vlanOf(settings.bridge, place.vid);
    if (!vlan.isOff) this.election.markRouter(vlan, settings, place, now);
  }

  /** Expires entries. Cheap while nothing is due. */
  tick(now: number): void {
    if (now < this.table.due) return;
    this.table.due = NEVER;
    for (const vlan of this.table.vlans()) this.tickVlan(vlan, now);
  }

  /**
   * Adds an entry in each of the VLANs, permanent unless it says otherwise; a learned one becomes permanent. A tunnel port with remote 0
   * means all its remotes. Done completely or not at all. `exists`: it is there in all of them; `invalid`: a group that is never
   * restricted, such as 224.0.0.1.
   */
  add(
    bridge: number,
    vids: readonly number[],
    address: GroupAddress,
    place: number,
    entry: MdbEntry = {},
    now = 0,
  ): MdbOutcome {
    const vlans = vids.map((vid) => this.vlanOf(bridge, vid));
    const outcome = putEntry(this.table, vlans, address, place, entry, (vlan) => {
      const settings = this.settingsOf(vlan);
      return { member: now + settings.membershipInterval, source: now + groupMembershipInterval(settings) };
    });
    for (const vlan of vlans) this.table.prune(vlan);
    return outcome;
  }

  /** Removes a member, permanent or learned, from each of the VLANs. @returns false when it is a member in none */
  remove(
    bridge: number,
    vids: readonly number[],
    address: GroupAddress,
    place: number,
    source?: GroupAddress,
  ): boolean {
    return removeEntry(this.table, bridge, vids, address, place, source);
  }

  /** Removes the entries of a bridge that match. */
  flush(bridge: number, isDoomed: (place: number, until: number, vid: number, proto: number) => boolean): void {
    this.table.drop(
      (place, until, vlan, proto) => vlan.bridge === bridge && isDoomed(place, until, vlan.vid, proto),
      false,
    );
    for (const vlan of this.table.vlansOf(bridge)) this.table.prune(vlan);
  }

  // ---- Removal. Called while names still exist ----

  /** A port is deleted or has left its bridge: all its state is removed. */
  forgetPort(port: number): void {
    const settings = this.ports.get(port);
    if (settings === undefined) return;
    this.ports.delete(port);
    this.table.drop((place) => destinationPort(place) === port);
    this.table.counts.setLimits(port, undefined);
    this.table.setUnicast(port, false);
    for (const vlan of this.table.vlansOf(settings.bridge))
      if (routerIn(settings, vlan.vid) === 2) this.table.touch(vlan);
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
    const add = (place: number, until: number): void => {
      if (until === NEVER) remotes.add(destinationRemote(place));
    };
    for (const { groups } of this.table.vlans()) {
      for (const { members, pairs } of groups.values()) {
        for (const [place, { until }] of members) add(place, until);
        for (const pair of pairs.values()) for (const [place, { until }] of pair.members) add(place, until);
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
    this.bridges.delete(bridge);
    this.table.drop((_place, until, vlan) => vlan.bridge === bridge && isOver(until));
    for (const vlan of this.table.vlansOf(bridge)) {
      vlan.queriers = { 4: null, 6: null };
      vlan.own = { 4: null, 6: null };
      this.election.settle(vlan, 0);
      this.table.prune(vlan);
    }
  }

  // ---- From one process to the next ----

  /** All that was learned. */
  heard(now: number): HeardVlan[] {
    return heardVlans(this.table.vlans(), now);
  }

  /** Goes on from what another MDB has learned, beside what was added by command. */
  restore(vlans: readonly HeardVlan[], now: number): void {
    for (const heard of vlans) {
      const vlan = this.vlanOf(heard.bridge, heard.vid);
      restoreVlan(this.table, vlan, heard, now);
      this.election.settle(vlan, now);
      this.table.prune(vlan);
    }
  }

  // ---- Output ----

  /** The changes since the last call: operations for every engine, and events. @param most destinations, after which groups wait for the next call */
  take(most = Number.POSITIVE_INFINITY): MdbChanges {
    const events = this.takeEvents();
    const operations = this.table.operations((vlan) => this.routersOf(vlan), most);
    return { operations: [...operations, ...this.querier.take()], events };
  }

  /** The events alone, which need not wait until engines can be told. */
  takeEvents(): SwitchEvent[] {
    const { events } = this;
    this.events = [];
    return events;
  }

  /** Whether groups wait for the next call of `take`. */
  get isBehind(): boolean {
    return this.table.isBehind;
  }

  /** When `tick` is due next; Infinity: not until more messages arrive. */
  get due(): number {
    return this.table.due;
  }

  /** Members, groups, sources and routers rejected for lack of room. */
  get refused(): number {
    return this.table.refused;
  }

  /** All contents, in the shape of `bridge -j mdb`. */
  rows(now: number): MdbAnswer {
    const answer: MdbAnswer = { mdb: [], router: [] };
    for (const [port, settings] of this.ports) {
      const at = { dev: this.names.bridge(settings.bridge), port: this.names.port(port) };
      if (settings.routers === undefined && settings.router === 2) answer.router.push({ ...at, type: 'permanent' });
      for (const [vid, router] of settings.routers ?? []) {
        if (router === 2) answer.router.push({ ...at, vid, type: 'permanent' });
      }
    }
    for (const vlan of this.table.vlans()) showVlan(vlan, this.names, now, answer);
    return answer;
  }

  /** What was added by command. */
  configured(): GroupConfig[] {
    return [...this.table.vlans()].flatMap((vlan) => configuredGroups(vlan, this.names));
  }

  private routersOf({ bridge, vid, routers }: Vlan): number[] {
    const always = [...this.ports].filter(
      ([, settings]) => settings.bridge === bridge && routerIn(settings, vid) === 2,
    );
    return [...always.map(([port]) => destinationOf(port, 0)), ...routers.keys()];
  }

  // ---- Time ----

  private tickVlan(vlan: Vlan, now: number): void {
    const { table } = this;
    for (const group of vlan.groups.values()) {
      for (const [place, member] of group.members) this.reports.tick(group, place, member, now);
      table.sources.dropPairs(group, (_place, { until }) => until <= now);
      for (const { members } of group.pairs.values()) for (const { until } of members.values()) table.wake(until);
    }
    table.dropRouters(vlan, (_place, until) => until <= now);
    for (const until of vlan.routers.values()) table.wake(until);
    this.election.tick(vlan, now);
    this.querier.tick(vlan, now);
    this.election.settle(vlan, now);
    table.prune(vlan);
  }
}
