/**
 * Entries selected by a flush: by place, destination, state and flags, in any combination. Pure.
 *
 * Without a word about what entries are (state, flag, nexthop), a flush means the learned ones: without their configured entries and
 * flood lists, guests are unreachable.
 */

import type { FdbRequest, FdbState } from '../../api/api.js';
import { destinationOf, destinationRemote } from '../../dataplane/state/destination.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { type FdbMatch, type FdbReader, FLAG_EXTERN_LEARN, FLAG_STATIC, FLAGS_SET } from '../../fdb/table.js';
import { notFound } from '../controls.js';
import { type Entry, isFloodRow } from '../model/entries.js';
import { type Holder, holderOf, isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
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
  /** The UDP port of a remote. */
  udpPortOf(remote: number): number;
}

/** Flags of entries that a flush may name. Learned entries have none of them. */
const FLAGS = ['added_by_user', 'extern_learn', 'sticky', 'router', 'offloaded'] as const;

/** Whether the request says nothing about what entries are. */
function meansLearned(request: Flush): boolean {
  return (
    request.state === undefined && request.nhid === undefined && FLAGS.every((flag) => request[flag] === undefined)
  );
}

/** Flush operations for entries that are not configured, one for each FID; none if the request excludes them. */
export function flushMatches(tables: FdbTables, request: Flush): FdbMatch[] {
  // A port or bridge that is not there is refused, whatever is to be flushed.
  const named = portsOf(tables, request);
  const kinds = kindsOf(request);
  if (kinds.length === 0) return [];
  const ports = named.filter((port) => port.kind !== 'bridge' && leavesBy(port, request));
  return ports.flatMap((port) => {
    const fids = fidsOf(port, request);
    if (port.bridge === null || fids === null) return [];
    const destinations = destinationsOf(tables, port, request);
    return (fids.length === 0 ? [undefined] : fids).flatMap((fid) =>
      kinds.map((flags) => ({
        owner: port.index,
        ...flags,
        ...(fid === undefined ? {} : { fid }),
        ...(destinations === undefined ? {} : { destinations }),
      })),
    );
  });
}

/** What is asked for of entries that no file or command has put in: learned ones, or with the word for it those of sources of peers. */
function kindsOf(request: Flush): Pick<FdbMatch, 'flagsMask' | 'flagsValue'>[] {
  const { state, nhid } = request;
  const isOf = (one: FdbState): boolean => state === undefined || state === 'all' || state.includes(one);
  const asked = FLAGS.filter((flag) => request[flag] === true);
  if (nhid !== undefined) return [];
  if (asked.length === 0) return isOf('dynamic') ? [{ flagsMask: FLAGS_SET, flagsValue: 0 }] : [];
  if (asked.some((flag) => flag !== 'extern_learn')) return [];
  const flagsMask = FLAG_EXTERN_LEARN | FLAG_STATIC;
  return [
    ...(isOf('dynamic') ? [{ flagsMask, flagsValue: FLAG_EXTERN_LEARN }] : []),
    ...(isOf('static') && request.sticky !== false ? [{ flagsMask, flagsValue: flagsMask }] : []),
  ];
}

/** Destinations of learned entries that the request selects; undefined: all. */
function destinationsOf(tables: FdbTables, port: Holder, { dst, port: udpPort }: Flush): Set<number> | undefined {
  if (dst === undefined && udpPort === undefined) return undefined;
  if (!isTunnel(port)) return new Set();
  const remotes = dst === undefined ? learnedRemotes(tables, port) : tables.remotesAt(port.index, dst);
  const fitting = remotes.filter((remote) => udpPort === undefined || tables.udpPortOf(remote) === udpPort);
  return new Set(fitting.map((remote) => destinationOf(port.index, remote)));
}

/** The remotes that learned entries of a port lead to. */
function learnedRemotes({ fdb }: FdbTables, port: VxlanPort): number[] {
  const found = new Set<number>();
  fdb.forEach(({ owner, flags, destination }) => {
    if (owner === port.index && (flags & FLAGS_SET) === 0) found.add(destinationRemote(destination));
  });
  return [...found];
}

/** Whether a configured entry is selected. Flood-list rows are selected by `all` only. */
export function selectsEntry(tables: FdbTables, request: Flush, entry: Entry): boolean {
  if (isFloodRow(entry) && request.state !== 'all') return false;
  const port = portsOf(tables, request).find(({ name }) => name === entry.port);
  return (
    port !== undefined &&
    isOfKind(request, entry) &&
    (request.vlan === undefined || request.vlan === entry.vlan) &&
    (request.src_vni === undefined || vniOf(port, entry) === request.src_vni) &&
    (request.vni === undefined || (entry.sentVni ?? vniOf(port, entry)) === request.vni) &&
    (request.nhid === undefined || entry.nhid === request.nhid) &&
    (request.dst === undefined || isBehind(tables, port, entry, request.dst)) &&
    (request.port === undefined || udpPortOf(port, entry) === request.port) &&
    leavesBy(port, request)
  );
}

/** Whether state and flags of an entry are those of the request. */
function isOfKind(request: Flush, entry: Entry): boolean {
  if (meansLearned(request)) return entry.state === 'dynamic' && !entry.extern_learn;
  const { state } = request;
  if (state !== undefined && state !== 'all' && !state.includes(entry.state)) return false;
  const has = { ...entry, added_by_user: true, offloaded: false };
  return FLAGS.every((flag) => request[flag] === undefined || request[flag] === (has[flag] ?? false));
}

/** Whether frames of the port leave by the device `via`; without it any port will do. */
function leavesBy(port: Holder, { via }: Flush): boolean {
  return via === undefined || (isTunnel(port) && port.config.dev === via);
}

/** The UDP port that frames of an entry are sent to; undefined: the entry has no remote of its own. */
function udpPortOf(port: Holder, entry: Entry): number | undefined {
  if (!isTunnel(port) || entry.dst === undefined) return undefined;
  return entry.udpPort ?? port.config.dstport;
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

/** FIDs of a port selected by VLAN and VNIs; empty: all, null: none. Learned entries are sent with the VNI that they are of. */
function fidsOf(port: Holder, { vlan, vni, src_vni }: Flush): number[] | null {
  const { bridge } = port;
  if (bridge === null) return null;
  const fid = vlan === undefined ? undefined : fidOf(bridge.index, vlan);
  if (vni !== undefined && src_vni !== undefined && vni !== src_vni) return null;
  const own = src_vni ?? vni;
  if (own === undefined) return fid === undefined ? [] : [fid];
  if (!isTunnel(port)) return null;
  const mapped = port.vnis.find((one) => one.vni === own);
  if (mapped === undefined) return null;
  if (mapped.vid === null) return fid === undefined ? [] : [fid];
  const ofVni = fidOf(bridge.index, mapped.vid);
  return fid === undefined || fid === ofVni ? [ofVni] : null;
}
