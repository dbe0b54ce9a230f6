/**
 * The shapes of a file's values once each mapping and list item has met its schema by itself (`decode.ts`): what is sound, and
 * which keys were refused. What reads or judges a file imports these; nothing here runs but `allPorts`.
 */
import type { z } from 'zod';
import type {
  BRIDGE,
  FDB_ENTRY,
  MDB_ENTRY,
  NEIGH_ENTRY,
  OFFLOADS,
  STORM_LIMIT,
  SWITCH,
  TAP,
  VLAN,
  VXLAN,
} from '../options/schema.js';
import type { NicAddress } from '../types.js';
import type { Path } from './faults.js';

/** A mapping of the file. */
export interface Decoded<S extends z.ZodObject> {
  path: Path;
  /** The values that are sound by themselves. */
  given: Partial<z.output<S>>;
  /** Keys whose values, or items of them, were refused. */
  rejected: ReadonlySet<string>;
  /** As it stands in the file. */
  raw: Readonly<Record<string, unknown>>;
}

export interface Item<T> {
  path: Path;
  value: T;
}

export interface DecodedSwitch extends Decoded<typeof SWITCH> {
  bridgeList: DecodedBridge[];
  /** Those that belong to no bridge. */
  portList: DecodedPort[];
  offloads: Partial<z.output<typeof OFFLOADS>>;
}

export interface DecodedBridge extends Decoded<typeof BRIDGE> {
  name: string;
  portList: DecodedPort[];
  addressList: Item<NicAddress>[];
  /** Of the host port; undefined when the file gives none. */
  vlanList: DecodedVlan[] | undefined;
  groupList: Item<z.output<typeof MDB_ENTRY>>[];
  /** Of the bridge itself. */
  entryList: DecodedEntry[];
}

export interface DecodedVlan extends Decoded<typeof VLAN> {
  vid: z.output<typeof VLAN>['vid'];
  remoteList: Item<string>[];
}

export interface DecodedEntry extends Decoded<typeof FDB_ENTRY> {
  mac: string;
}

/** What ports of each kind have in lists and mappings of their own. */
export interface DecodedLists {
  name: string;
  /** Undefined when the file gives none. */
  vlanList: DecodedVlan[] | undefined;
  entryList: DecodedEntry[];
  stormLimits: Partial<z.output<typeof STORM_LIMIT>>;
  addressList: Item<NicAddress>[];
}

export interface DecodedTap extends Decoded<typeof TAP>, DecodedLists {
  type: 'tap';
}

export interface DecodedVxlan extends Decoded<typeof VXLAN>, DecodedLists {
  type: 'vxlan';
  remoteList: Item<string>[];
  peerList: Item<string>[];
  bindingList: Item<z.output<typeof NEIGH_ENTRY>>[];
}

export type DecodedPort = DecodedTap | DecodedVxlan;

/** Every port that could be read, those that belong to no bridge last. */
export function allPorts(config: DecodedSwitch): DecodedPort[] {
  return [...config.bridgeList, config].flatMap(({ portList }) => portList);
}
