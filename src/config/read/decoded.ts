/**
 * The shapes of a file's values after each mapping and list item was checked by its own schema (`decode.ts`): the valid values,
 * and the rejected keys. Types for readers and rules; the only code is `allPorts`.
 */
import type { z } from 'zod';
import type { PortType, TunnelType } from '../options/kinds.js';
import type {
  BRIDGE,
  FDB_ENTRY,
  MDB_ENTRY,
  NEIGH_ENTRY,
  OFFLOADS,
  PORTS,
  STORM_LIMIT,
  SWITCH,
  VLAN,
} from '../options/schema.js';
import type { NicAddress } from '../types.js';
import type { Path } from './faults.js';

/** A mapping of the file. */
export interface Decoded<S extends z.ZodObject> {
  path: Path;
  /** The valid values. */
  given: Partial<z.output<S>>;
  /** Rejected keys, and keys with rejected items. */
  rejected: ReadonlySet<string>;
  /** As written in the file. */
  raw: Readonly<Record<string, unknown>>;
}

export interface Item<T> {
  path: Path;
  value: T;
}

export interface DecodedSwitch extends Decoded<typeof SWITCH> {
  bridgeList: DecodedBridge[];
  /** Ports without a bridge. */
  portList: DecodedPort[];
  offloads: Partial<z.output<typeof OFFLOADS>>;
}

export interface DecodedBridge extends Decoded<typeof BRIDGE> {
  name: string;
  portList: DecodedPort[];
  addressList: Item<NicAddress>[];
  /** Memberships of the host port; undefined when not given. */
  vlanList: DecodedVlan[] | undefined;
  groupList: Item<z.output<typeof MDB_ENTRY>>[];
  /** Entries of the bridge itself. */
  entryList: DecodedEntry[];
}

export interface DecodedVlan extends Decoded<typeof VLAN> {
  vid: z.output<typeof VLAN>['vid'];
  remoteList: Item<string>[];
}

export interface DecodedEntry extends Decoded<typeof FDB_ENTRY> {
  mac: string;
}

/** Lists and nested mappings of each kind of port. */
export interface DecodedLists {
  name: string;
  /** Undefined when not given. */
  vlanList: DecodedVlan[] | undefined;
  entryList: DecodedEntry[];
  stormLimits: Partial<z.output<typeof STORM_LIMIT>>;
  addressList: Item<NicAddress>[];
}

/** A port of one kind. */
interface DecodedOf<T extends PortType> extends Decoded<(typeof PORTS)[T]>, DecodedLists {
  type: T;
}

export type DecodedLocal = { [T in Exclude<PortType, TunnelType>]: DecodedOf<T> }[Exclude<PortType, TunnelType>];

export interface DecodedVxlan extends DecodedOf<TunnelType> {
  remoteList: Item<string>[];
  peerList: Item<string>[];
  bindingList: Item<z.output<typeof NEIGH_ENTRY>>[];
}

export type DecodedPort = DecodedLocal | DecodedVxlan;

/** All ports that could be decoded; ports without a bridge come last. */
export function allPorts(config: DecodedSwitch): DecodedPort[] {
  return [...config.bridgeList, config].flatMap(({ portList }) => portList);
}
