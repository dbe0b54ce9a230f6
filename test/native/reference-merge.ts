/**
 * Slow reference for the writes to a TAP: the rules of the kernel's `tcp_gro_receive` and `inet_gro_receive`, one by one over
 * whole frames.
 */
import { CWR, complete, FIN, type Packet, PSH, pseudoSum, RST, SYN, slowSum, TCP, URG } from './packets.js';

/** A frame on its way to the TAP. */
export interface Item {
  packet: Packet;
  /** The checksum was left open (NEEDS_CSUM). */
  open: boolean;
  /** Words that must be equal within a merge: what is done to the tag. */
  tag: number;
  /** A fragment, or with IP options: it may belong to any flow. */
  opaque: boolean;
  /** Bytes behind the IP packet. */
  padded: boolean;
}

/** One write: a frame as it is, or several in one. */
export interface Write {
  items: Item[];
  /** The frame before its tag operation; of several, with the pseudo-header's sum in its checksum field. */
  bytes: Buffer;
  /** Payload of each segment; 0 for a single frame. */
  segment: number;
}

export const OPEN_MERGES = 8;
const MEMBERS = 64;

const tcp = ({ packet }: Item, at: number): number => packet.bytes[packet.l4 + at];
const ip = ({ packet }: Item, at: number): number => packet.bytes[packet.l3 + at];
const flags = (item: Item): number => tcp(item, 13);
const sequence = ({ packet }: Item): number => packet.bytes.readUInt32BE(packet.l4 + 4);
const id = ({ packet }: Item): number => packet.bytes.readUInt16BE(packet.l3 + 4);
const size = ({ packet }: Item): number => packet.bytes.length - packet.payload;

function flowOf({ packet }: Item): string {
  const { bytes, l3, l4, family } = packet;
  const addresses = family === 4 ? bytes.subarray(l3 + 12, l3 + 20) : bytes.subarray(l3 + 8, l3 + 40);
  return `${family} ${addresses.toString('hex')} ${bytes.subarray(l4, l4 + 4).toString('hex')}`;
}

function mayMerge(item: Item): boolean {
  return !item.padded && size(item) > 0 && (flags(item) & (SYN | RST | URG | CWR)) === 0;
}

function sound({ packet, open }: Item): boolean {
  const { bytes, l3, l4, family } = packet;
  if (family === 4 && slowSum(bytes.subarray(l3, l4)) !== 0xffff) return false;
  if (open) return true;
  const right = { ...packet, bytes: Buffer.from(bytes) };
  complete(right);
  return right.bytes.equals(bytes);
}

function equalFields(a: Item, b: Item): boolean {
  const whole = (item: Item, from: number, to: number): string => item.packet.bytes.toString('hex', from, to);
  if (a.tag !== b.tag || a.packet.l3 !== b.packet.l3 || a.packet.payload !== b.packet.payload) return false;
  if (whole(a, 0, a.packet.l3) !== whole(b, 0, b.packet.l3)) return false;
  // IPv4: type of service, flags and offset, TTL. IPv6: version to flow label, next header, hop limit.
  const fields = a.packet.family === 4 ? [1, 6, 7, 8] : [0, 1, 2, 3, 6, 7];
  if (fields.some((at) => ip(a, at) !== ip(b, at))) return false;
  // Acknowledgement, data offset, window, urgent pointer, options.
  const { l4, payload } = a.packet;
  const rest = [8, 9, 10, 11, 12, 14, 15, 18, 19, ...Array.from({ length: payload - l4 - 20 }, (_, i) => 20 + i)];
  if (rest.some((at) => tcp(a, at) !== tcp(b, at))) return false;
  return ((flags(a) ^ flags(b)) & ~(FIN | PSH)) === 0;
}

function idContinues(items: Item[], next: Item): boolean {
  const [head, second] = items;
  if (head.packet.family === 6) return true;
  const df = (ip(head, 6) & 0x40) !== 0;
  const step = (id(next) - id(head)) & 0xffff;
  const fixed = df && (second === undefined ? step === 0 : id(second) === id(head));
  return step === (fixed ? 0 : items.length);
}

function continues(items: Item[], next: Item): boolean {
  const [head] = items;
  const bytes = items.reduce((sum, item) => sum + size(item), 0);
  const total = head.packet.payload - head.packet.l3 + bytes + size(next);
  return (
    equalFields(head, next) &&
    size(next) <= size(head) &&
    sequence(next) === (sequence(head) + bytes) >>> 0 &&
    idContinues(items, next) &&
    total <= 65535 &&
    items.length < MEMBERS &&
    sound(head) &&
    sound(next)
  );
}

const ends = (item: Item, segment: number): boolean => size(item) < segment || (flags(item) & (FIN | PSH)) !== 0;

function join(items: Item[]): Write {
  const [head] = items;
  const { packet } = head;
  if (items.length === 1) return { items, bytes: packet.bytes, segment: 0 };
  const { l3, l4, payload, family } = packet;
  const parts = items.map((item) => item.packet.bytes.subarray(payload));
  const bytes = Buffer.concat([packet.bytes.subarray(0, payload), ...parts]);
  if (family === 4) {
    bytes.writeUInt16BE(bytes.length - l3, l3 + 2);
    bytes.writeUInt16BE(0, l3 + 10);
    bytes.writeUInt16BE(~slowSum(bytes.subarray(l3, l4)) & 0xffff, l3 + 10);
  } else {
    bytes.writeUInt16BE(bytes.length - l3 - 40, l3 + 4);
  }
  bytes[l4 + 13] |= flags(items[items.length - 1]) & (FIN | PSH);
  bytes.writeUInt16BE(pseudoSum({ ...packet, bytes }, bytes.length - l4), l4 + 16);
  return { items, bytes, segment: size(head) };
}

/** What one `transmit` of these commands, all to one TAP, writes, in order. */
export function mergeSlowly(run: Item[]): Write[] {
  const writes: Write[] = [];
  let open: Item[][] = [];
  const close = (which: Item[][]): void => {
    open = open.filter((items) => !which.includes(items));
    for (const items of which) writes.push(join(items));
  };
  for (const item of run) {
    if (item.opaque) close(open);
    if (item.opaque || item.packet.protocol !== TCP) {
      writes.push(join([item]));
      continue;
    }
    const mine = open.find(([head]) => flowOf(head) === flowOf(item));
    if (mine !== undefined && mayMerge(item) && continues(mine, item)) {
      mine.push(item);
      if (ends(item, size(mine[0]))) close([mine]);
      continue;
    }
    if (mine !== undefined) close([mine]);
    if (!mayMerge(item) || ends(item, size(item))) {
      writes.push(join([item]));
      continue;
    }
    if (open.length === OPEN_MERGES) close([open[0]]);
    open.push([item]);
  }
  close(open);
  return writes;
}
