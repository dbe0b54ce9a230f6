/**
 * Gathers what a switch tells of its frames for a quarter of a second. A few are told one by one; when there are many, those that are
 * alike and go the same way are told as one, with their number. Beyond a bound they are counted only. Cheap for each frame: words are
 * made for those that are told.
 */
import { toHex } from '../../wire/bytes.js';
import { ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN } from '../../wire/ethernet.js';
import type { Passage, Way } from '../model/messages.js';
import { wordsOf } from './frame-words.js';

/** What a switch did with one frame. */
export interface ObservedFrame {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly from: Way;
  readonly to: readonly Way[];
  readonly verdict: string;
  readonly reason?: string;
  readonly vlan?: number;
  /** Its beginning. */
  readonly bytes: Uint8Array;
  readonly length: number;
}

export const FLUSH_MS = 250;
/** Frames of one flush that are told one by one. */
export const MAX_SINGLES = 8;
/** Groups of one flush. */
export const MAX_GROUPS = 24;
/** Copies of a frame that are told. */
const MAX_COPIES = 64;

/** Bytes of the two MACs, and of a tag behind them. */
const MACS = 12;
const TAG = 4;
/** Bytes of a frame, without its tag, that are the same on every switch: to behind the ports; checksums may be filled in later. */
const KEY = 40;

interface Group {
  readonly first: ObservedFrame;
  count: number;
}

export class FrameGroups {
  private readonly singles: ObservedFrame[] = [];
  private readonly groups = new Map<string, Group>();
  private total = 0;
  private missed = 0;
  private lastId = 0;

  get isEmpty(): boolean {
    return this.total === 0 && this.missed === 0;
  }

  add(seen: ObservedFrame): void {
    this.total++;
    if (this.singles.length < MAX_SINGLES) this.singles.push(seen);
    const key = alike(seen);
    const group = this.groups.get(key);
    if (group !== undefined) group.count++;
    else if (this.groups.size < MAX_GROUPS) this.groups.set(key, { first: seen, count: 1 });
    else this.missed++;
  }

  /** Frames that the switch could not tell of. */
  lose(count: number): void {
    this.missed += count;
  }

  /** What was gathered, in the order that it came in; nothing is left here. */
  take(): { list: Passage[]; missed: number } {
    const isFew = this.total <= MAX_SINGLES;
    const list = isFew
      ? this.singles.map((seen) => this.passage(seen, 1))
      : [...this.groups.values()].map(({ first, count }) => this.passage(first, count));
    const { missed } = this;
    this.singles.length = 0;
    this.groups.clear();
    this.total = 0;
    this.missed = 0;
    return { list, missed };
  }

  private passage({ to, bytes, ...seen }: ObservedFrame, count: number): Passage {
    const copies = to.slice(0, MAX_COPIES);
    const id = ++this.lastId;
    return { ...seen, to: copies, id, key: keyOf(bytes), count, frame: toHex(bytes), ...wordsOf(bytes) };
  }
}

/** Bytes of a tag behind the MACs. */
function tagOf(bytes: Uint8Array): number {
  const type = (bytes[MACS] << 8) | bytes[MACS + 1];
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ ? TAG : 0;
}

/** Equal for the same frame on two switches. */
export function keyOf(bytes: Uint8Array): string {
  const tag = tagOf(bytes);
  return toHex(bytes.subarray(0, MACS)) + toHex(bytes.subarray(MACS + tag, KEY + tag));
}

/** Equal for frames that are drawn as one: the same way, and the same kind by EtherType and IP protocol. */
function alike({ from, to, verdict, reason = '', bytes }: ObservedFrame): string {
  const at = MACS + tagOf(bytes);
  const type = (bytes[at] << 8) | bytes[at + 1];
  const protocol = bytes[at + (type === ETHERTYPE_IPV6 ? 8 : 11)] ?? 0;
  return [wayKey(from), verdict, reason, type, protocol, ...to.map(wayKey)].join(' ');
}

const wayKey = ({ port, remote = '', vni = 0 }: Way): string => `${port}/${remote}/${vni}`;
