/**
 * Plan of an examination: the vxlan ports with their remotes and their guests' packet sizes, and the NICs. It is derived from a
 * configuration and, if a switch runs, from its answers. Pure.
 */

import type { FdbRow, LinkRow, StatsAnswer } from '../api/api.js';
import { hasOwnNic, isTunnelPort, namesInterface } from '../config/options/kinds.js';
import type { BridgeConfig, LocalConfigOf, NicConfig, PortConfig, SwitchConfig, VxlanConfig } from '../config/types.js';
import { ETHERNET_HEADER } from '../wire/ethernet.js';
import { IPV4_HEADER } from '../wire/ipv4.js';
import { IPV6_HEADER } from '../wire/ipv6.js';
import { UDP_HEADER } from '../wire/udp.js';
import { VXLAN_HEADER } from '../wire/vxlan.js';

/** Maximum number of probed remotes, of all ports together. */
export const MOST_REMOTES = 1000;
/** MTU of the NICs of a bridge without a vxlan port. */
const ETHERNET_MTU = 1500;
const VLAN_TAG = 4;

/** Answers of a running switch. */
export interface Answers {
  readonly links: readonly LinkRow[];
  readonly stats: StatsAnswer;
  /** Entries added by commands, including flood lists. */
  readonly entries: readonly FdbRow[];
}

export interface RemotePlan {
  readonly address: string;
  /** Destination UDP ports of frames to it. */
  readonly ports: readonly number[];
  /** Frames received from it, and sent to it. */
  readonly heard: number;
  readonly sent: number;
}

export interface VxlanPlan {
  readonly name: string;
  readonly family: 4 | 6;
  readonly local?: string;
  readonly dev?: string;
  readonly group?: string;
  readonly dstport: number;
  readonly udpcsum: boolean;
  /** Bytes of the encapsulation around a frame's payload, including the outer IP header. */
  readonly overhead: number;
  /** The largest payload that guests send into the port; absent: unknown, since it follows the path MTU. */
  readonly guestMtu?: number;
  /** Names of the guests' ports, for remedies. */
  readonly guests: readonly string[];
  readonly remotes: readonly RemotePlan[];
}

/** A NIC that the switch creates: of a TAP or a host port. */
export interface NicPlan {
  /** The link's name. */
  readonly name: string;
  /** Its current name and namespace. */
  readonly ifname: string;
  readonly netns?: string;
  /** It was moved to a namespace without a name, so it cannot be examined. */
  readonly unseen?: true;
  /** Configured up, as is its bridge. */
  readonly up: boolean;
  readonly master?: string;
  /** The configured MTU. */
  readonly configured: number | 'auto';
  /** MTU of the tunnels of its bridge; absent: no tunnel, or not known yet. */
  readonly tunnelMtu?: number;
  readonly operstate?: 'UP' | 'DOWN';
  /** Why it is DOWN, as reported by the switch. */
  readonly fault?: string;
}

/** An existing interface that a port attaches. */
export interface NetdevPlan {
  /** The port's name. */
  readonly name: string;
  /** Its current name. */
  readonly ifname: string;
  readonly netns?: string;
  readonly host: boolean;
  readonly force: boolean;
  /** Configured up, as is its bridge. */
  readonly up: boolean;
  readonly operstate?: 'UP' | 'DOWN';
  /** As in NicPlan. */
  readonly fault?: string;
}

export interface LinkPlan {
  readonly name: string;
  readonly type: string;
  readonly up: boolean;
  readonly operstate?: 'UP' | 'DOWN';
  /** As in NicPlan. */
  readonly fault?: string;
}

export interface Plan {
  readonly vxlans: readonly VxlanPlan[];
  readonly nics: readonly NicPlan[];
  readonly netdevs: readonly NetdevPlan[];
  /** Bridges without a host port, and ports without a NIC of their own. */
  readonly links: readonly LinkPlan[];
  /** Number of remotes beyond MOST_REMOTES, which are omitted. */
  readonly leftOut: number;
}

interface Placed {
  readonly port: PortConfig;
  readonly bridge: BridgeConfig | null;
}

