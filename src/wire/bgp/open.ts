/**
 * BGP OPEN (RFC 4271 section 4.2) and its capabilities (RFC 5492).
 *
 *   byte 19        20       22          24               28        29
 *        +---------+--------+-----------+----------------+---------+-----------
 *        | version |   AS   | hold time | BGP identifier | length  | parameters
 *        +---------+--------+-----------+----------------+---------+-----------
 *
 * A length of 255 before a type of 255 means lengths of 2 bytes (RFC 9072). Owns the message and what it lacks; whether AS, hold time and
 * capabilities are those that are wanted is the session's decision.
 */
import { concatBytes, viewOf } from '../bytes.js';
import { type Capabilities, decodeCapabilities, encodeCapabilities, noCapabilities } from './capabilities.js';
import {
  ERROR_OPEN,
  type Notification,
  notification,
  OPEN_BAD_HOLD_TIME,
  OPEN_BAD_IDENTIFIER,
  OPEN_BAD_PEER_AS,
  OPEN_BAD_VERSION,
  OPEN_UNKNOWN_PARAMETER,
  OPEN_UNSPECIFIC,
} from './notification.js';
import { formatIpv4, writeAddress } from './texts.js';

export const BGP_VERSION = 4;
/** Stands in 2 bytes for an AS number that needs 4 (RFC 6793 section 9). */
export const AS_TRANS = 23456;

export interface OpenMessage {
  /** That of the capability where there is one (RFC 6793). */
  asn: number;
  /** Seconds; 0: no KEEPALIVE messages. */
  holdTime: number;
  /** Dotted. */
  routerId: string;
  capabilities: Capabilities;
}

const PARAMETERS = 10;
const PARAMETER_CAPABILITIES = 2;
const EXTENDED = 255;

/** Reads the body of an OPEN, at least 10 bytes. @returns the message, or why the session ends (RFC 4271 section 6.2) */
export function decodeOpen(body: Uint8Array): { open: OpenMessage } | { reset: Notification } {
  const view = viewOf(body);
  if (body[0] !== BGP_VERSION) return refused(OPEN_BAD_VERSION, Uint8Array.of(0, BGP_VERSION));
  const holdTime = view.getUint16(3);
  if (holdTime === 1 || holdTime === 2) return refused(OPEN_BAD_HOLD_TIME);
  // Any number but 0 (RFC 6286 section 2.1).
  if (view.getUint32(5) === 0) return refused(OPEN_BAD_IDENTIFIER);
  const capabilities = noCapabilities();
  const fault = readParameters(body, capabilities);
  if (fault !== null) return { reset: fault };
  const asn = capabilities.fourOctetAs ?? view.getUint16(1);
  if (asn === 0) return refused(OPEN_BAD_PEER_AS);
  return { open: { asn, holdTime, routerId: formatIpv4(view.getUint32(5)), capabilities } };
}

/** Reads all parameters into `capabilities`. @returns what is wrong; null: nothing */
function readParameters(body: Uint8Array, capabilities: Capabilities): Notification | null {
  const isExtended = body[9] === EXTENDED && body.length >= PARAMETERS + 3 && body[PARAMETERS] === EXTENDED;
  const length = isExtended ? (body[PARAMETERS + 1] << 8) | body[PARAMETERS + 2] : body[9];
  let at = isExtended ? PARAMETERS + 3 : PARAMETERS;
  if (at + length !== body.length) return notification(ERROR_OPEN, OPEN_UNSPECIFIC);
  const head = isExtended ? 3 : 2;
  while (at < body.length) {
    if (body.length - at < head) return notification(ERROR_OPEN, OPEN_UNSPECIFIC);
    const size = isExtended ? (body[at + 1] << 8) | body[at + 2] : body[at + 1];
    const end = at + head + size;
    if (end > body.length) return notification(ERROR_OPEN, OPEN_UNSPECIFIC);
    if (body[at] !== PARAMETER_CAPABILITIES) {
      return notification(ERROR_OPEN, OPEN_UNKNOWN_PARAMETER, body.subarray(at, end));
    }
    if (!decodeCapabilities(body, at + head, end, capabilities)) return notification(ERROR_OPEN, OPEN_UNSPECIFIC);
    at = end;
  }
  return null;
}

function refused(subcode: number, data?: Uint8Array): { reset: Notification } {
  return { reset: notification(ERROR_OPEN, subcode, data) };
}

/**
 * The body of an OPEN message. Each capability is a parameter of its own, which every implementation reads.
 * @throws RangeError when capabilities need more than 255 bytes
 */
export function encodeOpenBody(open: OpenMessage): Uint8Array {
  const parameters = encodeCapabilities(open.capabilities).map((capability) =>
    concatBytes(Uint8Array.of(PARAMETER_CAPABILITIES, capability.length), capability),
  );
  const tail = concatBytes(...parameters);
  if (tail.length >= EXTENDED) throw new RangeError(`capabilities of ${tail.length} bytes do not fit into an OPEN`);
  const head = new Uint8Array(PARAMETERS);
  const view = viewOf(head);
  head[0] = BGP_VERSION;
  view.setUint16(1, open.asn > 0xffff ? AS_TRANS : open.asn);
  view.setUint16(3, open.holdTime);
  writeAddress(head, 5, open.routerId);
  head[9] = tail.length;
  return concatBytes(head, tail);
}
