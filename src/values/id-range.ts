/**
 * Ranges of VLAN IDs and VNIs: a number, or text such as 100-199.
 *
 * Owns their text form and arithmetic. The rules decide which ranges are compatible.
 */
import { Refusal } from './address.js';

/** An inclusive range; first <= last. */
export interface IdRange {
  first: number;
  last: number;
}

export interface IdKind {
  /** As in "expected a VLAN ID from 1 to 4094". */
  what: string;
  max: number;
  /** An example of a range. */
  example: string;
}

/** IEEE 802.1Q: 0 is the priority tag, 4095 is reserved. */
export const VLAN_ID: IdKind = { what: 'a VLAN ID', max: 4094, example: '100-199' };
/** RFC 7348 section 5: 24 bits. VNI 0 is not used, as in iproute2. */
export const VNI: IdKind = { what: 'a VNI', max: 16_777_215, example: '10100-10199' };

/** Reads a number or the text of a number or a range. */
export function readRange(input: number | string, kind: IdKind): IdRange | Refusal {
  const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(String(input));
  if (match === null) {
    const found = typeof input === 'number' ? input : JSON.stringify(input.slice(0, 60));
    return new Refusal(
      `expected ${kind.what} from 1 to ${kind.max} or a range such as ${kind.example}, found ${found}`,
    );
  }
  const [text, firstText = '', lastText = firstText] = match;
  const isRange = match[2] !== undefined;
  for (const end of [firstText, lastText]) {
    if (Number(end) < 1 || Number(end) > kind.max) {
      const place = isRange ? ` in the range ${text.slice(0, 40)}` : '';
      return new Refusal(`expected ${kind.what} from 1 to ${kind.max}, found ${end.slice(0, 20)}${place}`);
    }
  }
  const range = { first: Number(firstText), last: Number(lastText) };
  if (range.first > range.last) {
    return new Refusal(`the range ${text} is reversed; write ${range.last}-${range.first}`);
  }
  return range;
}

/** The number of IDs in a range. */
export function rangeLength(range: IdRange): number {
  return range.last - range.first + 1;
}

/** The range in the file's notation. */
export function formatRange(range: IdRange): string {
  return range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
}
