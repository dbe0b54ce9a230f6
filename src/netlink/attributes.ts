/** Attributes of netlink: type, length and value, each aligned to 4 bytes (`struct nlattr`). Every length is checked. */
import { NetlinkFault } from './fault.js';

const HEAD_BYTES = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type. */
const TYPE_MASK = 0x3fff;
const NESTED = 0x8000;

export interface Attribute {
  readonly type: number;
  readonly value: Buffer;
}

const align = (length: number): number => (length + 3) & ~3;

/** @throws NetlinkFault when a length is too small or leads past the end */
export function readAttributes(bytes: Buffer): Attribute[] {
  const found: Attribute[] = [];
  for (let at = 0; bytes.length - at >= HEAD_BYTES; ) {
    const length = bytes.readUInt16LE(at);
    if (length < HEAD_BYTES || length > bytes.length - at) {
      throw new NetlinkFault('the length of an attribute leads past the end of the message');
    }
    found.push({ type: bytes.readUInt16LE(at + 2) & TYPE_MASK, value: bytes.subarray(at + HEAD_BYTES, at + length) });
    at += align(length);
  }
  return found;
}

export function writeAttributes(attributes: readonly Attribute[]): Buffer {
  const parts: Buffer[] = [];
  for (const { type, value } of attributes) {
    if (value.length > 0xffff - HEAD_BYTES) throw new NetlinkFault('an attribute is too long');
    const part = Buffer.alloc(align(HEAD_BYTES + value.length));
    part.writeUInt16LE(HEAD_BYTES + value.length, 0);
    part.writeUInt16LE(type, 2);
    value.copy(part, HEAD_BYTES);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The attributes of a message by type: of several of one type the last, as the kernel has it. */
export class AttributeMap {
  readonly all: readonly Attribute[];
  private readonly byType = new Map<number, Buffer>();

  constructor(bytes: Buffer) {
    this.all = readAttributes(bytes);
    for (const { type, value } of this.all) this.byType.set(type, value);
  }

  has(type: number): boolean {
    return this.byType.has(type);
  }

  bytes(type: number): Buffer | undefined {
    return this.byType.get(type);
  }

  nested(type: number): AttributeMap | undefined {
    const value = this.byType.get(type);
    return value === undefined ? undefined : new AttributeMap(value);
  }

  u8(type: number): number | undefined {
    return this.sized(type, 1)?.readUInt8(0);
  }

  u16(type: number): number | undefined {
    return this.sized(type, 2)?.readUInt16LE(0);
  }

  be16(type: number): number | undefined {
    return this.sized(type, 2)?.readUInt16BE(0);
  }

  u32(type: number): number | undefined {
    return this.sized(type, 4)?.readUInt32LE(0);
  }

  /** A string up to its NUL. */
  text(type: number): string | undefined {
    const value = this.byType.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return value.toString('utf8', 0, end < 0 ? value.length : end);
  }

  /** @throws NetlinkFault when it is shorter than `length` */
  private sized(type: number, length: number): Buffer | undefined {
    const value = this.byType.get(type);
    if (value !== undefined && value.length < length) {
      throw new NetlinkFault(`attribute ${type} has ${value.length} bytes; it needs ${length}`);
    }
    return value;
  }
}

export const bytesAttribute = (type: number, value: Buffer): Attribute => ({ type, value });
export const flagAttribute = (type: number): Attribute => ({ type, value: Buffer.alloc(0) });
export const u8Attribute = (type: number, value: number): Attribute => ({ type, value: Buffer.from([value & 0xff]) });
export const stringAttribute = (type: number, text: string): Attribute => ({ type, value: Buffer.from(`${text}\0`) });
/** Strict programs want the flag of a nest. @param flagged with NLA_F_NESTED; the older messages have it without */
export const nestAttribute = (type: number, inner: readonly Attribute[], flagged = false): Attribute => ({
  type: flagged ? type | NESTED : type,
  value: writeAttributes(inner),
});

export function u16Attribute(type: number, number: number): Attribute {
  const value = Buffer.alloc(2);
  value.writeUInt16LE(number & 0xffff);
  return { type, value };
}

export function be16Attribute(type: number, number: number): Attribute {
  const value = Buffer.alloc(2);
  value.writeUInt16BE(number & 0xffff);
  return { type, value };
}

export function u32Attribute(type: number, number: number): Attribute {
  const value = Buffer.alloc(4);
  value.writeUInt32LE(number >>> 0);
  return { type, value };
}

export function u64Attribute(type: number, number: number): Attribute {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Math.trunc(number))));
  return { type, value };
}
