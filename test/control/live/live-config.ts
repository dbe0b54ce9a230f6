/**
 * The model's configuration: links and memberships as in the kernel, and the effects of `link` and `vlan` commands. Written
 * from the rules, independent of the switch: links are Maps, memberships a Map by VID, and an edit changes a copy. `faultOf`
 * (`live-rules.ts`) judges the result.
 */
import type { LinkRequest, VlanRequest, VlanSetRequest } from '../../../src/api/api.js';

export type Raw = Record<string, unknown>;

export interface Member {
  pvid: boolean;
  untagged: boolean;
  vni?: number;
  remotes: string[];
  isolated?: boolean;
  /** Absent: forwarding. */
  state?: string;
}
export type Members = Map<number, Member>;

/** An FDB entry of a document. */
export interface Given {
  mac: string;
  vlan?: number;
  vni?: number;
  src_vni?: number;
  dst?: string;
  port?: number;
  state?: 'static' | 'permanent' | 'dynamic';
  sticky?: boolean;
  extern_learn?: boolean;
}

export interface BridgeState {
  name: string;
  options: Raw;
  /** Of the host port; null: the default. */
  vlans: Members | null;
}

export interface PortState {
  name: string;
  type: 'tap' | 'vxlan';
  bridge: string | null;
  options: Raw;
  /** Null: the default of the bridge. */
  vlans: Members | null;
  fdb: Given[];
}

export interface Config {
  bridges: Map<string, BridgeState>;
  ports: Map<string, PortState>;
}

/** The model would refuse this. */
export class Refused extends Error {}

const ZERO = '00:00:00:00:00:00';
const NIC_KEYS = ['mac', 'addresses', 'mtu', 'persist'];
/** What a port has of its bridge, and loses with it. */
const SLAVE_KEYS = [
  'flood',
  'mcast_flood',
  'bcast_flood',
  'isolated',
  'locked',
  'mab',
  'hairpin',
  'group_fwd_mask',
  'neigh_forward_grat',
  'backup_port',
  'backup_nhid',
  'neigh_suppress',
  'neigh_vlan_suppress',
  'mcast_router',
  'mcast_fast_leave',
  'mcast_to_unicast',
  'mcast_max_groups',
  'storm_limit',
  'mss_clamp',
  'mirror',
  'mirror_ports',
  'mirror_vlans',
  'arp_guard',
  'allowed_macs',
  'trusted',
  'stp',
  'state',
  'cost',
  'priority',
  'bpdu_guard',
  'root_block',
  'edge',
  'point_to_point',
  'cvlan_map',
  'police_in',
  'police_out',
];

// ---- Reading documents

export function readConfig(document: Raw): Config {
  const config: Config = { bridges: new Map(), ports: new Map() };
  const addPorts = (ports: unknown, bridge: string | null): void => {
    for (const [name, body] of Object.entries((ports ?? {}) as Record<string, Raw>)) {
      const { type, vlans, fdb, ...options } = body;
      config.ports.set(name, {
        name,
        type: type as 'tap' | 'vxlan',
        bridge,
        options,
        vlans: readMembers(vlans),
        fdb: (fdb ?? []) as Given[],
      });
    }
  };
  for (const [name, body] of Object.entries((document.bridges ?? {}) as Record<string, Raw | null>)) {
    const { vlans, ports, ...options } = body ?? {};
    config.bridges.set(name, { name, options, vlans: readMembers(vlans) });
    addPorts(ports, name);
  }
  addPorts(document.ports, null);
  return config;
}

