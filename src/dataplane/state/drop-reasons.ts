/**
 * Why a frame was not forwarded. The names are part of the contract (SPEC.md section 5): add, never rename.
 * A reason is an index into this list everywhere on the data path.
 */
export const DROP_REASONS = [
  'frame_too_short',
  'frame_too_long',
  'vxlan_too_short',
  'vxlan_flag_missing',
  'vxlan_reserved_bits',
  'vni_unknown',
  'vtep_unknown',
  'inner_vlan_tagged',
  'vlan_not_allowed',
  'no_pvid',
  'source_mac_invalid',
  'source_is_own',
  'link_local',
  'same_port',
  'no_destination',
  'fdb_static_move',
  'locked_port',
  'isolated_port',
  'mtu_exceeded',
  'checksum_bad',
  'offload_invalid',
  'ecn_invalid',
  'tx_backpressure',
  'tx_error',
  'port_down',
  'suppressed',
  'storm_limited',
  'turn_exceeded',
  'own_tunnel',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

const index = (reason: DropReason): number => DROP_REASONS.indexOf(reason);

export const FRAME_TOO_SHORT = index('frame_too_short');
export const VXLAN_TOO_SHORT = index('vxlan_too_short');
export const VXLAN_FLAG_MISSING = index('vxlan_flag_missing');
export const VXLAN_RESERVED_BITS = index('vxlan_reserved_bits');
export const VNI_UNKNOWN = index('vni_unknown');
export const VTEP_UNKNOWN = index('vtep_unknown');
export const INNER_VLAN_TAGGED = index('inner_vlan_tagged');
export const VLAN_NOT_ALLOWED = index('vlan_not_allowed');
export const NO_PVID = index('no_pvid');
export const SOURCE_MAC_INVALID = index('source_mac_invalid');
export const SOURCE_IS_OWN = index('source_is_own');
export const LINK_LOCAL = index('link_local');
export const SAME_PORT = index('same_port');
export const NO_DESTINATION = index('no_destination');
export const FDB_STATIC_MOVE = index('fdb_static_move');
export const LOCKED_PORT = index('locked_port');
export const ISOLATED_PORT = index('isolated_port');
export const MTU_EXCEEDED = index('mtu_exceeded');
export const OFFLOAD_INVALID = index('offload_invalid');
export const ECN_INVALID = index('ecn_invalid');
export const TX_BACKPRESSURE = index('tx_backpressure');
export const TX_ERROR = index('tx_error');
export const PORT_DOWN = index('port_down');
export const SUPPRESSED = index('suppressed');
export const STORM_LIMITED = index('storm_limited');
export const TURN_EXCEEDED = index('turn_exceeded');
/** Would carry the switch's own tunnel: `egress/own-tunnel.ts`. */
export const OWN_TUNNEL = index('own_tunnel');
