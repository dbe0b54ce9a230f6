/**
 * Codec of ICMP echo requests of a given size, and of the replies and errors for them. Pure.
 *
 * A request has a token that its reply must return, so that other programs' pings are not mistaken for ours.
 */
import {
  encodeIcmpEcho,
  encodeIcmpv6Echo,
  ICMP_ECHO_HEADER,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_ERROR_HEADER,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_UNREACHABLE,
  icmpCode,
  icmpIdentifier,
  icmpNextHopMtu,
  icmpSequence,
  icmpType,
  icmpv6NextHopMtu,
} from '../wire/icmp.js';
import { encodeIpv4, IPV4_HEADER, ipv4HeaderLength, ipv4Protocol, PROTOCOL_ICMP } from '../wire/ipv4.js';
import { encodeIpv6, IPV6_HEADER, ipv6NextHeader, PROTOCOL_ICMPV6 } from '../wire/ipv6.js';

export const TOKEN_BYTES = 8;
const HOPS = 64;

/** Length of the IP header before a request. */
const IP_HEADER = { 4: IPV4_HEADER, 6: IPV6_HEADER } as const;
/** Size of a request that fits everywhere. */
export const SMALL_ECHO = { 4: 64, 6: 84 } as const;

export interface EchoRequest {
  family: 4 | 6;
  /** Over IPv4 "0.0.0.0" lets the kernel choose. */
  source: string;
  destination: string;
  identifier: number;
  sequence: number;
  token: Uint8Array;
  /** Size of the whole IP packet in bytes. */
  size: number;
}

/** An IP packet with the DF bit set, padded to its size. @throws RangeError if the size is too small */
export function encodeEcho(request: EchoRequest): Uint8Array {
  const { family, source, destination, identifier, sequence, token, size } = request;
  const payload = new Uint8Array(size - IP_HEADER[family] - ICMP_ECHO_HEADER);
  payload.set(token);
  if (family === 4) {
    const message = encodeIcmpEcho({ type: ICMP_ECHO_REQUEST, identifier, sequence, payload });
    return encodeIpv4({
      source,
      destination,
      protocol: PROTOCOL_ICMP,
      ttl: HOPS,
      dontFragment: true,
      payload: message,
    });
  }
  const path = { source, destination };
  const message = encodeIcmpv6Echo({ type: ICMPV6_ECHO_REQUEST, identifier, sequence, payload }, path);
  return encodeIpv6({ source, destination, nextHeader: PROTOCOL_ICMPV6, hopLimit: HOPS, payload: message });
}

/** A reply or error for one of our requests. */
export type EchoNews = { identifier: number; sequence: number } & (
  | { kind: 'reply'; token: Uint8Array }
  /** `mtu` is 0 if the router does not report it. */
  | { kind: 'too-big'; mtu: number }
  | { kind: 'unreachable'; code: number }
);

/** Parses a packet of a raw ICMP socket: over IPv4 with the IP header. @returns null if it does not concern an echo request */
export function readNews(family: 4 | 6, bytes: Uint8Array): EchoNews | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (family === 6) return readMessage6(view, bytes);
  const at = bytes.length < IPV4_HEADER ? bytes.length : ipv4HeaderLength(view, 0);
  return bytes.length < at + ICMP_ECHO_HEADER ? null : readMessage4(view, bytes, at);
}

function readMessage4(view: DataView, bytes: Uint8Array, at: number): EchoNews | null {
  const type = icmpType(view, at);
  if (type === ICMP_ECHO_REPLY) return reply(view, bytes, at);
  if (type !== ICMP_UNREACHABLE) return null;
  const inner = at + ICMP_ERROR_HEADER;
  if (bytes.length < inner + IPV4_HEADER || ipv4Protocol(view, inner) !== PROTOCOL_ICMP) return null;
  const echo = inner + ipv4HeaderLength(view, inner);
  if (bytes.length < echo + ICMP_ECHO_HEADER || icmpType(view, echo) !== ICMP_ECHO_REQUEST) return null;
  const about = { identifier: icmpIdentifier(view, echo), sequence: icmpSequence(view, echo) };
  const code = icmpCode(view, at);
  if (code === ICMP_FRAGMENTATION_NEEDED) return { ...about, kind: 'too-big', mtu: icmpNextHopMtu(view, at) };
  return { ...about, kind: 'unreachable', code };
}

function readMessage6(view: DataView, bytes: Uint8Array): EchoNews | null {
  if (bytes.length < ICMP_ECHO_HEADER) return null;
  const type = icmpType(view, 0);
  if (type === ICMPV6_ECHO_REPLY) return reply(view, bytes, 0);
  if (type !== ICMPV6_UNREACHABLE && type !== ICMPV6_PACKET_TOO_BIG) return null;
  const inner = ICMP_ERROR_HEADER;
  const echo = inner + IPV6_HEADER;
  if (bytes.length < echo + ICMP_ECHO_HEADER || ipv6NextHeader(view, inner) !== PROTOCOL_ICMPV6) return null;
  if (icmpType(view, echo) !== ICMPV6_ECHO_REQUEST) return null;
  const about = { identifier: icmpIdentifier(view, echo), sequence: icmpSequence(view, echo) };
  if (type === ICMPV6_PACKET_TOO_BIG) return { ...about, kind: 'too-big', mtu: icmpv6NextHopMtu(view, 0) };
  return { ...about, kind: 'unreachable', code: icmpCode(view, 0) };
}

function reply(view: DataView, bytes: Uint8Array, at: number): EchoNews {
  const start = at + ICMP_ECHO_HEADER;
  return {
    kind: 'reply',
    identifier: icmpIdentifier(view, at),
    sequence: icmpSequence(view, at),
    token: bytes.slice(start, start + TOKEN_BYTES),
  };
}
