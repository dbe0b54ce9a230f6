/**
 * FDB changes by command: `fdb add`, `append`, `replace`, `del` and `flush`. Each validates first and then writes operations,
 * so a refused request has no effect.
 */
import type { FdbRequest } from '../../api/api.js';
import { checkEntry } from '../../config/edit/check-entry.js';
import { vnisOfEntry } from '../../config/entries/rules.js';
import { fidOf, fidParts } from '../../dataplane/state/fid.js';
import { type FdbMatch, type FdbRow, FLAG_EXTERN_LEARN } from '../../fdb/table.js';
import { command } from '../../text/shell.js';
import { formatMac } from '../../wire/ethernet.js';
import { ChangeRefused, notFound } from '../controls.js';
import { type Entry, isFloodRow, isForMany } from '../model/entries.js';
import { type Holder, hasOwnMac, holderOf, isTunnel } from '../model/model.js';
import { macOf } from '../model/naming.js';
import type { Transition } from '../model/transition.js';
import { type FdbTables, type Flush, flushMatches, isBehind, selectsEntry } from './fdb-selection.js';
import { useEntry } from './fdb-use.js';

type Addition = Extract<FdbRequest, { op: 'add' | 'append' | 'replace' }>;
type Deletion = Extract<FdbRequest, { op: 'del' }>;
/** @throws ChangeRefused; EditRefused and DeviceError from the rules shared with the file */
export function addEntry(tables: FdbTables, request: Addition, change: Transition): void {
  const { model, entries } = tables;
  const { op: _, via, use, norefresh, ...entry } = request;
  if (use === true) {
    useEntry(tables, request, change);
    return;
  }
  const rows = checkEntry(model.config, entry);
  const port = portOf(tables, request.dev);
  refuseVia(port, via);
  if (port.bridge === null)
    throw new ChangeRefused(`port ${port.name} belongs to no bridge; give it one with "link set"`);
  const many = isForMany(rows[0].mac);
  if (request.op === 'append' && !many)
    throw new ChangeRefused(
      `append adds a destination to the all-zeros or a multicast MAC; ${rows[0].mac} has one place: use add or replace`,
    );
  if (request.op === 'replace' && many)
    throw new ChangeRefused(
      `replace is for unicast MACs; add and take away the destinations of ${rows[0].mac} with append and del`,
    );
  if (request.op === 'add') for (const row of rows) refuseKnown(tables, port, row);
  else if (!many) for (const row of rows) refuseOwn(tables, port, row);
  const come = rows.filter((row) => !many || model.entries.get(row) === undefined);
  if (model.entries.size + come.length > model.config.fdb_size)
    throw new ChangeRefused(
      `the FDB holds ${model.config.fdb_size} entries; set a larger fdb_size and start again`,
      'full',
    );
  entries.checkRoom(come, 0);
  entries.add(come, change, norefresh !== true);
}

/** As with `bridge fdb add`, a learned entry counts as existing. */
function refuseKnown({ model, fdb }: FdbTables, port: Holder, row: Entry): void {
  const { high, low } = macOf(row.mac);
  const known = isForMany(row.mac)
    ? [...model.entries.ofPort(port.name)].some(
        (entry) => entry.mac === row.mac && entry.vlan === row.vlan && entry.vni === row.vni,
      )
    : model.entries.get(row) !== undefined || fdb.find(high, low, fidOf(port.bridge?.index ?? 0, row.vlan)) !== null;
  if (!known) refuseOwn({ model, fdb }, port, row);
  if (!known) return;
  const remedy = isForMany(row.mac) ? 'use append for another destination' : 'use replace, or del first';
  throw new ChangeRefused(
    `${row.mac} is there already${row.vlan === 0 ? '' : ` in VLAN ${row.vlan}`}; ${remedy}`,
    'exists',
  );
}

