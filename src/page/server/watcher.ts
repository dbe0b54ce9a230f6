/**
 * Watches one switch by its control socket, while a browser watches the page: counters every second, tables when an event says that
 * they changed, else rarely. It reads only. A switch that does not answer is asked again, and nothing else depends on it.
 *
 * Cost for the switch: the listings are bounded in rows on this side, so a large FDB is not asked for at all, only counted.
 */
import type { FdbRow, StatsAnswer, SwitchEvent } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import { pause } from '../../client/pause.js';
import type { Happening, PartName, Parts, Passage, Totals } from '../model/messages.js';
import { FrameFeed } from './frame-feed.js';
import { dropsOf, fdbOf, linksOf, neighOf, totalsOf, vtepsOf } from './listings.js';

/** Milliseconds between two looks at the counters. */
const LOOK_MS = 1000;
/** Looks between two readings of the tables without an event: ages, and what no event tells. */
const LOOKS_A_READING = 5;
/** A larger FDB is counted, not read: its listing would cost the switch more than it tells a person. */
const MAX_READ_ENTRIES = 4000;
/** Milliseconds in which events are gathered. */
const GATHER_MS = 150;
const MAX_HAPPENINGS = 60;
const RETRY_MS = 1500;

export interface WatcherOptions {
  readonly name: string;
  readonly client: SwitchClient;
  /** One event as a line of text. */
  readonly describe: (event: SwitchEvent) => string;
  readonly changed: <P extends PartName>(part: P, value: Parts[P]) => void;
  readonly happened: (list: readonly Happening[]) => void;
  readonly passed: (list: readonly Passage[], missed: number) => void;
  readonly now?: () => number;
}

export class Watcher {
  readonly parts: Partial<Parts> = {};
  private readonly sent: Partial<Record<PartName, string>> = {};
  private stopping: AbortController | undefined;
  private isStale = true;
  private dropCounts = '{}';
  private gathered: Happening[] = [];
  private passedOver = 0;
  private gathering: NodeJS.Timeout | undefined;

  private readonly feed: FrameFeed;
  /** Whether single frames are told. */
  private hasFrames = false;

  constructor(private readonly options: WatcherOptions) {
    const { client, passed } = options;
    this.feed = new FrameFeed({ client, passed, follows: (is) => this.setFrames(is) });
  }

  start(): void {
    if (this.stopping !== undefined) return;
    const stopping = new AbortController();
    this.stopping = stopping;
    this.isStale = true;
    void this.look(stopping.signal);
    void this.follow(stopping.signal);
    this.feed.start();
  }

  stop(): void {
    this.stopping?.abort();
    this.stopping = undefined;
    this.feed.stop();
    clearTimeout(this.gathering);
    this.gathering = undefined;
    this.gathered = [];
    this.passedOver = 0;
  }

  /** Sets a part, and tells it unless it is as it was. */
  put<P extends PartName>(part: P, value: Parts[P]): void {
    const text = JSON.stringify(value);
    if (this.sent[part] === text) return;
    this.sent[part] = text;
    this.parts[part] = value;
    this.options.changed(part, value);
  }

  private setFrames(is: boolean): void {
    this.hasFrames = is;
    const { health } = this.parts;
    if (health?.answers === true && this.stopping !== undefined) this.put('health', { ...health, frames: is });
  }

  private async look(signal: AbortSignal): Promise<void> {
    for (let count = 0; !signal.aborted; count++) {
      try {
        const isDue = this.isStale || count % LOOKS_A_READING === 0;
        this.isStale = false;
        await this.read(isDue, signal);
        await pause(LOOK_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.isStale = true;
        this.put('health', { answers: false, reason: reasonOf(error), frames: false });
        await pause(RETRY_MS, signal);
      }
    }
  }

  private async read(tables: boolean, signal: AbortSignal): Promise<void> {
    const { client, now = Date.now } = this.options;
    const stats = await client.get('/v1/stats');
    if (signal.aborted) return;
    if (tables) await this.readTables(stats, signal);
    if (signal.aborted) return;
    const totals = totalsOf(stats, now());
    this.feed.setRate(rateOf(this.parts.totals, totals));
    this.put('totals', totals);
    await this.readDrops(stats, signal);
  }

  /** The kept drops, if there are others since the last look. */
  private async readDrops({ drops }: StatsAnswer, signal: AbortSignal): Promise<void> {
    const counts = JSON.stringify(drops);
    if (counts === this.dropCounts) return;
    const rows = await this.options.client.get('/v1/drops');
    if (signal.aborted) return;
    this.dropCounts = counts;
    this.put('drops', dropsOf(rows));
  }

  private async readTables(stats: StatsAnswer, signal: AbortSignal): Promise<void> {
    const { client } = this.options;
    const { version } = await client.get('/v1/info');
    const links = await client.get('/v1/links');
    const vlans = await client.get('/v1/vlans');
    const neigh = await client.get('/v1/neigh');
    const { entries } = stats.fdb;
    const fdb: FdbRow[] = entries > MAX_READ_ENTRIES ? [] : await client.get('/v1/fdb');
    if (signal.aborted) return;
    this.put('health', { answers: true, version, frames: this.hasFrames });
    this.put('links', linksOf(links, vlans, vtepsOf(stats, fdb)));
    this.put('fdb', entries > MAX_READ_ENTRIES ? { rows: [], total: entries } : fdbOf(fdb));
    this.put('neigh', neighOf(neigh));
  }

  private async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const event of this.options.client.events(signal)) this.take(event);
      } catch {
        // The look at the counters tells the reason.
      }
      await pause(RETRY_MS, signal);
    }
  }

  private take(event: SwitchEvent): void {
    const { describe, now = Date.now } = this.options;
    this.isStale = true;
    if (this.gathered.length >= MAX_HAPPENINGS) this.passedOver += event.event === 'lost' ? event.count : 1;
    else {
      const mac = 'mac' in event ? { mac: event.mac } : {};
      this.gathered.push({ at: now(), kind: event.event, text: describe(event), ...mac });
    }
    this.gathering ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  private flush(): void {
    const { happened, now = Date.now } = this.options;
    this.gathering = undefined;
    const list = this.gathered;
    if (this.passedOver > 0) list.push({ at: now(), kind: 'lost', text: `and ${this.passedOver} more, not shown` });
    this.gathered = [];
    this.passedOver = 0;
    if (this.stopping !== undefined) happened(list);
  }
}

/** Frames a second that came in since the last look. */
function rateOf(before: Totals | undefined, now: Totals): number {
  if (before === undefined || now.at <= before.at) return 0;
  const sum = ({ links }: Totals): number => Object.values(links).reduce((total, [received]) => total + received, 0);
  return ((sum(now) - sum(before)) * 1000) / (now.at - before.at);
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
