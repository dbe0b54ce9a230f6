/**
 * The shapes of a file's values after each mapping and list item was checked by its own schema (`decode.ts`): the valid values,
 * and the rejected keys. Types for readers and rules; the only code is `allPorts`.
 */
import type { z } from 'zod';
import type { PortType, TunnelType } from '../options/kinds.js';
import type {
  BRIDGE,
  FDB_ENTRY,
  INSTANCE,
  MDB_ENTRY,
  NEIGH_ENTRY,
  TUNNEL_MDB_ENTRY,
  NEXTHOP,
  CNI,
  DOCKER,
  ETCD,
  EVPN,
  EVPN_DUPLICATES,
  EVPN_NEIGHBOR,
  EVPN_VNI,
  OFFLOADS,
  POLICE,
  PORTS,
  STORM_LIMIT,
  SWITCH,
  VLAN,
  VLAN_GLOBAL,
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
  etcd: Partial<z.output<typeof ETCD>>;
  /** Undefined when not given. */
  docker: Partial<z.output<typeof DOCKER>> | undefined;
  cni: Partial<z.output<typeof CNI>> | undefined;
  nexthopList: Item<z.output<typeof NEXTHOP>>[];
  evpn: DecodedEvpn | undefined;
}

export interface DecodedEvpn extends Decoded<typeof EVPN> {
  neighborList: Item<z.output<typeof EVPN_NEIGHBOR>>[];
  vniList: Item<z.output<typeof EVPN_VNI>>[];
  duplicates: Partial<z.output<typeof EVPN_DUPLICATES>>;
}

export interface DecodedBridge extends Decoded<typeof BRIDGE> {
  name: string;
  portList: DecodedPort[];
  addressList: Item<NicAddress>[];
  /** Memberships of the host port; undefined when not given. */
  vlanList: DecodedVlan[] | undefined;
  groupList: Item<z.output<typeof MDB_ENTRY>>[];
  globalList: Item<z.output<typeof VLAN_GLOBAL>>[];
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
  /** Of `mst`. */
  instanceList: Item<z.output<typeof INSTANCE>>[];
  stormLimits: Partial<z.output<typeof STORM_LIMIT>>;
  /** Of `police_in` and `police_out`. */
  policed: Record<'police_in' | 'police_out', Partial<z.output<typeof POLICE>>>;
  addressList: Item<NicAddress>[];
  /** Of `arp_guard` and `allowed_macs`. */
  claimList: Item<string>[];
  macList: Item<string>[];
  /** Of `neigh`, on kinds that have it. */
  bindingList: Item<z.output<typeof NEIGH_ENTRY>>[];
}

/** A port of one kind. */
interface DecodedOf<T extends PortType> extends Decoded<(typeof PORTS)[T]>, DecodedLists {
  type: T;
}

export type DecodedLocal = { [T in Exclude<PortType, TunnelType>]: DecodedOf<T> }[Exclude<PortType, TunnelType>];

/** A tunnel port: a vxlan port, or one of a kind whose keys are a part of its keys. */
export interface DecodedVxlan extends Decoded<(typeof PORTS)['vxlan']>, DecodedLists {
  type: TunnelType;
  remoteList: Item<string>[];
  /** The DNS names among `remotes`. */
  nameList: Item<string>[];
  /** Of `peers_etcd`. */
  endpointList: Item<string>[];
  peerList: Item<string>[];
  groupList: Item<z.output<typeof TUNNEL_MDB_ENTRY>>[];
}

export type DecodedPort = DecodedLocal | DecodedVxlan;

/** All ports that could be decoded; ports without a bridge come last. */
export function allPorts(config: DecodedSwitch): DecodedPort[] {
  return [...config.bridgeList, config].flatMap(({ portList }) => portList);
}
