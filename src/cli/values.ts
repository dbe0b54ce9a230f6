/**
 * Values in a command line: MACs, IP addresses, ranges of VLANs and VNIs, read by the rules of the configuration file
 * (`src/values`). A refusal becomes a usage error.
 */
import { PROTOCOLS } from '../config/options/nexthop.js';
import { canonicalIp, Refusal, readMac, readVtepIp } from '../values/address.js';
import { type IdKind, type IdRange, readRange, VLAN_ID, VNI } from '../values/id-range.js';
import { UsageError } from './errors.js';
import { integer, type Words } from './words.js';

export { VLAN_ID, VNI };

function accepted<T>(what: string, value: T | Refusal): T {
  if (value instanceof Refusal) throw new UsageError(`${what}: ${value.message}`);
  return value;
}

/** @param what the name of the value, for messages. @returns the MAC in lower case. @throws UsageError */
export function mac(what: string, text: string): string {
  return accepted(what, readMac(text));
}

/** Any IPv4 or IPv6 address, in canonical text; a link-local one may have a zone. @throws UsageError */
export function address(what: string, text: string): string {
  const zoned = text.includes('%') ? readVtepIp(text) : undefined;
  if (typeof zoned === 'string') return zoned;
  const ip = canonicalIp(text);
  if (ip === undefined) throw new UsageError(`${what}: expected an IPv4 or IPv6 address, found "${text.slice(0, 60)}"`);
  return ip.text;
}

/** `2` or `2-9`. @throws UsageError */
export function ids(what: string, text: string, kind: IdKind): IdRange {
  return accepted(what, readRange(text, kind));
}

/** The VLAN under `key`. @throws UsageError */
export const vlanOf = (words: Words, key: string): number | undefined => integer(words, key, 1, VLAN_ID.max);

/** The VNI under the key `vni`, for commands in which `vni` and `src_vni` are synonyms. @throws UsageError when they differ */
export function vniOf(words: Words): number | undefined {
  const given = words.get('vni') ?? [];
  if (new Set(given).size > 1) {
    throw new UsageError(`"vni" and "src_vni" mean the same here, but are ${given.join(' and ')}; give one of them`);
  }
  return integer(words, 'vni', 1, VNI.max);
}

/** The UDP port under `key`. @throws UsageError */
export const udpPortOf = (words: Words, key: string): number | undefined => integer(words, key, 1, 65_535);

/** The largest ID of a nexthop. */
export const NEXTHOP_MAX = 4_294_967_295;

/** The routing protocol under `key`. @throws UsageError */
export function protocolOf(found: Words, key: string): (typeof PROTOCOLS)[number] | undefined {
  const text = found.get(key)?.[0];
  const known = PROTOCOLS.find((name) => name === text);
  if (text !== undefined && known === undefined)
    throw new UsageError(`"${key}" takes one of ${PROTOCOLS.join(', ')}, not "${text.slice(0, 40)}"`);
  return known;
}

/** T with optional keys in place of values that may be undefined. */
export type Given<T> = { -readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  -readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** `value` without undefined keys, so that a request contains typed options only. */
export function given<const T extends object>(value: T): Given<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Given<T>;
}

/** The value of an option as a whole number; undefined: it was not given. @throws UsageError */
export function wholeNumber(option: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} takes a number from ${min} to ${max}, not "${text}"`);
}
