/**
 * Builds frames for tests of the data path, and parses the fields they check in output frames.
 *
 * Owns short names for MACs and defaults; the bytes come from the builders of src/wire. Independent of the switch.
 */
import { viewOf } from '../../../src/wire/bytes.js';
import { internetChecksum } from '../../../src/wire/checksum.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, encodeEthernet } from '../../../src/wire/ethernet.js';
import { encodeIpv4, ipv4HeaderLength, PROTOCOL_TCP, PROTOCOL_UDP } from '../../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../../src/wire/ipv6.js';
import { encodeTcp } from '../../../src/wire/tcp.js';
import { type ChecksumState, pseudoHeaderSum } from '../../../src/wire/transport.js';
import { encodeUdp } from '../../../src/wire/udp.js';
import { encodeVlan } from '../../../src/wire/vlan.js';

export const A = '02:00:00:00:00:0a';
export const B = '02:00:00:00:00:0b';
export const C = '02:00:00:00:00:0c';
export const D = '02:00:00:00:00:0d';
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const MULTICAST = '01:00:5e:00:00:05';
/** Of a protocol that nothing looks into (IEEE 802, local experimental). */
export const EXPERIMENTAL = 0x88b5;

export interface FrameFields {
  destination?: string;
  source?: string;
  /** TCI of an 802.1Q tag; absent: untagged. */
  tci?: number;
  etherType?: number;
  payload?: Uint8Array;
}

/** A frame from A to B, 46 bytes of payload. */
export function frame(fields: FrameFields = {}): Uint8Array {
  const etherType = fields.etherType ?? EXPERIMENTAL;
  const payload = fields.payload ?? bytes(46);
  const { tci } = fields;
  return encodeEthernet({
    destination: fields.destination ?? B,
    source: fields.source ?? A,
    etherType: tci === undefined ? etherType : ETHERTYPE_VLAN,
    payload: tci === undefined ? payload : encodeVlan(tci, etherType, payload),
  });
}

/** Bytes that count up, so that none is like its neighbour. */
export function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i & 0xff);
}

export interface PacketFields extends Omit<FrameFields, 'etherType' | 'payload'> {
  version?: 4 | 6;
  protocol?: 'tcp' | 'udp';
  /** Bytes behind the transport header. */
  data?: number;
  checksum?: ChecksumState;
  tos?: number;
  /** IPv4: must not be fragmented. */
  df?: boolean;
  sourcePort?: number;
  destinationPort?: number;
  sourceAddress?: string;
  destinationAddress?: string;
}

/** A frame that carries TCP or UDP over IPv4 or IPv6. */
export function packet(fields: PacketFields = {}): Uint8Array {
  const v6 = fields.version === 6;
  const path = {
    source: fields.sourceAddress ?? (v6 ? '2001:db8::1' : '198.18.0.1'),
    destination: fields.destinationAddress ?? (v6 ? '2001:db8::2' : '198.18.0.2'),
    checksum: fields.checksum ?? 'complete',
  };
  const segment = {
    sourcePort: fields.sourcePort ?? 40_000,
    destinationPort: fields.destinationPort ?? 5001,
    payload: bytes(fields.data ?? 32),
  };
  const udp = fields.protocol === 'udp';
  const payload = udp ? encodeUdp(segment, path) : encodeTcp(segment, path);
  const number = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
  return frame({
    ...fields,
    etherType: v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4,
    payload: v6
      ? encodeIpv6({ ...path, nextHeader: number, payload, trafficClass: fields.tos ?? 0 })
      : encodeIpv4({ ...path, protocol: number, payload, tos: fields.tos ?? 0, dontFragment: fields.df ?? false }),
  });
}

/** The same packet with the checksum that it should have on the wire. */
export function finished(fields: PacketFields): Uint8Array {
  return packet({ ...fields, checksum: 'complete' });
}

/** Where the transport header of `packet(fields)` begins. */
export function transportOffset(fields: PacketFields): number {
  return 14 + (fields.tci === undefined ? 0 : 4) + (fields.version === 6 ? 40 : 20);
}

/** Whether the IPv4 header checksum of an untagged frame is right. */
export function ipv4HeaderIsSound(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  return internetChecksum(view, 14, ipv4HeaderLength(view, 14)) === 0;
}

/** The transport checksum of an untagged packet. */
export function transportChecksum(bytes: Uint8Array, fields: PacketFields): number {
  return viewOf(bytes).getUint16(transportOffset(fields) + (fields.protocol === 'udp' ? 6 : 16));
}

/** Sum of the pseudo-header of `packet(fields)`: what a sender leaves in an unfinished checksum field. */
export function pseudoSum(fields: PacketFields): number {
  const v6 = fields.version === 6;
  const header = fields.protocol === 'udp' ? 8 : 20;
  return pseudoHeaderSum(
    {
      source: fields.sourceAddress ?? (v6 ? '2001:db8::1' : '198.18.0.1'),
      destination: fields.destinationAddress ?? (v6 ? '2001:db8::2' : '198.18.0.2'),
    },
    fields.protocol === 'udp' ? PROTOCOL_UDP : PROTOCOL_TCP,
    header + (fields.data ?? 32),
  );
}
