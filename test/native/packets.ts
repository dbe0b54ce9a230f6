/**
 * Frames for the tests of splitting and merging, put together field by field, and the Internet checksum the slow way.
 */
import type { random } from './helpers.js';

export type Below = ReturnType<typeof random>;

/** RFC 1071 the slow way: one big-endian word after the other, the carry put back each time. */
export function slowSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

export const TCP = 6;
export const UDP = 17;
export const [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR] = [1, 2, 4, 8, 16, 32, 64, 128];

/** A frame and where its headers are. */
export interface Packet {
  bytes: Buffer;
  l3: number;
  l4: number;
  payload: number;
  family: 4 | 6;
  protocol: number;
}

export interface PacketFields {
  family?: 4 | 6;
  protocol?: number;
  /** Tags between addresses and type: [ethertype, TCI]. */
  tags?: [number, number][];
  /** IPv4 options or IPv6 extension headers, whole: the first header's number, and bytes that chain on to `protocol`. */
  ipOptions?: { first: number; bytes: Buffer };
  id?: number;
  df?: boolean;
  tos?: number;
  ttl?: number;
  hosts?: [number, number];
  ports?: [number, number];
  sequence?: number;
  ack?: number;
  window?: number;
  flags?: number;
  urgent?: number;
  tcpOptions?: Buffer;
  payload: Buffer;
  /** How the checksum is left. Default: complete. `open`: the sum of the pseudo-header. */
  checksum?: 'complete' | 'open' | 'wrong';
}

function tcpHeader(fields: PacketFields): Buffer {
  const options = fields.tcpOptions ?? Buffer.alloc(0);
  const header = Buffer.alloc(20);
  header.writeUInt32BE((fields.sequence ?? 1) >>> 0, 4);
  header.writeUInt32BE((fields.ack ?? 7) >>> 0, 8);
  header[12] = ((20 + options.length) / 4) << 4;
  header[13] = fields.flags ?? ACK;
  header.writeUInt16BE(fields.window ?? 500, 14);
  header.writeUInt16BE(fields.urgent ?? 0, 18);
  return Buffer.concat([header, options]);
}

function ipHeader(fields: PacketFields, family: 4 | 6, protocol: number, carried: number): Buffer {
  const more = fields.ipOptions?.bytes ?? Buffer.alloc(0);
  const [from, to] = fields.hosts ?? [1, 2];
  if (family === 6) {
    const header = Buffer.alloc(40);
    header.writeUInt32BE(0x60000000 | ((fields.tos ?? 0) << 20) | 0x12345, 0);
    header.writeUInt16BE(more.length + carried, 4);
    header[6] = fields.ipOptions?.first ?? protocol;
    header[7] = fields.ttl ?? 64;
    header.set([0xfd, 0, 0, 1], 8);
    header[23] = from;
    header.set([0xfd, 0, 0, 2], 24);
    header[39] = to;
    return Buffer.concat([header, more]);
  }
  const header = Buffer.concat([Buffer.alloc(20), more]);
  header[0] = 0x40 | (header.length / 4);
  header[1] = fields.tos ?? 0;
  header.writeUInt16BE(header.length + carried, 2);
  header.writeUInt16BE((fields.id ?? 1) & 0xffff, 4);
  header[6] = (fields.df ?? true) ? 0x40 : 0;
  header[8] = fields.ttl ?? 64;
  header[9] = protocol;
  header.set([10, 0, 0, from, 10, 0, 0, to], 12);
  header.writeUInt16BE(~slowSum(header) & 0xffff, 10);
  return header;
}

/** Sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1), for `length` bytes of TCP or UDP. */
export function pseudoSum(packet: Packet, length: number): number {
  const { bytes, l3, family, protocol } = packet;
  const addresses = family === 4 ? bytes.subarray(l3 + 12, l3 + 20) : bytes.subarray(l3 + 8, l3 + 40);
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(length, 0);
  rest.writeUInt32BE(protocol, 4);
  return slowSum(Buffer.concat([addresses, rest]));
}

export function checksumOffset(protocol: number): number {
  return protocol === TCP ? 16 : 6;
}

/** Writes the complete checksum of TCP or UDP. */
export function complete(packet: Packet): void {
  const field = packet.l4 + checksumOffset(packet.protocol);
  const carried = packet.bytes.subarray(packet.l4);
  packet.bytes.writeUInt16BE(pseudoSum(packet, carried.length), field);
  const checksum = ~slowSum(carried) & 0xffff;
  packet.bytes.writeUInt16BE(checksum === 0 && packet.protocol === UDP ? 0xffff : checksum, field);
}

export function build(fields: PacketFields): Packet {
  const { family = 4, protocol = TCP, tags = [], payload } = fields;
  const ethernet = Buffer.alloc(14 + tags.length * 4);
  ethernet.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1]);
  tags.forEach(([type, tci], i) => {
    ethernet.writeUInt16BE(type, 12 + i * 4);
    ethernet.writeUInt16BE(tci, 14 + i * 4);
  });
  ethernet.writeUInt16BE(family === 4 ? 0x0800 : 0x86dd, ethernet.length - 2);
  const l4 = protocol === TCP ? tcpHeader(fields) : Buffer.alloc(8);
  const [from, to] = fields.ports ?? [1000, 2000];
  l4.writeUInt16BE(from, 0);
  l4.writeUInt16BE(to, 2);
  if (protocol === UDP) l4.writeUInt16BE(8 + payload.length, 4);
  const ip = ipHeader(fields, family, protocol, l4.length + payload.length);
  const bytes = Buffer.concat([ethernet, ip, l4, payload]);
  const l3 = ethernet.length;
  const packet: Packet = { bytes, l3, l4: l3 + ip.length, payload: l3 + ip.length + l4.length, family, protocol };
  const field = packet.l4 + checksumOffset(protocol);
  if (fields.checksum === 'open') bytes.writeUInt16BE(pseudoSum(packet, bytes.length - packet.l4), field);
  else complete(packet);
  if (fields.checksum === 'wrong') bytes[field] ^= 0x55;
  return packet;
}

export function noise(below: Below, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i + 4 <= length; i += 4) bytes.writeUInt32LE(below(0x7fffffff), i);
  return bytes;
}

/** Random IPv4 options (never read by anyone here: all of them one unknown option) or a chain of IPv6 extension headers. */
export function ipOptions(below: Below, family: 4 | 6, protocol: number): { first: number; bytes: Buffer } {
  if (family === 4) {
    const bytes = Buffer.alloc(4 * (1 + below(10)), 1);
    return { first: 0, bytes };
  }
  const kinds = Array.from({ length: 1 + below(3) }, () => [0, 60, 43][below(3)]);
  const parts = kinds.map((_, i) => {
    const part = Buffer.alloc(8 * (1 + below(4)));
    part[0] = kinds[i + 1] ?? protocol;
    part[1] = part.length / 8 - 1;
    return part;
  });
  return { first: kinds[0], bytes: Buffer.concat(parts) };
}

/** Carries a tag operation out on a whole frame. */
export function withTag(frame: Buffer, operation: 'keep' | 'pop' | 'push' | 'replace', tci: number): Buffer {
  const tag = Buffer.from([0x81, 0, tci >> 8, tci & 0xff]);
  if (operation === 'push') return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
  if (operation === 'pop') return Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
  if (operation === 'replace') return Buffer.concat([frame.subarray(0, 14), tag.subarray(2), frame.subarray(16)]);
  return frame;
}
