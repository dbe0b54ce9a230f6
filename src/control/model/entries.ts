/**
 * FDB entries that were configured or added by command, as opposed to learned ones. Includes rows of flood lists and multicast
 * MACs with remotes of their own.
 *
 * Names and addresses only; `reconcile/port-entries.ts` translates them into engine indexes.
 */
import type { ConfiguredEntry } from '../../config/entries/expand.js';
import { type EntryKey, keyOf } from '../../config/entries/list.js';
import { ZERO_MAC } from '../../values/address.js';

export { keyOf } from '../../config/entries/list.js';
export { isForMany } from '../../config/entries/rules.js';

/** One entry, or one destination of an all-zeros or multicast MAC. */
export type Entry = ConfiguredEntry;

/** The entries of a switch, by port and key. */
export class EntryTable {
  private readonly byPort = new Map<string, Map<string, Entry>>();

  get(key: EntryKey): Entry | undefined {
    return this.byPort.get(key.port)?.get(keyOf(key));
  }

  /** Adds an entry, replacing one with the same key. */
  set(entry: Entry): void {
    const rows = this.byPort.get(entry.port) ?? new Map<string, Entry>();
    this.byPort.set(entry.port, rows.set(keyOf(entry), entry));
  }

  /** @returns false when it does not exist */
  delete(key: EntryKey): boolean {
    return this.byPort.get(key.port)?.delete(keyOf(key)) ?? false;
  }

  /** Entries of a port in the order of insertion. */
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

/** The key of an entry in a switch. */
export function fullKey(entry: Entry): string {
  return `${entry.port} ${keyOf(entry)}`;
}

/** A row of a flood list. */
export function isFloodRow({ mac }: Pick<Entry, 'mac'>): boolean {
  return mac === ZERO_MAC;
}
