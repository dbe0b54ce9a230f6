/** Messages of VLANs (RTM_*VLAN, `struct br_vlan_msg`, BRIDGE_VLANDB_* of linux/if_bridge.h). */
import {
  type Attribute,
  AttributeMap,
  bytesAttribute,
  nestAttribute,
  u8Attribute,
  u16Attribute,
  u32Attribute,
  u64Attribute,
  writeAttributes,
} from './attributes.js';
import { NetlinkFault, unsupported } from './fault.js';
import { flag, key, number, type Options, type Row, readOptions, writeOptions } from './option-table.js';
import { AF } from './rtnetlink.js';

const HEAD_BYTES = 8;
/** Of BRIDGE_VLANDB_DUMP_FLAGS. */
export const VLAN_DUMP = { STATS: 1, GLOBAL: 2 } as const;
const DUMP_FLAGS = 1;
const ENTRY = 1;
const GLOBAL_OPTIONS = 2;
const ATTR = {
  INFO: 1,
  RANGE: 2,
  STATE: 3,
  STATS: 5,
  MCAST_ROUTER: 6,
  MCAST_N_GROUPS: 7,
  MCAST_MAX_GROUPS: 8,
  NEIGH_SUPPRESS: 9,
} as const;
const STATS = { RX_BYTES: 1, RX_PACKETS: 2, TX_BYTES: 3, TX_PACKETS: 4 } as const;
const GLOBAL = { ID: 1, RANGE: 2 } as const;
/** BRIDGE_VLAN_INFO_*. */
const INFO_FLAG = { PVID: 2, UNTAGGED: 4, ONLY_OPTIONS: 0x40 } as const;
/** By number (BR_STATE_*). */
const STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking'] as const;
export type VlanState = (typeof STATES)[number];
/** Entries of one request. */
const MAX_ENTRIES = 4096;

/** BRIDGE_VLANDB_GOPTS_*. */
const GLOBAL_TABLE: readonly Row[] = [
  key(3, 'mcast_snooping', flag, true),
  key(4, 'mcast_igmp_version', number(1), 2),
  key(5, 'mcast_mld_version', number(1), 1),
  key(6, 'mcast_last_member_count', number(4), 2),
  key(7, 'mcast_startup_query_count', number(4), 2),
  key(8, 'mcast_last_member_interval', number(8), 100),
  key(10, 'mcast_membership_interval', number(8), 26_000),
  key(11, 'mcast_querier_interval', number(8), 25_500),
  key(12, 'mcast_query_interval', number(8), 12_500),
  key(13, 'mcast_query_response_interval', number(8), 1000),
  key(14, 'mcast_startup_query_interval', number(8), 3125),
  key(15, 'mcast_querier', flag, false),
  key(18, 'msti', number(2), 0),
];

interface Range {
  readonly vid: number;
  readonly vidEnd?: number | undefined;
}

/** One VLAN or range of a request. */
export interface VlanAsked extends Range {
  readonly pvid: boolean;
  readonly untagged: boolean;
  /** The VLAN is there, and is given options (`bridge vlan set`). */
  readonly onlyOptions: boolean;
  readonly options: {
    readonly mcast_router?: 0 | 1 | 2;
    readonly mcast_max_groups?: number;
    readonly neigh_suppress?: boolean;
    readonly state?: VlanState;
  };
}

export interface GlobalAsked extends Range {
  readonly options: Record<string, unknown>;
}

export interface VlansAsked {
  readonly index: number;
  readonly dumpFlags: number;
  readonly entries: readonly VlanAsked[];
  readonly globals: readonly GlobalAsked[];
}

/** The head of a request, and of a dump its flags. @returns null: it is too short */
export function readVlanDump(payload: Buffer): { index: number; dumpFlags: number } | null {
  if (payload.length < HEAD_BYTES) return null;
  return {
    index: payload.readInt32LE(4),
    dumpFlags: new AttributeMap(payload.subarray(HEAD_BYTES)).u32(DUMP_FLAGS) ?? 0,
  };
}

/** A change of VLANs. @throws NetlinkFault when a length is wrong, or for an option that a switch has not */
export function readVlanChange(payload: Buffer): Omit<VlansAsked, 'dumpFlags'> {
  if (payload.length < HEAD_BYTES) throw new NetlinkFault('the message of a VLAN is too short');
  const { all } = new AttributeMap(payload.subarray(HEAD_BYTES));
  const [entries, globals]: [VlanAsked[], GlobalAsked[]] = [[], []];
  for (const { type, value } of all.slice(0, MAX_ENTRIES)) {
    if (type === ENTRY) entries.push(readEntry(new AttributeMap(value)));
    else if (type === GLOBAL_OPTIONS) globals.push(readGlobal(new AttributeMap(value)));
  }
  if (entries.length + globals.length === 0) throw new NetlinkFault('the message names no VLAN');
  return { index: payload.readInt32LE(4), entries, globals };
}

