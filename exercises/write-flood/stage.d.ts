/** A VLAN that a port is a member of. */
export interface Membership {
  readonly vid: number;
  /** Copies leave without the tag. */
  readonly untagged: boolean;
}

export interface Port {
  readonly name: string;
  readonly up: boolean;
  readonly isolated: boolean;
  readonly vlans: readonly Membership[];
  /** Of the one tunnel port: its flood list, and the VNI of each VLAN. null: a local port. */
  readonly tunnel: { readonly remotes: readonly string[]; readonly vnis: Readonly<Record<number, number>> } | null;
}

/** A broadcast that has come in by a port, in a VLAN. */
export interface Frame {
  readonly port: string;
  readonly vlan: number;
}

/** A copy at a local port, with or without a tag; or to a remote, without one. */
export type Copy =
  | { readonly port: string; readonly tag?: number }
  | { readonly port: string; readonly remote: string; readonly vni: number };

export type flood = (ports: readonly Port[], frame: Frame) => Copy[];
