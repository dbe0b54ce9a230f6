/**
 * What the page's server tells the browser, and what the browser asks of it. Types only: both sides import them, and neither knows
 * the other. Every list in here has a bound on the server's side.
 */

/** What is shown: set once, when the page's server starts. */
export interface Site {
  /** The lab's name, or the switch's. */
  readonly title: string;
  readonly switches: readonly string[];
  /** A lab: frames may be sent into its ports. */
  readonly lab: boolean;
  readonly guests: readonly Guest[];
}

/** A guest of a lab, by the port that it is at. */
export interface Guest {
  readonly name: string;
  readonly switch: string;
  readonly port: string;
  readonly mac?: string;
  readonly addresses: readonly string[];
}

/** A bridge or port, as far as it is drawn. */
export interface Link {
  readonly name: string;
  readonly type: string;
  readonly master?: string;
  readonly up: boolean;
  /** Why it is down. */
  readonly fault?: string;
  readonly mtu: number;
  readonly mac?: string;
  readonly addresses: readonly string[];
  /** Of a vxlan port: its own address, those of its remotes, its group, its one VNI. */
  readonly local?: string;
  readonly remotes: readonly string[];
  readonly group?: string;
  readonly vni?: number;
  /** Of a patch port: the port that it is joined with. */
  readonly peer?: string;
  /** A bridge with a port of the host itself. */
  readonly hostPort: boolean;
  /** VLANs in words, such as `2 (pvid, untagged)`. */
  readonly vlans: readonly string[];
  /** VLAN and VNI pairs in words, such as `2 -> 2`. */
  readonly vnis: readonly string[];
}

export interface FdbEntry {
  readonly mac: string;
  readonly port: string;
  readonly bridge: string;
  readonly vlan?: number;
  readonly vni?: number;
  readonly dst?: string;
  readonly state: string;
  /** Seconds since it was refreshed. */
  readonly age?: number;
}

/** A table that may be too long to show. */
export interface Listing<Row> {
  readonly rows: readonly Row[];
  /** Rows that there are. */
  readonly total: number;
}

export interface NeighEntry {
  readonly address: string;
  readonly mac: string;
  readonly port: string;
  readonly vlan?: number;
  readonly vni?: number;
  readonly state: string;
}

/** rx frames, rx bytes, tx frames, tx bytes, frames dropped. */
export type Counters = readonly [number, number, number, number, number];

export interface Totals {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly links: Readonly<Record<string, Counters>>;
  /** By `PORT ADDRESS`. */
  readonly remotes: Readonly<Record<string, Counters>>;
  readonly drops: Readonly<Record<string, number>>;
}

/** Health of a switch, as the page sees it. */
export interface Health {
  readonly answers: boolean;
  readonly reason?: string;
  readonly version?: string;
  /** It tells of single frames; else only its counters are known. */
  readonly frames: boolean;
}

/** The parts of what is known of a switch; each is sent whole, when it has changed. */
export interface Parts {
  health: Health;
  links: readonly Link[];
  fdb: Listing<FdbEntry>;
  neigh: Listing<NeighEntry>;
  totals: Totals;
  drops: readonly Drop[];
}
export type PartName = keyof Parts;

/** A change in words, for the list of events. */
export interface Happening {
  readonly at: number;
  readonly kind: string;
  readonly text: string;
  /** Of an FDB event, to mark the row. */
  readonly mac?: string;
}

/** Where a frame came from or went: a port, and behind a tunnel the remote. */
export interface Way {
  readonly port: string;
  readonly remote?: string;
  readonly vni?: number;
}

/** One frame's way through one switch, or that of several alike. */
export interface Passage {
  /** Unique on the page's server; rising. */
  readonly id: number;
  readonly at: number;
  readonly from: Way;
  /** The copies that were sent. */
  readonly to: readonly Way[];
  /** `forwarded`, `flooded`, `answered`, `dropped`. */
  readonly verdict: string;
  readonly reason?: string;
  readonly vlan?: number;
  /** What it is, in short: `ARP`, `ping`, `TCP`. */
  readonly kind: string;
  /** What it is, on one line. */
  readonly text: string;
  /** Equal for the same frame on another switch. */
  readonly key: string;
  /** The frame, or its beginning, in hexadecimal: what a trace is made of. */
  readonly frame?: string;
  readonly length: number;
  /** Frames that this one stands for; 1: itself alone. */
  readonly count: number;
}

export interface Drop {
  readonly id: string;
  readonly at: number;
  readonly port: string;
  /** It came in by the port; else it was to leave by it. */
  readonly isReceived: boolean;
  readonly reason: string;
  readonly length: number;
  readonly vlan?: number;
  readonly vni?: number;
  readonly remote?: string;
  /** As far as it was kept, in hexadecimal. */
  readonly frame: string;
  readonly kind: string;
  readonly text: string;
  /** The reason as a sentence. */
  readonly why: string;
}

/** Events of the stream, by their `event`. */
export interface Messages {
  site: Site;
  part: { [P in PartName]: { readonly switch: string; readonly part: P; readonly value: Parts[P] } }[PartName];
  happenings: { readonly switch: string; readonly list: readonly Happening[] };
  passages: { readonly switch: string; readonly list: readonly Passage[]; readonly missed: number };
  /** Messages that this browser was too slow for. The state that follows is whole again. */
  gap: { readonly count: number };
}
export type MessageName = keyof Messages;

/** `POST /trace`. */
export interface TraceAsked {
  readonly switch: string;
  readonly port: string;
  /** A description, or hexadecimal: perhaps the beginning only of a frame of this length. */
  readonly frame: string;
  readonly length?: number;
  readonly remote?: string;
  readonly vni?: number;
}

/** `POST /send`: a frame into a port of a lab. */
export interface SendAsked {
  readonly switch: string;
  readonly port: string;
  readonly frame: string;
  readonly count: number;
}

/** Answer of `/trace`: what the switch does with the frame, step by step. */
export interface Trace {
  readonly port: string;
  readonly vlan?: number;
  readonly steps: readonly { readonly stage: string; readonly code: string; readonly text: string }[];
  readonly verdict: string;
  readonly reason?: string;
  readonly copies: readonly TraceCopy[];
  readonly decided_by: readonly string[];
}

export interface TraceCopy {
  readonly port: string;
  readonly remote?: string;
  readonly vni?: number;
  readonly verdict: string;
  readonly reason?: string;
  /** What the far switch does with it. */
  readonly peer?: { readonly switch: string; readonly trace?: Trace; readonly refused?: string };
  /** A frame that the switch itself says: an answer. */
  readonly answer?: true;
}

/** Answer of `/send`. */
export interface Sent {
  readonly sent: number;
  readonly bytes: number;
}
