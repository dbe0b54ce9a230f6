/**
 * Reads capture files in the pcapng format (IETF draft-ietf-opsawg-pcapng), in either byte order, with any number of sections.
 *
 * Bytes come in pieces of any size (`push`); `next` gives one block after another. No file may be believed: every length is
 * checked, and a block is bounded, so a reader holds one block and one piece at most. What the reader does not know (name
 * resolution, secrets, other options) it passes over.
 *
 * It never opens a file.
 */
import { viewOf } from './bytes.js';
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_FRAME,
  BLOCK_INTERFACE,
  BLOCK_PACKET,
  BLOCK_SECTION,
  BLOCK_SIMPLE_PACKET,
  BLOCK_STATISTICS,
  BYTE_ORDER_MAGIC,
  INTERFACE_DESCRIPTION,
  INTERFACE_NAME,
  INTERFACE_TSOFFSET,
  INTERFACE_TSRESOL,
  type Interface,
  OPTION_COMMENT,
  OPTION_END,
  PACKET_DROPCOUNT,
  PACKET_FLAGS,
  PACKET_ID,
  type Packet,
  padded,
  SECTION_APPLICATION,
  SECTION_HARDWARE,
  SECTION_OS,
  type Section,
  STATISTICS_DROPPED,
  STATISTICS_END,
  STATISTICS_RECEIVED,
  STATISTICS_START,
  type Statistics,
} from './pcapng.js';

/** Bytes of the longest block that is read. */
export const MAX_BLOCK = 16 * 1024 * 1024;
/** Interfaces of a section that are read at most. */
export const MAX_INTERFACES = 65_536;
/** Comments of a block that are read at most: an empty one has 4 bytes, so a block may hold millions. */
export const MAX_COMMENTS = 64;

/** A fault of the file, with the byte offset of the block at fault. */
export class PcapngError extends Error {
  constructor(
    readonly offset: number,
    fault: string,
  ) {
    super(`byte ${offset}: ${fault}`);
  }
}

export type PcapngBlock =
  | ({ type: 'section' } & Section)
  /** `index` is its position among the interfaces of the section. */
  | ({ type: 'interface'; index: number } & Interface)
  | ({ type: 'packet' } & Packet)
  | ({ type: 'statistics' } & Statistics)
  | { type: 'other'; code: number };

/** How the time stamps of an interface are read. */
interface Clock {
  /** Units in a second. */
  units: bigint;
  /** Seconds to add. */
  offset: bigint;
  snaplen: number;
}

const DECODER = new TextDecoder();
const BILLION = 1_000_000_000n;

export class PcapngReader {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  /** Bytes of the file before `bytes`. */
  private before = 0;
  private little = true;
  private started = false;
  private clocks: Clock[] = [];

  /** Whether all bytes pushed have been read. */
  get isEmpty(): boolean {
    return this.at === this.bytes.length;
  }

  /** Adds the next bytes of the file. They are kept, not copied, where all bytes before them have been read. */
  push(piece: Uint8Array): void {
    const left = this.bytes.length - this.at;
    this.before += this.at;
    if (left === 0) this.bytes = piece;
    else {
      const joined = new Uint8Array(left + piece.length);
      joined.set(this.bytes.subarray(this.at));
      joined.set(piece, left);
      this.bytes = joined;
    }
    this.at = 0;
  }

  /**
   * The next block; undefined: the bytes pushed so far hold no further whole block. Data of a packet is a part of the bytes pushed.
   * @throws PcapngError for a malformed file; the reader is not to be used any more
   */
  next(): PcapngBlock | undefined {
    if (this.bytes.length - this.at < BLOCK_FRAME) return undefined;
    const view = viewOf(this.bytes);
    const isSection = view.getUint32(this.at, true) === BLOCK_SECTION;
    if (isSection) this.readByteOrder(view);
    else if (!this.started) this.fail('this is no pcapng file: it does not begin with a section header');
    const length = view.getUint32(this.at + 4, this.little);
    if (length < BLOCK_FRAME || length % 4 !== 0 || length > MAX_BLOCK) {
      this.fail(`a block of ${length} bytes: expected a multiple of 4 from ${BLOCK_FRAME} to ${MAX_BLOCK}`);
    }
    if (this.bytes.length - this.at < length) return undefined;
    const again = view.getUint32(this.at + length - 4, this.little);
    if (again !== length) this.fail(`a block begins with length ${length} and ends with ${again}`);
    const code = view.getUint32(this.at, this.little);
    const body = this.bytes.subarray(this.at + 8, this.at + length - 4);
    const block = this.read(isSection ? BLOCK_SECTION : code, new Body(body, this.little, (fault) => this.fail(fault)));
    this.at += length;
    return block;
  }

