/**
 * What each drop reason means, in words for people. The names are the contract; a test holds this list against them. Pure.
 */

/** By reason: the rest of a sentence that begins with "Dropped:". */
export const DROP_SENTENCES: Readonly<Record<string, string>> = {
  frame_too_short: 'it is shorter than an Ethernet header.',
  frame_too_long: 'it is longer than any frame, and may have been cut off.',
  vxlan_too_short: 'the datagram is shorter than a VXLAN header.',
  vxlan_flag_missing: 'the I flag of the VXLAN header is not set, so its VNI is not valid.',
  vxlan_reserved_bits: 'a reserved bit of the VXLAN header is set, and the port has reserved_bits drop.',
  vni_unknown: 'no port at this address has its VNI.',
  management_vni: 'it is of the management VNI of BFD, in which nothing is forwarded.',
  vtep_unknown: 'the sender is no remote of the port, and the port accepts known VTEPs only.',
  inner_vlan_tagged: 'it has a VLAN tag inside of a VNI, and the port has inner_vlan drop.',
  vlan_not_allowed: 'the port is no member of its VLAN.',
  no_pvid: 'it has no VLAN tag, and the port has no PVID to give it a VLAN.',
  source_mac_invalid: 'its source MAC is zero, or a group address.',
  source_is_own: "its source is the port's own MAC, or that of the gateways of its bridge.",
  link_local: 'its destination is reserved for one link (01:80:c2:00:00:0x); no bridge forwards it.',
  same_port: 'its destination is behind the port that it came in by.',
  no_destination: 'no port or remote is there to get a copy.',
  fdb_static_move: 'its source MAC has a static entry at another VTEP.',
  locked_port: 'the port is locked, and its source MAC has no entry there, or a locked one.',
  isolated_port: 'both ports are isolated, as a whole or in its VLAN.',
  mtu_exceeded: 'it is too long for the port or for the path to the remote.',
  checksum_bad: 'a gateway of the switch had it, and the checksum of its IP header is wrong.',
  offload_invalid: 'its offload header does not fit the frame.',
  ecn_invalid: 'a router marked congestion (CE) on a frame whose transport does not know ECN.',
  tx_backpressure: 'the receiving queue was full.',
  tx_error: 'the kernel refused to send it.',
  port_down: 'the port is down, or its device is gone.',
  suppressed: 'an ARP or ND request that the switch answered, or kept out of the tunnel.',
  storm_limited: 'more such frames came than the storm limit or the flood budget allows.',
  turn_exceeded: "its copies exceed the port's share of a turn.",
  own_tunnel: "it is a datagram of the switch's own tunnel, which must not carry itself.",
  remote_unknown: 'another socket than the remote of the port sent it.',
  not_layer3: 'it is no IP packet that the host of the layer-3 port could take.',
  no_route:
    'there is no route to its destination: a layer-3 port has no gateway, or the VRF of a gateway no prefix for it.',
  mirror_port: 'the port is the output of a mirror, by which nothing enters.',
  arp_guard: 'it claims an address, or a MAC for one, that the port may not have (arp_guard).',
  dhcp_guard: 'it is a message of a DHCP server or router, or may be one, and the port is not trusted.',
  ttl_exceeded: 'a gateway of the switch had it, and its TTL or hop limit was used up.',
  ip_invalid: 'a gateway of the switch had it, and its IP header is malformed, or asks for a source route.',
  ip_martian: 'a gateway of the switch had it, and its source or destination is no address of one host.',
  not_served: 'it is for a gateway of the switch, which answers echo and nothing else.',
  policed: 'more came than police_in or police_out of the port allows.',
  mac_not_allowed: 'its source MAC is not among the allowed_macs of the port.',
  neigh_failed: 'nobody answered for the MAC of its next hop.',
  geneve_too_short: 'the datagram is shorter than a Geneve header and the options that it announces.',
  geneve_version: 'its Geneve header is of another version than 0.',
  geneve_control: 'it is a control message of Geneve (O), which no tunnel endpoint forwards.',
  geneve_critical: 'it has a critical Geneve option (C), and the switch understands none.',
  geneve_protocol: 'its Geneve payload is no Ethernet frame.',
  loop_blocked: 'loop guard blocks the port, or the frame is a probe of loop guard that has come back.',
  stp_blocked: 'the spanning tree, or the option state of the port or of the VLAN there, keeps it closed.',
};

/** The sentence of a reason; for one of a newer switch, its name. */
export function dropSentence(reason: string): string {
  return `Dropped: ${whyDropped(reason)}`;
}

/** The rest of a sentence that says what was dropped, or where. */
export function whyDropped(reason: string): string {
  return DROP_SENTENCES[reason] ?? `${reason}.`;
}
