/**
 * Effects of learning and ageing on configured entries: they may have moved to another port, as in br_fdb_update, or have aged
 * out. Checked before each change, so that it works on their present locations.
 */
import { attributesOf } from '../../config/entries/attributes.js';
import { destinationRemote } from '../../dataplane/state/destination.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { type FdbReader, type FdbRow, FLAG_EXTERN_LEARN, FLAGS_SET } from '../../fdb/table.js';
import { type Entry, isForMany } from '../model/entries.js';
import { isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { macOf, vniOf } from '../model/naming.js';
import { remoteOf } from '../reconcile/vteps.js';

/** An entry that has moved or aged out. */
export interface Strayed {
  entry: Entry;
  /** Null: aged out. */
  now: Entry | null;
}

/** All entries that have moved or aged out. */
export function strayedEntries(model: SwitchModel, fdb: Pick<FdbReader, 'find'>): Strayed[] {
  const strayed: Strayed[] = [];
  for (const entry of model.entries.all()) {
    const port = model.ports.get(entry.port);
    if (port === undefined || port.bridge === null || !canStray(entry)) continue;
    const { high, low } = macOf(entry.mac);
    const row = fdb.find(high, low, fidOf(port.bridge.index, entry.vlan));
    const now = row === null || (row.flags & FLAGS_SET) === 0 ? null : placeOf(entry, port, row, model);
    if (now !== entry) strayed.push({ entry, now });
  }
  return strayed;
}

/** Permanent and sticky entries and those with a configured remote stay, unless they age. */
function canStray(entry: Entry): boolean {
  if (isForMany(entry.mac)) return false;
  if (entry.state === 'dynamic') return !(entry.sticky && entry.extern_learn);
  return entry.state === 'static' && entry.dst === undefined && entry.nhid === undefined && !entry.sticky;
}

/** The entry at its present location; itself if it has not moved. The remote of a moved entry is left open. */
function placeOf(entry: Entry, port: Port, row: FdbRow, model: SwitchModel): Entry | null {
  const owner = model.portAt[row.owner];
  if (owner === undefined) return null;
  const extern_learn = (row.flags & FLAG_EXTERN_LEARN) !== 0;
  const isThere = !isTunnel(port) || destinationRemote(row.destination) === remoteOf(port, entry);
  if (owner === port && isThere) return extern_learn === entry.extern_learn ? entry : { ...entry, extern_learn };
  const { mac, vlan } = entry;
  const vni = isTunnel(owner) ? vniOf(owner, vlan) : undefined;
  const { router: _, ...how } = { ...attributesOf(entry), extern_learn };
  return { mac, port: owner.name, vlan, ...(vni === undefined ? {} : { vni }), ...how };
}
