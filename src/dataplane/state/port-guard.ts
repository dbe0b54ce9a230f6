/**
 * What frames from one port may claim: the addresses of `arp_guard`, the MACs of `allowed_macs`, and whether messages of DHCP servers and
 * routers are refused. Made by an operation, never changed: the stages only read it. `dataplane/guard/` decides with it.
 */

import { IPV4_MAPPED } from '../../wire/ip-address.js';

/** Most addresses, and most MACs, of a port. */
export const MAX_GUARDED = 256;

// ---- What a refused frame had claimed.
export const CLAIM_NONE = 0;
/** An address that is not among those of the port. */
export const CLAIM_ADDRESS = 1;
/** A MAC for an address, that is neither the frame's source nor allowed. */
export const CLAIM_MAC = 2;
/** A message that cannot be read to its end: malformed, in fragments, behind too many headers. */
export const CLAIM_UNREADABLE = 3;
/** A message of a DHCP server. */
export const CLAIM_SERVER = 4;
/** A router advertisement or redirect. */
export const CLAIM_ROUTER = 5;

/** Why the last frame was refused: CLAIM_*, and the address or MAC that it claims. For `trace`. */
export class Claim {
  kind = CLAIM_NONE;
  readonly words = new Int32Array(4);
  high = 0;
  low = 0;
}

/** A prefix of addresses: four words, IPv4 mapped, and its bits of 128. */
export interface AddressRange {
  words: readonly number[];
  prefix: number;
}

export interface Mac {
  high: number;
  low: number;
}

export interface GuardSettings {
  addresses: readonly AddressRange[];
  macs: readonly Mac[];
  dhcp: boolean;
  ra: boolean;
}

export class PortGuard {
  /** Address and mask of each prefix: two words for IPv4, eight for IPv6. */
  private readonly ranges4: Int32Array;
  private readonly ranges6: Int32Array;
  /** Two words a MAC, ascending. */
  private readonly macs: Int32Array;
  readonly hasAddresses: boolean;
  readonly hasMacs: boolean;
  /** Whether frames are looked into, and not at their MACs only. */
  readonly inspects: boolean;

  /** Whether messages of DHCP servers, and of routers, are refused. */
  readonly dhcp: boolean;
  readonly ra: boolean;

  /** @throws RangeError for more than MAX_GUARDED of a kind */
  constructor({ addresses, macs, dhcp, ra }: GuardSettings) {
    if (addresses.length > MAX_GUARDED || macs.length > MAX_GUARDED)
      throw new RangeError(`a port guards ${MAX_GUARDED} addresses and MACs at most`);
    const [mapped, others] = [addresses.filter(isMappedRange), addresses.filter((range) => !isMappedRange(range))];
    this.ranges4 = Int32Array.from(mapped.flatMap(({ words, prefix }) => [words[3], maskOf(prefix)[3]]));
    this.ranges6 = Int32Array.from(others.flatMap(({ words, prefix }) => [...words, ...maskOf(prefix)]));
    this.macs = Int32Array.from(sorted(macs).flatMap(({ high, low }) => [high, low]));
    this.hasAddresses = addresses.length > 0;
    this.hasMacs = macs.length > 0;
    this.dhcp = dhcp;
    this.ra = ra;
    this.inspects = this.hasAddresses || dhcp || ra;
  }

  /** Whether an IPv4 address is one of the port's. */
  hasAddress4(address: number): boolean {
    const { ranges4 } = this;
    for (let at = 0; at < ranges4.length; at += 2) {
      if (((address ^ ranges4[at]) & ranges4[at + 1]) === 0) return true;
    }
    return false;
  }

  /** Whether the IPv6 address of these words is one of the port's. */
  hasAddress6(a0: number, a1: number, a2: number, a3: number): boolean {
    const { ranges6 } = this;
    for (let at = 0; at < ranges6.length; at += 8) {
      const others =
        ((a0 ^ ranges6[at]) & ranges6[at + 4]) |
        ((a1 ^ ranges6[at + 1]) & ranges6[at + 5]) |
        ((a2 ^ ranges6[at + 2]) & ranges6[at + 6]) |
        ((a3 ^ ranges6[at + 3]) & ranges6[at + 7]);
      if (others === 0) return true;
    }
    return false;
  }

  /** Whether the MAC is among the allowed ones. */
  hasMac(high: number, low: number): boolean {
    const { macs } = this;
    let from = 0;
    let to = macs.length >>> 1;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const order = macs[2 * middle] === high ? macs[2 * middle + 1] - low : macs[2 * middle] - high;
      if (order === 0) return true;
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    return false;
  }
}

/** Whether the addresses are IPv4: a prefix of IPv6 does not have those mapped into it. */
function isMappedRange({ words, prefix }: AddressRange): boolean {
  return prefix >= 96 && words[0] === 0 && words[1] === 0 && words[2] === IPV4_MAPPED;
}

/** By the order of `hasMac`. */
function sorted(macs: readonly Mac[]): Mac[] {
  return [...macs].sort((one, other) => one.high - other.high || one.low - other.low);
}

function maskOf(prefix: number): number[] {
  return [0, 32, 64, 96].map((first) => {
    const bits = Math.min(32, Math.max(0, prefix - first));
    return bits === 0 ? 0 : (-1 << (32 - bits)) | 0;
  });
}
