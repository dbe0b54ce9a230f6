/**
 * What a source of routes (EVPN type 5 and type 2 with a layer-3 VNI) puts into the routing tables of the gateways, and takes back; and what
 * of them it may tell others. As with peers (`contract.ts`), rows of sources are no part of the live document.
 *
 * A layer-3 VNI is a VLAN of a vxlan port like any other. A gateway in that VLAN, with a MAC of its own on every host and as a rule without
 * addresses, is the VRF's door to it (symmetric IRB, RFC 9135 section 5). So `l3vni` below needs such a gateway: until there is one,
 * the route is kept and not in force.
 */
import type { PeerOutcome, RowDelta } from './contract.js';

/** A way to a prefix: the router of another host. */
export interface RouteNexthop {
  /** Address of the VTEP. */
  remote: string;
  /** UDP port; absent: that of the vxlan port. */
  dstport?: number;
  l3vni: number;
  /** MAC of the other host's gateway in that VNI (router's MAC extended community, RFC 9135 section 8.1). */
  routerMac: string;
}

/** Identity: VRF and prefix; adding one that is there replaces its nexthops. */
export interface PeerRoute {
  /** Absent: the default table. */
  vrf?: string;
  /** Canonical text, without host bits: `10.1.0.0/16`, `2001:db8::/48`. */
  prefix: string;
  /** At most MAX_NEXTHOPS (16) of them carry the flows, by hash: the first in this order. */
  nexthops: readonly RouteNexthop[];
}

/** A source's rows. A connected route and a static one of the configuration take precedence over an equal prefix of a source. */
export interface RouteOwner {
  /** In force when the promise resolves. Never rejects for a row. `remove` looks at VRF and prefix only. */
  change(change: RowDelta<PeerRoute>): Promise<PeerOutcome>;
  /** Takes everything back. */
  clear(): Promise<void>;
  /** The source starts anew, as after a crash: what it does not name again until it is `settled`, or for so long, goes then. */
  renew(seconds: number): void;
  /** The source has named all that it has. */
  settled(): Promise<void>;
}

/** A VRF as a source of routes sees it: what it may advertise. */
export interface LocalVrf {
  /** Undefined: the default table. */
  vrf: string | undefined;
  /** The layer-3 VNI and its gateway's MAC; null: no gateway of the VRF is in the VLAN of a VNI without addresses. */
  door: { port: string; l3vni: number; routerMac: string } | null;
  /** VNIs whose VLAN has a gateway of it with addresses: hosts in them are reached through the VRF as well (RFC 9135 section 5). */
  vnis: readonly number[];
  /** Prefixes of its gateways, and those of its static routes. */
  prefixes: readonly { prefix: string; kind: 'connected' | 'static' }[];
}

export interface RouteTables {
  /** @param name for listings and `trace`, as with peers: `evpn` */
  owner(name: string): RouteOwner;
  /** The VRFs that have a gateway. */
  locals(): readonly LocalVrf[];
  /** Called after each change of what `locals` returns. @returns ends the subscription */
  onLocals(changed: () => void): () => void;
}
