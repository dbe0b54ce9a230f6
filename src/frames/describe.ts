/**
 * The words for a frame's bytes, in the grammar of `parse.ts`. What the grammar has no words for is left out, or is a protocol by its
 * number: a description is for people. No length in the frame is believed.
 */
import { ARP_LENGTH, ARP_REPLY, ARP_REQUEST, ARP_SENDER_MAC, arpOperation, isArp4 } from '../wire/arp.js';
import { viewOf } from '../wire/bytes.js';
import {
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  formatMac,
  macHigh,
  macLow,
} from '../wire/ethernet.js';
import {
  ICMP_ECHO_HEADER,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
} from '../wire/icmp.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from '../wire/inner.js';
import { formatAddress, IPV4_MAPPED } from '../wire/ip-address.js';
import { ipv4DontFragment, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.js';
import { PROTOCOL_ICMPV6 } from '../wire/ipv6.js';
import { ND_ADVERTISEMENT, ND_MESSAGE, ND_SOLICITATION, ND_TARGET } from '../wire/nd.js';
import { TCP_HEADER, tcpDestinationPort, tcpFlags, tcpHeaderLength, tcpSourcePort } from '../wire/tcp.js';
import { UDP_HEADER, udpDestinationPort, udpSourcePort } from '../wire/udp.js';
import { VLAN_TAG } from '../wire/vlan.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const MAX_TAGS = 4;
const FLAG_LETTERS = ['F', 'S', 'R', 'P', 'A', 'U'];

/** @param bytes of the frame, from the destination MAC on */
export function describeFrame(bytes: Uint8Array): string {
  if (bytes.length < ETHERNET_HEADER) return `${bytes.length} bytes, no whole Ethernet header`;
  const view = viewOf(bytes);
  const dst = formatMac(macHigh(view, 0), macLow(view, 0));
  const src = formatMac(macHigh(view, 6), macLow(view, 6));
  const tags: string[] = [];
  let at = ETHERNET_HEADER - 2;
  while (tags.length < MAX_TAGS && isTag(view.getUint16(at)) && at + VLAN_TAG + 2 <= bytes.length) {
    const tci = view.getUint16(at + 2);
    const kind = view.getUint16(at) === ETHERTYPE_VLAN ? 'vlan' : 'qinq';
    tags.push(`${kind} ${tci & 0xfff}${tci >>> 13 === 0 ? '' : ` prio ${tci >>> 13}`}`);
    at += VLAN_TAG;
  }
  const addresses = `src ${src} dst ${dst === BROADCAST ? 'broadcast' : dst}`;
  return [addresses, ...tags, bodyOf(view, at, bytes)].join(' ');
}

function isTag(type: number): boolean {
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ;
}

/** @param at offset of the EtherType */
function bodyOf(view: DataView, at: number, bytes: Uint8Array): string {
  const type = view.getUint16(at);
  const l3 = at + 2;
  const rest = bytes.length - l3;
  if (type === ETHERTYPE_ARP && rest >= ARP_LENGTH && isArp4(view, l3, rest)) return arpText(view, l3, rest);
  if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) {
    // The headers as they are without the tags.
    const plain = new Uint8Array(ETHERNET_HEADER + rest);
    plain.set(bytes.subarray(at), ETHERNET_HEADER - 2);
    const text = ipText(viewOf(plain), plain.length);
    if (text !== null) return text;
  }
  return `type 0x${type.toString(16).padStart(4, '0')} len ${rest}`;
}

function arpText(view: DataView, l3: number, rest: number): string {
  const sender = address4(view, l3 + 14);
  const target = address4(view, l3 + 24);
  const padding = rest === ARP_LENGTH ? '' : ` len ${rest - ARP_LENGTH}`;
  const operation = arpOperation(view, l3);
  if (operation === ARP_REQUEST) return `arp who-has ${target} tell ${sender}${padding}`;
  const mac = formatMac(macHigh(view, l3 + ARP_SENDER_MAC), macLow(view, l3 + ARP_SENDER_MAC));
  if (operation !== ARP_REPLY) return `type 0x0806 len ${rest}`;
  return `arp reply ${sender} is-at ${mac}${target === sender ? '' : ` to ${target}`}${padding}`;
}

