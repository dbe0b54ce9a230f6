/**
 * Longest frame for each remote that needs no fragmentation: the path MTU, as last set by the control thread, without the outer
 * headers.
 *
 *   outer IP packet   | IPv4 20, IPv6 40 | UDP 8 | VXLAN 8 | Ethernet 14, tag 4 | inner IP packet |
 *                                                          |<---------- `longest` ------------->|
 *
 * Each engine has its own instance, because remotes are added and removed at a different time in each. `egress/too-big.ts`
 * handles longer frames.
 */
import { isMapped } from '../wire/ip-address.js';
import { IPV4_HEADER } from '../wire/ipv4.js';
import { IPV6_HEADER } from '../wire/ipv6.js';
import { UDP_HEADER } from '../wire/udp.js';
import { VXLAN_HEADER } from '../wire/vxlan.js';
import { MAX_REMOTES } from './remotes.js';

/** Unknown path: longer than any frame, and small enough that a tag's length can be added within V8's small integers. */
export const NO_LIMIT = 0x3fffffff;

export class PathMtus {
  /** By remote: longest frame in bytes, including its tag, or NO_LIMIT. Changed by the methods only. */
  readonly longest = new Int32Array(MAX_REMOTES).fill(NO_LIMIT);
  /** 1: the remote is reached over IPv6. */
  private readonly overIpv6 = new Uint8Array(MAX_REMOTES);

  /** Initializes a remote with an unknown path. @param address four words, IPv4 mapped */
  begin(remote: number, address: ArrayLike<number>): void {
    this.overIpv6[remote] = isMapped(address[0], address[1], address[2]) ? 0 : 1;
    this.longest[remote] = NO_LIMIT;
  }

  /** @param mtu bytes of the largest outer IP packet; 0: unknown */
  set(remote: number, mtu: number): void {
    const headers = (this.overIpv6[remote] === 0 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER + VXLAN_HEADER;
    this.longest[remote] = mtu === 0 ? NO_LIMIT : Math.max(0, mtu - headers);
  }

  forget(remote: number): void {
    this.longest[remote] = NO_LIMIT;
  }
}
