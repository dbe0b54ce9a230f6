/**
 * MACs that move too often (RFC 7432 section 15.1): after N moves in M seconds one is left where it is, for a time or until it is cleared.
 *
 * What is remembered is bounded: the oldest move is forgotten for a new one, and no further MAC is frozen beyond the bound.
 */
import type { SpeakerConfig } from '../contract.js';
import type { EventMessage } from './contract.js';

/** MACs whose moves are counted, and MACs that are frozen. */
export const MAX_TRACKED = 8192;

export interface FrozenMac {
  readonly vni: number;
  readonly mac: string;
  /** Milliseconds; absent: until it is cleared. */
  readonly until?: number;
}

/** A VTEP, or null: this switch. */
export type Holder = string | null;

export class Duplicates {
  /** In the order of `since`. */
  readonly #moves = new Map<string, { since: number; count: number }>();
  readonly #frozen = new Map<string, FrozenMac>();
  /** Pinned MACs that were met elsewhere: told once for each VTEP. */
  readonly #conflicts = new Map<string, string>();
  #config: SpeakerConfig['duplicates'] = { moves: 0, seconds: 1, hold: 0 };
  #now = 0;

  constructor(private readonly tell: (event: EventMessage) => void) {}

  configure(config: SpeakerConfig['duplicates']): void {
    this.#config = config;
  }

  isFrozen(vni: number, mac: string): boolean {
    return this.#frozen.size > 0 && this.#frozen.has(keyOf(vni, mac));
  }

  /** A move. @returns false: it is one too many, and the MAC is frozen where it was */
  allows(vni: number, mac: string, from: Holder, to: Holder): boolean {
    if (this.#config.moves === 0) return true;
    const key = keyOf(vni, mac);
    const known = this.#moves.get(key);
    const isFirst = known === undefined || this.#isOver(known.since);
    const count = isFirst ? 1 : known.count + 1;
    if (count >= this.#config.moves && this.#freeze(key, { vni, mac }, from, to)) return false;
    if (isFirst) {
      this.#moves.delete(key);
      this.#makeRoom(this.#moves);
      this.#moves.set(key, { since: this.#now, count });
    } else known.count = count;
    return true;
  }

  /** A MAC that is pinned at one VTEP was met at another one. */
  conflict(vni: number, mac: string, from: Holder, to: Holder): void {
    const key = keyOf(vni, mac);
    const other = `${from} ${to}`;
    if (this.#conflicts.get(key) === other) return;
    this.#conflicts.delete(key);
    this.#makeRoom(this.#conflicts);
    this.#conflicts.set(key, other);
    this.tell({ tell: 'duplicate', vni, mac, between: [from, to] });
  }

  /** @returns MACs whose time is over: they are to be chosen anew */
  tick(now: number): FrozenMac[] {
    this.#now = now;
    for (const [key, { since }] of this.#moves) {
      if (!this.#isOver(since)) break;
      this.#moves.delete(key);
    }
    return this.#thaw(({ until }) => until !== undefined && until <= now);
  }

  /** @returns MACs that are to be chosen anew */
  clear(vni?: number, mac?: string): FrozenMac[] {
    const isMeant = (one: { vni: number; mac: string }): boolean =>
      (vni === undefined || one.vni === vni) && (mac === undefined || one.mac === mac);
    const thawed = this.#thaw(isMeant);
    for (const kept of [this.#moves, this.#conflicts]) {
      for (const key of kept.keys()) if (isMeant(partsOf(key))) kept.delete(key);
    }
    return thawed;
  }

  /** MACs of a VNI that are frozen. */
  frozenOf(vni: number): string[] {
    return [...this.#frozen.values()].filter((one) => one.vni === vni).map(({ mac }) => mac);
  }

  #freeze(key: string, { vni, mac }: FrozenMac, from: Holder, to: Holder): boolean {
    if (this.#frozen.size >= MAX_TRACKED) return false;
    const until = this.#config.hold === 0 ? undefined : this.#now + this.#config.hold * 1000;
    const times = until === undefined ? {} : { until };
    this.#moves.delete(key);
    this.#frozen.set(key, { vni, mac, ...times });
    this.tell({ tell: 'duplicate', vni, mac, between: [from, to], ...times });
    return true;
  }

  #thaw(isOver: (one: FrozenMac) => boolean): FrozenMac[] {
    const thawed: FrozenMac[] = [];
    for (const [key, one] of this.#frozen) {
      if (!isOver(one)) continue;
      this.#frozen.delete(key);
      thawed.push(one);
    }
    return thawed;
  }

  #isOver(since: number): boolean {
    return this.#now - since > this.#config.seconds * 1000;
  }

  #makeRoom(kept: Map<string, unknown>): void {
    if (kept.size < MAX_TRACKED) return;
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      return;
    }
  }
}

function keyOf(vni: number, mac: string): string {
  return `${vni} ${mac}`;
}

function partsOf(key: string): { vni: number; mac: string } {
  const [vni = '', mac = ''] = key.split(' ');
  return { vni: Number(vni), mac };
}
