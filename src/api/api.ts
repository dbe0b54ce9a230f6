/**
 * The JSON that travels over the control socket: the shapes of SPEC.md section 4 and the routes of section 6.
 * Types only. It never holds code, so that the daemon and every client can share it at no cost.
 */

/** Paths that answer to GET, and what each answers. `/v1/events` and `/metrics` answer with text of their own. */
export interface ReadRoutes {
  /** With the query `details=1`: every option in force, defaults among them. */
  '/v1/links': LinkRow[];
  /** Narrowed by the query's `mac`, `dev`, `br`, `vlan`, `vni`, `dst`, `state`; all that are given must fit. */
  '/v1/fdb': FdbRow[];
  '/v1/vlans': VlansAnswer;
  '/v1/neigh': NeighRow[];
  '/v1/mdb': MdbAnswer;
  '/v1/stats': StatsAnswer;
  /** What a configuration file would have to say for a switch to be as this one is; `POST /v1/apply` takes it as it is. */
  '/v1/config': Record<string, unknown>;
  '/v1/info': InfoAnswer;
  '/v1/log': LogAnswer;
}

/** Paths that answer to POST: the body of a request. Each is done wholly or refused with a reason; done: 204, or the answer named. */
export interface WriteRoutes {
  '/v1/links': LinkRequest;
  '/v1/fdb': FdbRequest;
  '/v1/vlans': VlansRequest;
  '/v1/neigh': NeighRequest;
  '/v1/mdb': MdbRequest;
  /** Answers with an ApplyAnswer. */
  '/v1/apply': ApplyRequest;
  '/v1/log': LogAnswer;
}

/** Options are keys and values of the configuration file. A value of null takes an option back to its default. */
export type LinkOptions = Record<string, unknown>;

export type LinkRequest =
  | { op: 'add'; name: string; type: 'bridge' | 'tap' | 'vxlan'; master?: string; options?: LinkOptions }
  | { op: 'del'; name: string }
  /** `master: null` takes a port out of its bridge. */
  | { op: 'set'; name: string; master?: string | null; options?: LinkOptions };

export type FdbRequest =
  | {
      /** `add` refuses an entry that is there, `replace` makes it as told, `append` adds a destination. */
      op: 'add' | 'append' | 'replace';
      mac: string;
      dev: string;
      vlan?: number;
      /** The VNI that the entry is of; beside `src_vni`, or on a port with one VNI, the one that its frames are sent with. */
      vni?: number;
      src_vni?: number;
      /** Without it, on a vxlan port: the flood list. */
      dst?: string;
      /** UDP port of `dst`. */
      port?: number;
      /** Device that frames to `dst` leave by: that of the port (`dev`), or the request is refused. */
      via?: string;
      /** Default: permanent, as with `bridge fdb`. */
      state?: FdbState;
      sticky?: boolean;
      extern_learn?: boolean;
    }
  | {
      op: 'del';
      mac: string;
      dev: string;
      vlan?: number;
      vni?: number;
      src_vni?: number;
      dst?: string;
      port?: number;
      via?: string;
    }
  /**
   * What is given must all fit. Without `state`: learned entries only; `all`: of every state, and the rows of flood lists too.
   * Answers with a FlushAnswer.
   */
  | { op: 'flush'; dev?: string; br?: string; vlan?: number; vni?: number; dst?: string; state?: FdbState[] | 'all' };

export interface FlushAnswer {
  removed: number;
}

/** What is done to memberships: `add` and `del`, or `set` for options of those that are there. */
export type VlansRequest = VlanRequest | VlanSetRequest;

export interface VlanSetRequest {
  op: 'set';
  /** A port. */
  dev: string;
  vid: number;
  /** Last VID of a range, inclusive. */
  vidEnd?: number;
  /**
   * Whether the VLAN suppresses, as `bridge vlan set`: with `neigh_vlan_suppress` on that port. Where that was never given, it is
   * on from now on, and the other VLANs are as the port's `neigh_suppress` says.
   */
  neigh_suppress: boolean;
}

