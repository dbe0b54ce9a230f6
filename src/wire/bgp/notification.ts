/**
 * BGP NOTIFICATION (RFC 4271 sections 4.5 and 6): codes, words for them, and the text of a shutdown (RFC 9003).
 *
 *   byte 19       20        21
 *        +--------+---------+------
 *        |  code  | subcode | data
 *        +--------+---------+------
 *
 * Owns the codes and their words. What ends a session is judged elsewhere in this folder, in these codes.
 */
import { concatBytes } from '../bytes.js';

/** A NOTIFICATION, sent or received. */
export interface Notification {
  code: number;
  subcode: number;
  data: Uint8Array;
}

export const ERROR_HEADER = 1;
export const ERROR_OPEN = 2;
export const ERROR_UPDATE = 3;
export const ERROR_HOLD_TIMER = 4;
export const ERROR_STATE = 5;
export const CEASE = 6;
export const ERROR_REFRESH = 7;
/** RFC 9687. */
export const ERROR_SEND_HOLD_TIMER = 8;

export const HEADER_NOT_SYNCHRONIZED = 1;
export const HEADER_BAD_LENGTH = 2;
export const HEADER_BAD_TYPE = 3;

export const OPEN_UNSPECIFIC = 0;
export const OPEN_BAD_VERSION = 1;
export const OPEN_BAD_PEER_AS = 2;
export const OPEN_BAD_IDENTIFIER = 3;
export const OPEN_UNKNOWN_PARAMETER = 4;
export const OPEN_BAD_HOLD_TIME = 6;
/** RFC 5492 section 5: a capability that the session needs is missing. */
export const OPEN_MISSING_CAPABILITY = 7;

export const UPDATE_BAD_ATTRIBUTE_LIST = 1;
export const UPDATE_UNKNOWN_WELL_KNOWN = 2;
export const UPDATE_MISSING_WELL_KNOWN = 3;
export const UPDATE_BAD_FLAGS = 4;
export const UPDATE_BAD_LENGTH = 5;
export const UPDATE_BAD_ORIGIN = 6;
export const UPDATE_BAD_NEXT_HOP = 8;
export const UPDATE_BAD_OPTIONAL = 9;
export const UPDATE_BAD_NETWORK = 10;
export const UPDATE_BAD_AS_PATH = 11;

/** RFC 4486 section 3. */
export const CEASE_MAXIMUM_PREFIXES = 1;
export const CEASE_SHUTDOWN = 2;
export const CEASE_DECONFIGURED = 3;
export const CEASE_RESET = 4;
export const CEASE_REJECTED = 5;
export const CEASE_CHANGED = 6;
export const CEASE_COLLISION = 7;
export const CEASE_OUT_OF_RESOURCES = 8;
/** RFC 8538: ends graceful restart, too; its data are the code and subcode that are meant. */
export const CEASE_HARD_RESET = 9;
/** RFC 9384. */
export const CEASE_BFD_DOWN = 10;

/** RFC 9003 section 2: longest text, in bytes of UTF-8. */
export const SHUTDOWN_TEXT_LIMIT = 255;

const CODES: readonly string[] = [
  '',
  'message header error',
  'OPEN error',
  'UPDATE error',
  'hold timer expired',
  'finite state machine error',
  'cease',
  'ROUTE-REFRESH error',
  'send hold timer expired',
];

const SUBCODES: Readonly<Record<number, readonly string[]>> = {
  1: ['', 'connection not synchronized', 'bad message length', 'bad message type'],
  2: [
    ...['', 'unsupported version', 'bad peer AS', 'bad BGP identifier', 'unsupported optional parameter'],
    ...['authentication failure', 'unacceptable hold time', 'unsupported capability', '', '', '', 'role mismatch'],
  ],
  3: [
    ...['', 'malformed attribute list', 'unrecognized well-known attribute', 'missing well-known attribute'],
    ...['attribute flags error', 'attribute length error', 'invalid ORIGIN', 'AS routing loop', 'invalid NEXT_HOP'],
    ...['optional attribute error', 'invalid network field', 'malformed AS_PATH'],
  ],
  5: ['', 'unexpected message in OpenSent', 'unexpected message in OpenConfirm', 'unexpected message in Established'],
  6: [
    ...['', 'maximum number of prefixes reached', 'administrative shutdown', 'peer de-configured'],
    ...['administrative reset', 'connection rejected', 'other configuration change'],
    ...['connection collision resolution', 'out of resources', 'hard reset', 'BFD down'],
  ],
  7: ['', 'invalid message length'],
};

/** Makes a NOTIFICATION; `data` is copied, so that it may be part of a message received. */
export function notification(code: number, subcode: number, data: Uint8Array = new Uint8Array(0)): Notification {
  return { code, subcode, data: data.slice(0, NOTIFICATION_DATA_LIMIT) };
}

/** What fits into a message of 4096 bytes. */
const NOTIFICATION_DATA_LIMIT = 4096 - 21;

/** Reads the body of a NOTIFICATION, which the framer has found at least 2 bytes long. */
export function decodeNotification(body: Uint8Array): Notification {
  return notification(body[0], body[1], body.subarray(2));
}

/** The body of a NOTIFICATION message. */
export function encodeNotificationBody(sent: Notification): Uint8Array {
  return concatBytes(Uint8Array.of(sent.code, sent.subcode), sent.data);
}

/**
 * Data of a cease that say why, in words (RFC 9003 section 2). A text that is too long is cut between two characters.
 */
export function shutdownData(text: string): Uint8Array {
  const data = new Uint8Array(1 + SHUTDOWN_TEXT_LIMIT);
  const { written } = new TextEncoder().encodeInto(text, data.subarray(1));
  data[0] = written;
  return data.slice(0, 1 + written);
}

/**
 * The text of a shutdown or reset (RFC 9003), control characters replaced.
 * @returns undefined for another NOTIFICATION, and for bytes that are no such text
 */
export function shutdownText({ code, subcode, data }: Notification): string | undefined {
  if (code !== CEASE || (subcode !== CEASE_SHUTDOWN && subcode !== CEASE_RESET)) return undefined;
  if (data.length < 1 || data[0] === 0 || data.length < 1 + data[0]) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1, 1 + data[0]));
    return text.replace(/\p{C}/gu, '\ufffd');
  } catch {
    return undefined;
  }
}

/** In words, as `cease: administrative shutdown: "maintenance"`; codes that nobody knows as numbers. */
export function notificationWords(told: Notification): string {
  const { code, subcode, data } = told;
  if (code === CEASE && subcode === CEASE_HARD_RESET && data.length >= 2 && !isHardReset(data)) {
    return `hard reset, ${notificationWords(notification(data[0], data[1], data.subarray(2)))}`;
  }
  const first = CODES[code] || `code ${code}`;
  const second = SUBCODES[code]?.[subcode] || (subcode === 0 ? '' : `subcode ${subcode}`);
  const words = second === '' ? first : `${first}: ${second}`;
  const text = shutdownText(told);
  return text === undefined ? words : `${words}: "${text}"`;
}

/** Hard resets in one another would be words without end. */
function isHardReset(data: Uint8Array): boolean {
  return data[0] === CEASE && data[1] === CEASE_HARD_RESET;
}
