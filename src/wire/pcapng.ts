/**
 * Capture files in the pcapng format (IETF draft-ietf-opsawg-pcapng): the blocks that are written, as bytes in little endian.
 *
 *        +-------------------------------+
 *   0    |          block type           |
 *   4    |      block total length       |  a multiple of 4
 *        +-------------------------------+
 *   8    | body, then options: code u16, |
 *        | length u16, value, padding    |
 *        +-------------------------------+
 *        |      block total length       |  again
 *        +-------------------------------+
 *
 * A file is a section header, an interface description for each interface, then packets and statistics that name an interface by
 * its position among the descriptions. Times are nanoseconds since 1970, as bigint.
 *
 * Owns the layout. It never reads or writes a file; `pcapng-reader.ts` reads what this and other programs write.
 */

export const BLOCK_SECTION = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
/** Obsolete, but still found in old files. */
export const BLOCK_PACKET = 2;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_STATISTICS = 5;
export const BLOCK_ENHANCED_PACKET = 6;

/** As it reads in the byte order of the section. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Bytes of a block without a body: type and both lengths. */
export const BLOCK_FRAME = 12;

export const OPTION_END = 0;
export const OPTION_COMMENT = 1;
export const SECTION_HARDWARE = 2;
export const SECTION_OS = 3;
export const SECTION_APPLICATION = 4;
export const INTERFACE_NAME = 2;
export const INTERFACE_DESCRIPTION = 3;
export const INTERFACE_TSRESOL = 9;
export const INTERFACE_TSOFFSET = 14;
export const PACKET_FLAGS = 2;
export const PACKET_DROPCOUNT = 4;
export const PACKET_ID = 5;
export const STATISTICS_START = 2;
export const STATISTICS_END = 3;
export const STATISTICS_RECEIVED = 4;
export const STATISTICS_DROPPED = 5;

/** LINKTYPE_ETHERNET. */
export const LINK_ETHERNET = 1;

/** Directions in the two low bits of a packet's flags. */
export const DIRECTION_MASK = 3;
export const INBOUND = 1;
export const OUTBOUND = 2;

/** Time stamps in units of 10^-9 seconds. */
const NANOSECONDS = 9;
/** Characters of a text option that are written at most: less than 64 KiB in UTF-8. */
export const MAX_TEXT = 16_384;

export interface Section {
  hardware?: string;
  os?: string;
  application?: string;
  comments?: readonly string[];
}

export interface Interface {
  name?: string;
  description?: string;
  linkType: number;
  /** Most bytes kept of a packet; 0: no limit. */
  snaplen: number;
  comments?: readonly string[];
}

export interface Packet {
  /** Position among the interface descriptions of the section. */
  interface: number;
  /** Nanoseconds since 1970; absent where the file has none (a simple packet block). */
  time?: bigint;
  /** What was kept of the packet. */
  data: Uint8Array;
  /** Bytes of the whole packet. */
  length: number;
  /** Direction and more; absent: not known. */
  flags?: number;
  /** Packets lost since the packet before on this interface. */
  dropCount?: number;
  /** Equal for the copies of one packet. */
  packetId?: bigint;
  comments?: readonly string[];
}

export interface Statistics {
  interface: number;
  time: bigint;
  /** Start and end of the capture. */
  start?: bigint;
  end?: bigint;
  received?: number;
  dropped?: number;
  comments?: readonly string[];
}

/** The first block of a file. */
export function sectionBlock({ hardware, os, application, comments }: Section): Uint8Array {
  const block = new Block(BLOCK_SECTION, 16, [
    ...commentsOf(comments),
    ...text(SECTION_HARDWARE, hardware),
    ...text(SECTION_OS, os),
    ...text(SECTION_APPLICATION, application),
  ]);
  block.u32(8, BYTE_ORDER_MAGIC);
  block.u32(12, 1); // version 1.0: major in the low half
  block.u32(16, 0xffffffff); // length of the section: not known, both words
  block.u32(20, 0xffffffff);
  return block.bytes;
}

