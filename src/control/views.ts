/**
 * What a running switch shows of itself: the model, the engine's shared memory and the state of the NICs, in the JSON
 * shapes of `api.ts`. It only reads.
 */
import type { VlanMembership } from '../config/types.js';
import type { CounterReader, Traffic } from '../dataplane/counters.js';
import { DROP_REASONS } from '../dataplane/drop-reasons.js';
import { TICK_MS } from '../dataplane/engine.js';
import { destinationPort, destinationRemote, segmentParts } from '../dataplane/forwarding.js';
import type { RemoteTable } from '../encap/remotes.js';
import { ageOf } from '../fdb/ageing.js';
import {
  type FdbRow as FdbEntry,
  type FdbReader,
  FLAG_EXTERN_LEARN,
  FLAG_PERMANENT,
  FLAG_PINNED,
  FLAG_STATIC,
  FLAG_STICKY,
} from '../fdb/table.js';
import { tapState } from '../port/tap.js';
import { formatMac } from '../wire/ethernet.js';
import { formatAddress } from '../wire/ip-address.js';
import type {
  DropCounters,
  FdbRow,
  FdbState,
  LinkCounters,
  LinkRow,
  StatsAnswer,
  TrafficCounters,
  TunnelRange,
  VlanRange,
  VlansAnswer,
} from './api.js';
import type { BridgeModel, Port, SwitchModel, VxlanPort } from './model.js';

/** What the views read from. */
export interface Sources {
  model: SwitchModel;
  counters: CounterReader;
  remotes: RemoteTable;
  fdb: FdbReader;
}

// ---- links ----

export function viewLinks({ model }: Sources): LinkRow[] {
  return model.bridges.flatMap((bridge) => [
    bridgeLink(bridge, model),
    ...bridge.ports
      .filter((port) => port.kind !== 'tap' || port.role !== 'bridge')
      .map((port) => portLink(port, model)),
  ]);
}

function bridgeLink(bridge: BridgeModel, model: SwitchModel): LinkRow {
  const host = bridge.ports.find((port) => port.kind === 'tap' && port.role === 'bridge');
  const own = { ifname: bridge.name, type: 'bridge', operstate: 'UP', mtu: bridge.mtu } as const;
  const row: LinkRow = { ...bridge.config.options, ...own };
  if (host === undefined) return row;
  const { operstate, mtu, address } = portLink(host, model);
  return { ...row, operstate, mtu, ...(address === undefined ? {} : { address }) };
}

function portLink(port: Port, model: SwitchModel): LinkRow {
  // `nic` is the NIC's name where the file gives one: `ifname` is the link's here, as in `ip -j link`.
  const { ifname: nicName, ...options } = port.config.options;
  const named = nicName === undefined ? {} : { nic: nicName };
  const common = { ...options, ...named, ifname: port.name, type: port.kind, master: port.bridge.name };
  if (port.kind === 'vxlan') {
    const address = port.host === null ? {} : { address: port.host.tap.mac };
    return { ...common, operstate: 'UP', mtu: port.mtu, ...address };
  }
  const nic = model.lost.has(port.index) ? null : tapState(port.tap.ifname, port.config.netns);
  return {
    ...common,
    operstate: nic?.up === true ? 'UP' : 'DOWN',
    mtu: nic?.mtu ?? port.tap.mtu,
    address: nic?.mac ?? port.tap.mac,
  };
}

// ---- fdb ----

/** Flood lists and pinned multicast MACs first, as configured; then the table. */
export function viewFdb(sources: Sources): FdbRow[] {
  const rows: FdbRow[] = [];
  for (const port of sources.model.ports) {
    if (port.kind === 'vxlan') rows.push(...destinationRows(port));
  }
  const now = sources.counters.tick;
  sources.fdb.forEach((entry) => {
    const row = entryRow(sources, entry, now);
    if (row !== null) rows.push(row);
  });
  return rows;
}

function destinationRows(port: VxlanPort): FdbRow[] {
  return port.destinations.map(({ mac, vni, dst, port: udpPort, state }) => ({
    mac,
    ifname: port.name,
    master: port.bridge.name,
    ...(vni === undefined ? {} : { vni }),
    dst,
    ...(udpPort === undefined ? {} : { port: udpPort }),
    state,
    flags: ['self'],
    moves: 0,
  }));
}

