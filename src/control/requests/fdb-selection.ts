/**
 * Entries selected by a flush: by port, bridge, VLAN, VNI, remote and state, in any combination. Pure.
 */

import type { FdbRequest } from '../../api/api.js';
import { destinationOf, destinationRemote } from '../../dataplane/state/destination.js';
import { fidOf } from '../../dataplane/state/fid.js';
import {
  type FdbMatch,
  type FdbReader,
  FLAG_EXTERN_LEARN,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_STATIC,
} from '../../fdb/table.js';
import { notFound } from '../controls.js';
import { type Entry, isFloodRow } from '../model/entries.js';
import { type Holder, holderOf, isTunnel, type SwitchModel } from '../model/model.js';
import { macOf } from '../model/naming.js';
import type { PortEntries } from '../reconcile/port-entries.js';

export type Flush = Extract<FdbRequest, { op: 'flush' }>;

/** Dependencies of the requests. */
export interface FdbTables {
  model: SwitchModel;
  entries: PortEntries;
  fdb: FdbReader;
  /** Remotes of a VTEP on a port, including learned ones. */
  remotesAt(port: number, address: string): number[];
}

/** Entries that never age. Entries of a control program are excluded too, unless selected by state. */
const LASTING = FLAG_STATIC | FLAG_PERMANENT | FLAG_PINNED;

/** Flush operations for ageing entries, one for each FID; none if the request excludes them. */
export function flushMatches(tables: FdbTables, request: Flush): FdbMatch[] {
  const { state, vlan, dst } = request;
  const ports = portsOf(tables, request).filter((port) => port.kind !== 'bridge');
  if (state !== undefined && state !== 'all' && !state.includes('dynamic')) return [];
  const flagsMask = state === undefined ? LASTING | FLAG_EXTERN_LEARN : LASTING;
  return ports.flatMap((port) => {
    const { bridge } = port;
    const fids = fidsOf(port, request);
    if (bridge === null || fids === null) return [];
    const remotes = dst === undefined ? [undefined] : tables.remotesAt(port.index, dst);
    const places = vlan !== undefined ? fids.filter((one) => one === fidOf(bridge.index, vlan)) : fids;
    return remotes.flatMap((remote) =>
      (places.length === 0 && vlan === undefined ? [undefined] : places).map((fid) => ({
        owner: port.index,
        flagsMask,
        flagsValue: 0,
        ...(fid === undefined ? {} : { fid }),
        ...(remote === undefined ? {} : { destination: destinationOf(port.index, remote) }),
      })),
    );
  });
}

/**
 * Whether a configured entry is selected. Flood-list rows are selected by `all` only: without them unknown destinations are
 * unreachable.
 */
export function selectsEntry(tables: FdbTables, request: Flush, entry: Entry): boolean {
  const states = request.state ?? ['dynamic'];
  if (isFloodRow(entry) && states !== 'all') return false;
  const port = portsOf(tables, request).find(({ name }) => name === entry.port);
  return (
    port !== undefined &&
    (states === 'all' || states.includes(entry.state)) &&
    (request.state !== undefined || !entry.extern_learn) &&
    (request.vlan === undefined || request.vlan === entry.vlan) &&
    (request.vni === undefined || vniOf(port, entry) === request.vni) &&
    (request.dst === undefined || isBehind(tables, port, entry, request.dst))
  );
}

/** Whether an entry leads to a VTEP. An entry moved to another remote by learning matches none. */
export function isBehind({ fdb, remotesAt }: FdbTables, port: Holder, entry: Entry, dst: string): boolean {
  if (entry.dst !== undefined || !isTunnel(port) || port.bridge === null) return entry.dst === dst;
  const { high, low } = macOf(entry.mac);
  const row = fdb.find(high, low, fidOf(port.bridge.index, entry.vlan));
  return row !== null && remotesAt(port.index, dst).includes(destinationRemote(row.destination));
}

function vniOf(port: Holder, entry: Entry): number | null {
  if (typeof entry.vni === 'number') return entry.vni;
  return isTunnel(port) ? (port.vnis.find(({ vid }) => vid === null)?.vni ?? null) : null;
}

/** A bridge without a host port is itself the owner. */
function portsOf({ model }: Pick<FdbTables, 'model'>, { dev, br }: Pick<Flush, 'dev' | 'br'>): Holder[] {
  // `bridge fdb flush dev br0` is the usual form.
  if (dev !== undefined && br === undefined && model.bridges.has(dev)) return portsOf({ model }, { br: dev });
  if (dev !== undefined && !model.ports.has(dev)) throw notFound('port', dev);
  if (br !== undefined && !model.bridges.has(br)) throw notFound('bridge', br);
  const bridges = [...model.bridges.keys()].flatMap((name) =>
    model.ports.has(name) ? [] : (holderOf(model, name) ?? []),
  );
  return [...model.ports.values(), ...bridges].filter(
    (port) => (dev === undefined || port.name === dev) && (br === undefined || port.bridge?.name === br),
  );
}

/** FIDs of a port selected by VLAN and VNI; empty: all, null: none. */
function fidsOf(port: Holder, { vlan, vni }: Flush): number[] | null {
  const { bridge } = port;
  if (bridge === null) return null;
  const ofVlan = vlan === undefined ? [] : [fidOf(bridge.index, vlan)];
  if (vni === undefined) return ofVlan;
  if (!isTunnel(port)) return null;
  const mapped = port.vnis.find((one) => one.vni === vni);
  if (mapped === undefined) return null;
  return mapped.vid === null ? ofVlan : [fidOf(bridge.index, mapped.vid)];
}