/** Describes the next interface; its packets have times in nanoseconds. */
export function interfaceBlock({ name, description, linkType, snaplen, comments }: Interface): Uint8Array {
  const block = new Block(BLOCK_INTERFACE, 8, [
    ...commentsOf(comments),
    ...text(INTERFACE_NAME, name),
    ...text(INTERFACE_DESCRIPTION, description),
    { code: INTERFACE_TSRESOL, value: Uint8Array.of(NANOSECONDS) },
  ]);
  block.u32(8, linkType & 0xffff);
  block.u32(12, snaplen);
  return block.bytes;
}

/** An enhanced packet block. A packet without a time gets time 0. */
export function packetBlock(packet: Packet): Uint8Array {
  const { data, flags, dropCount, packetId } = packet;
  const block = new Block(BLOCK_ENHANCED_PACKET, 20 + padded(data.length), [
    ...commentsOf(packet.comments),
    ...(flags === undefined ? [] : [{ code: PACKET_FLAGS, value: word(flags) }]),
    ...(dropCount === undefined ? [] : [{ code: PACKET_DROPCOUNT, value: longWord(BigInt(dropCount)) }]),
    ...(packetId === undefined ? [] : [{ code: PACKET_ID, value: longWord(packetId) }]),
  ]);
  block.u32(8, packet.interface);
  block.time(12, packet.time ?? 0n);
  block.u32(20, data.length);
  block.u32(24, packet.length);
  block.bytes.set(data, 28);
  return block.bytes;
}

/** An interface statistics block. */
export function statisticsBlock(statistics: Statistics): Uint8Array {
  const { start, end, received, dropped } = statistics;
  const block = new Block(BLOCK_STATISTICS, 12, [
    ...commentsOf(statistics.comments),
    ...(start === undefined ? [] : [{ code: STATISTICS_START, value: timeWord(start) }]),
    ...(end === undefined ? [] : [{ code: STATISTICS_END, value: timeWord(end) }]),
    ...(received === undefined ? [] : [{ code: STATISTICS_RECEIVED, value: longWord(BigInt(received)) }]),
    ...(dropped === undefined ? [] : [{ code: STATISTICS_DROPPED, value: longWord(BigInt(dropped)) }]),
  ]);
  block.u32(8, statistics.interface);
  block.time(12, statistics.time);
  return block.bytes;
}

/** Bytes up to the next multiple of four. */
export const padded = (length: number): number => (length + 3) & ~3;

interface Option {
  code: number;
  value: Uint8Array;
}

const ENCODER = new TextEncoder();

const text = (code: number, value: string | undefined): Option[] =>
  value === undefined ? [] : [{ code, value: ENCODER.encode(value.slice(0, MAX_TEXT)) }];

const commentsOf = (comments: readonly string[] = []): Option[] =>
  comments.flatMap((comment) => text(OPTION_COMMENT, comment));

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function longWord(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** A time as an option's value: the upper half comes first, in any byte order. */
function timeWord(time: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Number((time >> 32n) & 0xffffffffn), true);
  view.setUint32(4, Number(time & 0xffffffffn), true);
  return bytes;
}

/** A block with its type, lengths and options filled. */
class Block {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  /** @param body bytes of the body, a multiple of four */
  constructor(type: number, body: number, options: readonly Option[]) {
    let length = BLOCK_FRAME + body;
    for (const { value } of options) length += 4 + padded(value.length);
    if (options.length > 0) length += 4;
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
    this.u32(0, type);
    this.u32(4, length);
    this.u32(length - 4, length);
    let at = 8 + body;
    for (const { code, value } of options) {
      this.view.setUint16(at, code, true);
      this.view.setUint16(at + 2, value.length, true);
      this.bytes.set(value, at + 4);
      at += 4 + padded(value.length);
    }
  }

  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  time(at: number, time: bigint): void {
    this.u32(at, Number((time >> 32n) & 0xffffffffn));
    this.u32(at + 4, Number(time & 0xffffffffn));
  }
}
