/**
 * Why a frame was not forwarded. The names are public (statistics, metrics): add, never rename. On the data path a
 * reason is its index in this list; CONTRIBUTING.md says what a new one takes.
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
  'remote_unknown',
  'not_layer3',
  'no_route',
  'neigh_failed',
  'mirror_port',
  'geneve_too_short',
  'geneve_version',
  'geneve_control',
  'geneve_critical',
  'geneve_protocol',
  'arp_guard',
  'dhcp_guard',
  'mac_not_allowed',
  'loop_blocked',
  'stp_blocked',
  'policed',
  'ttl_exceeded',
  'ip_invalid',
  'ip_martian',
  'not_served',
  'management_vni',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** Indices by name: `REASON.port_down`. */
export const REASON = Object.fromEntries(DROP_REASONS.map((name, index) => [name, index])) as {
  readonly [Name in DropReason]: number;
};
