/**
 * Expands one FDB entry of a file or request into rows: one for each VLAN or VNI.
 *
 * Input has passed the rules; nothing is refused here.
 */

import { ZERO_MAC } from '../../values/address.js';
import { isTunnelPort } from '../options/kinds.js';
import { type Attributes, attributesOf } from './attributes.js';
import type { BridgeConfig, FdbEntryConfig, PortConfig, VxlanConfig } from '../types.js';

/** One entry in one VLAN or VNI, or one destination of an all-zeros or multicast MAC. */
export interface ConfiguredEntry extends Attributes {
  /** Lower case. */
  mac: string;
  port: string;
  /** 0: in a bridge without VLAN filtering, and in flood lists of every VNI. On a vlan_tunnel port, the VLAN of `vni`. */
  vlan: number;
  /** On a vxlan port; null: every VNI of the port (flood lists only; always so on a port with one VNI). */
  vni?: number | null;
  dst?: string;
  /** UDP port of `dst`, if it differs from the port's dstport. */
  udpPort?: number;
  /** The VNI of frames sent to `dst`, if it differs from the entry's own VNI. */
  sentVni?: number;
  /** A group of nexthops, in place of `dst`. */
  nhid?: number;
}

/** The rows of an entry; none where the port has no matching VLAN or VNI. */
export function expandEntry(
  entry: FdbEntryConfig,
  port: PortConfig,
  bridge: BridgeConfig | undefined,
): ConfiguredEntry[] {
  const { mac } = entry;
  const own = { mac, port: port.name };
  const how = attributesOf(entry);
  if (!isTunnelPort(port)) return vidsOf(entry, port, bridge).map((vlan) => ({ ...own, vlan, ...how }));
  const to = {
    ...(entry.dst === undefined ? {} : { dst: entry.dst }),
    ...(entry.port === undefined || entry.port === port.dstport ? {} : { udpPort: entry.port }),
    ...(entry.sentVni === undefined ? {} : { sentVni: entry.sentVni }),
    ...(entry.nhid === undefined ? {} : { nhid: entry.nhid }),
  };
  return placesOf(entry, port, bridge).map(({ vlan, vni }) => ({ ...own, vlan, vni, ...to, ...how }));
}

/**
 * The rows of an entry of a bridge itself. A bridge without a host port uses the VLAN of the default PVID, as a new bridge
 * device in the kernel; without a default PVID there are no rows.
 */
export function expandBridgeEntry(entry: FdbEntryConfig, bridge: BridgeConfig): ConfiguredEntry[] {
  const { mac } = entry;
  const own = bridge.host_port
    ? bridge.vlans.map(({ vid }) => vid)
    : [bridge.vlan_default_pvid].filter((vid) => vid > 0);
  const vids = !bridge.vlan_filtering ? [0] : entry.vlan === undefined ? own : [entry.vlan];
  return vids.map((vlan) => ({ mac, port: bridge.name, vlan, ...attributesOf(entry) }));
}

interface Place {
  vlan: number;
  vni: number | null;
}

function placesOf(entry: FdbEntryConfig, port: VxlanConfig, bridge: BridgeConfig | undefined): Place[] {
  const isFlood = entry.mac === ZERO_MAC;
  if (port.id !== undefined) {
    if (isFlood) return [{ vlan: 0, vni: null }];
    const vni = port.id;
    return vidsOf(entry, port, bridge).map((vlan) => ({ vlan, vni }));
  }
  if (isFlood && entry.vlan === undefined && entry.vni === undefined) return [{ vlan: 0, vni: null }];
  return port.vlans.flatMap(({ vid, vni }) => {
    const meant = (entry.vlan ?? vid) === vid && (entry.vni ?? vni) === vni;
    return meant && vni !== undefined ? [{ vlan: vid, vni }] : [];
  });
}

function vidsOf(entry: FdbEntryConfig, port: PortConfig, bridge: BridgeConfig | undefined): number[] {
  if (bridge === undefined) return [];
  if (!bridge.vlan_filtering) return [0];
  return entry.vlan === undefined ? port.vlans.map(({ vid }) => vid) : [entry.vlan];
}
