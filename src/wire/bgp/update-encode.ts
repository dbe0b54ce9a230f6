/**
 * BGP UPDATEs to send: as many routes with the same attributes in a message as fit.
 *
 * MP_REACH_NLRI comes first (RFC 7606 section 5.1), the other attributes by number.
 */
import { concatBytes } from '../bytes.js';
import { encodeAsPath, needsAs4Path } from './as-path.js';
import {
  AS_PATH,
  AS4_PATH,
  attributeFlags,
  CLUSTER_LIST,
  COMMUNITIES,
  EXTENDED_COMMUNITIES,
  FLAG_EXTENDED,
  FLAG_OPTIONAL,
  LOCAL_PREF,
  MED,
  MP_REACH,
  MP_UNREACH,
  ORIGIN,
  ORIGINATOR_ID,
  PMSI_TUNNEL,
} from './attribute-types.js';
import { encodeExtended } from './communities.js';
import { HEADER, TYPE_UPDATE, writeHeader } from './framer.js';
import { NlriWriter, ROUTE_LIMIT } from './nlri-encode.js';
import type { EvpnRoute, PathAttributes, PmsiTunnel } from './route.js';
import { AFI_L2VPN, SAFI_EVPN, type SessionFormat } from './session.js';
import { writeAddress } from './texts.js';

/** Where attributes begin: behind the header and the two lengths. */
const ATTRIBUTES = HEADER + 4;

/** Writes UPDATEs of one session. */
export class UpdateEncoder {
  private readonly writer: NlriWriter;

  constructor(private readonly session: SessionFormat) {
    this.writer = new NlriWriter(session.maxLength);
  }

  /**
   * @param routes with one and the same next hop and attributes
   * @returns whole messages, in the order of the routes; none for no routes
   * @throws RangeError for values that have no encoding, and attributes that leave no room for a route
   */
  announce(routes: readonly EvpnRoute[], attributes: PathAttributes): Uint8Array[] {
    if (routes.length === 0) return [];
    return this.pack(routes, MP_REACH, reachHead(attributes.nextHop), encodeAttributes(attributes, this.session));
  }

  /** @returns whole messages, in the order of the routes; none for no routes; @throws RangeError as `announce` */
  withdraw(routes: readonly EvpnRoute[]): Uint8Array[] {
    if (routes.length === 0) return [];
    return this.pack(routes, MP_UNREACH, FAMILY, new Uint8Array(0));
  }

  private pack(routes: readonly EvpnRoute[], type: number, head: Uint8Array, tail: Uint8Array): Uint8Array[] {
    const { bytes } = this.writer;
    const first = ATTRIBUTES + 4 + head.length;
    const limit = this.session.maxLength - tail.length;
    if (first + ROUTE_LIMIT > limit)
      throw new RangeError(`path attributes of ${tail.length} bytes leave no room for a route`);
    bytes.set(head, ATTRIBUTES + 4);
    const messages: Uint8Array[] = [];
    let at = first;
    for (const route of routes) {
      const next = this.writer.write(at, route);
      if (next > limit) {
        messages.push(finish(bytes, type, at, tail));
        bytes.copyWithin(first, at, next);
        at = first + next - at;
      } else at = next;
    }
    messages.push(finish(bytes, type, at, tail));
    return messages;
  }
}

/** The message whose routes end at `end` in the buffer; nothing behind them is changed. */
function finish(bytes: Uint8Array, type: number, end: number, tail: Uint8Array): Uint8Array {
  const message = new Uint8Array(end + tail.length);
  message.set(bytes.subarray(ATTRIBUTES + 4, end), ATTRIBUTES + 4);
  message.set(tail, end);
  writeHeader(message, TYPE_UPDATE);
  const view = new DataView(message.buffer);
  view.setUint16(HEADER + 2, message.length - ATTRIBUTES);
  message[ATTRIBUTES] = FLAG_OPTIONAL | FLAG_EXTENDED;
  message[ATTRIBUTES + 1] = type;
  view.setUint16(ATTRIBUTES + 2, end - ATTRIBUTES - 4);
  return message;
}

/** AFI and SAFI. */
const FAMILY = Uint8Array.of(AFI_L2VPN >>> 8, AFI_L2VPN & 255, SAFI_EVPN);

/** MP_REACH_NLRI up to its routes (RFC 4760 section 3). */
function reachHead(nextHop: string): Uint8Array {
  const head = new Uint8Array(4 + 16 + 1);
  head.set(FAMILY);
  head[3] = writeAddress(head, 4, nextHop);
  return head.slice(0, 4 + head[3] + 1);
}

/** End-of-RIB of EVPN: an MP_UNREACH_NLRI without routes (RFC 4724 section 2). */
export function encodeEndOfRib(): Uint8Array {
  const message = new Uint8Array(ATTRIBUTES + 3 + FAMILY.length);
  writeHeader(message, TYPE_UPDATE);
  message[HEADER + 3] = 3 + FAMILY.length;
  message.set([FLAG_OPTIONAL, MP_UNREACH, FAMILY.length, ...FAMILY], ATTRIBUTES);
  return message;
}

/** All attributes but MP_REACH_NLRI. */
function encodeAttributes(attributes: PathAttributes, session: SessionFormat): Uint8Array {
  const { origin, asPath, med, localPref, communities, originatorId, clusterList, pmsi, extended } = attributes;
  const list = [
    attribute(ORIGIN, Uint8Array.of(origin)),
    attribute(AS_PATH, encodeAsPath(asPath, session.fourOctetAs)),
  ];
  if (med !== undefined) list.push(attribute(MED, words([med])));
  if (localPref !== undefined) list.push(attribute(LOCAL_PREF, words([localPref])));
  if (communities !== undefined && communities.length > 0) list.push(attribute(COMMUNITIES, words(communities)));
  if (originatorId !== undefined) list.push(attribute(ORIGINATOR_ID, addresses([originatorId])));
  if (clusterList !== undefined && clusterList.length > 0) list.push(attribute(CLUSTER_LIST, addresses(clusterList)));
  const value = encodeExtended(extended);
  if (value.length > 0) list.push(attribute(EXTENDED_COMMUNITIES, value));
  if (!session.fourOctetAs && needsAs4Path(asPath)) list.push(attribute(AS4_PATH, encodeAsPath(asPath, true)));
  if (pmsi !== undefined) list.push(attribute(PMSI_TUNNEL, pmsiValue(pmsi)));
  return concatBytes(...list);
}

function attribute(type: number, value: Uint8Array): Uint8Array {
  const flags = attributeFlags(type) ?? FLAG_OPTIONAL;
  if (value.length <= 255) return concatBytes(Uint8Array.of(flags, type, value.length), value);
  return concatBytes(Uint8Array.of(flags | FLAG_EXTENDED, type, value.length >>> 8, value.length & 255), value);
}

function pmsiValue({ flags, type, label, endpoint }: PmsiTunnel): Uint8Array {
  const value = new Uint8Array(5 + 16);
  value.set([flags, type, label >>> 16, (label >>> 8) & 255, label & 255]);
  return value.slice(0, 5 + (endpoint === undefined ? 0 : writeAddress(value, 5, endpoint)));
}

function words(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(i * 4, value);
  });
  return bytes;
}

function addresses(texts: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(texts.length * 4 + 16);
  texts.forEach((text, i) => {
    if (writeAddress(bytes, i * 4, text) !== 4) throw new RangeError(`"${text}" is no BGP identifier: write 192.0.2.1`);
  });
  return bytes.slice(0, texts.length * 4);
}
