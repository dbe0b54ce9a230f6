/** Frames of IGMP and MLD queries, in the name of a bridge. Pure. */
import { encodeEthernet, ETHERTYPE_IPV4, ETHERTYPE_IPV6, formatMac } from '../../wire/ethernet.js';
import type { GroupAddress, QueryTimes } from '../../wire/group-message.js';
import { encodeIgmp, igmpQueryFields, PROTOCOL_IGMP } from '../../wire/igmp.js';
import { formatAddress, IPV4_MAPPED } from '../../wire/ip-address.js';
import { encodeIpv4 } from '../../wire/ipv4.js';
import { encodeMld, encodeMldPacket, mldQueryFields } from '../../wire/mld.js';
import type { QuerierIdentity, SnoopSettings } from './mdb-settings.js';

export interface QueryFields {
  family: 4 | 6;
  /** Null: a general query. */
  group: GroupAddress | null;
  sources: readonly GroupAddress[];
  /** The S flag: others must not lower their timers. */
  suppress: boolean;
}

/** 224.0.0.1 and ff02::1. */
const ALL_SYSTEMS: GroupAddress = [0, 0, IPV4_MAPPED, 0xe0000001 | 0];
const ALL_NODES: GroupAddress = [0xff020000 | 0, 0, 0, 1];
/** Precedence "internetwork control" (RFC 3376 section 4). */
const TOS = 0xc0;
/** Router Alert (RFC 2113). */
const ROUTER_ALERT = Uint8Array.of(0x94, 4, 0, 0);

/** The frame, without a tag. */
export function queryFrame(fields: QueryFields, settings: SnoopSettings, identity: QuerierIdentity): Uint8Array {
  const isIpv4 = fields.family === 4;
  const to = fields.group ?? (isIpv4 ? ALL_SYSTEMS : ALL_NODES);
  const path = { source: formatAddress(...identity.addresses[fields.family]), destination: formatAddress(...to) };
  return encodeEthernet({
    destination: groupMac(to, isIpv4),
    source: identity.mac,
    etherType: isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
    payload: isIpv4 ? igmpPacket(fields, settings, path) : mldPacket(fields, settings, path),
  });
}

interface Path {
  source: string;
  destination: string;
}

function igmpPacket({ group, sources, suppress }: QueryFields, settings: SnoopSettings, path: Path): Uint8Array {
  const query = igmpQueryFields(settings.igmpVersion, timesOf(group, settings), suppress);
  const version3 = query.version3 === undefined ? {} : { version3: { ...query.version3, sources: sources.map(text) } };
  const payload = encodeIgmp({ ...query, ...(group === null ? {} : { group: text(group) }), ...version3 });
  const header = { protocol: PROTOCOL_IGMP, ttl: 1, tos: TOS, options: ROUTER_ALERT, dontFragment: true };
  return encodeIpv4({ ...path, ...header, payload });
}

function mldPacket({ group, sources, suppress }: QueryFields, settings: SnoopSettings, path: Path): Uint8Array {
  const query = mldQueryFields(settings.mldVersion, timesOf(group, settings), suppress);
  const version2 = query.version2 === undefined ? {} : { version2: { ...query.version2, sources: sources.map(text) } };
  return encodeMldPacket(encodeMld({ ...query, ...(group === null ? {} : { group: text(group) }), ...version2 }), path);
}

function timesOf(group: GroupAddress | null, settings: SnoopSettings): QueryTimes {
  const maxDelay = group === null ? settings.queryResponseInterval : settings.lastMemberInterval;
  return { maxDelay, interval: settings.queryInterval };
}

function text(address: GroupAddress): string {
  return formatAddress(...address);
}

/** RFC 1112 section 6.4, RFC 2464 section 7. */
function groupMac([, , , low]: GroupAddress, isIpv4: boolean): string {
  return isIpv4 ? formatMac(0x0100, 0x5e000000 | (low & 0x7fffff)) : formatMac(0x3333, low);
}