/** @param answers absent: only a file, no running switch */
export function planOf(config: SwitchConfig, answers?: Answers): Plan {
  const placed: Placed[] = [
    ...config.bridges.flatMap((bridge) => bridge.ports.map((port) => ({ port, bridge }))),
    ...config.ports.map((port) => ({ port, bridge: null })),
  ];
  const rows = new Map((answers?.links ?? []).map((row) => [row.ifname, row]));
  const nics = nicPlans(config, placed, rows);
  const room = { left: MOST_REMOTES, out: 0 };
  const vxlans = placed.flatMap((one) => (isVxlan(one) ? [vxlanPlan(one, nics, rows, answers, room)] : []));
  const bare = placed.map(portOf).filter((port) => !namesInterface(port));
  const links = [...config.bridges.filter((bridge) => !bridge.host_port), ...bare].map((link) =>
    linkPlan(link, placed, rows),
  );
  const netdevs = placed.flatMap(({ port, bridge }) =>
    port.type === 'netdev' ? [netdevPlan(port, bridge, rows)] : [],
  );
  return { vxlans, nics, netdevs, links, leftOut: room.out };
}

const isVxlan = (one: Placed): one is Placed & { port: VxlanConfig } => isTunnelPort(one.port);
const portOf = ({ port }: Placed): PortConfig => port;

function operstate(row: LinkRow | undefined): { operstate?: 'UP' | 'DOWN'; fault?: string } {
  if (row === undefined) return {};
  return { operstate: row.operstate, ...(row.fault === undefined ? {} : { fault: row.fault }) };
}

function linkPlan(
  link: BridgeConfig | PortConfig,
  placed: readonly Placed[],
  rows: ReadonlyMap<string, LinkRow>,
): LinkPlan {
  const bridge = placed.find(({ port }) => port === link)?.bridge;
  const up = link.up && bridge !== null && bridge?.up !== false;
  return { name: link.name, type: 'type' in link ? link.type : 'bridge', up, ...operstate(rows.get(link.name)) };
}

// ---- NICs ----

function nicPlans(config: SwitchConfig, placed: readonly Placed[], rows: ReadonlyMap<string, LinkRow>): NicPlan[] {
  const hosts = config.bridges.filter(({ host_port }) => host_port).map((bridge) => hostNic(bridge, bridge, rows));
  const ports = placed.flatMap(({ port, bridge }) => {
    if (hasOwnNic(port)) return [ownNic(port, bridge, rows)];
    return isTunnelPort(port) && port.host_port ? [hostNic(port, bridge, rows)] : [];
  });
  return [...hosts, ...ports];
}

function ownNic(port: NicConfig, bridge: BridgeConfig | null, rows: ReadonlyMap<string, LinkRow>): NicPlan {
  return {
    name: port.name,
    ...nicNow(port.ifname, port.netns, rows.get(port.name)),
    up: port.up && bridge?.up === true,
    configured: port.mtu,
    ...placeOf(bridge, rows),
    ...operstate(rows.get(port.name)),
  };
}

function hostNic(
  link: BridgeConfig | VxlanConfig,
  bridge: BridgeConfig | null,
  rows: ReadonlyMap<string, LinkRow>,
): NicPlan {
  // The host port of a vxlan link is listed as NAME@host; its NIC has the link's name.
  const name = 'type' in link ? `${link.name}@host` : link.name;
  return {
    name,
    ...nicNow(link.name, undefined, rows.get(name)),
    up: link.up && bridge?.up === true,
    configured: link.mtu,
    ...placeOf(bridge, rows),
    ...operstate(rows.get(name)),
  };
}

/** The current place of the NIC: the row has the name and namespace after its owner renamed or moved it. */
function nicNow(
  ifname: string,
  netns: string | undefined,
  row: LinkRow | undefined,
): Pick<NicPlan, 'ifname' | 'netns' | 'unseen'> {
  const moved = row?.nic_netns;
  const place = moved ?? netns;
  return {
    ifname: row?.nic ?? ifname,
    ...(place === undefined ? {} : { netns: place }),
    ...(moved?.startsWith('net:[') === true ? { unseen: true } : {}),
  };
}

function placeOf(
  bridge: BridgeConfig | null,
  rows: ReadonlyMap<string, LinkRow>,
): { master?: string; tunnelMtu?: number } {
  if (bridge === null) return {};
  const tunnels = bridge.ports.flatMap((port) => {
    const mtu = isTunnelPort(port) ? rows.get(port.name)?.mtu : undefined;
    return mtu === undefined ? [] : [mtu];
  });
  return { master: bridge.name, ...(tunnels.length === 0 ? {} : { tunnelMtu: Math.min(...tunnels) }) };
}

