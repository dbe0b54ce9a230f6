/**
 * What the speaker's thread and the control thread say to each other. Plain values, since they cross threads; lists are batches of at
 * most BATCH, so neither side is held up.
 */
import type { EvpnRoute, PathAttributes } from '../wire/bgp/route.js';

export const BATCH = 1024;

/** A neighbour that the speaker has a session with. Times in seconds. */
export interface NeighborConfig {
  address: string;
  port: number;
  asn: number;
  /** Own address of the session; absent: the kernel's choice. */
  local?: string;
  /** TCP MD5 signature (RFC 2385). */
  password?: string;
  /** Most hops to the neighbour; packets from farther away are refused (RFC 5082). Absent: not checked. */
  ttl_security?: number;
  /** Waits for the neighbour to connect. */
  passive: boolean;
  hold_time: number;
  connect_retry: number;
  /** Routes at which a warning is told (three quarters), and above which further ones are refused. */
  max_routes: number;
  /** Of our own routes at the neighbour (RFC 4724); 0: no graceful restart. */
  graceful_restart: number;
  /** Seconds of long-lived stale routes (RFC 9494); 0: none. */
  long_lived_stale: number;
}

/** A VNI that takes part. */
export interface VniConfig {
  vni: number;
  /** `l2`: bridged, types 2 and 3; `l3`: of a VRF, type 5 and label 2 of type 2. */
  kind: 'l2' | 'l3';
  /** Name of the vxlan port, or of the VRF. */
  owner: string;
  /** The VTEP: next hop and origin of our routes. */
  local: string;
  rd: string;
  imports: readonly string[];
  exports: readonly string[];
  /** Type 3 is announced, and type 3 of others makes flood lists. */
  floods: boolean;
  /** Of a VRF, and of gateways (symmetric IRB). */
  routerMac?: string;
  /** The VNI of layer 3 that MAC/IP routes of this one name, too. */
  l3vni?: number;
}

export interface SpeakerConfig {
  asn: number;
  routerId: string;
  /** Port for neighbours that connect to us; 0: none do. */
  listen: number;
  neighbors: readonly NeighborConfig[];
  vnis: readonly VniConfig[];
  /** Duplicate detection (RFC 7432 section 15.1): moves within a time; and for how long the MAC is left alone (0: until it is cleared). */
  duplicates: { moves: number; seconds: number; hold: number };
}

/** A MAC, or a MAC with an address, of this switch. */
export interface LocalMac {
  vni: number;
  mac: string;
  /** Absent: the MAC alone. */
  ip?: string;
  sticky: boolean;
  /** The anycast gateway's own (RFC 7432 section 10.1). */
  isGateway: boolean;
  /** Of a neighbour binding of IPv6 (RFC 9047). */
  isRouter: boolean;
}

/** A prefix that a VRF of this switch has. */
export interface LocalPrefix {
  /** The VNI of layer 3. */
  vni: number;
  prefix: string;
}

/** A MAC behind another VTEP, after import and choice: one for `<vni, mac, ip>`. */
export interface RemoteMac {
  vni: number;
  mac: string;
  ip?: string;
  remote: string;
  /** VNI on the wire, where it differs from `vni` (label 1). */
  sentVni?: number;
  sticky: boolean;
  isGateway: boolean;
  isRouter: boolean;
  /** Symmetric IRB: VNI of layer 3 and router MAC. */
  l3vni?: number;
  routerMac?: string;
}

export interface RemoteFlood {
  vni: number;
  remote: string;
  sentVni?: number;
}

/** A way to a prefix; several of one prefix are equal (ECMP). */
export interface RemotePrefix {
  /** The own VNI of layer 3 that imports it. */
  vni: number;
  prefix: string;
  remote: string;
  sentVni?: number;
  routerMac: string;
}

export interface Delta<T> {
  add: readonly T[];
  remove: readonly T[];
}

export type NeighborState = 'idle' | 'connect' | 'active' | 'opensent' | 'openconfirm' | 'established';

/** For `overtap evpn neighbors`. Times in milliseconds. */
export interface NeighborAnswer {
  address: string;
  asn: number;
  state: NeighborState;
  /** Since the last change of `state`. */
  since: number;
  /** Sessions that have come up. */
  ups: number;
  routerId?: string;
  received: number;
  accepted: number;
  /** Refused, since attributes that no two routes share have taken the neighbour's part of the memory. */
  crowded: number;
  sent: number;
  stale: number;
  messages: { in: number; out: number };
  /** Why the last session ended, in words. */
  lastEnd?: string;
  /** Attributes that withdrew a route instead of ending the session (RFC 7606). */
  malformed: number;
}

/** For `overtap evpn routes`. */
export interface RouteAnswer {
  route: EvpnRoute;
  attributes: PathAttributes;
  /** Neighbour that sent it; absent: our own. */
  from?: string;
  isBest: boolean;
  isStale: boolean;
  /** VNIs that import it; empty: none does. */
  imported: readonly number[];
}

/** For `overtap evpn vni`. */
export interface VniAnswer extends VniConfig {
  remotes: readonly string[];
  localMacs: number;
  remoteMacs: number;
  duplicates: readonly string[];
}

export type Question =
  | { ask: 'neighbors' }
  | {
      ask: 'routes';
      type?: number;
      vni?: number;
      rd?: string;
      mac?: string;
      from?: string;
      after: number;
      most: number;
    }
  | { ask: 'vnis' };

/** From the control thread. */
export type ToSpeaker =
  | { do: 'configure'; config: SpeakerConfig }
  | { do: 'announce'; macs?: readonly LocalMac[]; prefixes?: readonly LocalPrefix[] }
  | { do: 'withdraw'; macs?: readonly LocalMac[]; prefixes?: readonly LocalPrefix[] }
  /** Forgets that MACs are duplicates. */
  | { do: 'clear-duplicates'; vni?: number; mac?: string }
  | { do: 'refresh'; neighbor?: string }
  /** Ends sessions by an administrative reset (RFC 4486: 6/4), and begins them anew. Absent: all of them. */
  | { do: 'reset'; neighbor?: string }
  | { do: 'ask'; id: number; question: Question }
  /** The taken batch of `routes` is in the tables: the next may come (at most two are under way). */
  | { do: 'taken' }
  /** Says farewell to the neighbours. `restarts`: they keep our routes (graceful restart). */
  | { do: 'stop'; restarts: boolean };

/** From the speaker. */
export type FromSpeaker =
  | { tell: 'routes'; macs: Delta<RemoteMac>; floods: Delta<RemoteFlood>; prefixes: Delta<RemotePrefix> }
  | { tell: 'neighbor'; address: string; state: NeighborState; reason?: string }
  | {
      tell: 'limit';
      address: string;
      routes: number;
      most: number;
      isRefused: boolean;
      cause: 'max_routes' | 'attributes';
    }
  /** A MAC moves between VTEPs (or this switch, `null`) too often: both are named. */
  | { tell: 'duplicate'; vni: number; mac: string; between: readonly [string | null, string | null]; until?: number }
  | {
      tell: 'answer';
      id: number;
      neighbors?: NeighborAnswer[];
      routes?: RouteAnswer[];
      vnis?: VniAnswer[];
      next?: number;
    }
  | { tell: 'fault'; text: string }
  | { tell: 'stopped' };
