/**
 * Listings of a running switch, built from the model, the engines' shared memory and the state of the NICs, in the shapes of
 * `src/api`. Read-only.
 */

import type {
  FdbFilter,
  FdbRow,
  LinkCounters,
  LinkRow,
  MacMoves,
  StatsAnswer,
  TrafficCounters,
  TunnelRange,
  VlanRange,
  VlansAnswer,
} from '../../api/api.js';
import { effectiveOptions } from '../../config/effective-options.js';
import type { PortConfig, VlanMembership } from '../../config/types.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { CounterReader, Traffic } from '../../dataplane/state/counters.js';
import { ABSENT_HOST_PORT, destinationPort, destinationRemote } from '../../dataplane/state/destination.js';
import { fidParts } from '../../dataplane/state/fid.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { ageOf, type FdbRow as FdbEntry, type FdbReader } from '../../fdb/table.js';
import { formatMac } from '../../wire/ethernet.js';
import { fitsFilter } from '../listings.js';
import { type Entry, isForMany } from '../model/entries.js';
import {
  type BridgeModel,
  isHostOfBridge,
  isTunnel,
  type Port,
  type SwitchModel,
  type VxlanPort,
} from '../model/model.js';
import { flagWords, remoteAddress, stateOf, vniOf } from '../model/naming.js';
import { isUp, kindOf } from '../ports/registry.js';
import { remotesOf } from '../reconcile/vteps.js';
import { unknownVteps } from './unknown-vteps.js';

/** Sources of the views. */
export interface Sources {
  model: SwitchModel;
  counters: CounterReader;
  remotes: RemoteTable;
  fdb: FdbReader;
  /** MACs that moved too often. */
  macMoves?: () => MacMoves[];
}

// ---- links ----

/** @param details all options in force including defaults; otherwise the configured ones */
export function viewLinks({ model, fdb }: Pick<Sources, 'model' | 'fdb'>, details = false): LinkRow[] {
  const shown = (port: Port): boolean => !isHostOfBridge(port);
  const free = [...model.ports.values()].filter((port) => port.bridge === null);
  return [
    ...[...model.bridges.values()].flatMap((bridge) => [
      bridgeLink(bridge, model, fdb.learnedByGroup[bridge.index], details),
      ...bridge.ports.filter(shown).map((port) => portLink(port, model, details)),
    ]),
    ...free.map((port) => portLink(port, model, details)),
  ];
}

/** @param learned number of learned entries, as counted for `fdb_max_learned` (IFLA_BR_FDB_N_LEARNED) */
function bridgeLink(bridge: BridgeModel, model: SwitchModel, learned: number, details: boolean): LinkRow {
  const host = bridge.ports.find(isHostOfBridge);
  const own = {
    ifname: bridge.name,
    type: 'bridge',
    operstate: bridge.config.up ? 'UP' : 'DOWN',
    mtu: bridge.mtu,
    fdb_n_learned: learned,
  } as const;
  const options = details ? effectiveOptions(bridge.config, null) : bridge.config.options;
  const row: LinkRow = { ...options, ...own };
  if (host === undefined) return row;
  const { operstate, mtu, address, nic, nic_netns } = portLink(host, model, false);
  return { ...row, operstate, mtu, ...present({ address, nic, nic_netns }) };
}

function portLink(port: Port, model: SwitchModel, details: boolean): LinkRow {
  // `nic` is the configured name of the NIC: `ifname` is the link's name here, as in `ip -j link`.
  const all = details ? effectiveOptions(port.config, port.bridge?.config ?? null) : port.config.options;
  const { ifname: nicName, ...options } = all;
  const named = typeof nicName === 'string' ? { nic: nicName } : {};
  const master = port.bridge === null ? {} : { master: port.bridge.name };
  const common = { ...options, ...named, ifname: port.name, type: port.kind, ...master };
  const { operstate, ...seen } = kindOf(port).view(port, model.lost.has(port.index));
  const fault = port.fault === null ? {} : { fault: port.fault };
  return { ...common, ...seen, operstate: isUp(port) ? operstate : 'DOWN', ...fault };
}

