/**
 * Judges a switch's drop counters. Pure. Only reasons that indicate a fault are reported; others, such as `same_port`, are
 * normal.
 */
import type { StatsAnswer } from '../api/api.js';
import { type Check, ok, warn } from './check.js';

const REASONS: Readonly<Record<string, readonly [meaning: string, remedy: string]>> = {
  checksum_bad: [
    'with a wrong checksum',
    'a NIC or driver on the way damages them or leaves checksums unfinished: try its offloads off (ethtool -K)',
  ],
  offload_invalid: [
    'with an offload header that does not fit the frame',
    'try offloads: { tso: false } in the configuration, and report it with the guest and its driver',
  ],
  ecn_invalid: [
    'marked CE on the way although the guest does not take part in ECN (RFC 6040)',
    'a router of the underlay marks what it should drop: mend its ECN, or set tos of the tunnel',
  ],
  vtep_unknown: [
    'from an address that is no remote',
    'if it is a VTEP of yours, add it to remotes or peers of the port, or take any: overtap link set PORT type vxlan accept_vteps any',
  ],
  vni_unknown: [
    'with a VNI that the port does not have',
    'add the VNI here (overtap vlan add dev PORT vid VID tunnel_info id VNI), or remove it on the peer',
  ],
  own_tunnel: [
    "of the switch's own tunnel, come back to it: the route to a remote leads into one of its bridges",
    'the log names the remote and the bridge; give the remote a route by another device: ip route add REMOTE dev DEVICE',
  ],
  remote_unknown: [
    'from another socket than the remote of its port',
    'see who may write to the socket of the port (socket_mode), and whether its remote is right: overtap link show PORT',
  ],
  arp_guard: [
    'that claimed addresses which are not those of their port',
    'see who claims what with overtap drops --reason arp_guard; if the guest may, add it to arp_guard of the port (link-local addresses too)',
  ],
  dhcp_guard: [
    'of DHCP servers or routers behind ports that are not trusted',
    'see them with overtap drops --reason dhcp_guard; if the server is yours: overtap link set PORT type bridge_slave trusted on',
  ],
  policed: [
    'beyond the limits of their ports',
    'if a guest needs more, raise police_in or police_out of its port: overtap -d link show PORT',
  ],
  mac_not_allowed: [
    'from MACs that are not among the allowed ones of their port',
    'see them with overtap drops --reason mac_not_allowed; if the MAC is the guest, add it to allowed_macs of the port',
  ],
  frame_too_long: ['longer than any frame', 'see what sends to the socket of the port: that is no Ethernet'],
  no_route: [
    'of a TUN or at a gateway, to destinations that no prefix has',
    'give a TUN a router of its subnet: overtap link set PORT type tun gateway ADDRESS (gateway6 for IPv6); give a gateway a route: link set GW type gateway routes default=ADDRESS',
  ],
  ttl_exceeded: [
    'whose TTL was used up at a gateway of the switch',
    'that is traceroute, or a loop of routers: see the routes with overtap route show',
  ],
  not_served: [
    'for a gateway of the switch, which answers echo only',
    'see who sends them with overtap drops --reason not_served: a service is sought at the address of the gateway',
  ],
  ip_martian: [
    'from or to addresses that no host has, at a gateway of the switch',
    'see who sends them with overtap drops --reason ip_martian',
  ],
  inner_vlan_tagged: [
    'with a second tag, towards the tunnel or from it',
    'carry it as payload at both ends: overtap link set PORT type vxlan inner_vlan keep; or send no tag inside of a tag',
  ],
  mtu_exceeded: ['too large for the tunnel', 'give the guests the MTU of the tunnel: overtap link set TAP mtu auto'],
  tx_error: [
    'that the kernel refused to send',
    'see route and interface to the remotes (below), and whether guests have their NICs up',
  ],
  tx_backpressure: [
    'that were more than a guest or the underlay took in',
    'a receiver is too slow: more workers, a larger buffer, or less traffic',
  ],
};

/** Maximum number of addresses, and of MACs, listed in a message. */
const MOST_ADDRESSES = 4;
const MOST_MACS = 8;
const MOST_LOOPS = 8;

export function judgeStats(stats: StatsAnswer): Check[] {
  const checks = [...judgeLoops(stats), ...judgeReasons(stats), ...judgeMoves(stats)];
  return checks.length > 0 ? checks : [ok('drops', 'none that tells of a fault')];
}

/** Source addresses that are not remotes, the latest first. */
function strangers({ unknown_vteps: all = [] }: StatsAnswer): string {
  const named = all.slice(0, MOST_ADDRESSES).map(({ address, port, vni, count, first, last }) => {
    const times = count === 1 ? `at ${last}` : `from ${first} to ${last}`;
    return `${address} to ${port} (${count} of VNI ${vni}, ${times})`;
  });
  if (named.length === 0) return '';
  const more = all.length - named.length;
  return `; from ${named.join(', ')}${more === 0 ? '' : `, and ${more} more addresses`}`;
}

function judgeLoops({ loops = [] }: StatsAnswer): Check[] {
  return loops.slice(0, MOST_LOOPS).map(({ port, with: other, master, vlan, since, state }) => {
    const where = vlan === undefined ? master : `VLAN ${vlan} of ${master}`;
    const way = port === other ? `behind port ${port}` : `through ports ${port} and ${other}`;
    const blocked =
      state === 'blocked' ? `${port} is blocked since ${since}` : `it is gone; ${port} was blocked at ${since}`;
    return warn(
      `loop in ${where}`,
      `a loop ${way}: ${blocked}`,
      `two ways join the same network: take one of them away, or let a spanning tree choose; the port opens by itself`,
    );
  });
}

function judgeMoves({ mac_moves: all = [] }: StatsAnswer): Check[] {
  return all.slice(0, MOST_MACS).map(({ mac, master, vlan, moves, ports, last }) => {
    const where = vlan === undefined ? master : `VLAN ${vlan} of ${master}`;
    const finding = `moved ${moves} times within a second, between ${ports.join(' and ')}, the last time at ${last}`;
    return warn(`MAC ${mac} in ${where}`, finding, 'find the loop, or the two guests that have this one MAC');
  });
}

function judgeReasons(stats: StatsAnswer): Check[] {
  const { links, retired } = stats;
  const sources = [...Object.entries(links), ['links that are no more', retired] as const];
  return Object.entries(REASONS).flatMap(([reason, [meaning, remedy]]) => {
    const counts = sources.flatMap(([name, { drops }]) => {
      const count = drops[reason] ?? 0;
      return count === 0 ? [] : [`${count} on ${name}`];
    });
    if (counts.length === 0) return [];
    const named = reason === 'vtep_unknown' ? strangers(stats) : '';
    const finding = `frames ${meaning}, since the switch started: ${counts.join(', ')}${named}`;
    return [warn(`drops ${reason}`, finding, remedy)];
  });
}
