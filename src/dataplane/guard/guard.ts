/**
 * The checks of a port with guards, before anything is learned from its frames (RFC 7113; dynamic ARP inspection and DHCP snooping, as
 * switches call them): allowed MACs, claims of addresses, messages of DHCP servers and routers.
 *
 * A port without guards never gets here. Of a port with guards that look behind the MACs each frame of a run is decided by itself.
 */
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  etherType,
  sourceHigh,
  sourceLow,
} from '../../wire/ethernet.js';
import { VNET_NEEDS_CSUM } from '../../port/packet-io.js';
import { PROTOCOL_UDP } from '../../wire/ipv4.js';
import { PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';
import { findPayload, PAYLOAD_OFFSET, PAYLOAD_TYPE, TYPE_TOO_DEEP } from '../../wire/payload.js';
import { UDP_CHECKSUM } from '../../wire/udp.js';
import {
  findUpper4,
  findUpper6,
  UPPER_FOUND,
  UPPER_LEAST,
  UPPER_OFFSET,
  UPPER_PROTOCOL,
  UPPER_UNREADABLE,
  UPPER_WORDS,
} from '../../wire/upper-layer.js';
import { ALONE } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { CLAIM_NONE, CLAIM_UNREADABLE, type PortGuard } from '../state/port-guard.js';
import { claimOfArp, claimOfNd } from './claims.js';
import { serverClaim4, serverClaim6 } from './servers.js';

/** Scratch of this file. */
const payload = new Int32Array(2);
const upper = new Int32Array(UPPER_WORDS);

/** Whether a frame passes the guard of its port. @returns false when it was dropped */
export function passesGuard(sw: Context, frame: number, guard: PortGuard): boolean {
  const { batch, claim, view } = sw;
  const offset = batch.offset[frame];
  claim.kind = CLAIM_NONE;
  if (guard.hasMacs && !guard.hasMac(sourceHigh(view, offset), sourceLow(view, offset)))
    return batch.drop(frame, REASON.mac_not_allowed);
  // With IPv4 only DHCP is looked for. What follows this type may differ within a run.
  if (!guard.inspects || (etherType(view, offset) === ETHERTYPE_IPV4 && !guard.dhcp)) return true;
  batch.stage[frame] = ALONE;
  return inspect(sw, frame, guard);
}

function inspect(sw: Context, frame: number, guard: PortGuard): boolean {
  const { batch, view } = sw;
  const offset = batch.offset[frame];
  const end = offset + batch.length[frame];
  findPayload(view, offset, batch.length[frame], payload);
  if ((batch.vnet[frame] & VNET_NEEDS_CSUM) !== 0 && mayBeRewritten(sw, frame, end))
    return accept(sw, frame, CLAIM_UNREADABLE, reasonOf(guard));
  switch (payload[PAYLOAD_TYPE]) {
    case ETHERTYPE_ARP:
      return (
        !guard.hasAddresses ||
        accept(sw, frame, claimOfArp(sw, frame, guard, payload[PAYLOAD_OFFSET]), REASON.arp_guard)
      );
    case ETHERTYPE_IPV4:
      return !guard.dhcp || inspect4(sw, frame, payload[PAYLOAD_OFFSET], end);
    case ETHERTYPE_IPV6:
      return inspect6(sw, frame, guard, payload[PAYLOAD_OFFSET], end);
    case TYPE_TOO_DEEP:
      return accept(sw, frame, CLAIM_UNREADABLE, reasonOf(guard));
    default:
      return true;
  }
}

/**
 * Whether the checksum that the sender leaves to others may be written over what a guard reads: it would then leave as another message
 * than the one that was checked. Right is the field of UDP, and what is behind the first bytes of a datagram or segment.
 */
function mayBeRewritten({ batch, view }: Context, frame: number, end: number): boolean {
  const l3 = payload[PAYLOAD_OFFSET];
  const type = payload[PAYLOAD_TYPE];
  if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) return true;
  const found = type === ETHERTYPE_IPV4 ? findUpper4(view, l3, end, upper) : findUpper6(view, l3, end, upper);
  if (found !== UPPER_FOUND || upper[UPPER_PROTOCOL] === PROTOCOL_ICMPV6) return true;
  const csum = batch.csum[frame];
  const field = batch.offset[frame] + (csum & 0xffff) + (csum >>> 16) - upper[UPPER_OFFSET];
  return field <= UPPER_LEAST && (field !== UDP_CHECKSUM || upper[UPPER_PROTOCOL] !== PROTOCOL_UDP);
}

function inspect4(sw: Context, frame: number, l3: number, end: number): boolean {
  const found = findUpper4(sw.view, l3, end, upper);
  return accept(sw, frame, serverClaim4(sw.view, found, upper), REASON.dhcp_guard);
}

function inspect6(sw: Context, frame: number, guard: PortGuard, l3: number, end: number): boolean {
  const found = findUpper6(sw.view, l3, end, upper);
  if (found === UPPER_UNREADABLE) return accept(sw, frame, CLAIM_UNREADABLE, reasonOf(guard));
  if (guard.hasAddresses && !accept(sw, frame, claimOfNd(sw, frame, guard, found, l3, upper), REASON.arp_guard))
    return false;
  return accept(sw, frame, serverClaim6(sw.view, found, upper, guard), REASON.dhcp_guard);
}

/** The reason for what no guard can read. */
function reasonOf(guard: PortGuard): number {
  return guard.hasAddresses ? REASON.arp_guard : REASON.dhcp_guard;
}

/** Drops a frame with a claim that is refused. */
function accept({ batch, claim }: Context, frame: number, kind: number, reason: number): boolean {
  if (kind === CLAIM_NONE) return true;
  claim.kind = kind;
  return batch.drop(frame, reason);
}