function readMembers(list: unknown): Members | null {
  if (list === undefined) return null;
  const members: Members = new Map();
  for (const { vid, pvid, untagged, tunnel_info, remotes, isolated, state } of list as Raw[]) {
    const [first, last] = readRange(vid);
    const [vni] = tunnel_info === undefined ? [undefined] : readRange(tunnel_info);
    for (let i = 0; first + i <= last; i++) {
      members.set(first + i, {
        pvid: pvid === true,
        untagged: untagged === true,
        ...(vni === undefined ? {} : { vni: vni + i }),
        remotes: [...new Set((remotes ?? []) as string[])],
        ...(isolated === undefined ? {} : { isolated: isolated as boolean }),
        ...(state === undefined ? {} : { state: state as string }),
      });
    }
  }
  return members;
}

function readRange(value: unknown): [number, number] {
  const [first, last] = String(value).split('-').map(Number);
  return [first, last ?? first];
}

export function copyOf({ bridges, ports }: Config): Config {
  const members = (vlans: Members | null): Members | null =>
    vlans && new Map([...vlans].map(([vid, member]) => [vid, { ...member }]));
  return {
    bridges: new Map([...bridges].map(([name, bridge]) => [name, { ...bridge, vlans: members(bridge.vlans) }])),
    ports: new Map([...ports].map(([name, port]) => [name, { ...port, vlans: members(port.vlans) }])),
  };
}

// ---- Facts

export function isFiltering(bridge: BridgeState | undefined): boolean {
  return bridge?.options.vlan_filtering === true;
}

export function defaultPvid(bridge: BridgeState): number {
  return (bridge.options.vlan_default_pvid as number | undefined) ?? 1;
}

/** Memberships as the kernel counts them: the default ones too, whether they are looked at or not. */
function kernelMembers(link: { vlans: Members | null }, bridge: BridgeState): Members {
  return link.vlans ?? defaultMembers(bridge);
}

export function defaultMembers(bridge: BridgeState): Members {
  const pvid = defaultPvid(bridge);
  return new Map(pvid === 0 ? [] : [[pvid, { pvid: true, untagged: true, remotes: [] }]]);
}

/** Memberships that the switch shows: the default only where VLANs are looked at. */
export function membersOf(link: { vlans: Members | null }, bridge: BridgeState | undefined): Members {
  if (link.vlans !== null) return link.vlans;
  return bridge !== undefined && isFiltering(bridge) ? defaultMembers(bridge) : new Map();
}

// ---- Links

/** @throws Refused */
export function editLink(before: Config, request: LinkRequest): Config {
  const config = copyOf(before);
  switch (request.op) {
    case 'add':
      add(config, request);
      break;
    case 'del':
      remove(config, request.name);
      break;
    case 'set':
      set(config, request);
  }
  return config;
}

function add(config: Config, { name, type, master, options }: Extract<LinkRequest, { op: 'add' }>): void {
  if (config.bridges.has(name) || config.ports.has(name)) throw new Refused('exists');
  if (type === 'bridge') {
    if (master !== undefined) throw new Refused('a bridge in a bridge');
    config.bridges.set(name, { name, options: merged({}, options), vlans: null });
    return;
  }
  if (type !== 'tap' && type !== 'vxlan') throw new Error(`the sequences have no ${type} ports`);
  if (master !== undefined && !config.bridges.has(master)) throw new Refused('no such bridge');
  const bridge = master ?? null;
  config.ports.set(name, { name, type, bridge, options: merged({}, options), vlans: null, fdb: [] });
}

function remove(config: Config, name: string): void {
  if (config.ports.delete(name)) return;
  if (!config.bridges.delete(name)) throw new Refused('no such link');
  for (const port of config.ports.values()) if (port.bridge === name) leaveBridge(port);
}

/** As del_nbp: what the port had of its bridge is gone. A vxlan device keeps its own learning and its flood list. */
function leaveBridge(port: PortState): void {
  const isVxlan = port.type === 'vxlan';
  const gone = isVxlan ? SLAVE_KEYS : [...SLAVE_KEYS, 'learning'];
  port.options = Object.fromEntries(Object.entries(port.options).filter(([key]) => !gone.includes(key)));
  port.vlans = null;
  const { id } = port.options;
  port.fdb = port.fdb.filter(
    ({ mac, vlan, vni }) => isVxlan && mac === ZERO && vlan === undefined && (vni === undefined || vni === id),
  );
  port.bridge = null;
}

