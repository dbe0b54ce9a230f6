/**
 * The FDB entries that were configured or put in by hand: what control wants to be there, beside what is learned. Rows of
 * the flood lists and multicast MACs with remotes of their own are among them.
 *
 * It knows names and addresses only; `reconcile.ts` turns it into the engines' numbers.
 */
import type { ConfiguredEntry } from '../../config/entries/expand.js';
import { type EntryKey, keyOf } from '../../config/entries/list.js';
import { ZERO_MAC } from '../../values/address.js';

export { keyOf } from '../../config/entries/list.js';
export { isForMany } from '../../config/entries/rules.js';

/** One entry, or one destination of a zero or multicast MAC. */
export type Entry = ConfiguredEntry;

/** The entries of a switch, by port and key. */
export class EntryTable {
  private readonly byPort = new Map<string, Map<string, Entry>>();

  get(key: EntryKey): Entry | undefined {
    return this.byPort.get(key.port)?.get(keyOf(key));
  }

  /** Puts an entry in, in place of one with the same key. */
  set(entry: Entry): void {
    const rows = this.byPort.get(entry.port) ?? new Map<string, Entry>();
    this.byPort.set(entry.port, rows.set(keyOf(entry), entry));
  }

  /** @returns false when it was not there */
  delete(key: EntryKey): boolean {
    return this.byPort.get(key.port)?.delete(keyOf(key)) ?? false;
  }

  /** Entries of a port, in the order in which they came. */
  ofPort(port: string): Iterable<Entry> {
    return this.byPort.get(port)?.values() ?? [];
  }

  forgetPort(port: string): void {
    this.byPort.delete(port);
  }

  *all(): Generator<Entry> {
    for (const rows of this.byPort.values()) yield* rows.values();
  }

  get size(): number {
    let size = 0;
    for (const rows of this.byPort.values()) size += rows.size;
    return size;
  }
}

/** What makes two entries of a switch the same one. */
export function fullKey(entry: Entry): string {
  return `${entry.port} ${keyOf(entry)}`;
}

/** A row of a flood list. */
export function isFloodRow({ mac }: Pick<Entry, 'mac'>): boolean {
  return mac === ZERO_MAC;
}