/** A host port's own MAC cannot be moved. */
function refuseOwn({ model, fdb }: Pick<FdbTables, 'model' | 'fdb'>, port: Holder, row: Entry): void {
  const { high, low } = macOf(row.mac);
  const bridge = port.bridge?.index ?? 0;
  const common = port.bridge?.config.fdb_local_vlan_0 === true ? fdb.find(high, low, fidOf(bridge, 0)) : null;
  const found = fdb.find(high, low, fidOf(bridge, row.vlan)) ?? common;
  const holder = found === null ? undefined : model.portAt[found.owner];
  if (!hasOwnMac(holder) || holder.ownMac !== row.mac) return;
  throw new ChangeRefused(
    `${row.mac} is the address of ${holder.name} itself, and stays there; give another MAC`,
    'exists',
  );
}

/** Datagrams leave by the port's `dev` or by routes; entries cannot select a device. */
function refuseVia(port: Holder, via: string | undefined): void {
  if (via === undefined || (isTunnel(port) && port.config.dev === via)) return;
  if (!isTunnel(port))
    throw new ChangeRefused(
      `via is for entries of a vxlan port, and ${port.name} is a ${port.kind === 'bridge' ? 'bridge' : `${port.kind} port`}`,
    );
  const { dev } = port.config;
  const how = dev === undefined ? 'the routes to the remotes' : `dev ${dev}`;
  throw new ChangeRefused(
    `what ${port.name} sends leaves by ${how}; leave "via ${via}" out, and give the remote a route by ${via}, or set dev of ${port.name}`,
  );
}

/** @throws ChangeRefused */
export function deleteEntry(tables: FdbTables, request: Deletion, change: Transition): void {
  const port = portOf(tables, request.dev);
  refuseVia(port, request.via);
  const mac = canonicalMac(request.mac);
  if (isForMany(mac) && request.dst === undefined)
    throw new ChangeRefused(`${mac} may have many destinations; say with dst which of them goes`);
  if (hasOwnMac(port) && port.ownMac === mac)
    throw new ChangeRefused(`${mac} is the address of ${port.name} itself, and stays as long as that is there`);
  const configured = configuredRows(tables, port, { ...request, mac });
  const learned = isForMany(mac) ? [] : learnedFids(tables, port, { ...request, mac });
  if (configured.length + learned.length === 0)
    throw new ChangeRefused(
      `port ${port.name} has no such entry of ${mac}; "${command`fdb show dev ${port.name}`}" lists those it has`,
      'not_found',
    );
  tables.entries.remove(configured, change);
  for (const fid of learned) change.structure.push({ op: 'fdb-del', ...macOf(mac), fid });
}

function configuredRows(tables: FdbTables, port: Holder, request: Deletion): Entry[] {
  const { mac, vlan, dst, port: udpPort } = request;
  // As in vxlan_fdb_delete, a destination without a UDP port means the port's dstport.
  const isAt = (entry: Entry): boolean =>
    (dst === undefined && udpPort === undefined) || udpPortOf(port, entry.udpPort) === udpPortOf(port, udpPort);
  return [...tables.model.entries.ofPort(port.name)].filter(
    (entry) =>
      entry.mac === mac &&
      (vlan === undefined || entry.vlan === vlan) &&
      isOfVni(port, entry, request) &&
      (dst === undefined || isBehind(tables, port, entry, dst)) &&
      isAt(entry),
  );
}

/**
 * Without a VNI, a flood-list row for every VNI is meant; a single-VNI port has no other rows. A destination without a VNI of
 * its own matches only such entries, as with the UDP port.
 */
function isOfVni(port: Holder, entry: Entry, request: Deletion): boolean {
  if (!isTunnel(port)) return request.vni === undefined && request.src_vni === undefined;
  const { vni, sentVni } = vnisOfEntry(request, port.config.id);
  const isAny = request.dst === undefined && request.vni === undefined;
  if (!isAny && entry.sentVni !== sentVni) return false;
  if (!port.config.vlan_tunnel) return vni === port.config.id;
  return isFloodRow(entry) ? (entry.vni ?? null) === (vni ?? null) : vni === undefined || entry.vni === vni;
}

