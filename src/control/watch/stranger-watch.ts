/**
 * Watches whom datagrams come from that are no remotes (`vtep_unknown`), and tells of each address: as an event when it begins
 * and again while it goes on, as a line of the log less often. However many addresses there are, and however fast they
 * change, little is told and little is kept.
 */
import type { SwitchEvent, UnknownVtep } from '../../api/api.js';
import { NoticeLimit } from '../events/notice-limit.js';
import { every } from '../guard.js';
import { type UnknownVtepSources, unknownVteps } from '../views/unknown-vteps.js';

const ROUND_MS = 1000;
/** An address that goes on sending is told of again after that. */
const AGAIN_MS = 60_000;
/** Events of one round. */
const MOST_EVENTS = 8;
/** Lines of the log: so many at once, then one in so many milliseconds. */
const LINES = 4;
const LINE_MS = 15_000;

export interface StrangerWatchParts extends UnknownVtepSources {
  tell(event: SwitchEvent): void;
  /** For the log. @param heldBack addresses that were not said since the last time */
  say(vtep: UnknownVtep, heldBack: number): void;
  /** A clock in milliseconds that never goes back. */
  now?: () => number;
}

export class StrangerWatch {
  private readonly timer: NodeJS.Timeout;
  private readonly now: () => number;
  private readonly lines: NoticeLimit;
  /** When each was told of, and its count by then. */
  private told = new Map<string, { at: number; count: number }>();
  private heard: number;

  constructor(private readonly parts: StrangerWatchParts) {
    this.now = parts.now ?? (() => performance.now());
    this.lines = new NoticeLimit(LINES, LINE_MS, this.now);
    this.heard = parts.counters.unknownVteps.heard;
    this.timer = every('stranger-watch', ROUND_MS, () => this.look());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One round. */
  look(): void {
    const { heard } = this.parts.counters.unknownVteps;
    if (heard === this.heard) return;
    this.heard = heard;
    const now = this.now();
    const before = this.told;
    this.told = new Map();
    let events = 0;
    for (const vtep of unknownVteps(this.parts)) {
      const key = `${vtep.port} ${vtep.vni} ${vtep.address}`;
      const last = before.get(key);
      const isDue = last === undefined || (now - last.at >= AGAIN_MS && vtep.count !== last.count);
      if (last !== undefined && !isDue) this.told.set(key, last);
      if (!isDue || events++ >= MOST_EVENTS) continue;
      this.told.set(key, { at: now, count: vtep.count });
      const { port: ifname, ...rest } = vtep;
      this.parts.tell({ event: 'vtep_unknown', ifname, ...rest });
      this.lines.offer((heldBack) => this.parts.say(vtep, heldBack));
    }
  }
}
