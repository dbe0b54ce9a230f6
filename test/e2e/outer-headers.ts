/**
 * The outer headers of VXLAN datagrams, read by hand from the bytes that libpcap saw: by offset, as the RFCs number them. Shares
 * no code with the switch.
 */
import type { Packet } from './sniffer.js';

export interface Outer {
  readonly family: 4 | 6;
  /** Version, lengths and what else has one right value, as problems found; empty when all is as it must be. */
  readonly faults: string[];
  readonly ttl: number;
  readonly tos: number;
  /** The flow label of IPv6; 0 over IPv4. */
  readonly label: number;
  /** The three flag bits and the fragment offset of IPv4; 0 over IPv6. */
  readonly fragment: number;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** `none`: the field is zero. */
  readonly checksum: 'none' | 'right' | 'wrong';
  /** The VXLAN header, in hexadecimal. */
  readonly vxlan: string;
  readonly inner: string;
}

export const DF = 0x4000;

/** Takes a frame apart that libpcap has seen whole. @throws when it is longer than what was kept of it, or no UDP over IP */
export function readOuter({ hex, length }: Packet): Outer {
  const frame = Buffer.from(hex, 'hex');
  if (frame.length !== length) throw new Error(`only ${frame.length} of ${length} bytes were kept`);
  const type = frame.readUInt16BE(12);
  if (type === 0x0800) return read4(frame.subarray(14));
  if (type === 0x86dd) return read6(frame.subarray(14));
  throw new Error(`a frame of type 0x${type.toString(16)}`);
}

function read4(ip: Buffer): Outer {
  const faults: string[] = [];
  if (ip[0] !== 0x45) faults.push(`version and header length 0x${ip[0].toString(16)}`);
  if (ip.readUInt16BE(2) !== ip.length) faults.push(`total length ${ip.readUInt16BE(2)} of ${ip.length}`);
  if (ip[9] !== 17) faults.push(`protocol ${ip[9]}`);
  if (sum(ip.subarray(0, 20)) !== 0xffff) faults.push('header checksum');
  return {
    family: 4,
    tos: ip[1],
    label: 0,
    fragment: ip.readUInt16BE(6),
    ttl: ip[8],
    source: [...ip.subarray(12, 16)].join('.'),
    destination: [...ip.subarray(16, 20)].join('.'),
    ...readUdp(ip.subarray(12, 20), ip.subarray(20), faults),
  };
}

function read6(ip: Buffer): Outer {
  const faults: string[] = [];
  if (ip[0] >>> 4 !== 6) faults.push(`version ${ip[0] >>> 4}`);
  if (ip.readUInt16BE(4) !== ip.length - 40) faults.push(`payload length ${ip.readUInt16BE(4)} of ${ip.length - 40}`);
  if (ip[6] !== 17) faults.push(`next header ${ip[6]}`);
  return {
    family: 6,
    tos: (ip.readUInt16BE(0) >>> 4) & 0xff,
    label: ip.readUInt32BE(0) & 0xfffff,
    fragment: 0,
    ttl: ip[7],
    source: words(ip.subarray(8, 24)),
    destination: words(ip.subarray(24, 40)),
    ...readUdp(ip.subarray(8, 40), ip.subarray(40), faults),
  };
}

function readUdp(
  addresses: Buffer,
  udp: Buffer,
  faults: string[],
): Pick<Outer, 'faults' | 'sourcePort' | 'destinationPort' | 'checksum' | 'vxlan' | 'inner'> {
  if (udp.readUInt16BE(4) !== udp.length) faults.push(`UDP length ${udp.readUInt16BE(4)} of ${udp.length}`);
  // The pseudo-headers of IPv4 and IPv6 differ in layout only: addresses, protocol, length.
  const pseudo = Buffer.from([0, 17, udp.length >>> 8, udp.length & 255]);
  const right = sum(Buffer.concat([addresses, pseudo, udp])) === 0xffff;
  return {
    faults,
    sourcePort: udp.readUInt16BE(0),
    destinationPort: udp.readUInt16BE(2),
    checksum: udp.readUInt16BE(6) === 0 ? 'none' : right ? 'right' : 'wrong',
    vxlan: udp.toString('hex', 8, 16),
    inner: udp.toString('hex', 16),
  };
}

/** Sixteen bytes as eight groups, none left out. */
function words(address: Buffer): string {
  return Array.from({ length: 8 }, (_, i) => address.readUInt16BE(2 * i).toString(16)).join(':');
}

/** Ones' complement sum of 16-bit words: 0xffff over bytes that hold a right checksum. */
function sum(bytes: Buffer): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += bytes[i] * 256 + (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}
