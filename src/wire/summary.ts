/**
 * A frame in a few facts, and in a few words, for people: MACs, tag, addresses, protocol and ports. The bytes may be the beginning
 * of a frame only; nothing beyond them is read. Cold: it allocates.
 */
import { ARP_LENGTH, ARP_REQUEST, arpOperation, arpSenderAddress, arpTargetAddress, isArp4 } from './arp.js';
import { viewOf } from './bytes.js';
import {
  destinationHigh,
  destinationLow,
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  etherType,
  formatMac,
  sourceHigh,
  sourceLow,
} from './ethernet.js';
import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from './icmp.js';
import { formatAddress, IPV4_MAPPED } from './ip-address.js';
import {
  IPV4_HEADER,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Source,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from './ipv4.js';
import { IPV6_HEADER, ipv6Destination, ipv6NextHeader, ipv6Source, PROTOCOL_ICMPV6 } from './ipv6.js';
import { ND_ADVERTISEMENT, ND_SOLICITATION, ND_TARGET } from './nd.js';
import { tcpFlags } from './tcp.js';
import { udpDestinationPort, udpSourcePort } from './udp.js';
import { hasTag, taggedEtherType, tci, VLAN_TAG, vidOf } from './vlan.js';

export interface FrameSummary {
  destination: string;
  source: string;
  /** VID of its 802.1Q tag. */
  vid?: number;
  etherType: number;
  /** Of the IP header, or sender and target of an ARP message. */
  from?: string;
  to?: string;
  /** What it carries: `ARP who-has 10.0.0.2 tell 10.0.0.1`, `10.0.0.1 > 10.0.0.2 UDP 5000 > 53`. */
  text: string;
}

const PROTOCOLS = new Map([
  [2, 'IGMP'],
  [PROTOCOL_TCP, 'TCP'],
  [PROTOCOL_UDP, 'UDP'],
  [47, 'GRE'],
  [50, 'ESP'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [132, 'SCTP'],
]);
const ETHER_TYPES = new Map([
  [ETHERTYPE_IPV4, 'IPv4'],
  [ETHERTYPE_ARP, 'ARP'],
  [ETHERTYPE_IPV6, 'IPv6'],
  [ETHERTYPE_QINQ, '802.1ad'],
  [0x8847, 'MPLS'],
  [0x888e, 'EAPOL'],
  [0x88cc, 'LLDP'],
]);
/** Names of the TCP flags that matter to a reader. */
const TCP_FLAGS = [
  [0x02, 'SYN'],
  [0x01, 'FIN'],
  [0x04, 'RST'],
] as const;

/** @returns null for fewer bytes than an Ethernet header */
export function summaryOf(bytes: Uint8Array): FrameSummary | null {
  if (bytes.length < ETHERNET_HEADER) return null;
  const view = viewOf(bytes);
  const isTagged = hasTag(view, 0) && bytes.length >= ETHERNET_HEADER + VLAN_TAG;
  const type = isTagged ? taggedEtherType(view, 0) : etherType(view, 0);
  const at = isTagged ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER;
  return {
    destination: formatMac(destinationHigh(view, 0), destinationLow(view, 0)),
    source: formatMac(sourceHigh(view, 0), sourceLow(view, 0)),
    ...(isTagged ? { vid: vidOf(tci(view, 0)) } : {}),
    etherType: type,
    ...insideOf(view, type, at),
  };
}

/** As `02:00:00:00:00:01 > 02:00:00:00:00:02 vlan 10 ARP who-has ...`. */
export function summaryText(bytes: Uint8Array): string {
  const summary = summaryOf(bytes);
  if (summary === null) return 'no whole Ethernet header';
  const { source, destination, vid, text } = summary;
  return `${source} > ${destination}${vid === undefined ? '' : ` tag ${vid}`} ${text}`;
}

type Inside = Pick<FrameSummary, 'from' | 'to' | 'text'>;

function insideOf(view: DataView, type: number, at: number): Inside {
  const left = view.byteLength - at;
  if (type === ETHERTYPE_ARP && left >= ARP_LENGTH && isArp4(view, at, left)) return arpOf(view, at);
  if (type === ETHERTYPE_IPV4 && left >= IPV4_HEADER && ipv4HeaderLength(view, at) >= IPV4_HEADER)
    return ipv4Of(view, at);
  if (type === ETHERTYPE_IPV6 && left >= IPV6_HEADER) return ipv6Of(view, at);
  if (type < 0x600) return { text: 'LLC' };
  return { text: ETHER_TYPES.get(type) ?? `type 0x${type.toString(16).padStart(4, '0')}` };
}

const address4 = (address: number): string => formatAddress(0, 0, IPV4_MAPPED, address);

function arpOf(view: DataView, at: number): Inside {
  const from = address4(arpSenderAddress(view, at));
  const to = address4(arpTargetAddress(view, at));
  const isRequest = arpOperation(view, at) === ARP_REQUEST;
  return { from, to, text: isRequest ? `ARP who-has ${to} tell ${from}` : `ARP ${from} is-at its sender` };
}

function ipv4Of(view: DataView, at: number): Inside {
  const from = address4(ipv4Source(view, at));
  const to = address4(ipv4Destination(view, at));
  const isFirst = ipv4FragmentOffset(view, at) === 0;
  const inside = isFirst ? transportText(view, ipv4Protocol(view, at), at + ipv4HeaderLength(view, at)) : 'fragment';
  return { from, to, text: `${from} > ${to} ${inside}` };
}

function ipv6Of(view: DataView, at: number): Inside {
  const wordsOf = (word: (view: DataView, off: number, word: number) => number): string =>
    formatAddress(word(view, at, 0), word(view, at, 1), word(view, at, 2), word(view, at, 3));
  const from = wordsOf(ipv6Source);
  const to = wordsOf(ipv6Destination);
  return { from, to, text: `${from} > ${to} ${transportText(view, ipv6NextHeader(view, at), at + IPV6_HEADER)}` };
}

function transportText(view: DataView, protocol: number, at: number): string {
  const left = view.byteLength - at;
  if (protocol === PROTOCOL_TCP && left >= 14) {
    const flags = tcpFlags(view, at);
    const names = TCP_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => ` ${name}`);
    return `TCP ${udpSourcePort(view, at)} > ${udpDestinationPort(view, at)}${names.join('')}`;
  }
  if (protocol === PROTOCOL_UDP && left >= 4) return `UDP ${udpSourcePort(view, at)} > ${udpDestinationPort(view, at)}`;
  if (protocol === PROTOCOL_ICMP) return left >= 1 ? `ICMP ${icmpName(view.getUint8(at))}` : 'ICMP';
  if (protocol === PROTOCOL_ICMPV6) return left >= 1 ? `ICMPv6 ${icmpv6Name(view, at)}` : 'ICMPv6';
  return PROTOCOLS.get(protocol) ?? `protocol ${protocol}`;
}

function icmpName(type: number): string {
  if (type === ICMP_ECHO_REQUEST) return 'echo request';
  return type === ICMP_ECHO_REPLY ? 'echo reply' : `type ${type}`;
}

function icmpv6Name(view: DataView, at: number): string {
  const type = view.getUint8(at);
  if (type === ICMPV6_ECHO_REQUEST) return 'echo request';
  if (type === ICMPV6_ECHO_REPLY) return 'echo reply';
  const named = type === ND_SOLICITATION ? 'who-has' : type === ND_ADVERTISEMENT ? 'advertises' : null;
  if (named === null || view.byteLength < at + ND_TARGET + 16) return `type ${type}`;
  const word = (index: number): number => view.getInt32(at + ND_TARGET + index * 4);
  return `${named} ${formatAddress(word(0), word(1), word(2), word(3))}`;
}
