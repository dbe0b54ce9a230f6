/**
 * The zod schemas of the configuration file: one strict object for each kind of mapping, made of the rows of its options.
 *
 * Nested mappings and list items stay unknown here: `../read/decode.ts` descends into them one by one, so that a fault in
 * one place hides none in another. Defaults are filled in by `../resolve.ts`; rules across values are in `../rules/`.
 */
import { z } from 'zod';
import { expected, mapping, value } from '../../values/value.js';
import { bridgeLists, bridgeOptions, bridgePorts } from './bridge.js';
import { fdbOptions, mdbOptions, neighOptions, tunnelMdbOptions } from './entries.js';
import { cniOptions, dockerOptions } from './containers.js';
import { evpnDuplicateOptions, evpnNeighborOptions, evpnOptions, evpnVniOptions } from './evpn.js';
import { type KindOf, PORT_KINDS, PORT_TYPES, type PortType } from './kinds.js';
import { vlanGlobalOptions } from './mcast.js';
import { nexthopOptions } from './nexthop.js';
import { nicOptions } from './nic.js';
import { type Rows, type Shape, shapeOf } from './option.js';
import {
  deviceOptions,
  instanceOptions,
  policeOptions,
  portLists,
  portOptions,
  stateLists,
  stormLimitOptions,
} from './port.js';
import { etcdOptions, offloadOptions, switchLists, switchOptions } from './switch.js';
import { vlanOptions } from './vlan.js';

function object<T extends z.ZodRawShape>(what: string, shape: T) {
  return z.strictObject(shape, { error: expected(what) });
}

export const SWITCH = object('a mapping with the key "bridges"', shapeOf({ ...switchOptions, ...switchLists }));

export const OFFLOADS = object('a mapping of offloads', shapeOf(offloadOptions));

export const ETCD = object('a mapping of options of etcd', shapeOf(etcdOptions));

export const DOCKER = object('a mapping of options of the network driver', shapeOf(dockerOptions));

export const CNI = object('a mapping of options of the CNI plugin', shapeOf(cniOptions));

export const EVPN = object('a mapping of options of EVPN', shapeOf(evpnOptions));

export const EVPN_NEIGHBOR = object('a neighbour such as { address: 192.0.2.254 }', shapeOf(evpnNeighborOptions));

export const EVPN_VNI = object('a VNI such as { vni: 10010, rd: "65001:100" }', shapeOf(evpnVniOptions));

export const EVPN_DUPLICATES = object('a mapping of limits', shapeOf(evpnDuplicateOptions));

export const BRIDGE = object(
  'a mapping of bridge options',
  shapeOf({ ...bridgeOptions, ...bridgeLists, ...nicOptions, ...bridgePorts }),
);

const bareOptions = { ...portLists, ...deviceOptions };
const anyPort = { ...bareOptions, ...portOptions, ...stateLists };

/** The rows of a kind of port, in the order of the JSON Schema. */
export function portRows(type: PortType): Rows {
  const { options, lists, nic, bare } = PORT_KINDS[type];
  const any = bare === true ? bareOptions : anyPort;
  return { ...options, ...lists, ...any, ...(nic === 'none' || nic === 'attached' ? {} : nicOptions) };
}

function portSchema(type: PortType): z.ZodObject {
  return object('a mapping of port options', { type: z.literal(type), ...shapeOf(portRows(type)) });
}

type ShapeOf<T extends PortType> = Shape<KindOf<T>['options']> &
  Shape<KindOf<T>['lists']> &
  Shape<typeof anyPort> &
  (KindOf<T>['nic'] extends 'none' | 'attached' ? unknown : Shape<typeof nicOptions>);

/** The schema of each kind of port. */
export const PORTS = Object.fromEntries(PORT_TYPES.map((type) => [type, portSchema(type)])) as unknown as {
  readonly [T in PortType]: z.ZodObject<{ type: z.ZodLiteral<T> } & ShapeOf<T>, z.core.$strict>;
};

export const VLAN = object('a VLAN membership such as { vid: 2 }', shapeOf(vlanOptions));

export const VLAN_GLOBAL = object(
  'options of a VLAN such as { vid: 2, mcast_querier: true }',
  shapeOf(vlanGlobalOptions),
);

export const INSTANCE = object(
  'a state of an instance such as { msti: 1, state: forwarding }',
  shapeOf(instanceOptions),
);

export const POLICE = object('a mapping of limits', shapeOf(policeOptions));

export const STORM_LIMIT = object('a mapping of limits', shapeOf(stormLimitOptions));

export const FDB_ENTRY = object('an FDB entry such as { mac: "02:00:00:00:00:01" }', shapeOf(fdbOptions));

export const NEIGH_ENTRY = object(
  'a binding such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }',
  shapeOf(neighOptions),
);

export const NEXTHOP = object('a nexthop such as { id: 1, via: 192.0.2.2 }', shapeOf(nexthopOptions));

export const MDB_ENTRY = object('a multicast group such as { port: tap0, grp: 239.1.1.1 }', shapeOf(mdbOptions));

export const TUNNEL_MDB_ENTRY = object(
  'an entry such as { grp: 239.1.1.1, dst: 192.0.2.2 }',
  shapeOf(tunnelMdbOptions),
);

/** Determines only the kind of a port. */
export const PORT_TYPE = value.choice(PORT_TYPES);
/** Refuses only values that are no mapping. */
export const PORT = mapping('port options');
