/**
 * What learning and ageing have done to entries that were put in: they may have moved to another port, as in
 * br_fdb_update, or be gone. Control looks before each change, so that it goes by where an entry is, not where it was put.
 */
import { destinationRemote } from '../../dataplane/state/destination.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { type FdbReader, type FdbRow, FLAG_EXTERN_LEARN } from '../../fdb/table.js';
import { type Entry, isForMany } from '../model/entries.js';
import { isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { macOf, vniOf } from '../model/naming.js';
import { remoteOf } from '../reconcile/vteps.js';

/** An entry that is no more where it was put. */
export interface Strayed {
  entry: Entry;
  /** Null: it has gone. */
  now: Entry | null;
}

/** Every entry that has strayed. */
export function strayedEntries(model: SwitchModel, fdb: Pick<FdbReader, 'find'>): Strayed[] {
  const strayed: Strayed[] = [];
  for (const entry of model.entries.all()) {
    const port = model.ports.get(entry.port);
    if (port === undefined || port.bridge === null || !canStray(entry)) continue;
    const { high, low } = macOf(entry.mac);
    const row = fdb.find(high, low, fidOf(port.bridge.index, entry.vlan));
    const now = row === null || row.flags === 0 ? null : placeOf(entry, port, row, model);
    if (now !== entry) strayed.push({ entry, now });
  }
  return strayed;
}

/** What is permanent, sticky or has a remote told by hand stays, unless it ages. */
function canStray(entry: Entry): boolean {
  if (isForMany(entry.mac)) return false;
  if (entry.state === 'dynamic') return !(entry.sticky && entry.extern_learn);
  return entry.state === 'static' && entry.dst === undefined && !entry.sticky;
}

/** The entry as its row has it; the entry itself where it is where it was. Behind which remote it has moved is left open. */
function placeOf(entry: Entry, port: Port, row: FdbRow, model: SwitchModel): Entry | null {
  const owner = model.portAt[row.owner];
  if (owner === undefined) return null;
  const extern_learn = (row.flags & FLAG_EXTERN_LEARN) !== 0;
  const isThere = !isTunnel(port) || destinationRemote(row.destination) === remoteOf(port, entry);
  if (owner === port && isThere) return extern_learn === entry.extern_learn ? entry : { ...entry, extern_learn };
  const { mac, vlan, state, sticky } = entry;
  const vni = isTunnel(owner) ? vniOf(owner, vlan) : undefined;
  return { mac, port: owner.name, vlan, ...(vni === undefined ? {} : { vni }), state, sticky, extern_learn };
}
