/**
 * Path attributes, kept once each. Many routes come with equal ones, so a route costs a reference; facts that the choice asks for are
 * computed once.
 */
import { familyOf, isMulticastMac, readHostIp, ZERO_MAC } from '../../values/address.js';
import type { PathAttributes } from '../../wire/bgp/route.js';
import { addressBytes, isLinkLocal } from '../../wire/ip-address.js';
import { LLGR_STALE, NO_LLGR } from './contract.js';

/** Encapsulation VXLAN (RFC 8365 section 11). */
export const VXLAN = 8;
/** Local preference of a route that has none (RFC 4271 leaves it to the implementation). */
const LOCAL_PREF = 100;

/** Who is charged for the memory of attributes: the neighbour that named them first. */
export interface Payer {
  attributeBytes: number;
}

/** Bytes of memory, estimated: of the objects, and for each character of the key, which is kept as well as what it says. */
const BYTES_EACH = 1024;
const BYTES_A_CHARACTER = 4;

/** Why no VNI may import a route, whatever its targets are. */
export type AttributeFault = 'encapsulation' | 'next_hop';

export class Attributes {
  refs = 0;
  payer: Payer | null = null;
  /** AS path length: a set counts one, confederation segments none (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3). */
  readonly pathLength: number;
  /** The neighbouring AS: MEDs of different ones are not compared. 0: none. */
  readonly neighborAs: number;
  readonly localPref: number;
  readonly med: number;
  readonly isLongLivedStale: boolean;
  readonly mayLiveLong: boolean;
  /** VTEPs in numeric order, as texts. */
  readonly vtepOrder: string;
  /** Order of the originator's router identifier. */
  readonly originatorOrder: string | null;
  readonly fault: AttributeFault | null;
  readonly sequence: number;
  readonly isSticky: boolean;
  /** VNIs that import one of the targets, as of a configuration; `ImportTable` keeps them. */
  generation = -1;
  vnis: readonly number[] = [];

  constructor(
    readonly key: string,
    readonly value: PathAttributes,
  ) {
    this.pathLength = pathLength(value);
    this.neighborAs = neighborAs(value);
    this.localPref = value.localPref ?? LOCAL_PREF;
    this.med = value.med ?? 0;
    this.isLongLivedStale = value.communities?.includes(LLGR_STALE) ?? false;
    this.mayLiveLong = !(value.communities?.includes(NO_LLGR) ?? false);
    this.fault = faultOf(value);
    this.vtepOrder = this.fault === null ? orderOf(value.nextHop) : '';
    this.originatorOrder = value.originatorId === undefined ? null : orderOf(value.originatorId);
    this.sequence = value.extended.mobility?.sequence ?? 0;
    this.isSticky = value.extended.mobility?.sticky ?? false;
  }

  /** Bytes of memory, estimated. */
  get size(): number {
    return BYTES_EACH + BYTES_A_CHARACTER * this.key.length;
  }

  get vtep(): string {
    return this.value.nextHop;
  }

  get isGateway(): boolean {
    return this.value.extended.isGateway;
  }
}

/** Equal attributes are one object, as long as a route refers to it. */
export class AttributeStore {
  readonly #kept = new Map<string, Attributes>();
  /** Routes of one message have the same object, mostly. */
  #last: Attributes | null = null;

  get size(): number {
    return this.#kept.size;
  }

  /** The kept form; it goes unless somebody refers to it (`hold`) before other attributes are asked for. */
  find(value: PathAttributes): Attributes {
    if (this.#last?.value === value) return this.#last;
    const key = JSON.stringify(value);
    const found = this.#kept.get(key) ?? new Attributes(key, value);
    this.#last = found;
    return found;
  }

  /** @param payer null: they are our own */
  hold(attributes: Attributes, payer: Payer | null = null): Attributes {
    if (attributes.refs++ > 0) return attributes;
    this.#kept.set(attributes.key, attributes);
    attributes.payer = payer;
    if (payer !== null) payer.attributeBytes += attributes.size;
    return attributes;
  }

  release(attributes: Attributes): void {
    if (--attributes.refs > 0) return;
    if (attributes.payer !== null) attributes.payer.attributeBytes -= attributes.size;
    attributes.payer = null;
    this.#kept.delete(attributes.key);
    if (this.#last === attributes) this.#last = null;
  }
}

/** Numeric order of addresses as an order of texts: IPv4 before IPv6. */
export function orderOf(address: string): string {
  return familyOf(address) + Buffer.from(addressBytes(address)).toString('hex');
}

/** Whether a text is a MAC that a station may have. */
export function isStationMac(mac: string): boolean {
  return mac !== ZERO_MAC && !isMulticastMac(mac);
}

/** Whether datagrams can be sent to an address from any other host. */
export function isUsable(address: string): boolean {
  if (isLinkLocal(address) || address === '::1' || /^(0|127|24\d|25\d)\./.test(address)) return false;
  return typeof readHostIp(address) === 'string';
}

function faultOf({ nextHop, extended }: PathAttributes): AttributeFault | null {
  if (extended.encapsulation !== undefined && extended.encapsulation !== VXLAN) return 'encapsulation';
  return isUsable(nextHop) ? null : 'next_hop';
}

function pathLength({ asPath }: PathAttributes): number {
  let length = 0;
  for (const { kind, asns } of asPath) length += kind === 'sequence' ? asns.length : kind === 'set' ? 1 : 0;
  return length;
}

function neighborAs({ asPath }: PathAttributes): number {
  const first = asPath.find(({ kind }) => kind === 'sequence' || kind === 'set');
  return first?.kind === 'sequence' ? (first.asns[0] ?? 0) : 0;
}
