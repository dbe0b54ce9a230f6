/**
 * Translates engine indexes to the names of listings and events.
 */

import { GROUP_REMOTES } from '../../dataplane/state/destination.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { parseMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import type { VxlanPort } from './model.js';

export interface Mac {
  high: number;
  low: number;
}

/** A MAC that was validated before. */
export function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (mac === null) throw new TypeError(`not a MAC: ${text}`);
  return mac;
}

export function remoteAddress(remotes: RemoteTable, remote: number): string {
  return formatAddress(...remotes.address(remote));
}

/** The VNI that carries a VLAN of the port. */
export function vniOf(port: VxlanPort, vid: number): number | undefined {
  return port.vnis.find((mapped) => mapped.vid === null || mapped.vid === vid)?.vni;
}

/** The ID of a nexthop group by its remote in a destination; undefined: it is gone. */
export function nhidOf(port: VxlanPort, remote: number): number | undefined {
  return [...port.nexthops.values()].find(({ index }) => GROUP_REMOTES + index === remote)?.nhid;
}
