/**
 * The JSON that travels over the control socket: the shapes of SPEC.md section 4 and the routes of section 6.
 * Types only. It never holds code, so that the daemon and every client can share it at no cost.
 */

/** Paths that answer to GET, and what each answers. */
export interface ReadRoutes {
  '/v1/links': LinkRow[];
  '/v1/fdb': FdbRow[];
  '/v1/vlans': VlansAnswer;
  '/v1/stats': StatsAnswer;
  /** The configuration in force, defaults filled in. */
  '/v1/config': Record<string, unknown>;
  '/v1/info': InfoAnswer;
}

/** The body of every answer that is not a success. */
export interface ErrorAnswer {
  error: { code: string; message: string };
}

export interface InfoAnswer {
  /** The switch's `name` of its configuration. */
  name: string;
  version: string;
  pid: number;
}

/** One link, as `ip -j link` shows it; the further keys are the link's options as configured. */
export interface LinkRow {
  ifname: string;
  type: string;
  /** The bridge that a port belongs to. */
  master?: string;
  operstate: 'UP' | 'DOWN';
  mtu: number;
  /** The link's MAC address. */
  address?: string;
  [option: string]: unknown;
}

export type FdbState = 'dynamic' | 'static' | 'permanent';

/** One FDB entry, or one remote of a flood list (MAC 00:00:00:00:00:00), as `bridge -j fdb` shows it. */
export interface FdbRow {
  mac: string;
  ifname: string;
  master: string;
  vlan?: number;
  vni?: number;
  /** Address of the remote that the MAC is behind. */
  dst?: string;
  /** UDP port of that remote, where it is not the port's own. */
  port?: number;
  state: FdbState;
  /** iproute2's words: `self`, `sticky`, `extern_learn` and the like. */
  flags: string[];
  /** Seconds since last refreshed; absent for permanent entries. */
  updated?: number;
  /** How often the entry moved to another destination. */
  moves: number;
}

export type VlanFlag = 'PVID' | 'Egress Untagged';

export interface VlanRange {
  vlan: number;
  /** Last VID of a range, inclusive. */
  vlanEnd?: number;
  flags: VlanFlag[];
}

export interface VlanRow {
  ifname: string;
  vlans: VlanRange[];
}

export interface TunnelRange {
  vlan: number;
  vlanEnd?: number;
  /** The VNI that `vlan` maps to. */
  tunid: number;
  tunidEnd?: number;
}

export interface TunnelRow {
  ifname: string;
  tunnels: TunnelRange[];
}

export interface VlansAnswer {
  vlans: VlanRow[];
  tunnels: TunnelRow[];
}

/** Frames and bytes of the inner frames, since the switch started. */
export interface TrafficCounters {
  rx_packets: number;
  rx_bytes: number;
  tx_packets: number;
  tx_bytes: number;
}

/** Frames by drop reason (SPEC.md section 5). */
export type DropCounters = Record<string, number>;

export interface LinkCounters extends TrafficCounters {
  rx_dropped: number;
  tx_dropped: number;
  drops: DropCounters;
  /** By the remote's address. */
  remotes?: Record<string, TrafficCounters>;
  /** By VNI. */
  vnis?: Record<string, TrafficCounters>;
}

export interface FdbCounters {
  entries: number;
  learned: number;
  moved: number;
  aged: number;
  refused: number;
}

/** The accounts balance: sum(rx_packets) + replicated = sum(tx_packets) + sum(drops). */
export interface StatsAnswer {
  links: Record<string, LinkCounters>;
  /** Summed over the links, as are `remotes` and `vnis`. */
  drops: DropCounters;
  remotes: Record<string, TrafficCounters>;
  vnis: Record<string, TrafficCounters>;
  /** Copies that flooding made beyond the first of each frame. */
  replicated: number;
  fdb: FdbCounters;
}
