/** Rows that sources of peers have put into the tables, in the terms of entries: `peers/` has them, `reconcile/` sends them, listings show them. */
/** Where a row leads, in the terms of an entry. */
export interface PeerDestination {
  mac: string;
  dst: string;
  udpPort?: number;
  sentVni?: number;
}

/** A remote that gets floods. */
export interface PeerFloodRow extends PeerDestination {
  vni: number;
  /** The VLAN of the VNI; null: it carries all of the port. */
  vid: number | null;
  /** Name of the source. */
  source: string;
}