const BY_VLAN = 'mcast_vlan_snooping';

function set(config: Config, { name, master, options }: Extract<LinkRequest, { op: 'set' }>): void {
  const port = config.ports.get(name);
  const bridge = config.bridges.get(name);
  if (port === undefined && bridge === undefined) throw new Refused('no such link');
  if (master !== undefined && master !== null && (bridge !== undefined || !config.bridges.has(master)))
    throw new Refused('no such master');
  if (port !== undefined) {
    if (master !== undefined && master !== port.bridge) {
      if (port.bridge !== null) leaveBridge(port);
      port.bridge = master;
    }
    if (port.type === 'vxlan') dropHostPort(port, options ?? {}, NIC_KEYS);
    port.options = merged(port.options, options);
    return;
  }
  if (bridge === undefined) return;
  const from = defaultPvid(bridge);
  const hadHost = bridge.options.host_port === true;
  dropHostPort(bridge, options ?? {}, NIC_KEYS);
  bridge.options = merged(bridge.options, options);
  // Snooping by VLAN ends with filtering, unless the same request says it.
  const given = options ?? {};
  if (
    Object.hasOwn(given, 'vlan_filtering') &&
    bridge.options.vlan_filtering !== true &&
    !Object.hasOwn(given, BY_VLAN)
  )
    delete bridge.options[BY_VLAN];
  if (bridge.options.host_port !== true) bridge.vlans = null;
  const to = defaultPvid(bridge);
  if (from === to) return;
  for (const one of config.ports.values()) if (one.bridge === name) followPvid(one, from, to);
  if (hadHost && bridge.options.host_port === true) followPvid(bridge, from, to);
}

/** What was put on the host port goes with it. */
function dropHostPort(link: { options: Raw }, given: Raw, keys: string[]): void {
  if (!Object.hasOwn(given, 'host_port') || given.host_port === true) return;
  link.options = Object.fromEntries(Object.entries(link.options).filter(([key]) => !keys.includes(key)));
}

function merged(before: Raw, options: Raw = {}): Raw {
  const all = { ...before, ...options };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined));
}

/** As __br_vlan_set_default_pvid and br_vlan_disable_default_pvid. A link that says nothing follows by itself. */
function followPvid(link: { vlans: Members | null; fdb?: Given[] }, from: number, to: number): void {
  const { vlans } = link;
  const dropEntries = (vid: number): void => {
    if (link.fdb !== undefined) link.fdb = link.fdb.filter(({ vlan }) => vlan !== vid);
  };
  if (vlans === null) {
    // The entries of the VLAN that is left go with it, in a list of their own too.
    if (from !== 0) dropEntries(from);
    return;
  }
  const old = vlans.get(from);
  const isDefault = old?.pvid === true && old.untagged;
  if (to === 0 ? !isDefault : (from !== 0 && !isDefault) || vlans.has(to)) return;
  if (old !== undefined) dropMembers(link, [[from, old]]);
  if (to === 0) return;
  for (const member of vlans.values()) member.pvid = false;
  vlans.set(to, { pvid: true, untagged: true, remotes: [] });
}

/** Takes memberships away, and the document's entries that were in them. */
function dropMembers(link: { vlans: Members | null; fdb?: Given[] }, gone: [number, Member][]): void {
  for (const [vid] of gone) link.vlans?.delete(vid);
  dropEntriesOf(link, gone);
}

function dropEntriesOf(link: { fdb?: Given[] }, gone: [number, Member][]): void {
  const isGone = ({ vlan, vni }: Given): boolean =>
    gone.some(([vid, member]) => vlan === vid || (vni !== undefined && vni === member.vni));
  if (link.fdb !== undefined) link.fdb = link.fdb.filter((entry) => !isGone(entry));
}