function ipText(view: DataView, length: number): string | null {
  const layout = new Int32Array(LAYOUT_WORDS);
  parseInner(view, 0, length, layout);
  const l3 = layout[L3_OFFSET];
  if (layout[L3_KIND] === 0) return null;
  const isV4 = layout[L3_KIND] === 4;
  const [from, to] = isV4
    ? [address4(view, l3 + 12), address4(view, l3 + 16)]
    : [address6(view, l3 + 8), address6(view, l3 + 24)];
  const nd = isV4 ? null : ndText(view, layout, from, to);
  if (nd !== null) return nd;
  const df = isV4 && ipv4DontFragment(view, l3) ? ' df' : '';
  return `${isV4 ? 'ip' : 'ip6'} ${from} > ${to}${df} ${upperText(view, layout)}`;
}

function upperText(view: DataView, layout: Int32Array): string {
  const l4 = layout[L4_OFFSET];
  const protocol = layout[L4_PROTOCOL];
  const end = layout[L3_END];
  const len = (header: number): string => ` len ${Math.max(0, end - l4 - header)}`;
  if (l4 === 0) return `proto ${protocol}`;
  if (protocol === PROTOCOL_UDP)
    return `udp ${udpSourcePort(view, l4)} > ${udpDestinationPort(view, l4)}${len(UDP_HEADER)}`;
  if (protocol === PROTOCOL_TCP) {
    const header = Math.max(TCP_HEADER, tcpHeaderLength(view, l4));
    const letters = FLAG_LETTERS.filter((_, bit) => ((tcpFlags(view, l4) >>> bit) & 1) === 1).join('');
    const flags = letters === '' ? '' : ` flags ${letters}`;
    return `tcp ${tcpSourcePort(view, l4)} > ${tcpDestinationPort(view, l4)}${flags}${len(header)}`;
  }
  const what =
    protocol === PROTOCOL_ICMP
      ? echo4(view.getUint8(l4))
      : protocol === PROTOCOL_ICMPV6
        ? echo6(view.getUint8(l4))
        : null;
  if (what !== null && end - l4 >= ICMP_ECHO_HEADER) return `icmp ${what}${len(ICMP_ECHO_HEADER)}`;
  return `proto ${protocol}${len(0)}`;
}

function echo4(type: number): string | null {
  return type === ICMP_ECHO_REQUEST ? 'echo' : type === ICMP_ECHO_REPLY ? 'echo-reply' : null;
}

function echo6(type: number): string | null {
  return type === ICMPV6_ECHO_REQUEST ? 'echo' : type === ICMPV6_ECHO_REPLY ? 'echo-reply' : null;
}

function ndText(view: DataView, layout: Int32Array, from: string, to: string): string | null {
  const l4 = layout[L4_OFFSET];
  if (l4 === 0 || layout[L4_PROTOCOL] !== PROTOCOL_ICMPV6 || layout[L3_END] - l4 < ND_MESSAGE) return null;
  const type = view.getUint8(l4);
  const target = address6(view, l4 + ND_TARGET);
  if (type === ND_SOLICITATION) return `nd who-has ${target} tell ${from}`;
  if (type !== ND_ADVERTISEMENT) return null;
  const option = l4 + ND_MESSAGE;
  const hasLink = layout[L3_END] - option >= 8 && view.getUint8(option) === 2;
  const mac = hasLink ? ` is-at ${formatMac(macHigh(view, option + 2), macLow(view, option + 2))}` : '';
  return `nd reply ${target}${mac}${to === 'ff02::1' ? '' : ` to ${to}`}`;
}

function address4(view: DataView, at: number): string {
  return formatAddress(0, 0, IPV4_MAPPED, view.getInt32(at));
}

function address6(view: DataView, at: number): string {
  return formatAddress(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12));
}
