/**
 * Interface between the control socket and the running switch for listings, and the FDB filter of a request. The server depends
 * on this interface, never on the switch. Stateless.
 */
import type {
  DroppedFrame,
  FdbFilter,
  FdbRow,
  InfoAnswer,
  LinkRow,
  MdbAnswer,
  NeighRow,
  NexthopRow,
  StatsAnswer,
  TraceAnswer,
  TraceRequest,
  VlansAnswer,
} from '../api/api.js';
import type { RouteRow } from '../api/route.js';
import type { FromSpeaker, Question, ToSpeaker } from '../evpn/contract.js';

/** What the BGP speaker answers; of its lists the one that was asked for. */
export type EvpnAnswer = Pick<Extract<FromSpeaker, { tell: 'answer' }>, 'neighbors' | 'routes' | 'vnis' | 'next'>;

/** What the speaker can be told to do at once; none of it changes the configuration. */
export type EvpnOrder = Extract<ToSpeaker, { do: 'clear-duplicates' | 'refresh' | 'reset' }>;

/** The BGP speaker, as the control socket sees it. */
export interface EvpnViews {
  readonly asn: number;
  readonly routerId: string;
  /** Port for neighbours that connect to us; 0: none do. */
  readonly listen: number;
  /** @throws ChangeRefused `unavailable` when the speaker has ended, does not answer in time, or is asked too much at once */
  ask(question: Question): Promise<EvpnAnswer>;
  /** @throws ChangeRefused `unavailable` when the speaker has ended */
  order(order: EvpnOrder): void;
}

/** The listings of a switch, each a snapshot of the moment of the call. None may block for longer than a few milliseconds. */
export interface Views {
  readonly info: InfoAnswer;
  /** @param details all options in force including defaults; otherwise the configured ones */
  links(details?: boolean): LinkRow[];
  /**
   * The rows that match the filter. There may be a million of them: they are generated one by one, with pauses in which the
   * switch continues. Undefined is a yield point, not a row; a view that scans many rows without a match yields it now and
   * then.
   */
  fdb(filter: FdbFilter): Iterable<FdbRow | undefined>;
  vlans(): VlansAnswer;
  /** As `fdb`. */
  neigh(): Iterable<NeighRow | undefined>;
  mdb(): MdbAnswer;
  nexthops(): NexthopRow[];
  /** Null: the configuration has no BGP speaker. */
  evpn(): EvpnViews | null;
  routes(): RouteRow[];
  stats(): StatsAnswer;
  /** @param reason the one that is wanted @returns null for a name that is no reason */
  drops(reason?: string): DroppedFrame[] | null;
  /** What the switch would do with a frame, or with `apply` does. @throws ChangeRefused */
  trace(request: TraceRequest): Promise<TraceAnswer>;
  /** The present state of the switch as a configuration; called between two changes. */
  config(): Record<string, unknown> | Promise<Record<string, unknown>>;
}

/** Whether a row matches. */
export function fitsFilter(row: FdbRow, filter: FdbFilter): boolean {
  return (
    (filter.mac === undefined || row.mac === filter.mac) &&
    (filter.dev === undefined || row.ifname === filter.dev) &&
    (filter.br === undefined || row.master === filter.br) &&
    (filter.vlan === undefined || row.vlan === filter.vlan) &&
    (filter.vni === undefined || (row.src_vni ?? row.vni) === filter.vni) &&
    (filter.dst === undefined || row.dst === filter.dst) &&
    (filter.state === undefined || filter.state.includes(row.state))
  );
}