export interface VlanRequest {
  op: 'add' | 'del';
  /** A port, or a bridge for its host port. */
  dev: string;
  vid: number;
  /** Last VID of a range, inclusive. */
  vidEnd?: number;
  pvid?: boolean;
  untagged?: boolean;
  /** The VNI of `vid`, and of `vidEnd`. With `del` only the mapping goes. */
  tunid?: number;
  tunidEnd?: number;
}

export type NeighRequest =
  | {
      op: 'add' | 'replace';
      dst: string;
      lladdr: string;
      dev: string;
      vlan?: number;
      vni?: number;
      router?: boolean;
      state?: NeighState;
    }
  | { op: 'del'; dst: string; dev: string; vlan?: number; vni?: number };

export interface MdbRequest {
  op: 'add' | 'del';
  /** The bridge. */
  dev: string;
  port: string;
  /** An IPv4 or IPv6 multicast address. */
  grp: string;
  vid?: number;
  /** The remote, on a vxlan port. */
  dst?: string;
}

export interface ApplyRequest {
  /** The value of a configuration file. */
  config: unknown;
  dryRun?: boolean;
}

export interface ApplyAnswer {
  /** What was done, or would be, as commands of this program. */
  commands: string[];
  /** Ports that wait for what is not there yet, and why; absent: none does. */
  warnings?: string[];
}

/** A change as it was asked for, with its kind. */
export type ChangeRequest =
  | { kind: 'link'; request: LinkRequest }
  | { kind: 'fdb'; request: FdbRequest }
  | { kind: 'vlan'; request: VlansRequest }
  | { kind: 'neigh'; request: NeighRequest }
  | { kind: 'mdb'; request: MdbRequest }
  | { kind: 'apply'; request: ApplyRequest };

/** From the least to the most that is logged. */
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** `/v1/log`: the level of the log, which is shown by GET and set by POST. */
export interface LogAnswer {
  level: LogLevel;
}

export type NeighState = 'permanent' | 'reachable' | 'stale' | 'noarp';

/** One binding that ARP/ND suppression answers from, as `ip -j neigh` shows it. */
export interface NeighRow {
  dst: string;
  lladdr: string;
  vlan?: number;
  vni?: number;
  ifname: string;
  state: NeighState;
  router?: boolean;
  /** Where it comes from: put in by hand, heard on a local port, or through the tunnel. */
  origin?: 'manual' | 'local' | 'tunnel';
  /** Seconds since it was heard last, or put in. */
  updated?: number;
}

export interface MdbRow {
  dev: string;
  port: string;
  grp: string;
  vid?: number;
  dst?: string;
  /** `temp`: reported by a member; `permanent`: put in by hand. */
  state: 'temp' | 'permanent';
  /** Seconds until it ends; absent for permanent ones. */
  timer?: number;
}

export interface MdbRouterRow {
  dev: string;
  port: string;
  vid?: number;
  dst?: string;
  type: 'temp' | 'permanent';
  timer?: number;
}

export interface MdbAnswer {
  mdb: MdbRow[];
  router: MdbRouterRow[];
}

/** What `/v1/events` streams: each as `event: KIND` and `data: JSON`. */
export type SwitchEvent =
  | ({ event: 'learned' | 'aged' | 'deleted' | 'added' | 'changed' } & EventEntry)
  | ({ event: 'moved'; from: { ifname: string; dst?: string } } & EventEntry)
  /** A MAC moves more often than the bridge's `mac_move_limit`; told once until it has calmed down. */
  | { event: 'mac_moves'; mac: string; master: string; vlan?: number; moves: number; ports: string[] }
  /** Datagrams are dropped since they come from an address that is no remote of the port; told now and then. */
  | { event: 'vtep_unknown'; ifname: string; address: string; vni: number; count: number; first: string; last: string }
  | { event: 'l2miss'; mac: string; ifname: string; vlan?: number; vni?: number }
  | { event: 'l3miss'; dst: string; ifname: string; vlan?: number; vni?: number }
  /** Several MACs claim one address; the binding stays as it is, `lladdr[0]`, until they have calmed down. */
  | { event: 'neigh_conflict'; dst: string; lladdr: string[]; ifname: string; vlan?: number; vni?: number }
  | {
      event: 'link';
      ifname: string;
      type: string;
      change: 'added' | 'deleted' | 'changed' | 'up' | 'down';
      master?: string;
    }
  | { event: 'mdb'; change: 'added' | 'deleted'; dev: string; port: string; grp: string; vid?: number; dst?: string }
  /** A reader was too slow, or changes came too fast: so many events are missing here. */
  | { event: 'lost'; count: number };

