/**
 * How long a frame may be that is to reach a remote in one piece: the path's MTU as the control thread last told it, less
 * what the tunnel puts around a frame.
 *
 *   outer IP packet   | IPv4 20, IPv6 40 | UDP 8 | VXLAN 8 | Ethernet 14, tag 4 | inner IP packet |
 *                                                          |<------ what `longest` counts ------>|
 *
 * Each engine has its own, since remotes come and go at another moment for each. It never asks the kernel, and does not know
 * what becomes of a frame that is too long.
 */
import { isMapped } from '../wire/ip-address.js';
import { IPV4_HEADER } from '../wire/ipv4.js';
import { IPV6_HEADER } from '../wire/ipv6.js';
import { UDP_HEADER } from '../wire/udp.js';
import { VXLAN_HEADER } from '../wire/vxlan.js';
import { MAX_REMOTES } from './remotes.js';

/** Longer than any frame, and a tag more or less stays in V8's small integers: nothing is known of the path. */
export const NO_LIMIT = 0x3fffffff;

export class PathMtus {
  /** By remote: bytes of the longest frame, tag included, or NO_LIMIT. Changed by the methods only. */
  readonly longest = new Int32Array(MAX_REMOTES).fill(NO_LIMIT);
  /** 1: the remote is reached over IPv6. */
  private readonly overIpv6 = new Uint8Array(MAX_REMOTES);

  /** A remote gets an address, four words; whatever path its number had is forgotten. */
  begin(remote: number, address: ArrayLike<number>): void {
    this.overIpv6[remote] = isMapped(address[0], address[1], address[2]) ? 0 : 1;
    this.longest[remote] = NO_LIMIT;
  }

  /** @param mtu bytes of the largest outer IP packet; 0: not known */
  set(remote: number, mtu: number): void {
    const headers = (this.overIpv6[remote] === 0 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER + VXLAN_HEADER;
    this.longest[remote] = mtu === 0 ? NO_LIMIT : Math.max(0, mtu - headers);
  }

  forget(remote: number): void {
    this.longest[remote] = NO_LIMIT;
  }
}
