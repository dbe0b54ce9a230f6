/**
 * Tables of one tunnel port: VLAN -> VNI, and for each VNI the place of its prepared VXLAN or Geneve header in the arena and its flood list.
 * No I/O: the sockets are indexes for transmit commands.
 *
 * All tables are indexed by VID (0-4095), which each frame has when it reaches the port. A port with a single VNI has it at
 * every VID.
 */
import { RESERVED_HIGH, RESERVED_LOW } from '../wire/vxlan.js';

export const VIDS = 4096;
const NO_REMOTES = new Int32Array(0);

/** The outer TOS is a copy of the inner one (`tos inherit`). */
export const TOS_INHERIT = -1;
/** Bits of a frame's `tos` that are the label of its datagrams on a port with `flowlabel inherit`: that of TX_TOS, and the sign. */
export const LABEL_BITS = ~0xff;

export class Tunnel {
  /** 0: the VLAN has no VNI on this port. */
  readonly vniOfVlan = new Int32Array(VIDS);
  /** Arena offset of the prepared header: eight bytes, of VXLAN or of Geneve without options. */
  readonly headerOfVlan = new Int32Array(VIDS);
  /** Index of the VNI's counters. */
  readonly counterOfVlan = new Int32Array(VIDS);
  /** Remotes that get a copy of BUM frames: head-end replication. */
  readonly floodOfVlan: Int32Array[] = new Array<Int32Array>(VIDS).fill(NO_REMOTES);
  /**
   * Sending sockets, indexed by `senderChoice`; their number is a power of two. Even places: for packets that may be fragmented;
   * odd places: for packets that must not be. Both are the same without a second pool (`df inherit`). One array, because a choice
   * between two costs 4 % per copy of a flood. Changed by `setSenders` only.
   */
  senders: Int32Array;
  /** Outer TOS, or TOS_INHERIT. Changed by `setSenders` only. */
  tos: number;
  /** LABEL_BITS: datagrams have the label of the inner packet (`flowlabel inherit`); 0: that of their sender. */
  labels = 0;
  /** The bits of the VXLAN header that drop a datagram, on a port with DROP_RESERVED_BITS. */
  reservedHigh = RESERVED_HIGH;
  reservedLow = RESERVED_LOW;
  /** The policy ID in its headers (`gbp_id`); 0: none. Set before any VNI is mapped. */
  policy = 0;

  constructor(
    readonly socket: number,
    senders: readonly number[],
    readonly udpPort: number,
    tos: number,
    dfSenders: readonly number[] = [],
    /** Outer source address, four words, IPv4 mapped; null: selected by the route. */
    readonly local: Int32Array | null = null,
    /** Geneve in place of VXLAN. */
    readonly isGeneve = false,
  ) {
    this.senders = interleave(senders, dfSenders);
    this.tos = tos;
  }

  /** Replaces sockets and TOS; VNIs and flood lists are kept. */
  setSenders(senders: readonly number[], tos: number, dfSenders: readonly number[] = []): void {
    this.senders = interleave(senders, dfSenders);
    this.tos = tos;
  }

  mapVlan(vid: number, vni: number, header: number, counter: number): void {
    this.vniOfVlan[vid] = vni;
    this.headerOfVlan[vid] = header;
    this.counterOfVlan[vid] = counter;
  }

  /** Removes VNI, header, counter and flood list of a VLAN. */
  unmapVlan(vid: number): void {
    this.mapVlan(vid, 0, 0, 0);
    this.floodOfVlan[vid] = NO_REMOTES;
  }

  /** Sets the flood list of a VLAN; duplicates are removed. */
  setFlood(vid: number, remotes: readonly number[]): void {
    this.floodOfVlan[vid] = Int32Array.from(new Set(remotes));
  }
}

/** Selector of a sender of a tunnel. @param hash of the flow; @param whole the packet must not be fragmented */
export function senderChoice(hash: number, whole: boolean): number {
  return (hash << 1) | (whole ? 1 : 0);
}

/** @param dfSenders empty: a single pool */
function interleave(senders: readonly number[], dfSenders: readonly number[]): Int32Array {
  const plain = powerOfTwoOf(senders);
  const whole = dfSenders.length === 0 ? plain : powerOfTwoOf(dfSenders);
  const pairs = Math.max(plain.length, whole.length);
  const all = new Int32Array(2 * pairs);
  for (let i = 0; i < pairs; i++) {
    all[2 * i] = plain[i & (plain.length - 1)];
    all[2 * i + 1] = whole[i & (whole.length - 1)];
  }
  return all;
}

/** The longest beginning of the list whose length is a power of two, so that a mask selects; the rest is unused. */
function powerOfTwoOf(senders: readonly number[]): readonly number[] {
  return senders.slice(0, 1 << (31 - Math.clz32(senders.length)));
}
