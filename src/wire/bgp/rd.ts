/**
 * Route distinguishers (RFC 4364 section 4.2) and their text, which route targets share.
 *
 *   type 0: AS of 2 bytes, number of 4        `65001:100`
 *   type 1: IPv4 address, number of 2         `192.0.2.1:5`
 *   type 2: AS of 4 bytes, number of 2        `4200000000:7`; `65001L:7` when the AS would fit into type 0
 *   others: 16 hexadecimal digits             `0x0003000000000001`
 *
 * So each distinguisher has one text, and each text one distinguisher.
 */
export const RD_LENGTH = 8;

/** Type and value of a distinguisher or route target: two unsigned words. */
export interface RdValue {
  /** 0, 1 or 2; of a distinguisher that nobody knows, any. */
  type: number;
  /** Bytes 2 to 3 above 32 bits: the value as 48 bits in two parts. */
  high: number;
  low: number;
}

/** The text of type, first 16 bits and last 32 bits of the value; null for a type without a text. */
export function formatAdministrator(type: number, high: number, low: number): string | null {
  if (type === 0) return `${high}:${low}`;
  const admin = ((high << 16) | (low >>> 16)) >>> 0;
  const number = low & 0xffff;
  if (type === 1) return `${admin >>> 24}.${(admin >>> 16) & 255}.${(admin >>> 8) & 255}.${admin & 255}:${number}`;
  if (type === 2) return admin > 0xffff ? `${admin}:${number}` : `${admin}L:${number}`;
  return null;
}

/** The distinguisher at `at`, of which 8 bytes are there. */
export function readRd(view: DataView, at: number): string {
  const type = view.getUint16(at);
  const high = view.getUint16(at + 2);
  const low = view.getUint32(at + 4);
  const known = formatAdministrator(type, high, low);
  if (known !== null) return known;
  return `0x${[type, high].map((part) => part.toString(16).padStart(4, '0')).join('')}${low.toString(16).padStart(8, '0')}`;
}

/**
 * Reads `ADMINISTRATOR:NUMBER` of a distinguisher or route target.
 * @returns null for other text, and for numbers that do not fit
 */
export function parseAdministrator(text: string): RdValue | null {
  const match = /^(?:(\d{1,10})(L?)|(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})):(\d{1,10})$/.exec(text);
  if (match === null) return null;
  const number = Number(match[7]);
  if (match[1] === undefined) {
    const bytes = match.slice(3, 7).map(Number);
    if (bytes.some((byte) => byte > 255) || number > 0xffff) return null;
    return { type: 1, high: (bytes[0] << 8) | bytes[1], low: ((bytes[2] << 24) | (bytes[3] << 16) | number) >>> 0 };
  }
  const admin = Number(match[1]);
  if (admin > 0xffffffff) return null;
  if (admin > 0xffff || match[2] === 'L') {
    return number > 0xffff ? null : { type: 2, high: admin >>> 16, low: ((admin << 16) | number) >>> 0 };
  }
  return number > 0xffffffff ? null : { type: 0, high: admin, low: number };
}

/** Reads a route distinguisher. @returns null for other text */
export function parseRd(text: string): RdValue | null {
  const hex = /^0x([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{8})$/i.exec(text);
  if (hex === null) return parseAdministrator(text);
  const [type, high, low] = hex.slice(1).map((digits) => Number.parseInt(digits, 16));
  return { type, high, low };
}

/** Writes a distinguisher at `at`. @throws RangeError for a text that is none */
export function writeRd(view: DataView, at: number, text: string): void {
  const rd = parseRd(text);
  if (rd === null) throw new RangeError(`"${text}" is no route distinguisher: write 65001:100 or 192.0.2.1:5`);
  view.setUint16(at, rd.type);
  view.setUint16(at + 2, rd.high);
  view.setUint32(at + 4, rd.low);
}