function readEntry(given: AttributeMap): VlanAsked {
  const info = given.bytes(ATTR.INFO);
  if (info === undefined || info.length < 4) throw new NetlinkFault('a VLAN is too short');
  const flags = info.readUInt16LE(0);
  const state = given.u8(ATTR.STATE);
  if (state !== undefined && STATES[state] === undefined) throw new NetlinkFault('a state of a VLAN is from 0 to 4');
  const known: readonly number[] = Object.values(ATTR);
  const other = given.all.find(({ type }) => !known.includes(type));
  if (other !== undefined) throw unsupported(`overtap has no attribute ${other.type} of a VLAN; leave this option out`);
  const router = given.u8(ATTR.MCAST_ROUTER);
  if (router !== undefined && router !== 0 && router !== 1 && router !== 2)
    throw new NetlinkFault('mcast_router of a VLAN is 0, 1 or 2');
  const most = given.u32(ATTR.MCAST_MAX_GROUPS);
  const suppress = given.u8(ATTR.NEIGH_SUPPRESS);
  return {
    ...rangeOf(info.readUInt16LE(2), given.u16(ATTR.RANGE)),
    pvid: (flags & INFO_FLAG.PVID) !== 0,
    untagged: (flags & INFO_FLAG.UNTAGGED) !== 0,
    onlyOptions: (flags & INFO_FLAG.ONLY_OPTIONS) !== 0,
    options: {
      ...(router === undefined ? {} : { mcast_router: router }),
      ...(most === undefined ? {} : { mcast_max_groups: most }),
      ...(suppress === undefined ? {} : { neigh_suppress: suppress !== 0 }),
      ...(state === undefined ? {} : { state: STATES[state] as VlanState }),
    },
  };
}

function readGlobal(given: AttributeMap): GlobalAsked {
  const vid = given.u16(GLOBAL.ID);
  if (vid === undefined) throw new NetlinkFault('give the VLAN: vid VID');
  const options = readOptions(GLOBAL_TABLE, given, 'a VLAN of a bridge', [GLOBAL.ID, GLOBAL.RANGE]);
  return { ...rangeOf(vid, given.u16(GLOBAL.RANGE)), options };
}

const rangeOf = (vid: number, end: number | undefined): Range =>
  end === undefined || end === vid ? { vid } : { vid, vidEnd: end };

export interface VlanCounters {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
}

/** One VLAN or range of a listing. */
export interface VlanFacts extends Range {
  readonly pvid: boolean;
  readonly untagged: boolean;
  readonly neighSuppress: boolean;
  readonly state: VlanState;
  readonly mcastRouter: number;
  readonly mcastGroups?: number | undefined;
  readonly mcastMaxGroups?: number | undefined;
  readonly counters?: VlanCounters | undefined;
}

/** BRIDGE_VLANDB_ENTRY. */
export function vlanEntry(one: VlanFacts): Attribute {
  const info = Buffer.alloc(4);
  info.writeUInt16LE((one.pvid ? INFO_FLAG.PVID : 0) | (one.untagged ? INFO_FLAG.UNTAGGED : 0), 0);
  info.writeUInt16LE(one.vid, 2);
  const inner = [
    bytesAttribute(ATTR.INFO, info),
    ...(one.vidEnd === undefined ? [] : [u16Attribute(ATTR.RANGE, one.vidEnd)]),
    u8Attribute(ATTR.STATE, STATES.indexOf(one.state)),
    u8Attribute(ATTR.NEIGH_SUPPRESS, one.neighSuppress ? 1 : 0),
    u8Attribute(ATTR.MCAST_ROUTER, one.mcastRouter),
    ...(one.mcastGroups === undefined ? [] : [u32Attribute(ATTR.MCAST_N_GROUPS, one.mcastGroups)]),
    ...(one.mcastMaxGroups === undefined ? [] : [u32Attribute(ATTR.MCAST_MAX_GROUPS, one.mcastMaxGroups)]),
    ...(one.counters === undefined ? [] : [nestAttribute(ATTR.STATS, statsOf(one.counters), true)]),
  ];
  return nestAttribute(ENTRY, inner, true);
}

const statsOf = (counters: VlanCounters): Attribute[] => [
  u64Attribute(STATS.RX_BYTES, counters.rx_bytes),
  u64Attribute(STATS.RX_PACKETS, counters.rx_packets),
  u64Attribute(STATS.TX_BYTES, counters.tx_bytes),
  u64Attribute(STATS.TX_PACKETS, counters.tx_packets),
];

/** BRIDGE_VLANDB_GLOBAL_OPTIONS. @param options by their keys; flags are booleans */
export function globalEntry({ vid, vidEnd }: Range, options: Options): Attribute {
  const range = vidEnd === undefined ? [] : [u16Attribute(GLOBAL.RANGE, vidEnd)];
  return nestAttribute(
    GLOBAL_OPTIONS,
    [u16Attribute(GLOBAL.ID, vid), ...range, ...writeOptions(GLOBAL_TABLE, options)],
    true,
  );
}

/** The payload of RTM_NEWVLAN for one port or bridge. */
export function writeVlans(index: number, entries: readonly Attribute[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(AF.BRIDGE, 0);
  head.writeInt32LE(index, 4);
  return Buffer.concat([head, writeAttributes(entries)]);
}
