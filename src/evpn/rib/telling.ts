/**
 * What the control thread has been told, and what differs by now. A change that is undone before the next batch is not told at all.
 *
 * Entries are told in the order in which they first differed. A table that was made anew for the same VNI comes after the old one, so
 * an old row never removes a new one.
 */
import type { RemoteFlood, RemoteMac, RemotePrefix } from '../contract.js';
import type { RoutesMessage } from './contract.js';
import type { FloodEntry } from './flood-entry.js';
import type { MacEntry } from './mac-entry.js';
import type { PrefixEntry } from './prefix-entry.js';
import type { VniTable } from './vni-table.js';

interface Lists<T> {
  add: T[];
  remove: T[];
}

interface Batch {
  macs: Lists<RemoteMac>;
  floods: Lists<RemoteFlood>;
  prefixes: Lists<RemotePrefix>;
  /** Rows that still fit. */
  room: number;
}

export class Telling {
  readonly #macs = new Map<MacEntry, VniTable>();
  readonly #floods = new Map<FloodEntry, VniTable>();
  readonly #prefixes = new Map<PrefixEntry, VniTable>();

  readonly markMac = (table: VniTable, entry: MacEntry): void => void this.#macs.set(entry, table);
  readonly markFlood = (table: VniTable, entry: FloodEntry): void => void this.#floods.set(entry, table);
  readonly markPrefix = (table: VniTable, entry: PrefixEntry): void => void this.#prefixes.set(entry, table);

  /** @param most rows @returns null: nothing differs */
  next(most: number): RoutesMessage | null {
    const batch: Batch = { macs: lists(), floods: lists(), prefixes: lists(), room: most };
    drain(this.#floods, batch, tellFlood, ({ floods }) => floods);
    drain(this.#prefixes, batch, tellPrefix, ({ prefixes }) => prefixes);
    drain(this.#macs, batch, tellMac, ({ macs }) => macs);
    if (batch.room === most) return null;
    const { macs, floods, prefixes } = batch;
    return { tell: 'routes', macs, floods, prefixes };
  }
}

/** Tells entries until the batch is full. An entry whose rows did not all fit stays. */
function drain<E extends { readonly isEmpty: boolean; readonly key: string }>(
  marked: Map<E, VniTable>,
  batch: Batch,
  tell: (entry: E, batch: Batch) => boolean,
  entriesOf: (table: VniTable) => Map<string, E>,
): void {
  for (const [entry, table] of marked) {
    if (batch.room <= 0 || !tell(entry, batch)) return;
    marked.delete(entry);
    if (!entry.isEmpty) continue;
    const entries = entriesOf(table);
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
  }
}

function tellFlood(entry: FloodEntry, batch: Batch): boolean {
  const told = tellRows(entry.told === null ? [] : [entry.told], asList(entry.row()), floodKey, batch, batch.floods);
  entry.told = told[0] ?? null;
  return true;
}

function tellPrefix(entry: PrefixEntry, batch: Batch): boolean {
  const wanted = entry.rows();
  entry.told = tellRows(entry.told, wanted, prefixKey, batch, batch.prefixes);
  return batch.room > 0 || areTold(entry.told, wanted, prefixKey);
}

function tellMac(entry: MacEntry, batch: Batch): boolean {
  const wanted = entry.rows();
  entry.told = tellRows(entry.told, wanted, macKey, batch, batch.macs);
  return batch.room > 0 || areTold(entry.told, wanted, macKey);
}

const floodKey = (): string => '';
const prefixKey = ({ remote }: RemotePrefix): string => remote;
const macKey = ({ ip }: RemoteMac): string => ip ?? '';

/** Puts the difference into a batch, as far as there is room. @returns what is told then */
function tellRows<T>(
  told: readonly T[],
  wanted: readonly T[],
  keyOf: (row: T) => string,
  batch: Batch,
  into: Lists<T>,
): readonly T[] {
  const left = new Map(told.map((row) => [keyOf(row), row]));
  const now: T[] = [];
  const missing: T[] = [];
  for (const row of wanted) {
    const before = left.get(keyOf(row));
    left.delete(keyOf(row));
    if (before !== undefined && isSameRow(before, row)) now.push(before);
    else if (batch.room > 0) {
      batch.room--;
      into.add.push(row);
      now.push(row);
    } else if (before !== undefined) missing.push(before);
  }
  for (const row of left.values()) {
    if (batch.room > 0) {
      batch.room--;
      into.remove.push(row);
    } else missing.push(row);
  }
  return now.length + missing.length === 0 ? NOTHING : [...now, ...missing];
}

function areTold<T>(told: readonly T[], wanted: readonly T[], keyOf: (row: T) => string): boolean {
  if (told.length !== wanted.length) return false;
  const rows = new Map(told.map((row) => [keyOf(row), row]));
  return wanted.every((row) => {
    const one = rows.get(keyOf(row));
    return one !== undefined && isSameRow(one, row);
  });
}

/** Whether rows of one key are equal. */
function isSameRow<T>(one: T, other: T): boolean {
  const a = one as Record<string, unknown>;
  const b = other as Record<string, unknown>;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

const NOTHING: readonly never[] = [];

function asList<T>(one: T | null): T[] {
  return one === null ? [] : [one];
}

function lists<T>(): Lists<T> {
  return { add: [], remove: [] };
}
