/**
 * Listings of a running switch, built from the model, the engines' shared memory and the state of the NICs, in the shapes of
 * `src/api`. Read-only.
 */

import type {
  FdbFilter,
  FdbRow,
  LinkCounters,
  LinkRow,
  LoopFacts,
  MacMoves,
  PeerSourceRow,
  StatsAnswer,
  TrafficCounters,
} from '../../api/api.js';
import { effectiveOptions } from '../../config/effective-options.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { CounterReader, Traffic } from '../../dataplane/state/counters.js';
import { ABSENT_HOST_PORT, destinationPort, destinationRemote, isGroup } from '../../dataplane/state/destination.js';
import { fidParts } from '../../dataplane/state/fid.js';
import type { FlowReader } from '../../dataplane/state/flows.js';
import type { RemoteTable } from '../../encap/remotes.js';
import {
  ageOf,
  FLAG_EXTERN_LEARN,
  FLAG_STICKY,
  FLAGS_SET,
  type FdbRow as FdbEntry,
  type FdbReader,
} from '../../fdb/table.js';
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
import type { PeerFloodRow } from '../model/peer-rows.js';
import { activityOf, flagWords, stateOf } from '../model/fdb-flags.js';
import { nhidOf, remoteAddress, vniOf } from '../model/naming.js';
import { isUp, kindOf } from '../ports/registry.js';
import { remotesOf } from '../reconcile/vteps.js';
import { bridgeRow, portRow } from '../spanning-tree/facts.js';
import type { TreeControl } from '../spanning-tree/tree-control.js';
import { CarriedEntries } from './carried.js';
import { type RemoteSource, remotesPart } from './remotes.js';
import { unknownVteps } from './unknown-vteps.js';

/** A loop by names; `since` is in milliseconds since 1970. */
export interface FoundLoop {
  bridge: string;
  port: string;
  with: string;
  vid: number;
  since: number;
}

type TreesOfSwitch = Pick<TreeControl, 'trees' | 'memberOf'>;

/** Sources of the views. */
export interface Sources {
  model: SwitchModel;
  counters: CounterReader;
  remotes: RemoteTable;
  fdb: FdbReader;
  /** Loops that loop guard has found. */
  loops?: { loops(): FoundLoop[]; endedLoops(): FoundLoop[] };
  /** Entries of a port in the multicast database, or of it in a VLAN. */
  multicast?: { entriesOf(port: number, vid?: number): number };
  /** Spanning trees. */
  trees?: TreesOfSwitch;
  /** Sources of peers of a port. */
  peerSources?: (port: string) => PeerSourceRow[];
  /** Sessions with remotes. */
  liveness?: RemoteSource;
  /** Flows that the kernel carries. */
  flows?: FlowReader | null;
  /** MACs that moved too often. */
  macMoves?: () => MacMoves[];
}

// ---- links ----

type LinkSources = Pick<Sources, 'model' | 'fdb' | 'loops' | 'multicast' | 'trees' | 'liveness' | 'peerSources'>;

/** @param details all options in force including defaults; otherwise the configured ones */
export function viewLinks(sources: LinkSources, details = false): LinkRow[] {
  const { model, fdb, trees } = sources;
  const loops = new Map(sources.loops?.loops().map((loop) => [loop.port, loop]));
  const groups = (port: Port): Pick<LinkRow, 'mcast_n_groups'> =>
    details && port.bridge !== null ? { mcast_n_groups: sources.multicast?.entriesOf(port.index) ?? 0 } : {};
  const row = (port: Port): LinkRow => ({
    ...portLink(port, model, details),
    ...groups(port),
    ...treePart(trees, port, details),
    ...remotesPart(port, sources.liveness),
    ...loopPart(loops.get(port.name)),
    ...(details ? peerSourcesPart(sources.peerSources?.(port.name)) : {}),
  });
  const shown = (port: Port): boolean => !isHostOfBridge(port);
  const free = [...model.ports.values()].filter((port) => port.bridge === null);
  return [
    ...[...model.bridges.values()].flatMap((bridge) => [
      {
        ...bridgeLink(bridge, model, fdb.learnedByGroup[bridge.index], details),
        ...bridgeTreePart(trees, bridge, details),
      },
      ...bridge.ports.filter(shown).map(row),
    ]),
    ...free.map(row),
  ];
}

function peerSourcesPart(rows: PeerSourceRow[] = []): Pick<LinkRow, 'peer_sources'> {
  return rows.length === 0 ? {} : { peer_sources: rows };
}

function treePart(trees: TreesOfSwitch | undefined, port: Port, details: boolean): Record<string, unknown> {
  const member = trees?.memberOf(port);
  return member === undefined ? {} : portRow(member, details);
}

function bridgeTreePart(
  trees: TreesOfSwitch | undefined,
  bridge: BridgeModel,
  details: boolean,
): Record<string, unknown> {
  const tree = trees?.trees.get(bridge);
  return tree === undefined ? {} : bridgeRow(tree, details);
}

