/**
 * Writes the present FDB entries into the live document: entries added or removed at run time become configuration. Pure.
 * Entries that the document already contains, and that still exist, keep their spelling.
 */

import { canonicalIp, Refusal, splitZone, ZERO_MAC } from '../../values/address.js';
import { isDnsName } from '../../values/dns-name.js';
import { rangeLength, readRange, VLAN_ID } from '../../values/id-range.js';
import { type ConfiguredEntry, expandBridgeEntry, expandEntry } from '../entries/expand.js';
import { attributeKeys, factsText, PLAIN } from '../entries/attributes.js';
import { entriesOf, keyOf } from '../entries/list.js';
import { isTunnelPort } from '../options/kinds.js';
import type { BridgeConfig, PortConfig, SwitchConfig } from '../types.js';
import {
  asMapping,
  bridgesOf,
  type Document,
  getBridge,
  type Mapping,
  portsOf,
  withBridge,
  withKey,
  withoutKey,
  withPort,
} from './tree.js';

/**
 * @param config the resolved form of the document
 * @param rowsOf returns the entries of a bridge port; ports without a bridge have only the entries of the document
 */
export function withEntries(
  document: Document,
  config: SwitchConfig,
  rowsOf: (port: string) => Iterable<ConfiguredEntry>,
): Document {
  const said = new Map<string, ConfiguredEntry[]>();
  for (const row of entriesOf(config)) {
    const rows = said.get(row.port);
    if (rows === undefined) said.set(row.port, [row]);
    else rows.push(row);
  }
  let out = document;
  for (const [name, body] of bridgesOf(document)) {
    const bridge = config.bridges.find((one) => one.name === name);
    if (bridge !== undefined) out = withOwnEntries(out, body, bridge, said.get(name) ?? [], rowsOf(name));
    for (const port of bridge?.ports ?? []) {
      if (bridge === undefined) continue;
      const rows = new Rows([...rowsOf(port.name)].filter((row) => hasPlace(row, bridge)));
      const before = said.get(port.name) ?? [];
      if (before.length === rows.size && before.every((row) => rows.has(row))) continue;
      out = withPort(out, name, port.name, rewritten(asMapping(portsOf(body)[port.name]), port, bridge, rows));
    }
  }
  return out;
}

/** The entries of a bridge itself. */
function withOwnEntries(
  document: Document,
  body: Mapping,
  bridge: BridgeConfig,
  before: readonly ConfiguredEntry[],
  there: Iterable<ConfiguredEntry>,
): Document {
  const rows = new Rows([...there].filter((row) => hasPlace(row, bridge)));
  if (before.length === rows.size && before.every((row) => rows.has(row))) return document;
  const items = Array.isArray(body.fdb) ? (body.fdb as unknown[]) : [];
  const kept = items.filter((_, at) => rows.say(expandBridgeEntry(bridge.fdb[at], bridge)));
  const entries = [...kept, ...rows.left.map(ownEntryOf)];
  const now = getBridge(document, bridge.name);
  return withBridge(
    document,
    bridge.name,
    entries.length === 0 ? withoutKey(now, 'fdb') : withKey(now, 'fdb', entries),
  );
}

function ownEntryOf(entry: ConfiguredEntry): Mapping {
  const { mac, vlan, state } = entry;
  return { mac, ...(vlan === 0 ? {} : { vlan }), ...(state === 'permanent' ? {} : { state }), ...attributeKeys(entry) };
}

/** After VLAN filtering was switched on or off, entries of the former mode are inactive; the file format cannot express them. */
function hasPlace({ mac, vlan }: ConfiguredEntry, { vlan_filtering }: BridgeConfig): boolean {
  return mac === ZERO_MAC || (vlan !== 0) === vlan_filtering;
}

/** The entries of one port, and which of them are already written. */
class Rows {
  private readonly byKey: Map<string, ConfiguredEntry>;
  private readonly said = new Set<string>();

  constructor(rows: Iterable<ConfiguredEntry>) {
    this.byKey = new Map([...rows].map((row) => [keyOf(row), row]));
  }

  get size(): number {
    return this.byKey.size;
  }

  has(row: ConfiguredEntry): boolean {
    const there = this.byKey.get(keyOf(row));
    return there !== undefined && factsText(there) === factsText(row);
  }

