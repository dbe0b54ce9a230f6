/**
 * From a port's configured options to the flags that the stages test.
 */
import type { BridgeConfig, PortConfig, VxlanConfig } from '../config/types.js';
import * as flag from '../dataplane/forwarding.js';
import { isMulticastHigh } from '../wire/ethernet.js';
import { macOf } from './compile-fdb.js';

/** The flags that every kind of port has. */
export function portFlags(bridge: BridgeConfig, port: PortConfig): number {
  // Ageing time 0 switches learning off, as in Linux br_fdb_update.
  const learning = port.learning && bridge.ageingTime > 0;
  return (
    flag.UP |
    (learning ? flag.LEARNING : 0) |
    (port.flood ? flag.FLOOD : 0) |
    (port.mcastFlood ? flag.MCAST_FLOOD : 0) |
    (port.bcastFlood ? flag.BCAST_FLOOD : 0) |
    (port.isolated ? flag.ISOLATED : 0) |
    (port.locked ? flag.LOCKED : 0)
  );
}

/** The flags of a vxlan port alone. */
export function vxlanFlags(port: VxlanConfig): number {
  const pins = port.fdb.some((entry) => entry.dst !== undefined && isMulticastHigh(macOf(entry.mac).high));
  return (
    (port.vlanTunnel ? flag.VLAN_TUNNEL : 0) |
    (port.innerVlan === 'keep' ? flag.KEEP_INNER_VLAN : 0) |
    (port.reservedBits === 'drop' ? flag.DROP_RESERVED_BITS : 0) |
    (port.acceptVteps === 'any' ? flag.ANY_VTEP : 0) |
    (pins ? flag.HAS_PINS : 0)
  );
}