  /** @throws PcapngError when the file ends within a block, or is empty */
  end(): void {
    const left = this.bytes.length - this.at;
    if (left > 0) this.fail(`the file ends within a block, ${left} bytes of which are there`);
    if (!this.started) this.fail('the file is empty');
  }

  private fail(fault: string): never {
    throw new PcapngError(this.before + this.at, fault);
  }

  private readByteOrder(view: DataView): void {
    const magic = view.getUint32(this.at + 8, true);
    this.little = magic === BYTE_ORDER_MAGIC;
    if (!this.little && view.getUint32(this.at + 8) !== BYTE_ORDER_MAGIC) {
      this.fail('a section header without a byte-order mark: this is no pcapng file');
    }
    this.started = true;
    this.clocks = [];
  }

  private read(code: number, body: Body): PcapngBlock {
    switch (code) {
      case BLOCK_SECTION:
        return readSection(body);
      case BLOCK_INTERFACE:
        return this.readInterface(body);
      case BLOCK_ENHANCED_PACKET:
        return this.readPacket(body, body.u32(0), 20, 4);
      case BLOCK_PACKET:
        return this.readPacket(body, body.u16(0), 20, 4);
      case BLOCK_SIMPLE_PACKET:
        return this.readSimplePacket(body);
      case BLOCK_STATISTICS:
        return this.readStatistics(body);
      default:
        return { type: 'other', code };
    }
  }

  private readInterface(body: Body): PcapngBlock {
    const index = this.clocks.length;
    if (index >= MAX_INTERFACES) this.fail(`more than ${MAX_INTERFACES} interfaces in a section`);
    const snaplen = body.u32(4);
    const clock: Clock = { units: 1_000_000n, offset: 0n, snaplen };
    const block: PcapngBlock = { type: 'interface', index, linkType: body.u16(0), snaplen };
    body.options(8, (option, at, length) => {
      if (option === INTERFACE_NAME) block.name = body.text(at, length);
      else if (option === INTERFACE_DESCRIPTION) block.description = body.text(at, length);
      else if (option === INTERFACE_TSRESOL && length === 1) clock.units = this.unitsOf(body.u8(at));
      else if (option === INTERFACE_TSOFFSET && length === 8) clock.offset = body.i64(at);
      else if (option === OPTION_COMMENT) addComment(block, body, at, length);
    });
    this.clocks.push(clock);
    return block;
  }

  private unitsOf(resolution: number): bigint {
    const exponent = resolution & 0x7f;
    if (exponent > 63) this.fail(`time stamps in units of ${resolution > 127 ? 2 : 10}^-${exponent} seconds`);
    return (resolution > 127 ? 2n : 10n) ** BigInt(exponent);
  }

  private clockOf(index: number): Clock {
    const clock = this.clocks[index];
    return clock ?? this.fail(`interface ${index} of a block is not described before it`);
  }

  private timeOf({ units, offset }: Clock, body: Body, at: number): bigint {
    const stamp = (BigInt(body.u32(at)) << 32n) | BigInt(body.u32(at + 4));
    return (units === BILLION ? stamp : (stamp * BILLION) / units) + offset * BILLION;
  }