  /** Marks rows as written by the document. @returns false, marking none, when one of them does not exist */
  say(rows: readonly ConfiguredEntry[]): boolean {
    if (!rows.every((row) => this.has(row))) return false;
    for (const row of rows) this.said.add(keyOf(row));
    return true;
  }

  get left(): ConfiguredEntry[] {
    return [...this.byKey].flatMap(([key, row]) => (this.said.has(key) ? [] : [row]));
  }
}

/** A port's mapping with exactly these rows: first its lists where still valid, then the remaining rows as entries. */
function rewritten(body: Mapping, port: PortConfig, bridge: BridgeConfig, rows: Rows): Mapping {
  let out = body;
  if (isTunnelPort(port)) {
    const flood = (dst: string, vlan = 0, vni: number | null = null): ConfiguredEntry => ({
      ...{ mac: ZERO_MAC, port: port.name, vlan, vni, dst },
      ...PLAIN,
    });
    if (port.group !== undefined) rows.say([flood(port.group)]);
    for (const { vid, vni, group } of port.vlans)
      if (vni !== undefined && group !== undefined) rows.say([flood(group, vid, vni)]);
    // Own addresses of this host stay in the list, though no flood list contains them.
    const isOwn = (remote: string): boolean => port.ownRemotes?.includes(remote) === true;
    // Names have no rows here: their addresses come and go.
    out = withList(out, 'remotes', (remote) => isOwn(remote) || isDnsName(remote) || rows.say([flood(remote)]));
    const ownOf = (item: Mapping, remote: string): boolean => {
      if (isOwn(remote)) return true;
      const vids = vidsIn(item);
      const members = port.vlans.filter(({ vid, vni }) => vni !== undefined && vids(vid));
      // A remote for every VNI replaces those of single VNIs, unless these are separate entries.
      return !rows.has(flood(remote)) && rows.say(members.map(({ vid, vni }) => flood(remote, vid, vni)));
    };
    if (Array.isArray(out.vlans)) {
      const vlans = out.vlans.map(asMapping).map((item) => withList(item, 'remotes', (remote) => ownOf(item, remote)));
      out = withKey(out, 'vlans', vlans);
    }
  }
  const items = Array.isArray(body.fdb) ? (body.fdb as unknown[]) : [];
  const kept = items.filter((_, at) => rows.say(expandEntry(port.fdb[at], port, bridge)));
  const entries = [...kept, ...rows.left.map((row) => entryOf(row, port))];
  return entries.length === 0 ? withoutKey(out, 'fdb') : withKey(out, 'fdb', entries);
}

/** A mapping whose list is reduced to the addresses still valid. */
function withList(mapping: Mapping, key: string, holds: (address: string) => boolean): Mapping {
  const list = mapping[key];
  if (!Array.isArray(list)) return mapping;
  const kept = (list as unknown[]).filter((item) =>
    holds(canonicalIp(splitZone(String(item)).address)?.text ?? String(item)),
  );
  if (kept.length === list.length) return mapping;
  return kept.length === 0 ? withoutKey(mapping, key) : withKey(mapping, key, kept);
}

function vidsIn({ vid }: Mapping): (vid: number) => boolean {
  const range = typeof vid === 'number' || typeof vid === 'string' ? readRange(vid, VLAN_ID) : undefined;
  if (range === undefined || range instanceof Refusal) return () => false;
  return (one) => one >= range.first && one < range.first + rangeLength(range);
}

/** A row in file syntax. On a port that maps VLANs the VNI identifies the VLAN too. */
function entryOf(entry: ConfiguredEntry, port: PortConfig): Mapping {
  const { mac, vlan, vni, dst, udpPort, sentVni, nhid, state } = entry;
  const maps = isTunnelPort(port) && port.vlan_tunnel;
  return {
    mac,
    ...(maps && typeof vni === 'number'
      ? sentVni === undefined
        ? { vni }
        : { src_vni: vni }
      : vlan === 0
        ? {}
        : { vlan }),
    ...(sentVni === undefined ? {} : { vni: sentVni }),
    ...(dst === undefined ? {} : { dst }),
    ...(udpPort === undefined ? {} : { port: udpPort }),
    ...(nhid === undefined ? {} : { nhid }),
    state,
    ...attributeKeys(entry),
  };
}
