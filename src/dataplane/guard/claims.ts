/**
 * Claims of addresses: what a message of ARP or neighbour discovery says about who has an address, and which MAC that is.
 *
 * | message                                   | claims                                                   |
 * |-------------------------------------------|----------------------------------------------------------|
 * | ARP of any operation                      | the sender's address, for the sender's MAC               |
 * | ARP probe (RFC 5227)                      | the address that it asks for                             |
 * | solicitation, router advertisement, ...   | its source address, for the MAC in its options           |
 * | probe of duplicate address detection      | the address that it asks for (RFC 4862 section 5.4.3)    |
 * | neighbour advertisement, redirect         | its target too                                           |
 *
 * A probe counts, since it keeps the owner of an address from taking it. The MAC must be the source of the frame, or one that the port
 * may have. What is malformed is refused: some hosts take it.
 */
import { ARP_SENDER_MAC, arpSenderAddress, arpTargetAddress, isArp4 } from '../../wire/arp.js';
import { macHigh, macLow, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { setMapped } from '../../wire/ip-address.js';
import { IPV6_SOURCE, PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';
import {
  ND_ADVERTISEMENT,
  ND_REDIRECT,
  ND_ROUTER_SOLICITATION,
  ND_SOLICITATION,
  ND_SOURCE_LINK,
  ND_TARGET,
  ND_TARGET_LINK,
  isUnspecified,
  ndFixedLength,
} from '../../wire/nd.js';
import { UPPER_END, UPPER_FRAGMENTED, UPPER_NONE, UPPER_OFFSET, UPPER_PROTOCOL } from '../../wire/upper-layer.js';
import type { Context } from '../state/context.js';
import { CLAIM_ADDRESS, CLAIM_MAC, CLAIM_NONE, CLAIM_UNREADABLE, type PortGuard } from '../state/port-guard.js';

/** The claim of an ARP message at `l3` that is refused: CLAIM_*. */
export function claimOfArp(sw: Context, frame: number, guard: PortGuard, l3: number): number {
  const { batch, view } = sw;
  const end = batch.offset[frame] + batch.length[frame];
  if (!isArp4(view, l3, end - l3)) return CLAIM_UNREADABLE;
  const sender = arpSenderAddress(view, l3);
  const claimed = sender === 0 ? arpTargetAddress(view, l3) : sender;
  setMapped(sw.claim.words, 0, claimed);
  if (!guard.hasAddress4(claimed)) return CLAIM_ADDRESS;
  return mayHaveMac(sw, frame, guard, l3 + ARP_SENDER_MAC) ? CLAIM_NONE : CLAIM_MAC;
}

/**
 * The claim of an IPv6 packet that is refused: CLAIM_*. `found` is not UPPER_UNREADABLE.
 * @param l3 offset of its header @param upper the words of its upper-layer header
 */
export function claimOfNd(
  sw: Context,
  frame: number,
  guard: PortGuard,
  found: number,
  l3: number,
  upper: Int32Array,
): number {
  const { view } = sw;
  if (found === UPPER_NONE || upper[UPPER_PROTOCOL] !== PROTOCOL_ICMPV6) return CLAIM_NONE;
  const l4 = upper[UPPER_OFFSET];
  const type = view.getUint8(l4);
  if (type < ND_ROUTER_SOLICITATION || type > ND_REDIRECT) return CLAIM_NONE;
  // RFC 6980: neighbour discovery is not fragmented.
  const isWhole = upper[UPPER_FRAGMENTED] === 0 && upper[UPPER_END] - l4 >= ndFixedLength(type);
  if (!isWhole) return CLAIM_UNREADABLE;
  if (!mayClaimNd(sw, guard, type, l3, l4)) return CLAIM_ADDRESS;
  return claimOfOptions(sw, frame, guard, l4 + ndFixedLength(type), upper[UPPER_END]);
}

/** Without a source address only a probe claims one; the other messages have none to claim. */
function mayClaimNd(sw: Context, guard: PortGuard, type: number, l3: number, l4: number): boolean {
  const source = l3 + IPV6_SOURCE;
  const isProbe = isUnspecified(sw.view, source);
  if (!isProbe && !mayClaimAt(sw, guard, source)) return false;
  const claimsTarget = type === ND_ADVERTISEMENT || type === ND_REDIRECT || (isProbe && type === ND_SOLICITATION);
  return !claimsTarget || mayClaimAt(sw, guard, l4 + ND_TARGET);
}

/** Notes the address at `at` as claimed. @returns whether it is one of the port's */
function mayClaimAt({ claim, view }: Context, guard: PortGuard, at: number): boolean {
  const { words } = claim;
  for (let word = 0; word < 4; word++) words[word] = view.getInt32(at + word * 4);
  return guard.hasAddress6(words[0], words[1], words[2], words[3]);
}

function claimOfOptions(sw: Context, frame: number, guard: PortGuard, from: number, end: number): number {
  const { view } = sw;
  for (let at = from; at < end; ) {
    const length = end - at < 2 ? 0 : view.getUint8(at + 1) << 3;
    if (length === 0 || length > end - at) return CLAIM_UNREADABLE;
    const type = view.getUint8(at);
    const isLink = type === ND_SOURCE_LINK || type === ND_TARGET_LINK;
    if (isLink && !mayHaveMac(sw, frame, guard, at + 2)) return CLAIM_MAC;
    at += length;
  }
  return CLAIM_NONE;
}

/** Notes the MAC at `at` as claimed. @returns whether it is the frame's source, or allowed */
function mayHaveMac({ batch, claim, view }: Context, frame: number, guard: PortGuard, at: number): boolean {
  const high = macHigh(view, at);
  const low = macLow(view, at);
  claim.high = high;
  claim.low = low;
  const offset = batch.offset[frame];
  return (low === sourceLow(view, offset) && high === sourceHigh(view, offset)) || guard.hasMac(high, low);
}
