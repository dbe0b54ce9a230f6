/** Path attributes by number: flags, names (RFC 4271 section 5 and the registries that grew from it). */

export const ORIGIN = 1;
export const AS_PATH = 2;
export const NEXT_HOP = 3;
export const MED = 4;
export const LOCAL_PREF = 5;
export const ATOMIC_AGGREGATE = 6;
export const AGGREGATOR = 7;
export const COMMUNITIES = 8;
export const ORIGINATOR_ID = 9;
export const CLUSTER_LIST = 10;
export const MP_REACH = 14;
export const MP_UNREACH = 15;
export const EXTENDED_COMMUNITIES = 16;
export const AS4_PATH = 17;
export const AS4_AGGREGATOR = 18;
export const PMSI_TUNNEL = 22;
export const LARGE_COMMUNITIES = 32;

export const FLAG_OPTIONAL = 0x80;
export const FLAG_TRANSITIVE = 0x40;
export const FLAG_EXTENDED = 0x10;
/** The flags that an attribute's specification fixes. */
export const FLAGS_FIXED = FLAG_OPTIONAL | FLAG_TRANSITIVE;

const WELL_KNOWN = FLAG_TRANSITIVE;
const OPTIONAL = FLAG_OPTIONAL;
const TRANSITIVE = FLAG_OPTIONAL | FLAG_TRANSITIVE;

interface AttributeKind {
  name: string;
  flags: number;
}

const KINDS: ReadonlyMap<number, AttributeKind> = new Map([
  [ORIGIN, { name: 'ORIGIN', flags: WELL_KNOWN }],
  [AS_PATH, { name: 'AS_PATH', flags: WELL_KNOWN }],
  [NEXT_HOP, { name: 'NEXT_HOP', flags: WELL_KNOWN }],
  [MED, { name: 'MULTI_EXIT_DISC', flags: OPTIONAL }],
  [LOCAL_PREF, { name: 'LOCAL_PREF', flags: WELL_KNOWN }],
  [ATOMIC_AGGREGATE, { name: 'ATOMIC_AGGREGATE', flags: WELL_KNOWN }],
  [AGGREGATOR, { name: 'AGGREGATOR', flags: TRANSITIVE }],
  [COMMUNITIES, { name: 'COMMUNITIES', flags: TRANSITIVE }],
  [ORIGINATOR_ID, { name: 'ORIGINATOR_ID', flags: OPTIONAL }],
  [CLUSTER_LIST, { name: 'CLUSTER_LIST', flags: OPTIONAL }],
  [MP_REACH, { name: 'MP_REACH_NLRI', flags: OPTIONAL }],
  [MP_UNREACH, { name: 'MP_UNREACH_NLRI', flags: OPTIONAL }],
  [EXTENDED_COMMUNITIES, { name: 'EXTENDED_COMMUNITIES', flags: TRANSITIVE }],
  [AS4_PATH, { name: 'AS4_PATH', flags: TRANSITIVE }],
  [AS4_AGGREGATOR, { name: 'AS4_AGGREGATOR', flags: TRANSITIVE }],
  [PMSI_TUNNEL, { name: 'PMSI_TUNNEL', flags: TRANSITIVE }],
  [LARGE_COMMUNITIES, { name: 'LARGE_COMMUNITIES', flags: TRANSITIVE }],
]);

/** Flags that an attribute must have; undefined for one that nobody here knows. */
export function attributeFlags(type: number): number | undefined {
  return KINDS.get(type)?.flags;
}

export function attributeName(type: number): string {
  return KINDS.get(type)?.name ?? `attribute ${type}`;
}
