/** Options of links in requests, as keys of the configuration. */
import type { LinkOptions, LinkRow } from '../api/api.js';
import type { AttributeMap } from '../netlink/attributes.js';
import {
  BRIDGE_FDB_FLUSH,
  BRIDGE_MULTI_BOOLOPT,
  BRIDGE_OPTIONS,
  PORT_BACKUP_PORT,
  PORT_FLUSH,
  PORT_OPTIONS,
  PORT_STATE,
  PORT_VLAN_TUNNEL,
  readMultiOptions,
  STATES,
} from '../netlink/bridge-options.js';
import { ERRNO, NetlinkFault, unsupported } from '../netlink/fault.js';
import { readOptions } from '../netlink/option-table.js';
import { KERNEL_PORT, readVxlan, saysMode } from '../netlink/vxlan-options.js';
import type { View } from './view.js';

/** @throws NetlinkFault for what a switch has not */
export function bridgeOptions(data: AttributeMap): Record<string, unknown> {
  const asked = data.bytes(BRIDGE_MULTI_BOOLOPT);
  const bits = asked === undefined ? {} : readMultiOptions(asked);
  return { ...readOptions(BRIDGE_OPTIONS, data, 'a bridge', [BRIDGE_FDB_FLUSH, BRIDGE_MULTI_BOOLOPT]), ...bits };
}

/** @param row of a port that is there; its tunnels are known @throws NetlinkFault */
export async function portOptions(view: View, data: AttributeMap, row?: LinkRow): Promise<Record<string, unknown>> {
  const own = [PORT_BACKUP_PORT, PORT_FLUSH, PORT_STATE, PORT_VLAN_TUNNEL];
  const options = readOptions(PORT_OPTIONS, data, 'a port', own);
  const backup = data.u32(PORT_BACKUP_PORT);
  if (backup !== undefined) options.backup_port = backup === 0 ? null : (await view.need(backup)).ifname;
  const state = data.u8(PORT_STATE);
  if (state !== undefined) options.state = await stateOf(view, state, row);
  const tunnel = data.u8(PORT_VLAN_TUNNEL);
  if (tunnel !== undefined && (tunnel !== 0) !== (row?.vlan_tunnel === true)) {
    throw unsupported(
      'vlan_tunnel is on for vxlan devices that were added with "external", and off for others: add the device anew',
    );
  }
  return options;
}

/** As br_set_port_state of the kernel. @throws NetlinkFault */
async function stateOf(view: View, state: number, row?: LinkRow): Promise<string> {
  const word = STATES[state];
  if (word === undefined) throw new NetlinkFault(`${state} is no state of a port; give one from 0 to 4`);
  const bridge = (await view.links()).find(({ ifname }) => ifname === row?.master);
  if (bridge?.stp_state === true) {
    throw new NetlinkFault(`the spanning tree of ${bridge.ifname} says the states of its ports`, ERRNO.EBUSY);
  }
  return word;
}

/**
 * @param row of a device that is changed; absent: of a new one, with the kernel's defaults
 * @throws NetlinkFault for what a switch has not
 */
export async function vxlanOptions(view: View, data: AttributeMap, row?: LinkRow): Promise<LinkOptions> {
  if (row !== undefined && saysMode(data))
    throw unsupported(
      `"external" and "vnifilter" are said when a device is added; delete ${row.ifname} and add it anew`,
    );
  const { options, link, external, vnifilter } = readVxlan(data);
  // A port with vlan_tunnel takes datagrams of the VNIs of its VLANs only: it filters always.
  if (vnifilter && !external) throw new NetlinkFault('vnifilter is of vxlan devices with "external"');
  if (link !== undefined) {
    const device = await view.kernel.byIndex(link);
    if (device === undefined) throw new NetlinkFault('the underlay has no such device', ERRNO.ENODEV);
    options.dev = device.name;
  }
  if (row !== undefined) return options;
  if (!external && options.id === undefined) {
    throw new NetlinkFault('give the device a VNI (id VNI), or "external" to map VLANs to VNIs');
  }
  // The kernel takes datagrams of any VTEP, and without a port its own default.
  return { dstport: KERNEL_PORT, accept_vteps: 'any', ...options, ...(external ? { vlan_tunnel: true } : {}) };
}