function entryRow({ model, remotes }: Sources, entry: FdbEntry, now: number): FdbRow | null {
  const place = segmentParts(entry.segment);
  if (place === null) return null; // a pinned multicast MAC: shown from the model
  const bridge = model.bridges[place.bridge];
  const port = model.ports[destinationPort(entry.destination)];
  const state = stateOf(entry.flags);
  return {
    mac: formatMac(entry.high, entry.low),
    ifname: port.name,
    master: bridge.name,
    ...(bridge.config.vlanFiltering ? { vlan: place.vid } : {}),
    ...(port.kind === 'vxlan' ? remotePart(port, remotes, destinationRemote(entry.destination), place.vid) : {}),
    state,
    flags: flagWords(entry.flags),
    ...(state === 'permanent' ? {} : { updated: Math.floor((ageOf(now, entry.stamp) * TICK_MS) / 1000) }),
    moves: entry.moves,
  };
}

function remotePart(port: VxlanPort, remotes: RemoteTable, remote: number, vid: number): Partial<FdbRow> {
  const vni = port.vnis.find((mapped) => mapped.vid === null || mapped.vid === vid)?.vni;
  if (remote === 0) return vni === undefined ? {} : { vni };
  const udpPort = remotes.udpPort(remote);
  return {
    ...(vni === undefined ? {} : { vni }),
    dst: addressOf(remotes, remote),
    ...(udpPort === port.config.dstport ? {} : { port: udpPort }),
  };
}

function addressOf(remotes: RemoteTable, remote: number): string {
  return formatAddress(...remotes.address(remote));
}

function stateOf(flags: number): FdbState {
  if ((flags & FLAG_PERMANENT) !== 0) return 'permanent';
  return (flags & (FLAG_STATIC | FLAG_PINNED)) !== 0 ? 'static' : 'dynamic';
}

function flagWords(flags: number): string[] {
  const words: string[] = [];
  if ((flags & FLAG_STICKY) !== 0) words.push('sticky');
  if ((flags & FLAG_EXTERN_LEARN) !== 0) words.push('extern_learn');
  return words;
}

// ---- vlans ----

export function viewVlans({ model }: Sources): VlansAnswer {
  const vlans = model.ports
    .filter((port) => port.config.vlans.length > 0)
    .map((port) => ({ ifname: port.name, vlans: vlanRanges(port.config.vlans) }));
  const tunnels = model.ports.flatMap((port) =>
    port.kind === 'vxlan' && port.config.vlanTunnel
      ? [{ ifname: port.name, tunnels: tunnelRanges(port.config.vlans) }]
      : [],
  );
  return { vlans, tunnels };
}

/** Runs of VIDs with the same flags as one row, the PVID always in one of its own, as `bridge vlan show` has it. */
function vlanRanges(vlans: readonly VlanMembership[]): VlanRange[] {
  const ranges: VlanRange[] = [];
  let previous: VlanMembership | undefined;
  for (const vlan of vlans) {
    const last = ranges.at(-1);
    const joins = previous !== undefined && previous.vid + 1 === vlan.vid && previous.untagged === vlan.untagged;
    if (last !== undefined && joins && !vlan.pvid && previous?.pvid === false) {
      last.vlanEnd = vlan.vid;
    } else {
      const flags: VlanRange['flags'] = [];
      if (vlan.pvid) flags.push('PVID');
      if (vlan.untagged) flags.push('Egress Untagged');
      ranges.push({ vlan: vlan.vid, flags });
    }
    previous = vlan;
  }
  return ranges;
}

/** Runs in which VID and VNI both go up by one as one row. */
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
    fdb: fdb.counters(),
  };
  for (const port of model.ports) {
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
  const drops: DropCounters = {};
  let received = 0;
  let sent = 0;
  for (let reason = 0; reason < DROP_REASONS.length; reason++) {
    const inward = counters.rxDrops(port.index, reason);
    const outward = counters.txDrops(port.index, reason);
    received += inward;
    sent += outward;
    if (inward + outward > 0) drops[DROP_REASONS[reason]] = inward + outward;
  }
  const link: LinkCounters = { ...counters.port(port.index), rx_dropped: received, tx_dropped: sent, drops };
  if (port.kind === 'vxlan') {
    link.remotes = remoteCounters(sources, port);
    link.vnis = Object.fromEntries(port.vnis.map(({ vni, counter }) => [vni, counters.vni(counter)]));
  }
  return link;
}

function remoteCounters({ counters, remotes }: Sources, port: VxlanPort): Record<string, TrafficCounters> {
  const rows: Record<string, TrafficCounters> = {};
  for (const remote of port.remotes.values()) add(rows, addressOf(remotes, remote), counters.remote(remote));
  if (port.config.acceptVteps === 'any') {
    for (const remote of remotes.learned(port.index)) add(rows, addressOf(remotes, remote), counters.remote(remote));
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
