/**
 * The zod schemas of the configuration file: one strict object for each kind of mapping, made of the rows of its options.
 *
 * Nested mappings and list items stay unknown here: `../read/decode.ts` descends into them one by one, so that a fault in
 * one place hides none in another. Defaults are filled in by `../resolve.ts`; rules across values are in `../rules/`.
 */
import { z } from 'zod';
import { expected, mapping, value } from '../../values/value.js';
import { bridgeLists, bridgeOptions, bridgePorts } from './bridge.js';
import { fdbOptions, mdbOptions, neighOptions } from './entries.js';
import { nicOptions } from './nic.js';
import { shapeOf } from './option.js';
import { deviceOptions, portLists, portOptions, stormLimitOptions } from './port.js';
import { offloadOptions, switchLists, switchOptions } from './switch.js';
import { tapOptions } from './tap.js';
import { vlanOptions } from './vlan.js';
import { vxlanLists, vxlanOptions } from './vxlan.js';

function object<T extends z.ZodRawShape>(what: string, shape: T) {
  return z.strictObject(shape, { error: expected(what) });
}

export const SWITCH = object('a mapping with the key "bridges"', shapeOf({ ...switchOptions, ...switchLists }));

export const OFFLOADS = object('a mapping of offloads', shapeOf(offloadOptions));

export const BRIDGE = object(
  'a mapping of bridge options',
  shapeOf({ ...bridgeOptions, ...bridgeLists, ...nicOptions, ...bridgePorts }),
);

const anyPort = { ...portLists, ...deviceOptions, ...portOptions, ...nicOptions };

export const TAP = object('a mapping of port options', {
  type: z.literal('tap'),
  ...shapeOf({ ...tapOptions, ...anyPort }),
});

export const VXLAN = object('a mapping of port options', {
  type: z.literal('vxlan'),
  ...shapeOf({ ...vxlanOptions, ...vxlanLists, ...anyPort }),
});

export const VLAN = object('a VLAN membership such as { vid: 2 }', shapeOf(vlanOptions));

export const STORM_LIMIT = object('a mapping of limits', shapeOf(stormLimitOptions));

export const FDB_ENTRY = object('an FDB entry such as { mac: "02:00:00:00:00:01" }', shapeOf(fdbOptions));

export const NEIGH_ENTRY = object(
  'a binding such as { dst: 198.18.0.3, lladdr: "02:00:00:00:00:01" }',
  shapeOf(neighOptions),
);

export const MDB_ENTRY = object('a multicast group such as { port: tap0, grp: 239.1.1.1 }', shapeOf(mdbOptions));

/** Determines only which of the two kinds a port is. */
export const PORT_TYPE = value.choice(['tap', 'vxlan']);
/** Refuses only values that are no mapping. */
export const PORT = mapping('port options');
