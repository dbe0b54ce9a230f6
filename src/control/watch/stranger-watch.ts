/**
 * Reports senders of datagrams dropped as `vtep_unknown`: an event when an address appears and again while it continues, a log
 * line less often. Reports and memory are bounded whatever the number and rate of addresses.
 */
import type { SwitchEvent, UnknownVtep } from '../../api/api.js';
import { NoticeLimit } from '../events/notice-limit.js';
import { every } from '../guard.js';
import { type UnknownVtepSources, unknownVteps } from '../views/unknown-vteps.js';

const ROUND_MS = 1000;
/** Interval after which a continuing address is reported again. */
const AGAIN_MS = 60_000;
/** Most events of one round. */
const MOST_EVENTS = 8;
/** Rate limit of log lines: burst, and interval in milliseconds. */
const LINES = 4;
const LINE_MS = 15_000;

export interface StrangerWatchParts extends UnknownVtepSources {
  tell(event: SwitchEvent): void;
  /** For the log. @param heldBack addresses suppressed since the last line */
  say(vtep: UnknownVtep, heldBack: number): void;
  /** A monotonic clock in milliseconds. */
  now?: () => number;
}

export class StrangerWatch {
  private readonly timer: NodeJS.Timeout;
  private readonly now: () => number;
  private readonly lines: NoticeLimit;
  /** Time and count of each address at its last report. */
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