function loopPart(loop: FoundLoop | undefined): Pick<LinkRow, 'loop_with' | 'loop_vlan'> {
  if (loop === undefined) return {};
  return { loop_with: loop.with, ...(loop.vid === 0 ? {} : { loop_vlan: loop.vid }) };
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
    for (const flood of model.peers?.floodsOf(port) ?? []) {
      const row = peerFloodRow(port, port.bridge.name, flood);
      if (fitsFilter(row, filter)) yield row;
    }
  }
  const now = counters.tick;
  const carried = new CarriedEntries(sources.flows);
  for (let from = 0; from < fdb.slots; from += FDB_PIECE) {
    const piece: FdbRow[] = [];
    fdb.forEach(
      (entry) => {
        const row = entryRow(sources, entry, now);
        if (row !== null && carried.has(entry)) row.flags = [...row.flags, 'offload'];
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
    flags: ['self', ...(entry.router ? ['router'] : [])],
    ...(entry.proto === undefined ? {} : { proto: entry.proto }),
    moves: 0,
  };
}

/** A remote that a source of peers has put into a flood list. */
function peerFloodRow(
  port: VxlanPort,
  master: string,
  { mac, vni, dst, udpPort, sentVni, source }: PeerFloodRow,
): FdbRow {
  return {
    mac,
    ifname: port.name,
    master,
    ...vniPart(vni, sentVni),
    dst,
    ...(udpPort === undefined ? {} : { port: udpPort }),
    state: 'permanent',
    flags: ['self', 'extern_learn'],
    ...sourcePart(source),
    moves: 0,
  };
}

/** Who has put a row in; EVPN routes come by BGP, as with `ip route`. */
function sourcePart(source: string): Pick<FdbRow, 'proto' | 'source'> {
  return { ...(source === 'evpn' ? { proto: 'bgp' } : {}), source };
}

/** The row of an entry; null for a pinned multicast MAC, which is shown from the model. */
export function entryRow(
  { model, remotes }: Pick<Sources, 'model' | 'remotes'>,
  entry: FdbEntry,
  now: number,
): FdbRow | null {
  const place = fidParts(entry.fid);
  if (place === null) return null; // a pinned multicast MAC: shown from the model
  const bridge = model.bridgeAt[place.bridge];
  const port = model.portAt[destinationPort(entry.destination)];
  // Entries of a deleted link may exist for a moment longer.
  if (bridge === undefined || (port === undefined && entry.owner !== ABSENT_HOST_PORT)) return null;
  const state = stateOf(entry.flags);
  const mac = formatMac(entry.high, entry.low);
  const remote = destinationRemote(entry.destination);
  const proto = (entry.flags & FLAGS_SET) === 0 ? undefined : protoOf(model, mac, port?.name ?? bridge.name, place.vid);
  const isExtern = (entry.flags & FLAG_EXTERN_LEARN) !== 0;
  const source = isExtern ? model.peers?.sourceOf(bridge.name, place.vid, mac) : undefined;
  return {
    mac,
    ifname: port?.name ?? bridge.name,
    master: bridge.name,
    ...(place.vid === 0 ? {} : { vlan: place.vid }),
    ...(isTunnel(port) ? remotePart(port, remotes, remote, place.vid) : {}),
    state,
    // An entry of a group is sticky in any case.
    flags: flagWords(isGroup(remote) ? entry.flags & ~FLAG_STICKY : entry.flags),
    ...(proto === undefined ? {} : { proto }),
    ...(source === undefined ? {} : sourcePart(source)),
    ...activityOf(entry.flags),
    ...(state === 'permanent' ? {} : { updated: Math.floor((ageOf(now, entry.stamp) * TICK_MS) / 1000) }),
    moves: entry.moves,
  };
}

/** As told by whoever put the entry in. */
function protoOf({ entries }: SwitchModel, mac: string, port: string, vlan: number): string | undefined {
  return entries.get({ mac, port, vlan })?.proto;
}

/** @param vni of the entry @param sentVni of its own, the VNI of its frames */
function vniPart(vni: number | undefined, sentVni: number | undefined): Pick<FdbRow, 'vni' | 'src_vni'> {
  if (sentVni !== undefined) return { vni: sentVni, ...(vni === undefined ? {} : { src_vni: vni }) };
  return vni === undefined ? {} : { vni };
}

function remotePart(port: VxlanPort, remotes: RemoteTable, remote: number, vid: number): Partial<FdbRow> {
  const vni = vniOf(port, vid);
  if (remote === 0) return vniPart(vni, undefined);
  if (isGroup(remote)) return { ...vniPart(vni, undefined), ...present({ nhid: nhidOf(port, remote) }) };
  const udpPort = remotes.udpPort(remote);
  return {
    ...vniPart(vni, port.sentVnis.get(remote)?.vni),
    dst: remoteAddress(remotes, remote),
    ...(udpPort === port.config.dstport ? {} : { port: udpPort }),
  };
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
    loops: foundLoops(sources),
    ...(sources.liveness === undefined ? {} : { bfd_discarded: sources.liveness.discards() }),
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

function foundLoops({ loops }: Sources): LoopFacts[] {
  const facts =
    (state: LoopFacts['state']) =>
    (loop: FoundLoop): LoopFacts => ({
      port: loop.port,
      with: loop.with,
      master: loop.bridge,
      ...(loop.vid === 0 ? {} : { vlan: loop.vid }),
      since: new Date(loop.since).toISOString(),
      state,
    });
  return [...(loops?.loops().map(facts('blocked')) ?? []), ...(loops?.endedLoops().map(facts('gone')) ?? [])];
}

function linkCounters(sources: Sources, port: Port): LinkCounters {
  const { counters } = sources;
  const link: LinkCounters = { ...counters.port(port.index), ...counters.portDrops(port.index) };
  const offloaded = counters.offloaded(port.index);
  if (offloaded.rx_packets + offloaded.tx_packets > 0) link.offloaded = offloaded;
  if (isTunnel(port)) {
    link.remotes = remoteCounters(sources, port);
    const carried = [...port.vnis, ...port.sentVnis.values()];
    link.vnis = Object.fromEntries(
      carried.map(({ vni, counter }) => [vni, { ...counters.vni(counter), ...counters.losses(counter) }]),
    );
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