  /** @param head bytes before the data @param stamp where the time stamp is */
  private readPacket(body: Body, index: number, head: number, stamp: number): PcapngBlock {
    const kept = body.u32(head - 8);
    const packet: PcapngBlock = {
      type: 'packet',
      interface: index,
      time: this.timeOf(this.clockOf(index), body, stamp),
      data: body.part(head, kept),
      length: body.u32(head - 4),
    };
    body.options(head + padded(kept), (option, at, length) => {
      if (option === PACKET_FLAGS && length === 4) packet.flags = body.u32(at);
      else if (option === PACKET_DROPCOUNT && length === 8) packet.dropCount = Number(body.u64(at));
      else if (option === PACKET_ID && length === 8) packet.packetId = body.u64(at);
      else if (option === OPTION_COMMENT) addComment(packet, body, at, length);
    });
    return packet;
  }

  /** A packet of the first interface, without a time stamp: as long as the interface's limit allows. */
  private readSimplePacket(body: Body): PcapngBlock {
    const { snaplen } = this.clockOf(0);
    const length = body.u32(0);
    const kept = snaplen === 0 ? length : Math.min(length, snaplen);
    return { type: 'packet', interface: 0, data: body.part(4, kept), length };
  }

  private readStatistics(body: Body): PcapngBlock {
    const index = body.u32(0);
    const clock = this.clockOf(index);
    const block: PcapngBlock = { type: 'statistics', interface: index, time: this.timeOf(clock, body, 4) };
    body.options(12, (option, at, length) => {
      if (option === OPTION_COMMENT) addComment(block, body, at, length);
      else if (length !== 8) return;
      else if (option === STATISTICS_START) block.start = this.timeOf(clock, body, at);
      else if (option === STATISTICS_END) block.end = this.timeOf(clock, body, at);
      else if (option === STATISTICS_RECEIVED) block.received = Number(body.u64(at));
      else if (option === STATISTICS_DROPPED) block.dropped = Number(body.u64(at));
    });
    return block;
  }
}

/** All blocks of a file in memory. @throws PcapngError */
export function* readPcapng(file: Uint8Array): Generator<PcapngBlock> {
  const reader = new PcapngReader();
  reader.push(file);
  for (let block = reader.next(); block !== undefined; block = reader.next()) yield block;
  reader.end();
}

function readSection(body: Body): PcapngBlock {
  const block: PcapngBlock = { type: 'section' };
  body.check(0, 16);
  body.options(16, (option, at, length) => {
    if (option === SECTION_HARDWARE) block.hardware = body.text(at, length);
    else if (option === SECTION_OS) block.os = body.text(at, length);
    else if (option === SECTION_APPLICATION) block.application = body.text(at, length);
    else if (option === OPTION_COMMENT) addComment(block, body, at, length);
  });
  return block;
}

function addComment(block: { comments?: readonly string[] }, body: Body, at: number, length: number): void {
  const { comments = [] } = block;
  if (comments.length < MAX_COMMENTS) block.comments = [...comments, body.text(at, length)];
}

/** The body of a block: reads in the byte order of the section, within bounds. */
class Body {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly little: boolean,
    private readonly fail: (fault: string) => never,
  ) {
    this.view = viewOf(bytes);
  }

  check(at: number, length: number): void {
    if (at + length > this.bytes.length) {
      this.fail(`a block's body has ${this.bytes.length} bytes, and ${length} are needed from byte ${at} of it`);
    }
  }

  u8(at: number): number {
    return this.view.getUint8(at);
  }

  u16(at: number): number {
    this.check(at, 2);
    return this.view.getUint16(at, this.little);
  }

  u32(at: number): number {
    this.check(at, 4);
    return this.view.getUint32(at, this.little);
  }

  u64(at: number): bigint {
    return this.view.getBigUint64(at, this.little);
  }

  i64(at: number): bigint {
    return this.view.getBigInt64(at, this.little);
  }

  part(at: number, length: number): Uint8Array {
    this.check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  text(at: number, length: number): string {
    return DECODER.decode(this.bytes.subarray(at, at + length));
  }

  /** Calls `take` for each option from byte `start` on: code, and place and length of its value. */
  options(start: number, take: (code: number, at: number, length: number) => void): void {
    for (let at = start; at < this.bytes.length; ) {
      const code = this.u16(at);
      const length = this.u16(at + 2);
      if (code === OPTION_END) return;
      this.check(at + 4, padded(length));
      take(code, at + 4, length);
      at += 4 + padded(length);
    }
  }
}