function present(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

// ---- fdb ----

/** Rows read before a pause. */
const FDB_PIECE = 2048;

/** Flood lists and pinned multicast MACs first, as configured; then the table. */
export function* viewFdb(sources: Sources, filter: FdbFilter = {}): Generator<FdbRow | undefined> {
  const { model, fdb, counters } = sources;
  for (const port of model.ports.values()) {
    if (!isTunnel(port) || port.bridge === null) continue;
    for (const entry of model.entries.ofPort(port.name)) {
      // Rows not in the table as such: flood lists, and multicast MACs with remotes of their own.
      const row = isForMany(entry.mac) ? destinationRow(port, port.bridge.name, entry) : undefined;
      if (row !== undefined && fitsFilter(row, filter)) yield row;
    }
  }
  const now = counters.tick;
  for (let from = 0; from < fdb.slots; from += FDB_PIECE) {
    const piece: FdbRow[] = [];
    fdb.forEach(
      (entry) => {
        const row = entryRow(sources, entry, now);
        if (row !== null && fitsFilter(row, filter)) piece.push(row);
      },
      from,
      FDB_PIECE,
    );
    yield* piece;
    yield undefined;
  }
}

function destinationRow(port: VxlanPort, master: string, entry: Entry): FdbRow {
  const { mac, vni, dst, udpPort, sentVni, state } = entry;
  const only = port.config.vlan_tunnel ? vni : sentVni === undefined ? undefined : port.config.id;
  return {
    mac,
    ifname: port.name,
    master,
    ...vniPart(typeof only === 'number' ? only : undefined, sentVni),
    ...(dst === undefined ? {} : { dst }),
    ...(udpPort === undefined ? {} : { port: udpPort }),
    state,
    flags: ['self'],
    moves: 0,
  };
}

function entryRow({ model, remotes }: Sources, entry: FdbEntry, now: number): FdbRow | null {
  const place = fidParts(entry.fid);
  if (place === null) return null; // a pinned multicast MAC: shown from the model
  const bridge = model.bridgeAt[place.bridge];
  const port = model.portAt[destinationPort(entry.destination)];
  // Entries of a deleted link may exist for a moment longer.
  if (bridge === undefined || (port === undefined && entry.owner !== ABSENT_HOST_PORT)) return null;
  const state = stateOf(entry.flags);
  return {
    mac: formatMac(entry.high, entry.low),
    ifname: port?.name ?? bridge.name,
    master: bridge.name,
    ...(place.vid === 0 ? {} : { vlan: place.vid }),
    ...(isTunnel(port) ? remotePart(port, remotes, destinationRemote(entry.destination), place.vid) : {}),
    state,
    flags: flagWords(entry.flags),
    ...(state === 'permanent' ? {} : { updated: Math.floor((ageOf(now, entry.stamp) * TICK_MS) / 1000) }),
    moves: entry.moves,
  };
}

/** @param vni of the entry @param sentVni of its own, the VNI of its frames */
function vniPart(vni: number | undefined, sentVni: number | undefined): Pick<FdbRow, 'vni' | 'src_vni'> {
  if (sentVni !== undefined) return { vni: sentVni, ...(vni === undefined ? {} : { src_vni: vni }) };
  return vni === undefined ? {} : { vni };
}

function remotePart(port: VxlanPort, remotes: RemoteTable, remote: number, vid: number): Partial<FdbRow> {
  const vni = vniOf(port, vid);
  if (remote === 0) return vniPart(vni, undefined);
  const udpPort = remotes.udpPort(remote);
  return {
    ...vniPart(vni, port.sentVnis.get(remote)?.vni),
    dst: remoteAddress(remotes, remote),
    ...(udpPort === port.config.dstport ? {} : { port: udpPort }),
  };
}

// ---- vlans ----

export function viewVlans({ model }: Sources): VlansAnswer {
  const ports = [...model.ports.values()];
  const vlans = ports
    .filter((port) => port.config.vlans.length > 0)
    .map((port) => ({ ifname: port.name, vlans: vlanRanges(port.config) }));
  const tunnels = ports.flatMap((port) =>
    isTunnel(port) && port.config.vlan_tunnel ? [{ ifname: port.name, tunnels: tunnelRanges(port.config.vlans) }] : [],
  );
  return { vlans, tunnels };
}

/** Merges consecutive VIDs with equal flags into one row; the PVID has a row of its own, as in `bridge vlan show`. */
function vlanRanges({ vlans, neigh_vlan_suppress }: PortConfig): VlanRange[] {
  const ranges: VlanRange[] = [];
  let previous: VlanMembership | undefined;
  for (const vlan of vlans) {
    const last = ranges.at(-1);
    const joins =
      previous !== undefined &&
      previous.vid + 1 === vlan.vid &&
      previous.untagged === vlan.untagged &&
      (!neigh_vlan_suppress || previous.neigh_suppress === vlan.neigh_suppress);
    if (last !== undefined && joins && !vlan.pvid && previous?.pvid === false) {
      last.vlanEnd = vlan.vid;
    } else {
      const flags: VlanRange['flags'] = [];
      if (vlan.pvid) flags.push('PVID');
      if (vlan.untagged) flags.push('Egress Untagged');
      const suppression = neigh_vlan_suppress ? { neigh_suppress: vlan.neigh_suppress === true } : {};
      ranges.push({ vlan: vlan.vid, flags, ...suppression });
    }
    previous = vlan;
  }
  return ranges;
}

/** Merges runs in which VID and VNI both increase by one into one row. */
function tunnelRanges(vlans: readonly VlanMembership[]): TunnelRange[] {
  const ranges: TunnelRange[] = [];
  for (const { vid, vni } of vlans) {
    if (vni === undefined) continue;
    const last = ranges.at(-1);
    if (last !== undefined && vid === (last.vlanEnd ?? last.vlan) + 1 && vni === (last.tunidEnd ?? last.tunid) + 1) {
      last.vlanEnd = vid;
      last.tunidEnd = vni;
    } else {
      ranges.push({ vlan: vid, tunid: vni });
    }
  }
  return ranges;
}

// ---- stats ----

export function viewStats(sources: Sources): StatsAnswer {
  const { model, counters, fdb } = sources;
  const answer: StatsAnswer = {
    links: {},
    drops: {},
    remotes: {},
    vnis: {},
    replicated: counters.replicated,
    tunnel_gso: counters.tunnelled,
    retired: counters.retired,
    fdb: { ...fdb.counters(), capacity: fdb.capacity },
    unknown_vteps: unknownVteps(sources),
    mac_moves: sources.macMoves?.() ?? [],
  };
  for (const port of model.ports.values()) {
    const link = linkCounters(sources, port);
    answer.links[port.name] = link;
    for (const [reason, count] of Object.entries(link.drops))
      answer.drops[reason] = (answer.drops[reason] ?? 0) + count;
    for (const [address, traffic] of Object.entries(link.remotes ?? {})) add(answer.remotes, address, traffic);
    for (const [vni, traffic] of Object.entries(link.vnis ?? {})) answer.vnis[vni] = traffic; // counted by VNI already
  }
  return answer;
}

function linkCounters(sources: Sources, port: Port): LinkCounters {
  const { counters } = sources;
  const link: LinkCounters = { ...counters.port(port.index), ...counters.portDrops(port.index) };
  if (isTunnel(port)) {
    link.remotes = remoteCounters(sources, port);
    const carried = [...port.vnis, ...port.sentVnis.values()];
    link.vnis = Object.fromEntries(carried.map(({ vni, counter }) => [vni, counters.vni(counter)]));
  }
  const counted = [...port.vlans].filter(([, { counter }]) => counter !== 0);
  if (port.bridge?.config.vlan_filtering === true && counted.length > 0)
    link.vlans = Object.fromEntries(counted.map(([vid, { counter }]) => [vid, counters.vlan(counter)]));
  return link;
}

function remoteCounters({ counters, remotes }: Sources, port: VxlanPort): Record<string, TrafficCounters> {
  const rows: Record<string, TrafficCounters> = {};
  for (const [remote, address] of remotesOf(port)) add(rows, address, counters.remote(remote));
  if (port.config.accept_vteps === 'any') {
    for (const remote of remotes.learned(port.index))
      add(rows, remoteAddress(remotes, remote), counters.remote(remote));
  }
  return rows;
}

function add(rows: Record<string, TrafficCounters>, key: string, traffic: Traffic): void {
  const sum = rows[key];
  if (sum === undefined) {
    rows[key] = { ...traffic };
    return;
  }
  sum.rx_packets += traffic.rx_packets;
  sum.rx_bytes += traffic.rx_bytes;
  sum.tx_packets += traffic.tx_packets;
  sum.tx_bytes += traffic.tx_bytes;
}
