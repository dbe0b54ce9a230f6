/**
 * The rows of one source: what it says now against what is in the tables. Changes follow one another; of several that wait the last one
 * counts.
 */
import { forget, guarded } from '../../guard.js';
import type { LastingOwner, PeerBinding, PeerChange, PeerFlood, PeerMac, RowDelta } from '../contract.js';

/** Rows of each kind that one source may have. */
export const MAX_ROWS = 131_072;
/** Milliseconds until rows that were refused are tried again: a table may have room by then, or a port its bridge. */
const AGAIN_MS = 15_000;

export interface PeerRows {
  floods: readonly PeerFlood[];
  macs: readonly PeerMac[];
  bindings: readonly PeerBinding[];
}

export const NO_ROWS: PeerRows = { floods: [], macs: [], bindings: [] };

/** Of a source for one port: sources of two ports may have one name. */
export function ownerName(source: string, port: { name: string }): string {
  return `${source} for ${port.name}`;
}

type Held<T> = ReadonlyMap<string, T>;

export class SourceRows {
  private floods: Held<PeerFlood> = new Map();
  private macs: Held<PeerMac> = new Map();
  private bindings: Held<PeerBinding> = new Map();
  private next: PeerRows | null = null;
  private running: Promise<void> | null = null;
  private again: NodeJS.Timeout | null = null;
  private isOver = false;
  private isSettled = false;
  /** Why rows could not be put in; null: all are in. */
  refusal: string | null = null;

  /** @param graceMs how long rows wait that were there before, until the source has spoken */
  constructor(
    private readonly owner: LastingOwner,
    graceMs: number,
  ) {
    owner.renew(Math.ceil(graceMs / 1000));
  }

  /** Different remotes, MACs and bindings. */
  get counts(): { remotes: number; macs: number; bindings: number } {
    const remotes = new Set([...this.floods.values()].map(({ remote, dstport }) => `${remote} ${dstport ?? ''}`)).size;
    return { remotes, macs: this.macs.size, bindings: this.bindings.size };
  }

  /** From now on these are the rows. Resolves when they are in force, or others that came later. */
  become(rows: PeerRows): Promise<void> {
    if (this.isOver) return Promise.resolve();
    this.next = rows;
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  /** Tries rows once more that were refused. */
  retry(): void {
    if (this.refusal === null || this.isOver) return;
    const { floods, macs, bindings } = this;
    const rows = this.next ?? {
      floods: [...floods.values()],
      macs: [...macs.values()],
      bindings: [...bindings.values()],
    };
    this.floods = this.macs = this.bindings = new Map<string, never>();
    forget('peers', this.become(rows));
  }

  /** No change follows. The rows stay. */
  stop(): void {
    this.isOver = true;
    this.next = null;
    if (this.again !== null) clearTimeout(this.again);
  }

  /** Takes all rows back, after `stop`. */
  async clear(): Promise<void> {
    await this.running?.catch(() => undefined);
    await this.owner.clear();
  }

  private async run(): Promise<void> {
    for (let rows = this.next; rows !== null; rows = this.next) {
      this.next = null;
      await this.change(rows);
    }
  }

  private async change(rows: PeerRows): Promise<void> {
    const floods = byKey(rows.floods);
    const macs = byKey(rows.macs);
    const bindings = byKey(rows.bindings);
    const change: PeerChange = {
      ...part('floods', delta(this.floods, floods)),
      ...part('macs', delta(this.macs, macs)),
      ...part('bindings', delta(this.bindings, bindings)),
    };
    Object.assign(this, { floods, macs, bindings });
    if (Object.keys(change).length > 0) await this.put(change);
    if (this.isSettled) return;
    this.isSettled = true;
    await this.owner.settled();
  }

  private async put(change: PeerChange): Promise<void> {
    const { refused, reason } = await this.owner.change(change);
    this.refusal = refused === 0 ? null : `${refused} rows are not in: ${reason ?? 'refused'}`;
    if (refused > 0 && this.again === null && !this.isOver) this.later();
  }

  private later(): void {
    const work = (): void => {
      this.again = null;
      this.retry();
    };
    this.again = setTimeout(guarded('peers', work), AGAIN_MS);
    this.again.unref();
  }
}

/** The first of equal rows counts, and no more than the limit. */
function byKey<T extends object>(rows: readonly T[]): Held<T> {
  const out = new Map<string, T>();
  for (const row of rows) {
    if (out.size >= MAX_ROWS) break;
    out.set(JSON.stringify(row), row);
  }
  return out;
}

function delta<T>(before: Held<T>, after: Held<T>): RowDelta<T> {
  return {
    add: [...after].flatMap(([key, row]) => (before.has(key) ? [] : [row])),
    remove: [...before].flatMap(([key, row]) => (after.has(key) ? [] : [row])),
  };
}

function part<K extends string, T>(key: K, change: RowDelta<T>): { [P in K]?: RowDelta<T> } {
  return (change.add.length + change.remove.length === 0 ? {} : { [key]: change }) as { [P in K]?: RowDelta<T> };
}
