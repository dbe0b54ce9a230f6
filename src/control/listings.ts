/**
 * What the control socket shows of a running switch: the listings it asks for, and which FDB rows a request wants.
 * The server depends on this only, never on the switch itself. It holds no state.
 */
import type {
  FdbFilter,
  FdbRow,
  InfoAnswer,
  LinkRow,
  MdbAnswer,
  NeighRow,
  StatsAnswer,
  VlansAnswer,
} from '../api/api.js';

/** The listings of a switch, each of the moment it is asked for. None may block for longer than a few milliseconds. */
export interface Views {
  readonly info: InfoAnswer;
  /** @param details every option in force, defaults among them; else those that were configured */
  links(details?: boolean): LinkRow[];
  /**
   * The rows that fit the filter. There may be a million of them: they are asked for one by one, with pauses between
   * them in which the switch goes on. Undefined is no row, but leave for a pause; a view that looks at many rows
   * without finding one that fits gives it now and then.
   */
  fdb(filter: FdbFilter): Iterable<FdbRow | undefined>;
  vlans(): VlansAnswer;
  /** As `fdb`. */
  neigh(): Iterable<NeighRow | undefined>;
  mdb(): MdbAnswer;
  stats(): StatsAnswer;
  /** What a configuration file would have to say for a switch to be as this one is; asked for between two changes. */
  config(): Record<string, unknown> | Promise<Record<string, unknown>>;
}

/** Whether a row is wanted. */
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
