/**
 * Frames for tests of splitting and coalescing, built field by field, and a slow Internet checksum.
 */
import type { random } from './native-testbed.js';

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

const [LOOSE_ROUTE, STRICT_ROUTE] = [131, 137];
const [ROUTING, DESTINATION] = [43, 60];
const HOME_ADDRESS = 201;

/** The addresses as the last host will see them: of a source route with hops left, the last one is the destination's (RFC 791). */
function lastAddresses4(header: Buffer): Buffer {
  const addresses = Buffer.from(header.subarray(12, 20));
  for (let at = 20; at < header.length && header[at] !== 0; at += header[at] === 1 ? 1 : header[at + 1]) {
    if (header[at] !== LOOSE_ROUTE && header[at] !== STRICT_ROUTE) continue;
    const route = header.subarray(at, at + header[at + 1]);
    if (route[2] <= route.length) route.copy(addresses, 4, route.length - 4);
  }
  return addresses;
}

/** Likewise with a routing header (RFC 8200 section 8.1, RFC 5095 for its type 0) and a home address (RFC 6275 section 11.3.1). */
function lastAddresses6(header: Buffer): Buffer {
  const addresses = Buffer.from(header.subarray(8, 40));
  let next = header[6];
  for (let at = 40; at < header.length; at += 8 * (header[at + 1] + 1)) {
    const part = header.subarray(at, at + 8 * (header[at + 1] + 1));
    if (next === ROUTING && part[3] > 0) part.copy(addresses, 16, part.length - 16);
    for (let i = 2; next === DESTINATION && i < part.length; i += part[i] === 0 ? 1 : 2 + part[i + 1])
      if (part[i] === HOME_ADDRESS) part.copy(addresses, 0, i + 2, i + 18);
    next = part[0];
  }
  return addresses;
}

/** Sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1), for `length` bytes of TCP or UDP. */
export function pseudoSum(packet: Packet, length: number): number {
  const { bytes, l3, l4, family, protocol } = packet;
  const addresses = (family === 4 ? lastAddresses4 : lastAddresses6)(bytes.subarray(l3, l4));
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

/** A source route. Its pointer tells which of the addresses is the next one, 4 being the first. */
export function sourceRoute(type: number, addresses: Buffer, pointer: number): Buffer {
  return Buffer.concat([Buffer.from([type, 3 + addresses.length, pointer]), addresses]);
}

/** An extension header that begins with these bytes behind its length, filled up with zeros. */
function extension(next: number, bytes: Buffer): Buffer {
  const part = Buffer.alloc(8 * Math.ceil((2 + bytes.length) / 8));
  part.set([next, part.length / 8 - 1]);
  part.set(bytes, 2);
  return part;
}

/** The home address where RFC 6275 wants it, behind padding of two bytes and four. */
export function homeAddress(next: number, address: Buffer): Buffer {
  return extension(next, Buffer.concat([Buffer.from([1, 2, 0, 0, HOME_ADDRESS, 16]), address]));
}

/** A routing header of type 0, the last of its addresses being the destination's. */
export function routingHeader(next: number, addresses: Buffer, left: number): Buffer {
  return extension(next, Buffer.concat([Buffer.from([0, left, 0, 0, 0, 0]), addresses]));
}

function options4(below: Below): Buffer {
  const nothing = Buffer.alloc(below(9), 1);
  const hops = 1 + below(6);
  const route = sourceRoute([LOOSE_ROUTE, STRICT_ROUTE][below(2)], noise(below, 4 * hops), 4 * (1 + below(hops + 1)));
  const other = Buffer.from([0x94, 4, 0, 0]);
  const bytes = Buffer.concat([nothing, ...(below(3) ? [other] : []), ...(below(2) ? [route] : []), Buffer.of(1)]);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

function extension6(below: Below, kind: number, next: number): Buffer {
  const hops = 1 + below(2);
  if (kind === ROUTING && below(2)) return routingHeader(next, noise(below, 16 * hops), below(hops + 1));
  if (kind === DESTINATION && below(2)) return homeAddress(next, noise(below, 16));
  return extension(next, Buffer.alloc(6 + 8 * below(4)));
}

/** Random IPv4 options or a chain of IPv6 extension headers, some of which have other addresses than the IP header. */
export function ipOptions(below: Below, family: 4 | 6, protocol: number): { first: number; bytes: Buffer } {
  if (family === 4) return { first: 0, bytes: options4(below) };
  const kinds = Array.from({ length: 1 + below(3) }, () => [0, DESTINATION, ROUTING][below(3)]);
  const parts = kinds.map((kind, i) => extension6(below, kind, kinds[i + 1] ?? protocol));
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
