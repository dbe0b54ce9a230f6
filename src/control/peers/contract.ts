/**
 * What a source of peers (EVPN, a watched file, DNS names, etcd) puts into the tables of the switch, and takes back. Rows of sources are
 * no part of the live document: they come and go like what is learned, and are listed with `extern_learn`.
 */

/** A remote that gets floods of a VNI. */
export interface PeerFlood {
  /** Name of the vxlan port. */
  port: string;
  vni: number;
  remote: string;
  dstport?: number;
  /** VNI on the wire; absent: `vni`. */
  sentVni?: number;
}

/** A MAC behind a remote. */
export interface PeerMac extends PeerFlood {
  mac: string;
  /** It stays there whatever is learned. */
  sticky: boolean;
}

/** An address of a MAC, for suppression of ARP and ND. */
export interface PeerBinding {
  port: string;
  vni: number;
  ip: string;
  mac: string;
  isRouter: boolean;
}

export interface RowDelta<T> {
  add: readonly T[];
  remove: readonly T[];
}

export interface PeerChange {
  floods?: RowDelta<PeerFlood>;
  macs?: RowDelta<PeerMac>;
  bindings?: RowDelta<PeerBinding>;
}

/** Rows that a change could not put in, with the reason in words (a full table, an unknown port); the others are in. */
export interface PeerOutcome {
  refused: number;
  reason?: string;
}

/** A source's rows. A row that another source, or the configuration, has as well stays until its last owner takes it back. */
export interface PeerOwner {
  /** In force when the promise resolves. Never rejects for a row. */
  change(change: PeerChange): Promise<PeerOutcome>;
  /** Takes everything back. */
  clear(): Promise<void>;
}

/**
 * An owner whose source may break off and start anew, as after a crash, or in the next process: its rows stay meanwhile, as a router's do in
 * a graceful restart.
 */
export interface LastingOwner extends PeerOwner {
  /** The source starts anew: what it does not name again until it is `settled`, or for so long, goes then. */
  renew(seconds: number): void;
  /** The source has named all that it has. */
  settled(): Promise<void>;
}

export interface PeerTables {
  /** @param name for listings and `trace`: `evpn`, `dns vtep.example.net`, `file /etc/overtap/peers.yaml`, `etcd` */
  owner(name: string): LastingOwner;
}