function netdevPlan(
  { name, ifname = name, netns, host, force, up }: LocalConfigOf<'netdev'>,
  bridge: BridgeConfig | null,
  rows: ReadonlyMap<string, LinkRow>,
): NetdevPlan {
  const row = rows.get(name);
  return {
    ...{ name, ifname: row?.nic ?? ifname, host, force, up: up && bridge?.up === true },
    ...(netns === undefined ? {} : { netns }),
    ...operstate(row),
  };
}

// ---- Tunnels ----

function vxlanPlan(
  { port, bridge }: Placed & { port: VxlanConfig },
  nics: readonly NicPlan[],
  rows: ReadonlyMap<string, LinkRow>,
  answers: Answers | undefined,
  room: { left: number; out: number },
): VxlanPlan {
  const all = remotesOf(port, answers);
  const remotes = all.slice(0, room.left);
  room.left -= remotes.length;
  room.out += all.length - remotes.length;
  const group = groupOf(port);
  const guests = nics.filter(({ master }) => bridge !== null && master === bridge.name);
  const guestMtu = answers === undefined ? fixedMtu(guests) : sentMtu(rows.get(port.name)?.mtu, guests, rows);
  return {
    name: port.name,
    family: port.family,
    ...(port.local === undefined ? {} : { local: port.local }),
    ...(port.dev === undefined ? {} : { dev: port.dev }),
    ...(group === undefined ? {} : { group }),
    dstport: port.dstport,
    udpcsum: port.udpcsum,
    overhead: overheadOf(port),
    ...(guestMtu === undefined ? {} : { guestMtu }),
    guests: guests.map(({ name }) => name),
    remotes,
  };
}

function groupOf(port: VxlanConfig): string | undefined {
  const { group } = port.options;
  return typeof group === 'string' ? group : undefined;
}

function overheadOf(port: VxlanConfig): number {
  const outer = (port.family === 4 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER + VXLAN_HEADER;
  // A port with a single VNI sends its tagged VLANs with their tags.
  const tag = !port.vlan_tunnel && port.vlans.some(({ untagged }) => !untagged) ? VLAN_TAG : 0;
  return outer + ETHERNET_HEADER + tag;
}

/** A guest MTU that is fixed by the file; `auto` follows the path and is unknown. */
function fixedMtu(guests: readonly NicPlan[]): number | undefined {
  const fixed = guests.flatMap(({ configured }) => (configured === 'auto' ? [] : [configured]));
  return fixed.length === 0 ? undefined : Math.max(...fixed);
}

/** Packets above the link's MTU do not enter the tunnel, and are judged with the NIC. */
function sentMtu(
  linkMtu: number | undefined,
  guests: readonly NicPlan[],
  rows: ReadonlyMap<string, LinkRow>,
): number | undefined {
  const largest = Math.max(0, ...guests.map(({ name }) => rows.get(name)?.mtu ?? ETHERNET_MTU));
  if (linkMtu === undefined) return undefined;
  return largest === 0 ? linkMtu : Math.min(linkMtu, largest);
}

/** All VTEPs that the port exchanges frames with: configured, added at run time, or learned. */
function remotesOf(port: VxlanConfig, answers: Answers | undefined): RemotePlan[] {
  const ports = new Map<string, Set<number>>();
  const add = (address: string, udpPort: number): void => {
    const known = ports.get(address);
    if (known === undefined) ports.set(address, new Set([udpPort]));
    else known.add(udpPort);
  };
  for (const address of [...port.remotes, ...port.vlans.flatMap(({ remotes }) => remotes)]) add(address, port.dstport);
  for (const entry of port.fdb) if (entry.dst !== undefined) add(entry.dst, entry.port ?? port.dstport);
  for (const row of answers?.entries ?? [])
    if (row.ifname === port.name && row.dst !== undefined) add(row.dst, row.port ?? port.dstport);
  const counters = answers?.stats.links[port.name]?.remotes ?? {};
  for (const address of [...port.peers, ...Object.keys(counters)]) if (!ports.has(address)) add(address, port.dstport);
  return [...ports].map(([address, of]) => ({
    address,
    ports: [...of].sort((a, b) => a - b),
    heard: counters[address]?.rx_packets ?? 0,
    sent: counters[address]?.tx_packets ?? 0,
  }));
}
