/**
 * OPEN messages: ours, and the judgement of the neighbour's (RFC 4271 section 6.2, RFC 5492, RFC 6793, RFC 4724, RFC 8538, RFC 9494).
 */
import { type Capabilities, hasFamily, noCapabilities } from '../../wire/bgp/capabilities.js';
import {
  ERROR_OPEN,
  type Notification,
  notification,
  OPEN_BAD_HOLD_TIME,
  OPEN_BAD_IDENTIFIER,
  OPEN_BAD_PEER_AS,
  OPEN_MISSING_CAPABILITY,
} from '../../wire/bgp/notification.js';
import type { OpenMessage } from '../../wire/bgp/open.js';
import { AFI_L2VPN, SAFI_EVPN } from '../../wire/bgp/session.js';
import type { Session, Terms } from './record.js';

const LEAST_HOLD = 3;
const EVPN = { afi: AFI_L2VPN, safi: SAFI_EVPN };
/** Capabilities as they stand in an OPEN: the refusal names the one that is missing (RFC 5492 section 5). */
const EVPN_CAPABILITY = Uint8Array.of(1, 4, 0, AFI_L2VPN, 0, SAFI_EVPN);
const FOUR_OCTET_AS = 65;
/** Seconds that fit into 12 and 24 bits. */
const MOST_RESTART = 4095;
const MOST_LONG_LIVED = 0xffffff;

/** Our OPEN. */
export function ownOpen({ own, neighbor, restartedUntil }: Session, now: number): OpenMessage {
  const seconds = Math.min(neighbor.graceful_restart, MOST_RESTART);
  const longLived = Math.min(neighbor.long_lived_stale, MOST_LONG_LIVED);
  // Frames are forwarded whatever becomes of a session.
  const family = { ...EVPN, isForwarding: true };
  const isRestarting = now < restartedUntil;
  return {
    asn: own.asn,
    holdTime: neighbor.hold_time,
    routerId: own.routerId,
    capabilities: {
      ...noCapabilities(),
      families: [EVPN],
      fourOctetAs: own.asn,
      routeRefresh: true,
      enhancedRefresh: true,
      ...(seconds === 0
        ? {}
        : { gracefulRestart: { isRestarting, keepsOnNotification: true, seconds, families: [family] } }),
      ...(seconds === 0 || longLived === 0 ? {} : { longLived: [{ ...family, seconds: longLived }] }),
    },
  };
}

/** Why an OPEN is refused: the answer, and the reason for people. */
export interface OpenRefusal {
  notification: Notification;
  reason: string;
}

/** What both sides have agreed on, or why they cannot. */
export function judge(session: Session, open: OpenMessage): Terms | OpenRefusal {
  return whyNot(session, open) ?? agree(session, open);
}

export function isRefusal(judged: Terms | OpenRefusal): judged is OpenRefusal {
  return 'notification' in judged;
}

function whyNot({ neighbor, own }: Session, open: OpenMessage): OpenRefusal | null {
  const { asn, routerId, holdTime, capabilities } = open;
  if (asn !== neighbor.asn) {
    return refuse(OPEN_BAD_PEER_AS, `it is of AS ${asn}, where AS ${neighbor.asn} is expected`);
  }
  if (routerId === '0.0.0.0') return refuse(OPEN_BAD_IDENTIFIER, 'its router ID is 0.0.0.0');
  // Between two AS, too, though RFC 6286 allows it there: route distinguishers are made of it.
  if (routerId === own.routerId) {
    return refuse(OPEN_BAD_IDENTIFIER, `it has the router ID of this switch, ${own.routerId}: each needs its own`);
  }
  if (holdTime > 0 && holdTime < LEAST_HOLD) {
    return refuse(OPEN_BAD_HOLD_TIME, `its hold time is ${holdTime} s: 0, or ${LEAST_HOLD} s and more, are possible`);
  }
  if (!hasFamily(capabilities, AFI_L2VPN, SAFI_EVPN)) {
    const remedy = 'enable the address family "l2vpn evpn" for this session there';
    return refuse(OPEN_MISSING_CAPABILITY, `it does not offer EVPN: ${remedy}`, EVPN_CAPABILITY);
  }
  if (capabilities.fourOctetAs === undefined) {
    const reason = 'it does not know AS numbers of four bytes (RFC 6793)';
    return refuse(OPEN_MISSING_CAPABILITY, reason, fourOctetCapability(own.asn));
  }
  return null;
}

function fourOctetCapability(asn: number): Uint8Array {
  return Uint8Array.of(FOUR_OCTET_AS, 4, asn >>> 24, (asn >>> 16) & 255, (asn >>> 8) & 255, asn & 255);
}

function refuse(subcode: number, reason: string, data?: Uint8Array): OpenRefusal {
  return { notification: notification(ERROR_OPEN, subcode, data), reason };
}

function agree({ neighbor }: Session, { holdTime, routerId, capabilities }: OpenMessage): Terms {
  const graceful = neighbor.graceful_restart > 0 ? gracefulOf(capabilities) : null;
  const longLived = capabilities.longLived?.find(isEvpn)?.seconds ?? 0;
  return {
    routerId,
    holdTime: Math.min(neighbor.hold_time, holdTime),
    refresh: capabilities.routeRefresh,
    enhancedRefresh: capabilities.routeRefresh && capabilities.enhancedRefresh,
    graceful,
    longLived: graceful === null ? 0 : Math.min(neighbor.long_lived_stale, longLived),
  };
}

function gracefulOf({ gracefulRestart }: Capabilities): Terms['graceful'] {
  const family = gracefulRestart?.families.find(isEvpn);
  if (gracefulRestart === undefined || family === undefined) return null;
  const { seconds, keepsOnNotification } = gracefulRestart;
  return { seconds, isPreserved: family.isForwarding, keepsOnNotification };
}

function isEvpn({ afi, safi }: { afi: number; safi: number }): boolean {
  return afi === AFI_L2VPN && safi === SAFI_EVPN;
}
