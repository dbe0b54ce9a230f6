/** Description of one kind of port as far as the configuration is concerned. The registry of kinds is `kinds.ts`. */
import type { Rows } from './option.js';

/**
 * The NIC of a port: `own`, the switch creates it, and the kind has the options `netns` and `ifname`; `host port`, with
 * `host_port` only; `none`, the options of a NIC are refused.
 */
export type NicOf = 'own' | 'host port' | 'none';

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
