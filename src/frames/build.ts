/**
 * The bytes of a description in which nothing is missing, with right lengths and checksums. A superframe has the header that a guest's
 * kernel gives it: its checksum is partial, and a device is to segment it.
 */
import { ARP_REPLY, ARP_REQUEST, encodeArp } from '../wire/arp.js';
import {
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  encodeEthernet,
} from '../wire/ethernet.js';
import {
  encodeIcmpEcho,
  encodeIcmpv6Echo,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
} from '../wire/icmp.js';
import { formatAddress, parseAddress } from '../wire/ip-address.js';
import { encodeIpv4, IPV4_HEADER, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.js';
import { encodeIpv6, IPV6_HEADER, PROTOCOL_ICMPV6 } from '../wire/ipv6.js';
import { encodeNd, ND_ADVERTISEMENT, ND_OVERRIDE, ND_SOLICITATION, ND_SOLICITED } from '../wire/nd.js';
import { encodeTcp, TCP_CHECKSUM, TCP_HEADER } from '../wire/tcp.js';
import type { TransportPath } from '../wire/transport.js';
import { encodeUdp, UDP_CHECKSUM, UDP_HEADER } from '../wire/udp.js';
import { encodeVlan, VLAN_TAG } from '../wire/vlan.js';
import { type FullSpec, isUnspecified, type MadeMac } from './fill.js';
import type { FrameSpec, IpBody, ResolveBody, Tag, Upper } from './spec.js';

/** Words of a virtio-net header (virtio 1.2 section 5.1.6), as a PacketIo has them. */
export interface Offload {
  vnet: number;
  gso: number;
  csum: number;
}

export interface BuiltFrame {
  bytes: Uint8Array;
  /** Of a superframe. */
  offload?: Offload;
  /** MACs in it that nobody has said, and that were made from addresses. */
  made: readonly MadeMac[];
}

const NEEDS_CSUM = 1;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;

const PORTS = { udp: [5000, 53], tcp: [40_000, 80] } as const;
const ECHO_DATA = 56;

/** @throws RangeError when an address cannot be read, or the frame does not fit */
export function buildFrame(spec: FullSpec): BuiltFrame {
  const { type, payload } = bodyOf(spec);
  const [etherType, tagged] = withTags(spec.tags, type, payload);
  const bytes = encodeEthernet({ destination: spec.dst, source: spec.src, etherType, payload: tagged });
  const offload = spec.gso === undefined ? undefined : offloadOf(spec, spec.gso);
  return { bytes, made: spec.made, ...(offload === undefined ? {} : { offload }) };
}

function withTags(tags: readonly Tag[], type: number, payload: Uint8Array): [etherType: number, payload: Uint8Array] {
  const [first, ...others] = tags;
  if (first === undefined) return [type, payload];
  const [inner, rest] = withTags(others, type, payload);
  const etherType = first.kind === 'vlan' ? ETHERTYPE_VLAN : ETHERTYPE_QINQ;
  return [etherType, encodeVlan((first.priority << 13) | first.vid, inner, rest)];
}

function bodyOf({ body, len, gso, ...spec }: FullSpec): { type: number; payload: Uint8Array } {
  switch (body.kind) {
    case 'type':
      return { type: body.etherType, payload: new Uint8Array(len ?? 46) };
    case 'resolve':
      return body.family === 4
        ? { type: ETHERTYPE_ARP, payload: withRest(arpOf(body, spec.dst), len) }
        : { type: ETHERTYPE_IPV6, payload: ndOf(body) };
    case 'ip':
      return { type: body.family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, payload: ipOf(body, len, gso !== undefined) };
  }
}

function withRest(bytes: Uint8Array, len = 0): Uint8Array {
  const all = new Uint8Array(bytes.length + len);
  all.set(bytes);
  return all;
}

function arpOf({ what, target, other = target, mac = '' }: ResolveBody, dst: string): Uint8Array {
  if (what === 'request')
    return encodeArp({ operation: ARP_REQUEST, senderMac: mac, senderAddress: other, targetAddress: target });
  const targetMac = dst;
  return encodeArp({ operation: ARP_REPLY, senderMac: mac, senderAddress: target, targetMac, targetAddress: other });
}

function ndOf({ what, target, other = target, mac = '' }: ResolveBody): Uint8Array {
  if (what === 'request') {
    const link = isUnspecified(other) ? {} : { sourceLink: mac };
    return encodeNd({ type: ND_SOLICITATION, target, ...link }, { source: other, destination: solicitedNode(target) });
  }
  const toAll = other === target;
  const flags = toAll ? ND_OVERRIDE : ND_OVERRIDE | ND_SOLICITED;
  const destination = toAll ? 'ff02::1' : other;
  return encodeNd({ type: ND_ADVERTISEMENT, target, targetLink: mac, flags }, { source: target, destination });
}

/** ff02::1:ff00:0/104 and the last three bytes of the address. */
function solicitedNode(address: string): string {
  const words = parseAddress(address)?.words ?? [0, 0, 0, 0];
  return formatAddress(0xff020000 | 0, 0, 1, 0xff000000 | (words[3] & 0xffffff));
}

function ipOf(body: IpBody, len: number | undefined, isPartial: boolean): Uint8Array {
  const { from = '', to = '', ttl, tos, df } = body;
  const path: TransportPath = { source: from, destination: to, ...(isPartial ? { checksum: 'partial' } : {}) };
  const [protocol, payload] = upperOf(body.upper, body.family, path, len);
  if (body.family === 4) {
    const options = { ...(ttl === undefined ? {} : { ttl }), ...(tos === undefined ? {} : { tos }) };
    return encodeIpv4({ source: from, destination: to, protocol, payload, dontFragment: df === true, ...options });
  }
  const options = {
    ...(ttl === undefined ? {} : { hopLimit: ttl }),
    ...(tos === undefined ? {} : { trafficClass: tos }),
  };
  return encodeIpv6({ source: from, destination: to, nextHeader: protocol, payload, ...options });
}

function upperOf(
  upper: Upper,
  family: 4 | 6,
  path: TransportPath,
  len: number | undefined,
): [protocol: number, payload: Uint8Array] {
  switch (upper.kind) {
    case 'udp': {
      const [from, to] = PORTS.udp;
      const ports = { sourcePort: upper.from ?? from, destinationPort: upper.to ?? to };
      return [PROTOCOL_UDP, encodeUdp({ ...ports, payload: new Uint8Array(len ?? 0) }, path)];
    }
    case 'tcp': {
      const [from, to] = PORTS.tcp;
      const ports = { sourcePort: upper.from ?? from, destinationPort: upper.to ?? to };
      const flags = upper.flags === undefined ? {} : { flags: upper.flags };
      return [PROTOCOL_TCP, encodeTcp({ ...ports, ...flags, payload: new Uint8Array(len ?? 0) }, path)];
    }
    case 'icmp': {
      const echo = { identifier: 1, sequence: 1, payload: new Uint8Array(len ?? ECHO_DATA) };
      const isReply = upper.what === 'echo-reply';
      if (family === 4)
        return [PROTOCOL_ICMP, encodeIcmpEcho({ ...echo, type: isReply ? ICMP_ECHO_REPLY : ICMP_ECHO_REQUEST })];
      const type = isReply ? ICMPV6_ECHO_REPLY : ICMPV6_ECHO_REQUEST;
      return [PROTOCOL_ICMPV6, encodeIcmpv6Echo({ ...echo, type }, path)];
    }
    case 'proto':
      return [upper.number, new Uint8Array(len ?? 0)];
  }
}

function offloadOf({ body, tags }: FrameSpec, size: number): Offload | undefined {
  if (body.kind !== 'ip') return undefined;
  const isTcp = body.upper.kind === 'tcp';
  const start = ETHERNET_HEADER + tags.length * VLAN_TAG + (body.family === 4 ? IPV4_HEADER : IPV6_HEADER);
  const type = isTcp ? (body.family === 4 ? GSO_TCPV4 : GSO_TCPV6) : GSO_UDP_L4;
  const headers = start + (isTcp ? TCP_HEADER : UDP_HEADER);
  const field = isTcp ? TCP_CHECKSUM : UDP_CHECKSUM;
  return { vnet: NEEDS_CSUM | (type << 8), gso: size | (headers << 16), csum: start | (field << 16) };
}