/** Entry that an FDB event is about. */
export interface EventEntry {
  mac: string;
  ifname: string;
  master: string;
  vlan?: number;
  vni?: number;
  dst?: string;
  state: FdbState;
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
  /** The NIC's name where that is not the link's: as the file has it, or as its owner has renamed it. */
  nic?: string;
  /** The namespace that the NIC was moved to, by name, or `net:[number]`. */
  nic_netns?: string;
  /** Why a port is DOWN though it is set up: its device, address or routes. */
  fault?: string;
  [option: string]: unknown;
}

export type FdbState = 'dynamic' | 'static' | 'permanent';

/** One FDB entry, or one remote of a flood list (MAC 00:00:00:00:00:00), as `bridge -j fdb` shows it. */
export interface FdbRow {
  mac: string;
  ifname: string;
  master: string;
  vlan?: number;
  /** The VNI that frames are sent with. */
  vni?: number;
  /** The VNI that the entry is of, where `vni` is another one. */
  src_vni?: number;
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
  /** Of a port with `neigh_vlan_suppress`. */
  neigh_suppress?: boolean;
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
  /** By VID, on a bridge with VLAN filtering. */
  vlans?: Record<string, TrafficCounters>;
}

/** An address that is no remote of a port, and what came from it with a VNI. Times as ISO 8601 writes them. */
export interface UnknownVtep {
  address: string;
  /** The vxlan link. */
  port: string;
  vni: number;
  count: number;
  first: string;
  last: string;
}

/** A MAC that moved too often: how often within a second, between which ports, and when that was told last. */
export interface MacMoves {
  mac: string;
  master: string;
  vlan?: number;
  moves: number;
  ports: string[];
  last: string;
}

export interface FdbCounters {
  entries: number;
  learned: number;
  moved: number;
  aged: number;
  refused: number;
  /** Learned entries that gave way to others in a full table. */
  evicted?: number;
  /** Entries that the table can hold. */
  capacity?: number;
}

/** The accounts balance: sum(rx_packets) + replicated = sum(tx_packets) + sum(drops). */
export interface StatsAnswer {
  /** Whom datagrams came from that were dropped as `vtep_unknown`, the latest first: the few that can be remembered. */
  unknown_vteps?: UnknownVtep[];
  /** MACs that moved more often than `mac_move_limit` allows, the latest first. */
  mac_moves?: MacMoves[];
  links: Record<string, LinkCounters>;
  /** Summed over the links, as are `remotes` and `vnis`. */
  drops: DropCounters;
  remotes: Record<string, TrafficCounters>;
  vnis: Record<string, TrafficCounters>;
  /** Copies that flooding made beyond the first of each frame. */
  replicated: number;
  /** TCP superframes that left whole, for the NIC to segment (`tunnel_gso`). */
  tunnel_gso?: number;
  /** What ports that are no more had counted; the accounts balance with it. */
  retired: TrafficCounters & { drops: DropCounters };
  fdb: FdbCounters;
  /** What the control thread has to say of itself. */
  control?: ControlCounters;
}

export interface ControlCounters {
  /** Lines of the log that could not be written. */
  log_lost: number;
  /** Connections to the control socket that were closed as they came. */
  connections_refused: number;
  /** Faults that were caught in the control thread, by the place in which they happened. */
  faults: Record<string, number>;
}
