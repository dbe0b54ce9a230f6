/**
 * Port flags of the data path from a port's configured options.
 */
import type { BridgeConfig, PortConfig, VxlanConfig } from '../../config/types.js';
import * as flag from '../../dataplane/state/forwarding.js';

/** The flags common to all kinds of ports. */
export function portFlags(bridge: BridgeConfig | null, port: PortConfig): number {
  const isUp = port.up && bridge?.up !== false;
  // What is flooded is not for a gateway, and its MAC is known.
  if (port.type === 'gateway') return isUp ? flag.UP : 0;
  // Ageing time 0 disables learning, as in Linux br_fdb_update.
  const learning = port.learning && bridge !== null && bridge.ageing_time > 0;
  return (
    (isUp ? (port.mirror === 'off' ? flag.UP : flag.MIRROR) : 0) |
    (learning ? flag.LEARNING : 0) |
    // The MAC behind a TUN is known: nothing unknown is for it.
    (port.flood && port.type !== 'tun' ? flag.FLOOD : 0) |
    (port.mcast_flood ? flag.MCAST_FLOOD : 0) |
    (port.bcast_flood ? flag.BCAST_FLOOD : 0) |
    isolationOf(port) |
    (port.locked ? flag.LOCKED : 0) |
    (port.neigh_suppress ? flag.NEIGH_SUPPRESS : 0) |
    (port.neigh_vlan_suppress ? flag.NEIGH_VLAN_SUPPRESS : 0) |
    (holdsGratuitous(port) ? flag.HOLDS_GRATUITOUS : 0) |
    (port.mab ? flag.MAB : 0) |
    (port.hairpin ? flag.HAIRPIN : 0) |
    (bridge?.mst_enabled && bridge.vlan_filtering ? flag.BY_INSTANCE : 0) |
    (bridge?.xconnect ? flag.XCONNECT : 0)
  );
}

/** Isolation of the port as a whole, or else by VLAN. */
function isolationOf(port: PortConfig): number {
  if (port.isolated) return flag.ISOLATED;
  return port.vlans.some(({ isolated }) => isolated === true) ? flag.ISOLATED | flag.VLAN_ISOLATED : 0;
}

function holdsGratuitous(port: PortConfig): boolean {
  return !port.neigh_forward_grat && (port.neigh_suppress || port.neigh_vlan_suppress);
}

/** The additional flags of a vxlan port. Engines set the flag for pinned MACs themselves, from the pins. */
export function vxlanFlags(port: VxlanConfig): number {
  return (
    (port.vlan_tunnel ? flag.VLAN_TUNNEL : 0) |
    (port.inner_vlan === 'keep' ? flag.KEEP_INNER_VLAN : 0) |
    (port.reserved_bits === 'ignore' ? 0 : flag.DROP_RESERVED_BITS) |
    (port.accept_vteps === 'any' ? flag.ANY_VTEP : 0) |
    (port.fragment ? flag.FRAGMENTS : 0) |
    (port.proxy ? flag.PROXY : 0) |
    (port.rsc ? flag.RSC : 0) |
    (port.l2miss ? flag.L2MISS : 0) |
    (port.l3miss ? flag.L3MISS : 0)
  );
}
