/** Priority vectors (IEEE 802.1D-2004 17.5 and 17.6). Pure. */
import type { BpduTimes } from '../../wire/bpdu.js';

export interface Vector {
  /** Bridge identifiers: 16 hexadecimal digits, priority first. */
  root: string;
  cost: number;
  bridge: string;
  /** Identifier of the designated port. */
  port: number;
}

/** Better than all. */
export const BEST_VECTOR: Vector = { root: '0'.repeat(16), cost: 0, bridge: '0'.repeat(16), port: 0 };

/** @returns less than 0: the first one is better */
export function compareVectors(one: Vector, other: Vector): number {
  if (one.root !== other.root) return one.root < other.root ? -1 : 1;
  if (one.cost !== other.cost) return one.cost - other.cost;
  if (one.bridge !== other.bridge) return one.bridge < other.bridge ? -1 : 1;
  return one.port - other.port;
}

export function sameTimes(one: BpduTimes, other: BpduTimes): boolean {
  return (
    one.messageAge === other.messageAge &&
    one.maxAge === other.maxAge &&
    one.helloTime === other.helloTime &&
    one.forwardDelay === other.forwardDelay
  );
}

/** The MAC address in a bridge identifier. */
export function addressOf(identifier: string): string {
  return identifier.slice(4);
}

/** Of a port identifier: the bits that name the port (802.1D-2004 has 12). */
const NUMBER_MASK = 0xfff;

/** Whether two vectors are of one port, whatever its priority. */
export function isOfOnePort(one: Vector, other: Vector): boolean {
  return addressOf(one.bridge) === addressOf(other.bridge) && (one.port & NUMBER_MASK) === (other.port & NUMBER_MASK);
}
