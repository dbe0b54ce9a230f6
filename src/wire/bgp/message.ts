/**
 * BGP messages, whole: the five types (RFC 4271 section 4, RFC 2918), read and written. Owns what lies behind the type; the header is
 * the framer's.
 */
import { concatBytes } from '../bytes.js';
import {
  HEADER,
  headerFault,
  messageLength,
  messageType,
  TYPE_KEEPALIVE,
  TYPE_NOTIFICATION,
  TYPE_OPEN,
  TYPE_REFRESH,
  TYPE_UPDATE,
  writeHeader,
} from './framer.js';
import {
  decodeNotification,
  ERROR_HEADER,
  ERROR_REFRESH,
  encodeNotificationBody,
  HEADER_BAD_LENGTH,
  type Notification,
  notification,
} from './notification.js';
import { decodeOpen, encodeOpenBody, type OpenMessage } from './open.js';
import { EXTENDED_LIMIT, type SessionFormat } from './session.js';
import { decodeUpdate, type UpdateResult } from './update.js';

/** RFC 7313 section 3.2. */
export const REFRESH_REQUEST = 0;
export const REFRESH_BEGINS = 1;
export const REFRESH_ENDS = 2;

/** ROUTE-REFRESH: a request for all routes of a family, or the mark before and behind them (RFC 2918, RFC 7313). */
export interface RouteRefresh {
  afi: number;
  safi: number;
  /** REFRESH_REQUEST, REFRESH_BEGINS, REFRESH_ENDS; others are to be ignored. */
  subtype: number;
}

export type Message =
  | { kind: 'open'; open: OpenMessage }
  | { kind: 'update'; result: UpdateResult }
  | { kind: 'notification'; notification: Notification }
  | { kind: 'keepalive' }
  | { kind: 'refresh'; refresh: RouteRefresh }
  /** To be answered with this NOTIFICATION, which ends the session. */
  | { kind: 'fault'; notification: Notification };

/** Reads a whole message, as the framer gives it. It never throws; what it returns shares no bytes with the message. */
export function decodeMessage(message: Uint8Array, session: SessionFormat): Message {
  if (message.length < HEADER) return fault(notification(ERROR_HEADER, HEADER_BAD_LENGTH));
  const wrong = headerFault(message, 0, EXTENDED_LIMIT);
  if (wrong !== null) return fault(wrong);
  if (messageLength(message, 0) !== message.length) return fault(notification(ERROR_HEADER, HEADER_BAD_LENGTH));
  const body = message.subarray(HEADER);
  switch (messageType(message)) {
    case TYPE_OPEN: {
      const decoded = decodeOpen(body);
      return 'open' in decoded ? { kind: 'open', open: decoded.open } : fault(decoded.reset);
    }
    case TYPE_UPDATE:
      return { kind: 'update', result: decodeUpdate(body, session) };
    case TYPE_NOTIFICATION:
      return { kind: 'notification', notification: decodeNotification(body) };
    case TYPE_KEEPALIVE:
      return { kind: 'keepalive' };
    default:
      return decodeRefresh(message, body);
  }
}

function decodeRefresh(message: Uint8Array, body: Uint8Array): Message {
  const refresh = { afi: (body[0] << 8) | body[1], subtype: body[2], safi: body[3] };
  // RFC 7313 section 5. A request may be longer: it then has filters (RFC 5291), which were not agreed on, and are ignored.
  const isMark = refresh.subtype === REFRESH_BEGINS || refresh.subtype === REFRESH_ENDS;
  if (isMark && body.length !== 4) return fault(notification(ERROR_REFRESH, 1, message));
  return { kind: 'refresh', refresh };
}

function fault(told: Notification): Message {
  return { kind: 'fault', notification: told };
}

function encodeMessage(type: number, body: Uint8Array): Uint8Array {
  const message = concatBytes(new Uint8Array(HEADER), body);
  writeHeader(message, type);
  return message;
}

/** @throws RangeError when capabilities need more than 255 bytes */
export function encodeOpen(open: OpenMessage): Uint8Array {
  return encodeMessage(TYPE_OPEN, encodeOpenBody(open));
}

export function encodeNotification(told: Notification): Uint8Array {
  return encodeMessage(TYPE_NOTIFICATION, encodeNotificationBody(told));
}

export function encodeKeepalive(): Uint8Array {
  return encodeMessage(TYPE_KEEPALIVE, new Uint8Array(0));
}

export function encodeRefresh({ afi, safi, subtype }: RouteRefresh): Uint8Array {
  return encodeMessage(TYPE_REFRESH, Uint8Array.of(afi >>> 8, afi, subtype, safi));
}