// ---- VLANs

/** @throws Refused */
export function editVlans(before: Config, request: VlanRequest | VlanSetRequest): Config {
  const config = copyOf(before);
  if (request.op === 'set') {
    setMembers(config, request);
    return config;
  }
  const { dev, vid, vidEnd = vid, tunid, tunidEnd = tunid } = request;
  if (vid < 1 || vidEnd > 4094 || vid > vidEnd) throw new Refused('no such VIDs');
  const port = config.ports.get(dev);
  const bridge = config.bridges.get(port === undefined ? dev : (port.bridge ?? ''));
  const link = port ?? bridge;
  if (link === undefined || bridge === undefined) throw new Refused('no such link, or a port of no bridge');
  if (port === undefined && bridge.options.host_port !== true) throw new Refused('no host port');
  if (tunid !== undefined) {
    if (port?.type !== 'vxlan' || port.options.vlan_tunnel !== true) throw new Refused('maps nothing');
    if ((tunidEnd ?? 0) - tunid !== vidEnd - vid) throw new Refused('unequal ranges');
  }
  link.vlans = new Map([...kernelMembers(link, bridge)].map(([key, member]) => [key, { ...member }]));
  if (request.op === 'add') addMembers(link.vlans, request, vid, vidEnd);
  else deleteMembers(link as { vlans: Members; fdb?: Given[] }, request, vid, vidEnd);
  return config;
}

/** Options of memberships that are there, on ports. */
function setMembers(config: Config, { dev, vid, vidEnd = vid, isolated, state }: VlanSetRequest): void {
  if (vid < 1 || vidEnd > 4094 || vid > vidEnd) throw new Refused('no such VIDs');
  const port = config.ports.get(dev);
  const bridge = config.bridges.get(port?.bridge ?? '');
  if (port === undefined || bridge === undefined) throw new Refused('no such port, or one of no bridge');
  port.vlans = new Map([...kernelMembers(port, bridge)].map(([key, member]) => [key, { ...member }]));
  for (let one = vid; one <= vidEnd; one++) {
    const member = port.vlans.get(one);
    if (member === undefined) throw new Refused('not a member');
    if (isolated !== undefined) member.isolated = isolated;
    if (state !== undefined) member.state = state;
  }
}

function addMembers(vlans: Members, request: VlanRequest, first: number, last: number): void {
  const { pvid, untagged, tunid } = request;
  if (pvid === true && first !== last) throw new Refused('one PVID');
  for (let vid = first; vid <= last; vid++) {
    const vni = tunid === undefined ? undefined : tunid + vid - first;
    const old = vlans.get(vid);
    if (vni !== undefined) {
      if (old?.vni !== undefined && old.vni !== vni) throw new Refused('mapped to another');
      if ([...vlans].some(([other, member]) => other !== vid && member.vni === vni)) throw new Refused('VNI is taken');
    }
    const keepsFlags = vni !== undefined && pvid === undefined && untagged === undefined;
    if (pvid === true) for (const member of vlans.values()) member.pvid = false;
    vlans.set(vid, {
      remotes: [],
      ...old,
      ...(keepsFlags && old !== undefined ? {} : { pvid: pvid === true, untagged: untagged === true }),
      ...(vni === undefined ? {} : { vni }),
    } as Member);
  }
}

function deleteMembers(
  link: { vlans: Members; fdb?: Given[] },
  { tunid }: VlanRequest,
  first: number,
  last: number,
): void {
  const gone = [...link.vlans].filter(
    ([vid, { vni }]) => vid >= first && vid <= last && (tunid === undefined || vni !== undefined),
  );
  if (gone.length === 0) throw new Refused('not a member');
  if (tunid === undefined) {
    dropMembers(link, gone);
    return;
  }
  for (const [vid, { vni: _, ...member }] of gone) link.vlans.set(vid, { ...member, remotes: [] });
  dropEntriesOf(link, gone);
}
