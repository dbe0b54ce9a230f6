/** Rows that relate attributes of a link to keys of the configuration. One table serves requests and listings. */
import { type Attribute, type AttributeMap, bytesAttribute } from './attributes.js';
import { NetlinkFault, unsupported } from './fault.js';

/** How a value is written in an attribute. */
export interface Codec {
  /** @throws NetlinkFault */
  read(value: Buffer): unknown;
  write(value: unknown): Buffer;
}

/** A key of the configuration. */
interface KeyRow {
  readonly attr: number;
  readonly key: string;
  readonly codec: Codec;
  /** Of a switch that does not know the key. */
  readonly otherwise: unknown;
}

/** What a switch has not: it is shown as the kernel's default, and may be set to that only. */
interface FixedRow {
  readonly attr: number;
  readonly word: string;
  readonly value: Buffer;
  /** Never refused: a change of it would have no effect on frames. */
  readonly ignored?: true;
}

/** Shown only. */
interface ShownRow {
  readonly attr: number;
  readonly value: (row: Options) => Buffer;
}

export type Row = KeyRow | FixedRow | ShownRow;
/** Keys and values of the configuration, as of a link's row with details. */
export type Options = Readonly<Record<string, unknown>>;

/** @param otherwise the value of a switch that does not know the key */
export const key = (attr: number, name: string, codec: Codec, otherwise: unknown): Row => ({
  attr,
  key: name,
  codec,
  otherwise,
});
export const fixed = (attr: number, word: string, value: Buffer): Row => ({ attr, word, value });

export const sized = (value: Buffer, length: number): Buffer => {
  if (value.length >= length) return value;
  throw new NetlinkFault(`an attribute has ${value.length} bytes; it needs ${length}`);
};

/** A little-endian number of 1, 2, 4 or 8 bytes. */
export function bytesOf(width: 1 | 2 | 4 | 8, number: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Math.trunc(number))));
  return out.subarray(0, width);
}

export function numberOf(width: 1 | 2 | 4 | 8, value: Buffer): number {
  const bytes = sized(value, width);
  return width === 8 ? Number(bytes.readBigUInt64LE(0)) : bytes.readUIntLE(0, width);
}

/** @param scale how many of the attribute's units one of the configuration's is */
export const number = (width: 1 | 2 | 4 | 8, scale = 1): Codec => ({
  read: (value) => numberOf(width, value) / scale,
  write: (value) => bytesOf(width, Number(value ?? 0) * scale),
});

export const flag: Codec = {
  read: (value) => numberOf(1, value) !== 0,
  write: (value) => bytesOf(1, value === true ? 1 : 0),
};

/** Words of the configuration for numbers of a byte, or of two in network order. */
export function choice(words: Readonly<Record<string, number>>, width: 1 | 'be16' = 1): Codec {
  return {
    read(value) {
      const found = width === 1 ? numberOf(1, value) : sized(value, 2).readUInt16BE(0);
      const word = Object.keys(words).find((one) => words[one] === found);
      if (word === undefined) throw new NetlinkFault(`${found} is none of ${Object.values(words).join(', ')}`);
      return word;
    },
    write(value) {
      const code = words[String(value)] ?? 0;
      return width === 1 ? bytesOf(1, code) : Buffer.from([code >> 8, code & 0xff]);
    },
  };
}

/** Attributes of a listing. */
export function writeOptions(table: readonly Row[], row: Options): Attribute[] {
  return table.map((one) => {
    if ('codec' in one) return bytesAttribute(one.attr, one.codec.write(row[one.key] ?? one.otherwise));
    return bytesAttribute(one.attr, typeof one.value === 'function' ? one.value(row) : one.value);
  });
}

/**
 * Options of a request.
 * @param also attributes that the caller reads itself
 * @throws NetlinkFault EOPNOTSUPP for what a switch has not
 */
export function readOptions(
  table: readonly Row[],
  given: AttributeMap,
  what: string,
  also: readonly number[] = [],
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const { type, value } of given.all) {
    if (also.includes(type)) continue;
    const row = table.find(({ attr }) => attr === type);
    if (row === undefined || !('key' in row || 'word' in row)) {
      throw unsupported(`overtap has no attribute ${type} of ${what}; leave this option out`);
    }
    if ('key' in row) options[row.key] = row.codec.read(value);
    else if (row.ignored !== true && !value.subarray(0, row.value.length).equals(row.value)) {
      throw unsupported(`overtap has no ${row.word} on ${what}; leave this option out`);
    }
  }
  return options;
}
