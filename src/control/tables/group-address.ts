/**
 * Groups as the multicast database keeps them: four words, of an IPv4 group (mapped), of an IPv6 group, or of a group MAC. Words of a
 * MAC begin with a zero and a mark, which no group of IP does.
 */
import { MAC_GROUP } from '../../dataplane/state/groups.js';
import { formatMac, parseMac } from '../../wire/ethernet.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { isIpv4Multicast, isLocalControlGroup } from '../../wire/igmp.js';
import { formatAddress, isMapped, parseAddress } from '../../wire/ip-address.js';
import { isAllNodes, isIpv6Multicast } from '../../wire/mld.js';

/** @returns null for text that is neither an IP address nor a MAC */
export function parseGroup(text: string): GroupAddress | null {
  const mac = parseMac(text);
  if (mac !== null) return [0, MAC_GROUP, mac.high, mac.low];
  return parseAddress(text)?.words ?? null;
}

export function formatGroup(address: GroupAddress): string {
  return isMacGroup(address) ? formatMac(address[2], address[3]) : formatAddress(...address);
}

export function isMacGroup([a0, a1]: GroupAddress): boolean {
  return a0 === 0 && a1 === MAC_GROUP;
}

/** Whether a group is ever restricted, so that its members matter. */
export function isSnooped(address: GroupAddress): boolean {
  const [a0, a1, a2, a3] = address;
  // As the kernel's is_valid_mdb_entry: a group bit, and not one of IP, whose frames are looked up by their addresses.
  if (isMacGroup(address)) return (a2 & 0x100) !== 0 && !isIpMac(a2, a3);
  if (isMapped(a0, a1, a2)) return isIpv4Multicast(a3) && !isLocalControlGroup(a3);
  return isIpv6Multicast(a0) && !isAllNodes(a0, a1, a2, a3);
}

/** 01:00:5e:00:00:00 to 01:00:5e:7f:ff:ff, and 33:33:*. */
function isIpMac(high: number, low: number): boolean {
  return (high === 0x0100 && low >>> 23 === 0x5e000000 >>> 23) || high === 0x3333;
}

/** The protocol that members report the group by; that of a group MAC has no members of its own accord. */
export function familyOf([a0, a1, a2]: GroupAddress): 4 | 6 {
  return isMapped(a0, a1, a2) ? 4 : 6;
}
