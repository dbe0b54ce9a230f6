/** Description of one kind of port as far as the configuration is concerned. The registry of kinds is `kinds.ts`. */
import type { Rows } from './option.js';

/**
 * The NIC of a port: `own`, the switch creates it, and the kind has the options `netns` and `ifname`; `host port`, with
 * `host_port` only; `attached`, an interface that exists already, which the kind's own options `netns` and `ifname` name; `none`.
 * With the last two the options of a NIC are refused.
 */
export type NicOf = 'own' | 'host port' | 'attached' | 'none';

/** A port as the rules of its kind see it. */
export interface KindPort {
  readonly type: string;
  /** Valid values only. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Keys whose values are invalid. */
  readonly rejected: ReadonlySet<string>;
}

/** Receives the faults of one port. */
export interface KindReport {
  fault(key: string, message: string): void;
  /** What is missing may be added by a later command: a fault of a file, a warning of a running switch, where the port waits. */
  missing(key: string, message: string): void;
}

export interface Kind<
  O extends Rows = Rows,
  L extends Rows = Rows,
  N extends NicOf = NicOf,
  T extends boolean = boolean,
> {
  /** Options of this kind only. */
  readonly options: O;
  /** Lists of this kind only, which have commands of their own. */
  readonly lists: L;
  readonly nic: N;
  /** Whether it is a tunnel port, with VTEPs and VNIs; otherwise it is a local port. */
  readonly tunnels: T;
  /** Its device has IP packets only. */
  readonly layer3?: true;
  /** It has no device at all: the options that every port of a bridge has are refused. */
  readonly bare?: true;
  /**
   * Checks a port against the others of the switch.
   * @param portOf the port of a name; null: its options are invalid
   */
  readonly check?: (
    name: string,
    port: KindPort,
    portOf: (name: string) => KindPort | null | undefined,
    report: KindReport,
  ) => void;
  /** Markdown of the reference, below the heading. */
  readonly doc: string;
  /** YAML of one or more ports. */
  readonly example: string;
  /** An example of `link add`, without `overtap`. */
  readonly command: string;
}

/** Describes a kind, with exact types. */
export function kind<const O extends Rows, const L extends Rows, const N extends NicOf, const T extends boolean>(
  described: Kind<O, L, N, T>,
): Kind<O, L, N, T> {
  return described;
}
