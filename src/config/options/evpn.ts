/** The keys of `evpn`: the BGP speaker of the switch, its neighbours, and VNIs with values of their own. */
import { mapping, value } from '../../values/value.js';
import { defaultsOf, option, required } from './option.js';

export const evpnNeighborOptions = {
  address: required({ value: value.vtepIp, doc: 'Address of the neighbour: a route reflector, or another edge.' }),
  asn: option({
    value: value.asn,
    otherwise: 'that of the switch',
    doc: 'Its AS. Another one than that of the switch is eBGP.',
  }),
  port: option({ value: value.udpPort, default: 179, doc: 'Its TCP port.' }),
  local: option({
    value: value.ip,
    otherwise: "the kernel's choice",
    doc: 'Own address of the session.',
  }),
  passive: option({ value: value.flag, default: false, doc: 'Wait for the neighbour to connect.' }),
  password_file: option({
    value: value.absolutePath,
    otherwise: 'none',
    doc: 'File with the password of the TCP MD5 signature (RFC 2385) as its first line, read when `evpn` is configured: so the password is in no listing.',
  }),
  ttl_security: option({
    value: value.hops,
    otherwise: 'not checked',
    doc: 'Most hops to the neighbour (RFC 5082): packets from farther away are refused. 1: a neighbour on the same link.',
  }),
  hold_time: option({
    value: value.holdTime,
    default: 90,
    doc: 'Seconds without a message after which the session ends; 0: never. The lower one of both sides holds.',
  }),
  connect_retry: option({
    value: value.timeout,
    default: 5,
    doc: 'Seconds between two attempts to connect, at first.',
  }),
  max_routes: option({
    value: value.routeCount,
    default: 200_000,
    doc: 'Most routes of the neighbour: further ones are refused. An event tells of three quarters of them, and of all.',
  }),
  graceful_restart: option({
    value: value.restartTime,
    default: 120,
    doc: 'Seconds for which either side keeps the routes of the other while it starts again (RFC 4724); 0: not at all.',
  }),
  long_lived_stale: option({
    value: value.staleTime,
    default: 0,
    doc: 'Seconds for which routes are kept after that, as the last choice (RFC 9494); 0: not at all.',
  }),
};

export const evpnVniOptions = {
  vni: required({ value: value.vni, doc: 'A VNI of a port with `evpn`.' }),
  rd: option({
    value: value.rd,
    otherwise: '`ROUTER_ID:N`, by the VNI',
    doc: 'Route distinguisher of its routes: `65001:100` or `192.0.2.1:5`.',
  }),
  import: option({
    value: value.routeTargets,
    items: value.routeTargets.element,
    otherwise: '`ASN:VNI`, of any AS over eBGP',
    doc: 'Route targets of the routes that it takes.',
  }),
  export: option({
    value: value.routeTargets,
    items: value.routeTargets.element,
    otherwise: '`ASN:VNI`',
    doc: 'Route targets of its routes. With an AS above 65535 the automatic ones have its lower 16 bits, as those of FRR.',
  }),
};

export const evpnDuplicateOptions = {
  moves: option({ value: value.moveCount, default: 5, doc: 'Moves of a MAC between VTEPs that make it a duplicate.' }),
  seconds: option({ value: value.timeout, default: 180, doc: 'The time that these moves are within.' }),
  hold: option({
    value: value.seconds,
    default: 0,
    doc: 'Seconds for which the MAC is left where it is; 0: until `overtap evpn clear`.',
  }),
};

export const evpnOptions = {
  asn: required({ value: value.asn, doc: 'The AS of the switch.' }),
  router_id: option({
    value: value.routerId,
    otherwise: 'the first IPv4 `local` of a port with `evpn`',
    doc: 'Identifier of the speaker, in the form of an IPv4 address; unique among all.',
  }),
  listen: option({
    value: value.tcpPortOrNone,
    default: 179,
    doc: 'TCP port for neighbours that connect; 0: none do. Only the configured addresses are let in.',
  }),
  duplicates: option({
    value: mapping('limits such as { moves: 5, seconds: 180 }'),
    fields: evpnDuplicateOptions,
    default: defaultsOf(evpnDuplicateOptions),
    otherwise: 'as below',
    doc: 'Duplicate MACs (RFC 7432 section 15.1): one that moves too often is left alone, and an event names both VTEPs.',
  }),
  neighbors: option({
    value: value.list('neighbours such as { address: 192.0.2.254 }'),
    items: evpnNeighborOptions,
    otherwise: 'none',
    doc: 'BGP neighbours; at most 64.',
  }),
  vnis: option({
    value: value.list('VNIs such as { vni: 10010, rd: "65001:100" }'),
    items: evpnVniOptions,
    otherwise: 'none',
    doc: 'VNIs whose distinguisher or route targets are not the automatic ones.',
  }),
};