function udpPortOf(port: Holder, udpPort: number | undefined): number | undefined {
  return udpPort ?? (isTunnel(port) ? port.config.dstport : undefined);
}

/** FIDs in which the MAC was learned behind the port. */
function learnedFids(tables: FdbTables, port: Holder, request: Deletion): number[] {
  const { bridge } = port;
  const { mac, dst } = request;
  if (bridge === null || udpPortOf(port, request.port) !== udpPortOf(port, undefined)) return [];
  const remotes = dst === undefined ? null : tables.remotesAt(port.index, dst);
  const { high, low } = macOf(mac);
  const isLearned = (vid: number): boolean => {
    if (tables.model.entries.get({ mac, port: port.name, vlan: vid }) !== undefined) return false;
    const found = tables.fdb.find(high, low, fidOf(bridge.index, vid));
    if (found === null || found.owner !== port.index) return false;
    return remotes === null || remotes.includes(found.destination >>> 10);
  };
  return vidsOf(port, request)
    .filter(isLearned)
    .map((vid) => fidOf(bridge.index, vid));
}

/** The VLANs of the port selected by a VLAN and a VNI. */
function vidsOf(port: Holder, request: Deletion): number[] {
  const { vlan } = request;
  const all = vlan === undefined ? [0, ...port.vlans.keys()] : [vlan];
  if (request.vni === undefined && request.src_vni === undefined) return all;
  if (!isTunnel(port)) return [];
  const { vni, sentVni } = vnisOfEntry(request, port.config.id);
  const mapped = port.vnis.find((one) => one.vni === vni);
  if (mapped === undefined || sentVni !== undefined) return [];
  return mapped.vid === null ? all : all.filter((vid) => vid === mapped.vid);
}

/** Selects the entries and adds the flushes to `change`. @returns the number of matching entries */
export function flushEntries(tables: FdbTables, request: Flush, change: Transition): number {
  const matches: FdbMatch[] = flushMatches(tables, request);
  const configured = [...tables.model.entries.all()].filter((entry) => selectsEntry(tables, request, entry));
  let count = configured.length;
  if (matches.length > 0) {
    tables.fdb.forEach((row) => {
      if (matches.some((match) => fits(match, row)) && !isConfigured(tables, row)) count++;
    });
  }
  tables.entries.remove(configured, change);
  change.flushes.push(...matches);
  return count;
}

/** Whether an entry with a word of a source of peers is one of the file or a command, and counted as such. */
function isConfigured({ model, entries }: FdbTables, { fid, high, low, flags }: FdbRow): boolean {
  const place = (flags & FLAG_EXTERN_LEARN) === 0 ? null : fidParts(fid);
  const bridge = place === null ? undefined : model.bridgeAt[place.bridge];
  return place !== null && bridge !== undefined && entries.isPlaced(bridge.name, place.vid, formatMac(high, low));
}

function fits(match: FdbMatch, row: { owner: number; fid: number; destination: number; flags: number }): boolean {
  return (
    (match.owner === undefined || match.owner === row.owner) &&
    (match.fid === undefined || match.fid === row.fid) &&
    (match.destinations === undefined || match.destinations.has(row.destination)) &&
    (row.flags & (match.flagsMask ?? 0)) === (match.flagsValue ?? 0)
  );
}

function portOf({ model }: FdbTables, name: string): Holder {
  const port = holderOf(model, name);
  if (port !== undefined) return port;
  throw notFound('port', name);
}

function canonicalMac(text: string): string {
  try {
    macOf(text);
  } catch {
    throw new ChangeRefused(`"${text}" is no MAC address; give one such as 02:00:00:00:00:01`);
  }
  return text.toLowerCase();
}
