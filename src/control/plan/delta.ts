/**
 * FDB entries to add and to remove by a change of the configuration. Pure.
 */
import { factsText } from '../../config/entries/attributes.js';
import { entriesOf } from '../../config/entries/list.js';
import type { SwitchConfig } from '../../config/types.js';
import { type Entry, type EntryTable, fullKey, isForMany } from '../model/entries.js';

/** FDB entries to add and to remove. */
export interface EntryDelta {
  add: readonly Entry[];
  remove: readonly Entry[];
}

/** From one configuration to another: entries added by command are kept. */
export function deltaOfEdit(before: SwitchConfig, after: SwitchConfig): EntryDelta {
  return delta(placed(before), placed(after));
}

/** From all present entries to exactly those of a configuration. Entries of a control program are not touched. */
export function deltaToFile(table: EntryTable, after: SwitchConfig): EntryDelta {
  const wanted = placed(after);
  const { add, remove } = delta([...table.all()], wanted);
  const isNamed = namedBy(wanted);
  return { add, remove: remove.filter((entry) => !entry.extern_learn || isNamed(entry)) };
}

/**
 * Whether entries name the same destination of a flood or multicast entry, one for all VLANs of the port, the other for a
 * single VLAN. A file may contain only one of these, so the entry of the file replaces the other.
 */
export function namedBy(wanted: readonly Entry[]): (entry: Entry) => boolean {
  const vnis = new Map<string, Set<Entry['vni']>>();
  for (const entry of wanted) {
    if (!isForMany(entry.mac)) continue;
    const key = destinationKey(entry);
    vnis.set(key, (vnis.get(key) ?? new Set()).add(entry.vni));
  }
  return (entry) => {
    if (!isForMany(entry.mac)) return false;
    const named = vnis.get(destinationKey(entry));
    return named !== undefined && (entry.vni === null || named.has(null));
  };
}

function destinationKey({ port, mac, dst, udpPort, sentVni }: Entry): string {
  return [port, mac, dst, udpPort, sentVni].join(' ');
}

function delta(before: readonly Entry[], after: readonly Entry[]): EntryDelta {
  const had = new Map(before.map((entry) => [fullKey(entry), entry]));
  const wanted = new Set(after.map(fullKey));
  return {
    add: after.filter((entry) => !isSame(had.get(fullKey(entry)), entry)),
    remove: before.filter((entry) => !wanted.has(fullKey(entry))),
  };
}

/** Entries of ports in a bridge; entries of other ports are inactive. */
export function placed(config: SwitchConfig): Entry[] {
  const unplaced = new Set(config.ports.map(({ name }) => name));
  return entriesOf(config).filter(({ port }) => !unplaced.has(port));
}

function isSame(one: Entry | undefined, other: Entry): boolean {
  return one !== undefined && factsText(one) === factsText(other);
}
