/**
 * How the filter of a member changes by a record of IGMPv3 or MLDv2: the tables of RFC 3376 section 6.4 and RFC 3810 section 7.4.
 *
 * A and B are sources of the report, X the sources whose timers run, Y those that are blocked. In INCLUDE there is no Y. "Ask" means
 * that the querier asks whether anyone else still wants the sources, or the group.
 */
import {
  ALLOW_NEW_SOURCES,
  BLOCK_OLD_SOURCES,
  CHANGE_TO_EXCLUDE,
  CHANGE_TO_INCLUDE,
  type GroupAddress,
  MODE_IS_EXCLUDE,
  MODE_IS_INCLUDE,
} from '../../wire/group-message.js';
import { formatAddress } from '../../wire/ip-address.js';
import type { MdbTable } from './mdb-table.js';
import { type Group, type Member, type Source, STOPPED } from './mdb-state.js';

export interface Filtered {
  group: Group;
  place: number;
  member: Member;
}

/** What the querier asks about. */
export interface Question {
  sources: Source[];
  group: boolean;
}

const NOTHING: Question = { sources: [], group: false };

export class GroupFilter {
  constructor(private readonly table: MdbTable) {}

  /**
   * Changes the filter of a learned member.
   * @param end when sources and group end that are reported now (the group membership interval)
   */
  apply(to: Filtered, type: number, sources: readonly GroupAddress[], end: number): Question {
    const { isExclude } = to.member;
    switch (type) {
      case ALLOW_NEW_SOURCES:
      case MODE_IS_INCLUDE:
        return this.allow(to, sources, end);
      case CHANGE_TO_INCLUDE:
        return this.toInclude(to, sources, end);
      case MODE_IS_EXCLUDE:
      case CHANGE_TO_EXCLUDE: {
        const question = isExclude
          ? this.excludeMore(to, sources, type === CHANGE_TO_EXCLUDE ? to.member.until : end)
          : this.exclude(to, sources);
        this.table.setMode(to.group, to.member, true);
        this.table.setEnd(to.group, to.place, to.member, end);
        return type === CHANGE_TO_EXCLUDE ? question : NOTHING;
      }
      case BLOCK_OLD_SOURCES:
        return isExclude ? this.blockMore(to, sources) : { sources: this.named(to.member, sources), group: false };
      default:
        return NOTHING;
    }
  }

  /** INCLUDE (A) -> INCLUDE (A+B); EXCLUDE (X,Y) -> EXCLUDE (X+A, Y-A); (B) or (A) = `end`. */
  private allow(to: Filtered, sources: readonly GroupAddress[], end: number): Question {
    const { sources: table } = this.table;
    const hasRoom = sources.map((source) => table.set(to.group, to.member, source, end) !== undefined);
    // In EXCLUDE a source without a row gets through anyway.
    if (!to.member.isExclude && hasRoom.includes(false)) this.giveAll(to, end);
    return NOTHING;
  }

  /** As `allow`; ask (A-B), in EXCLUDE ask (X-A) and the group. */
  private toInclude(to: Filtered, sources: readonly GroupAddress[], end: number): Question {
    const { isExclude } = to.member;
    const reported = keys(sources);
    const others = [...to.member.sources].filter(([key, { until }]) => until !== STOPPED && !reported.has(key));
    this.allow(to, sources, end);
    return { sources: others.map(([, source]) => source), group: isExclude };
  }

  /** INCLUDE (A) -> EXCLUDE (A*B, B-A); (B-A) = 0; delete (A-B); ask (A*B). */
  private exclude(to: Filtered, sources: readonly GroupAddress[]): Question {
    this.deleteOthers(to, keys(sources));
    const both = this.named(to.member, sources);
    this.addMissing(to, sources, STOPPED);
    return { sources: both, group: false };
  }

  /** EXCLUDE (X,Y) -> EXCLUDE (A-Y, Y*A); (A-X-Y) = `until`; delete (X-A) and (Y-A); ask (A-Y). */
  private excludeMore(to: Filtered, sources: readonly GroupAddress[], until: number): Question {
    this.deleteOthers(to, keys(sources));
    this.addMissing(to, sources, until);
    return { sources: running(this.named(to.member, sources)), group: false };
  }

  /** EXCLUDE (X,Y) -> EXCLUDE (X+(A-Y), Y); (A-X-Y) = group timer; ask (A-Y). */
  private blockMore(to: Filtered, sources: readonly GroupAddress[]): Question {
    this.addMissing(to, sources, to.member.until);
    return { sources: running(this.named(to.member, sources)), group: false };
  }

  private deleteOthers({ group, member }: Filtered, reported: ReadonlySet<string>): void {
    for (const [key, source] of [...member.sources]) {
      if (!reported.has(key)) this.table.sources.delete(group, member, source);
    }
  }

  /** Adds the sources that the member does not name. Without room they are not blocked. */
  private addMissing({ group, member }: Filtered, sources: readonly GroupAddress[], until: number): void {
    for (const source of sources) {
      if (!member.sources.has(formatAddress(...source))) this.table.sources.set(group, member, source, until);
    }
  }

  private named(member: Member, sources: readonly GroupAddress[]): Source[] {
    return [...keys(sources)].flatMap((key) => member.sources.get(key) ?? []);
  }

  /** There is no room for all the sources that a member asks for: it gets every one. */
  private giveAll({ group, member }: Filtered, end: number): void {
    this.table.sources.giveAll(group, member, end);
  }

  // ---- Timers ----

  /** Ends what is over. @returns false when the member is none any more; it is still in the table */
  expire({ group, place, member }: Filtered, now: number): boolean {
    const { table } = this;
    for (const source of [...member.sources.values()]) {
      if (source.until === STOPPED || source.until > now) continue;
      if (member.isExclude) table.sources.setEnd(group, source, STOPPED);
      else table.sources.delete(group, member, source);
    }
    if (member.until !== STOPPED && member.until <= now) {
      // EXCLUDE (X,Y) -> INCLUDE (X) (RFC 3376 section 6.5).
      for (const source of [...member.sources.values()]) {
        if (source.until === STOPPED) table.sources.delete(group, member, source);
      }
      table.setMode(group, member, false);
      table.setEnd(group, place, member, STOPPED);
    }
    return member.isExclude || member.sources.size > 0;
  }
}

function running(sources: readonly Source[]): Source[] {
  return sources.filter(({ until }) => until !== STOPPED);
}

function keys(sources: readonly GroupAddress[]): Set<string> {
  return new Set(sources.map((source) => formatAddress(...source)));
}
