/**
 * Reports of the multicast database: who joins and leaves which group, with sources where the version has them, and how a membership
 * ends.
 */
import { destinationOf } from '../../dataplane/state/destination.js';
import {
  ALLOW_NEW_SOURCES,
  BLOCK_OLD_SOURCES,
  CHANGE_TO_INCLUDE,
  type GroupAddress,
  type GroupRecord,
  MODE_IS_INCLUDE,
} from '../../wire/group-message.js';
import { familyOf, isSnooped } from './group-address.js';
import { GroupFilter, type Question } from './group-filter.js';
import type { MdbQuerier } from './mdb-querier.js';
import { filtersSources, groupMembershipInterval, lastMemberTime, type SnoopSettings } from './mdb-settings.js';
import {
  type Group,
  type MdbPlace,
  type MdbPortSettings,
  type Member,
  NEVER,
  STOPPED,
  type Vlan,
} from './mdb-state.js';
import type { MdbTable } from './mdb-table.js';

export class MdbReports {
  private readonly filter: GroupFilter;

  constructor(
    private readonly table: MdbTable,
    private readonly querier: MdbQuerier,
    private readonly settingsOf: (vlan: Vlan) => SnoopSettings,
  ) {
    this.filter = new GroupFilter(table);
  }

  hear(record: GroupRecord, vlan: Vlan, settings: MdbPortSettings, at: MdbPlace, now: number): void {
    const { type, group: address, sources } = record;
    if (!isSnooped(address)) return;
    const base = destinationOf(at.port, at.remote);
    if (this.table.find(vlan.bridge, vlan.vid, address)?.members.get(base)?.until === NEVER) return;
    const isLeave = sources.length === 0 && (type === CHANGE_TO_INCLUDE || type === MODE_IS_INCLUDE);
    const isJoin = !isLeave && type !== BLOCK_OLD_SOURCES && (type !== ALLOW_NEW_SOURCES || sources.length > 0);
    const place = settings.toUnicast === true ? this.placeOf(vlan, address, at, isJoin) : base;
    if (filtersSources(this.settingsOf(vlan), familyOf(address)))
      this.hearFilter(record, vlan, settings, place, isJoin, now);
    else if (isLeave) this.leave(vlan, settings, place, address, now);
    // After a block the host remains a member for the remaining sources, which it will report.
    else if (isJoin) this.join(vlan, place, address, now);
    this.table.hosts.settle(place);
  }

  /** On a port with `mcast_to_unicast`: that of the host, or of the port where the host is no member of its own. */
  private placeOf(vlan: Vlan, address: GroupAddress, { port, remote, host }: MdbPlace, isJoin: boolean): number {
    const base = destinationOf(port, remote);
    if (host === undefined || remote !== 0) return base;
    const group = this.table.find(vlan.bridge, vlan.vid, address);
    const own = this.table.hosts.find(base, host);
    if (own !== undefined && group?.members.has(own) === true) return own;
    return isJoin ? this.table.hosts.claim(group, base, host) : base;
  }

  private hearFilter(
    { type, group: address, sources }: GroupRecord,
    vlan: Vlan,
    settings: MdbPortSettings,
    place: number,
    isJoin: boolean,
    now: number,
  ): void {
    const member = isJoin
      ? this.table.claim(vlan, address, place)
      : this.table.find(vlan.bridge, vlan.vid, address)?.members.get(place);
    const group = this.table.find(vlan.bridge, vlan.vid, address);
    if (member === undefined || group === undefined) return;
    const to = { group, place, member };
    const end = now + groupMembershipInterval(this.settingsOf(vlan));
    const question = this.filter.apply(to, type, sources, end);
    if (settings.fastLeave) this.endAtOnce(group, place, member, question);
    else this.question(group, place, member, question, now);
    if (!member.isExclude && member.sources.size === 0) this.table.dropMember(group, place);
  }

  /** Lowers what is asked about, and asks. */
  private question(group: Group, place: number, member: Member, question: Question, now: number): void {
    const end = now + lastMemberTime(this.settingsOf(group.vlan));
    for (const source of question.sources) {
      if (source.until > end) this.table.sources.setEnd(group, source, end);
    }
    if (question.group && member.isExclude) this.table.lower(member, end);
    this.querier.ask(group, place, member, question, now);
  }

  /** `mcast_fast_leave`: nobody else is behind the port. */
  private endAtOnce(group: Group, place: number, member: Member, { sources, group: all }: Question): void {
    for (const source of sources) {
      if (member.isExclude && !all) this.table.sources.setEnd(group, source, STOPPED);
      else this.table.sources.delete(group, member, source);
    }
    if (!all) return;
    for (const source of [...member.sources.values()]) {
      if (source.until === STOPPED) this.table.sources.delete(group, member, source);
    }
    this.table.setMode(group, member, false);
    this.table.setEnd(group, place, member, STOPPED);
  }

  private join(vlan: Vlan, place: number, address: GroupAddress, now: number): void {
    const member = this.table.claim(vlan, address, place);
    const group = this.table.find(vlan.bridge, vlan.vid, address);
    if (member === undefined || group === undefined) return;
    this.table.setMode(group, member, true);
    this.table.setEnd(group, place, member, now + this.settingsOf(vlan).membershipInterval);
  }

  private leave(vlan: Vlan, settings: MdbPortSettings, place: number, address: GroupAddress, now: number): void {
    const group = this.table.find(vlan.bridge, vlan.vid, address);
    const member = group?.members.get(place);
    if (group === undefined || member === undefined) return;
    if (settings.fastLeave) {
      this.table.dropMember(group, place);
      return;
    }
    // Another querier asks for remaining members, and its query lowers the timers.
    const other = vlan.queriers[familyOf(address)];
    if (other !== null && other.until > now) return;
    this.question(group, place, member, { sources: [], group: true }, now);
  }

  /** Ends what is over, and asks what is due. */
  tick(group: Group, place: number, member: Member, now: number): void {
    if (member.until === NEVER) return;
    if (!this.filter.expire({ group, place, member }, now)) {
      this.table.dropMember(group, place);
      return;
    }
    if (member.until !== STOPPED) this.table.wake(member.until);
    for (const { until } of member.sources.values()) if (until !== STOPPED) this.table.wake(until);
    this.querier.pursue(group, place, member, now);
  }
}
