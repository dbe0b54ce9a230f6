/**
 * EVPN routes and the path attributes that come with them, as values (RFC 7432 section 7, RFC 9136, RFC 4271 section 5).
 *
 * Texts are canonical, so they can be compared and used as keys: MACs `02:00:00:00:00:01`, addresses as `formatAddress` writes them,
 * route distinguishers and route targets as `ADMINISTRATOR:NUMBER` (`192.0.2.1:5`, `65001:100`, `4200000000:7`).
 */

/** 10 bytes as 20 hex digits; zeros: no Ethernet segment. */
export type Esi = string;
export const NO_ESI: Esi = '0'.repeat(20);

/** Type 2: a MAC, with or without an address (RFC 7432 section 7.2). */
export interface MacIpRoute {
  type: 2;
  rd: string;
  esi: Esi;
  /** Ethernet tag. 0 in a VNI with a service of its own, as RFC 8365 section 5.1.2 asks for. */
  tag: number;
  mac: string;
  ip?: string;
  /** Label 1: the VNI of layer 2 (RFC 8365 section 5.1.3), all 24 bits. */
  label: number;
  /** Label 2: the VNI of layer 3 (RFC 9135). */
  label2?: number;
}

/** Type 3: a VTEP takes part in the floods of a VNI (RFC 7432 section 7.3). */
export interface InclusiveRoute {
  type: 3;
  rd: string;
  tag: number;
  /** The VTEP. */
  origin: string;
}

/** Type 5: a prefix (RFC 9136 section 3). */
export interface PrefixRoute {
  type: 5;
  rd: string;
  esi: Esi;
  tag: number;
  /** `10.1.0.0/24`, host bits zero. */
  prefix: string;
  /** All zeros: the next hop's router MAC is the way (RFC 9136 section 4.4.1). */
  gateway: string;
  /** The VNI of layer 3. */
  label: number;
}

/** A route of another type, for listings and withdrawals: its type and the bytes behind the length. */
export interface OtherRoute {
  type: 1 | 4 | number;
  rd?: string;
  bytes: Uint8Array;
}

export type EvpnRoute = MacIpRoute | InclusiveRoute | PrefixRoute;

/** P-Multicast Service Interface tunnel (RFC 6514 section 5); type 6 is ingress replication. */
export interface PmsiTunnel {
  flags: number;
  type: number;
  /** The VNI (RFC 8365 section 5.1.3). */
  label: number;
  /** Of ingress replication: the VTEP; absent for other types. */
  endpoint?: string;
}

/** What extended communities say of an EVPN route. Those that nobody here knows are left out. */
export interface EvpnCommunities {
  routeTargets: readonly string[];
  /** Tunnel encapsulation (RFC 9012 section 4.1); 8 is VXLAN. Absent: none was given, which means the neighbour's own. */
  encapsulation?: number;
  /** MAC mobility (RFC 7432 section 7.7). */
  mobility?: { sequence: number; sticky: boolean };
  /** Default gateway (RFC 7432 section 7.8). */
  isGateway: boolean;
  /** Router's MAC (RFC 9135 section 8.1). */
  routerMac?: string;
  /** ARP/ND flags (RFC 9047): I, O and R. */
  nd?: { immutable: boolean; override: boolean; router: boolean };
}

/** A segment of an AS path. */
export interface AsSegment {
  kind: 'set' | 'sequence' | 'confed-sequence' | 'confed-set';
  asns: readonly number[];
}

export interface PathAttributes {
  /** 0 IGP, 1 EGP, 2 INCOMPLETE. */
  origin: number;
  asPath: readonly AsSegment[];
  /** Of MP_REACH_NLRI: the VTEP. */
  nextHop: string;
  med?: number;
  localPref?: number;
  communities?: readonly number[];
  originatorId?: string;
  clusterList?: readonly string[];
  pmsi?: PmsiTunnel;
  extended: EvpnCommunities;
}
