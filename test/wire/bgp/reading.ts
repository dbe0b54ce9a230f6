/** Reading of messages from hexadecimal text, for tests. */
import { decodeMessage, type Message } from '../../../src/wire/bgp/message.js';
import { MESSAGE_LIMIT, type SessionFormat } from '../../../src/wire/bgp/session.js';
import type { Update, UpdateResult } from '../../../src/wire/bgp/update.js';
import { concatBytes, fromHex } from '../../../src/wire/bytes.js';

/** Within an AS, with AS numbers of 4 bytes. */
export const SESSION: SessionFormat = { fourOctetAs: true, isInternal: true, maxLength: MESSAGE_LIMIT };
export const EXTERNAL: SessionFormat = { ...SESSION, isInternal: false };

export function read(hex: string, session = SESSION): Message {
  return decodeMessage(fromHex(hex), session);
}

/** A message of a type with a body. */
export function whole(type: number, body: Uint8Array): Uint8Array {
  const length = 19 + body.length;
  return concatBytes(new Uint8Array(16).fill(0xff), Uint8Array.of(length >>> 8, length & 255, type), body);
}

/** An UPDATE of these attributes, in hexadecimal; `nlri` and `withdrawn` are IPv4 prefixes. */
export function updateOf(attributes: string, nlri = '', withdrawn = ''): Uint8Array {
  const [gone, list, tail] = [withdrawn, attributes, nlri].map(fromHex);
  const length = (bytes: Uint8Array): Uint8Array => Uint8Array.of(bytes.length >>> 8, bytes.length & 255);
  return whole(2, concatBytes(length(gone), gone, length(list), list, tail));
}

export function judge(message: Uint8Array, session = SESSION): UpdateResult {
  const decoded = decodeMessage(message, session);
  if (decoded.kind !== 'update') throw new Error(`${decoded.kind} instead of an UPDATE`);
  return decoded.result;
}

/** The routes of an UPDATE with which nothing is wrong. */
export function update(hex: string, session = SESSION): Update {
  const result = judge(fromHex(hex), session);
  if (result.verdict !== 'fine') throw new Error(`${result.verdict} instead of fine`);
  return result.update;
}
