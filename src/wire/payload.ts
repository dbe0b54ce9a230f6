/**
 * What a frame carries behind its Ethernet header, whatever stands in between: tags of 802.1Q and 802.1ad, also several, and LLC with
 * SNAP, by which some hosts take IP and ARP in 802.3 frames (RFC 1042).
 *
 *   type below 0x600:  length | aa aa 03 | 00 00 00 | type | payload
 *                              LLC        OUI
 *
 * For checks that a sender must not get around. It finds the payload; it never judges it.
 */
import { ETHERNET_HEADER, ETHERTYPE_QINQ, ETHERTYPE_VLAN } from './ethernet.js';
import { VLAN_TAG } from './vlan.js';

/** Words that `findPayload` writes. */
export const PAYLOAD_TYPE = 0;
export const PAYLOAD_OFFSET = 1;

/** Type of a frame without a payload that a host would take: too short for its tags, or 802.3 without SNAP. */
export const TYPE_NONE = 0;
/** Type behind more tags than TAG_LIMIT. */
export const TYPE_TOO_DEEP = -1;

/** Tags and SNAP headers that are read through. No honest frame has more than three. */
export const TAG_LIMIT = 8;

/** Types below are lengths of 802.3 (IEEE 802.3 clause 3.2.6). */
const LEAST_TYPE = 0x600;
/** Tag types before 802.1ad; some NICs and hosts take them. */
const OLD_TAGS = [0x9100, 0x9200, 0x9300] as const;
/** LLC of SNAP: DSAP and SSAP aa, unnumbered information. */
const LLC_SNAP = 0xaaaa03;
/** OUIs whose protocol numbers are EtherTypes: RFC 1042, and that of bridge tunnels (IEEE 802.1H). */
const OUI_RFC1042 = 0x000000;
const OUI_BRIDGE_TUNNEL = 0x0000f8;
const SNAP_HEADER = 8;

/** Writes type and offset of the payload of a frame of `length` bytes into `out`. */
export function findPayload(view: DataView, frameOff: number, length: number, out: Int32Array): void {
  const end = frameOff + length;
  let at = frameOff + ETHERNET_HEADER;
  let type = at <= end ? view.getUint16(at - 2) : TYPE_NONE;
  for (let depth = 0; type < LEAST_TYPE || isTag(type); depth++) {
    const header = type < LEAST_TYPE ? snapLength(view, at, end) : VLAN_TAG;
    if (header === 0 || end - at < header || depth === TAG_LIMIT) {
      type = depth === TAG_LIMIT ? TYPE_TOO_DEEP : TYPE_NONE;
      break;
    }
    at += header;
    type = view.getUint16(at - 2);
  }
  out[PAYLOAD_TYPE] = type;
  out[PAYLOAD_OFFSET] = at;
}

function isTag(type: number): boolean {
  if (type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ) return true;
  return type === OLD_TAGS[0] || type === OLD_TAGS[1] || type === OLD_TAGS[2];
}

/** Bytes of LLC and SNAP at `at`; 0: another LLC, which has no EtherType. */
function snapLength(view: DataView, at: number, end: number): number {
  if (end - at < SNAP_HEADER || view.getUint32(at) >>> 8 !== LLC_SNAP) return 0;
  const oui = (view.getUint8(at + 3) << 16) | view.getUint16(at + 4);
  return oui === OUI_RFC1042 || oui === OUI_BRIDGE_TUNNEL ? SNAP_HEADER : 0;
}
