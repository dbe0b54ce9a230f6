/**
 * Translates engine indexes and flags to the words of listings and events.
 */

import type { FdbState } from '../../api/api.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { FLAG_EXTERN_LEARN, FLAG_PERMANENT, FLAG_PINNED, FLAG_STATIC, FLAG_STICKY } from '../../fdb/table.js';
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

export function stateOf(flags: number): FdbState {
  if ((flags & FLAG_PERMANENT) !== 0) return 'permanent';
  return (flags & (FLAG_STATIC | FLAG_PINNED)) !== 0 ? 'static' : 'dynamic';
}

/** iproute2's words for flags other than the state. */
export function flagWords(flags: number): string[] {
  const words: string[] = [];
  if ((flags & FLAG_STICKY) !== 0) words.push('sticky');
  if ((flags & FLAG_EXTERN_LEARN) !== 0) words.push('extern_learn');
  return words;
}
