/**
 * The value of each path attribute, and what a wrong one leads to (RFC 7606 section 7 and the RFC that is named beside it).
 */
import { decodeAsPath, isConfederation } from './as-path.js';
import {
  AGGREGATOR,
  AS_PATH,
  AS4_AGGREGATOR,
  AS4_PATH,
  ATOMIC_AGGREGATE,
  CLUSTER_LIST,
  COMMUNITIES,
  EXTENDED_COMMUNITIES,
  LARGE_COMMUNITIES,
  LOCAL_PREF,
  MED,
  MP_REACH,
  MP_UNREACH,
  NEXT_HOP,
  ORIGIN,
  ORIGINATOR_ID,
  PMSI_TUNNEL,
} from './attribute-types.js';
import { COMMUNITY, decodeExtended } from './communities.js';
import { decodeNlri, type NlriList } from './nlri.js';
import { AS_TRANS } from './open.js';
import type { AsSegment, EvpnCommunities, PmsiTunnel } from './route.js';
import { AFI_L2VPN, SAFI_EVPN, type SessionFormat } from './session.js';
import { formatIpv4, isUnicastAddress, readAddress } from './texts.js';

/** Bytes of one attribute's value, and what the session says of them. */
export interface Value {
  bytes: Uint8Array;
  view: DataView;
  at: number;
  end: number;
  session: SessionFormat;
}

/** What has been read so far. */
export interface Draft {
  origin?: number;
  asPath?: AsSegment[];
  as4Path?: AsSegment[];
  med?: number;
  localPref?: number;
  communities?: number[];
  originatorId?: string;
  clusterList?: string[];
  extended?: EvpnCommunities;
  pmsi?: PmsiTunnel;
  /** AGGREGATOR names an AS of 2 bytes, not AS_TRANS: AS4_PATH is then stale (RFC 6793 section 4.2.3). */
  hasShortAggregator?: boolean;
  /** Of EVPN; other families are skipped, since no session here has them. */
  reach?: { nextHop: string; list: NlriList };
  unreach?: NlriList;
  /** MP_REACH_NLRI of whatever family announces something. */
  hasReach?: boolean;
}

export interface Problem {
  approach: 'discard' | 'withdraw' | 'reset';
  what: string;
}

const PMSI_INGRESS_REPLICATION = 6;

/** Reads the value of a known attribute into the draft. @returns null: it is well */
export function readValue(type: number, value: Value, draft: Draft): Problem | null {
  const read = READERS[type];
  return read === undefined ? null : read(value, draft);
}

type Reader = (value: Value, draft: Draft) => Problem | null;

const READERS: Readonly<Record<number, Reader>> = {
  [ORIGIN]: (value, draft) => {
    if (lengthOf(value) !== 1) return badLength(value);
    if (value.bytes[value.at] > 2) return withdraw(`value ${value.bytes[value.at]}`);
    draft.origin = value.bytes[value.at];
    return null;
  },
  [AS_PATH]: readAsPath,
  [NEXT_HOP]: (value) => (lengthOf(value) === 4 ? null : badLength(value)),
  [MED]: (value, draft) => {
    if (lengthOf(value) !== 4) return badLength(value);
    draft.med = value.view.getUint32(value.at);
    return null;
  },
  [LOCAL_PREF]: internal((value, draft) => {
    if (lengthOf(value) !== 4) return badLength(value);
    draft.localPref = value.view.getUint32(value.at);
    return null;
  }),
  [ATOMIC_AGGREGATE]: (value) => (lengthOf(value) === 0 ? null : discard(`length ${lengthOf(value)}`)),
  [AGGREGATOR]: readAggregator,
  [COMMUNITIES]: (value, draft) => {
    if (!isListOf(value, 4)) return badLength(value);
    draft.communities = words(value);
    return null;
  },
  [ORIGINATOR_ID]: internal((value, draft) => {
    if (lengthOf(value) !== 4) return badLength(value);
    draft.originatorId = formatIpv4(value.view.getUint32(value.at));
    return null;
  }),
  [CLUSTER_LIST]: internal((value, draft) => {
    if (!isListOf(value, 4)) return badLength(value);
    draft.clusterList = words(value).map(formatIpv4);
    return null;
  }),
  [MP_REACH]: readReach,
  [MP_UNREACH]: readUnreach,
  [EXTENDED_COMMUNITIES]: (value, draft) => {
    if (!isListOf(value, COMMUNITY)) return badLength(value);
    draft.extended = decodeExtended(value.bytes, value.at, value.end);
    return null;
  },
  [AS4_PATH]: readAs4Path,
  [AS4_AGGREGATOR]: (value) => (lengthOf(value) === 8 ? null : discard(`length ${lengthOf(value)}`)),
  [PMSI_TUNNEL]: readPmsi,
  // RFC 8092 section 6.
  [LARGE_COMMUNITIES]: (value) => (isListOf(value, 12) ? null : badLength(value)),
};

