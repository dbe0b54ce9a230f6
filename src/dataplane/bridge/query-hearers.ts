/**
 * Whether hosts hear a query of IGMP or MLD: it goes to all of them, or to the group that it asks about (RFC 3376 section 4.1.12, RFC 3810
 * section 5.1.15), by the MAC of that address. One that no NIC lets through would win the election, or end memberships, without an answer.
 */
import { destinationHigh, destinationLow } from '../../wire/ethernet.js';
import { L3_KIND, L3_OFFSET, L4_OFFSET } from '../../wire/inner.js';
import { ipv4Destination } from '../../wire/ipv4.js';
import { ipv6Destination } from '../../wire/ipv6.js';
import { isAllNodes } from '../../wire/mld.js';

/** 224.0.0.1, all systems. */
const ALL_SYSTEMS = 0xe0000001 | 0;
/** RFC 1112 section 6.4 and RFC 2464 section 7: the first two bytes of a group's MAC. */
const MAC_OF_IPV4 = 0x0100;
const MAC_OF_IPV6 = 0x3333;

/** @param offset of the frame @param layout of its headers; they hold a valid query */
export function hostsHear(view: DataView, offset: number, layout: Int32Array): boolean {
  const l3 = layout[L3_OFFSET];
  const high = destinationHigh(view, offset);
  const low = destinationLow(view, offset) | 0;
  if (layout[L3_KIND] === 4) {
    const to = ipv4Destination(view, l3);
    const isMeant = to === ALL_SYSTEMS || to === view.getInt32(layout[L4_OFFSET] + 4);
    return isMeant && high === MAC_OF_IPV4 && low === (0x5e000000 | (to & 0x7fffff));
  }
  return isToGroup6(view, l3, layout[L4_OFFSET] + 8) && high === MAC_OF_IPV6 && low === ipv6Destination(view, l3, 3);
}

/** @param group offset of the address that the query asks about */
function isToGroup6(view: DataView, l3: number, group: number): boolean {
  const a0 = ipv6Destination(view, l3, 0);
  const a1 = ipv6Destination(view, l3, 1);
  const a2 = ipv6Destination(view, l3, 2);
  const a3 = ipv6Destination(view, l3, 3);
  if (isAllNodes(a0, a1, a2, a3)) return true;
  const isSame = a0 === view.getInt32(group) && a1 === view.getInt32(group + 4);
  return isSame && a2 === view.getInt32(group + 8) && a3 === view.getInt32(group + 12);
}
