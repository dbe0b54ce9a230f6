/**
 * `fdb add ... use`: an entry as if a frame from its MAC had come by the port (NTF_USE, Linux br_fdb_update). It is added, moved or
 * refreshed, and is an entry of the user's then; one that learning does not move stays where it is.
 */
import type { FdbPut } from '../../api/api.js';
import { checkEntry } from '../../config/edit/check-entry.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { FLAG_LOCKED, FLAGS_NEVER_MOVED } from '../../fdb/table.js';
import { ChangeRefused } from '../controls.js';
import type { Entry } from '../model/entries.js';
import { type Holder, holderOf, isTunnel } from '../model/model.js';
import { macOf } from '../model/naming.js';
import type { Transition } from '../model/transition.js';
import type { FdbTables } from './fdb-selection.js';

/** @throws ChangeRefused; EditRefused from the rules shared with the file */
export function useEntry({ model, entries, fdb }: FdbTables, request: FdbPut, change: Transition): void {
  const { op: _, via: _via, use: _use, norefresh: _norefresh, state: _state, ...entry } = request;
  const port = holderOf(model, request.dev);
  if (port?.kind === 'bridge' || (port !== undefined && model.bridges.has(request.dev)))
    throw new ChangeRefused(`use is for entries of ports, and ${request.dev} is a bridge; give a port`);
  const rows = checkEntry(model.config, { ...entry, state: 'dynamic' });
  if (port === undefined || port.bridge === null)
    throw new ChangeRefused(`port ${request.dev} belongs to no bridge; give it one with "link set"`);
  const bridge = port.bridge;
  // Ageing time 0 is that of a bridge that learns nothing.
  if (bridge.config.ageing_time === 0) return;
  const used = rows.flatMap((row): Entry[] => {
    const { high, low } = macOf(row.mac);
    const found = fdb.find(high, low, fidOf(bridge.index, row.vlan));
    const owner = found === null ? undefined : model.portAt[found.owner];
    // Only replace lets a locked entry in.
    if (found !== null && owner === port && (found.flags & FLAG_LOCKED) !== 0) return [];
    const before = owner === undefined ? undefined : model.entries.get({ ...row, port: owner.name });
    // What was learned from a remote leads there: an entry without one would lead to the flood list.
    if (before === undefined && owner === port && isTunnel(port) && row.dst === undefined) return [];
    if (found === null || before === undefined) return found !== null && staysAway(found, port) ? [] : [row];
    if (owner === port) return [before];
    return staysAway(found, port) ? [] : [movedTo(before, row)];
  });
  entries.checkRoom(used, 0);
  entries.add(
    used.map((one) => ({ ...one })),
    change,
  );
}

/** Whether an entry is elsewhere, and does not move. */
function staysAway(found: { owner: number; flags: number }, port: Holder): boolean {
  return found.owner !== port.index && (found.flags & FLAGS_NEVER_MOVED) !== 0;
}

/** A static entry stays static when it moves. Its remote is that of the new place. */
function movedTo({ state }: Entry, row: Entry): Entry {
  return { ...row, state };
}
