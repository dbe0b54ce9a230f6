/**
 * Values in a command line: MAC addresses, IP addresses, ranges of VLANs and VNIs, read by the very rules of the
 * configuration file. It turns a refusal into a usage error and decides nothing itself.
 */
import { canonicalIp, Refusal, readMac, readVtepIp } from '../values/address.js';
import { type IdKind, type IdRange, readRange, VLAN_ID, VNI } from '../values/id-range.js';
import { UsageError } from './errors.js';
import { integer, type Words } from './words.js';

export { VLAN_ID, VNI };

function accepted<T>(what: string, value: T | Refusal): T {
  if (value instanceof Refusal) throw new UsageError(`${what}: ${value.message}`);
  return value;
}

/** @returns lower case. @throws UsageError */
export function mac(what: string, text: string): string {
  return accepted(what, readMac(text));
}

/** An IPv4 or IPv6 address of any kind, in canonical text; a link-local one may have a zone. @throws UsageError */
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

/** The VNI under the key `vni`, where `vni` and `src_vni` mean the same. @throws UsageError when they differ */
export function vniOf(words: Words): number | undefined {
  const given = words.get('vni') ?? [];
  if (new Set(given).size > 1) {
    throw new UsageError(`"vni" and "src_vni" mean the same here, so they cannot be ${given.join(' and ')}; give one`);
  }
  return integer(words, 'vni', 1, VNI.max);
}

/** The UDP port under `key`. @throws UsageError */
export const udpPortOf = (words: Words, key: string): number | undefined => integer(words, key, 1, 65_535);

/** T with its undefined values as absent ones. */
export type Given<T> = { -readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  -readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** `value` without the keys that are undefined, so that requests say only what was typed. */
export function given<const T extends object>(value: T): Given<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Given<T>;
}
