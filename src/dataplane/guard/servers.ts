/**
 * Messages of DHCP servers and routers, which a port that is not trusted must not send. A fragmented message of theirs is refused by its
 * first fragment; without that no host takes the others.
 */
import { isDhcp4ServerMessage, isDhcp6ServerMessage, isDhcpPort } from '../../wire/dhcp.js';
import { PROTOCOL_UDP } from '../../wire/ipv4.js';
import { PROTOCOL_ICMPV6 } from '../../wire/ipv6.js';
import { ND_REDIRECT, ND_ROUTER_ADVERTISEMENT } from '../../wire/nd.js';
import {
  UPPER_END,
  UPPER_FOUND,
  UPPER_FRAGMENTED,
  UPPER_NONE,
  UPPER_OFFSET,
  UPPER_PROTOCOL,
} from '../../wire/upper-layer.js';
import { CLAIM_NONE, CLAIM_ROUTER, CLAIM_SERVER, CLAIM_UNREADABLE, type PortGuard } from '../state/port-guard.js';

/** @param found UPPER_*, of the words in `upper` @returns CLAIM_* */
export function serverClaim4(view: DataView, found: number, upper: Int32Array): number {
  if (found === UPPER_NONE || upper[UPPER_PROTOCOL] !== PROTOCOL_UDP) return CLAIM_NONE;
  if (found !== UPPER_FOUND) return CLAIM_UNREADABLE;
  const at = upper[UPPER_OFFSET];
  // No client sends in fragments, and a later fragment might overwrite what says that this is a client's.
  const refused =
    upper[UPPER_FRAGMENTED] !== 0 ? isDhcpPort(view, at) : isDhcp4ServerMessage(view, at, upper[UPPER_END]);
  return refused ? CLAIM_SERVER : CLAIM_NONE;
}

/** As above, over IPv6. `found` is not UPPER_UNREADABLE. */
export function serverClaim6(view: DataView, found: number, upper: Int32Array, { dhcp, ra }: PortGuard): number {
  if (found === UPPER_NONE) return CLAIM_NONE;
  const at = upper[UPPER_OFFSET];
  if (upper[UPPER_PROTOCOL] === PROTOCOL_ICMPV6) {
    const type = view.getUint8(at);
    return ra && (type === ND_ROUTER_ADVERTISEMENT || type === ND_REDIRECT) ? CLAIM_ROUTER : CLAIM_NONE;
  }
  if (!dhcp || upper[UPPER_PROTOCOL] !== PROTOCOL_UDP) return CLAIM_NONE;
  const refused =
    upper[UPPER_FRAGMENTED] !== 0 ? isDhcpPort(view, at) : isDhcp6ServerMessage(view, at, upper[UPPER_END]);
  return refused ? CLAIM_SERVER : CLAIM_NONE;
}