/** Attributes that count within an AS only: from outside they are dropped, whatever they say (RFC 7606 sections 7.5, 7.9, 7.10). */
function internal(read: Reader): Reader {
  return (value, draft) => (value.session.isInternal ? read(value, draft) : discard('comes from another AS'));
}

function readAsPath(value: Value, draft: Draft): Problem | null {
  const path = decodeAsPath(value.view, value.at, value.end, value.session.fourOctetAs);
  if (path === null) return withdraw('malformed');
  // RFC 5065 section 5: from outside the confederation.
  if (!value.session.isInternal && path.some(isConfederation)) return withdraw('confederation from another AS');
  draft.asPath = path;
  return null;
}

/** RFC 6793 section 6: whatever is wrong, the attribute alone is dropped. So it is when both ends have AS numbers of 4 bytes. */
function readAs4Path(value: Value, draft: Draft): Problem | null {
  if (value.session.fourOctetAs) return discard('from a neighbour with AS numbers of 4 bytes');
  const path = decodeAsPath(value.view, value.at, value.end, true);
  if (path === null) return discard('malformed');
  draft.as4Path = path;
  return null;
}

function readAggregator(value: Value, draft: Draft): Problem | null {
  const length = value.session.fourOctetAs ? 8 : 6;
  if (lengthOf(value) !== length) return discard(`length ${lengthOf(value)}`);
  if (length === 6) draft.hasShortAggregator = value.view.getUint16(value.at) !== AS_TRANS;
  return null;
}

/** RFC 4760 section 3: AFI, SAFI, length of the next hop, next hop, a reserved byte, routes. */
function readReach({ bytes, view, at, end }: Value, draft: Draft): Problem | null {
  if (end - at < 5) return reset('is too short');
  const length = bytes[at + 3];
  const routes = at + 5 + length;
  if (routes > end) return reset('next hop reaches past the attribute');
  draft.hasReach = routes < end;
  if (view.getUint16(at) !== AFI_L2VPN || bytes[at + 2] !== SAFI_EVPN) return null;
  // 32: a link-local address behind the global one (RFC 2545), as some speakers send it in all families.
  if (length !== 4 && length !== 16 && length !== 32) return reset(`next hop of ${length} bytes`);
  const list = decodeNlri(bytes, routes, end);
  if (list === null) return reset('a route reaches past the attribute');
  const nextHop = readAddress(view, at + 4, length === 4 ? 4 : 16);
  draft.reach = { nextHop, list };
  return isUnicastAddress(nextHop) ? null : withdraw(`next hop ${nextHop}`);
}

/** RFC 4760 section 4: AFI, SAFI, routes. */
function readUnreach({ bytes, view, at, end }: Value, draft: Draft): Problem | null {
  if (end - at < 3) return reset('is too short');
  if (view.getUint16(at) !== AFI_L2VPN || bytes[at + 2] !== SAFI_EVPN) return null;
  const list = decodeNlri(bytes, at + 3, end);
  if (list === null) return reset('a route reaches past the attribute');
  draft.unreach = list;
  return null;
}

/** RFC 6514 section 5: flags, type, label, identifier of the tunnel. */
function readPmsi({ bytes, view, at, end }: Value, draft: Draft): Problem | null {
  const length = end - at - 5;
  if (length < 0) return withdraw('is too short');
  const pmsi: PmsiTunnel = {
    flags: bytes[at],
    type: bytes[at + 1],
    label: (bytes[at + 2] << 16) | view.getUint16(at + 3),
  };
  if (pmsi.type === PMSI_INGRESS_REPLICATION) {
    if (length !== 4 && length !== 16) return withdraw(`endpoint of ${length} bytes`);
    pmsi.endpoint = readAddress(view, at + 5, length);
  }
  draft.pmsi = pmsi;
  return null;
}

function words({ view, at, end }: Value): number[] {
  const list: number[] = [];
  for (; at < end; at += 4) list.push(view.getUint32(at));
  return list;
}

function lengthOf({ at, end }: Value): number {
  return end - at;
}

/** A list of at least one element. */
function isListOf(value: Value, size: number): boolean {
  return lengthOf(value) > 0 && lengthOf(value) % size === 0;
}

function badLength(value: Value): Problem {
  return withdraw(`length ${lengthOf(value)}`);
}

function withdraw(what: string): Problem {
  return { approach: 'withdraw', what };
}

function discard(what: string): Problem {
  return { approach: 'discard', what };
}

function reset(what: string): Problem {
  return { approach: 'reset', what };
}
