/**
 * What one vxlan port knows: VLAN -> VNI, the VXLAN header that stands ready in the arena for each VNI, and the
 * flood list of each VNI. No I/O: the port's sockets are numbers that the transmit commands carry.
 *
 * All tables are indexed by VID (0-4095), because that is what a frame has when it reaches the port. A port with a
 * single VNI has it at every VID.
 */

export const VIDS = 4096;
const NO_REMOTES = new Int32Array(0);

/** TOS is the inner one's (`tos inherit`). */
export const TOS_INHERIT = -1;

export class Tunnel {
  /** 0: the VLAN has no VNI on this port. */
  readonly vniOfVlan = new Int32Array(VIDS);
  /** Arena offset of the ready-made VXLAN header. */
  readonly headerOfVlan = new Int32Array(VIDS);
  /** Index of the VNI's counters. */
  readonly counterOfVlan = new Int32Array(VIDS);
  /** Remotes that get a copy of BUM frames: head-end replication. */
  readonly floodOfVlan: Int32Array[] = new Array<Int32Array>(VIDS).fill(NO_REMOTES);
  /**
   * Sending sockets, a power of two of them, by `senderChoice`: at even places those for packets that may be fragmented, at
   * odd ones those for packets that must not, which are the same unless there are two pools (`df inherit`). One array, since
   * choosing one of two costs a flood 4 % a copy. Changed by `setSenders` only.
   */
  senders: Int32Array;
  /** Outer type of service, or TOS_INHERIT. Changed by `setSenders` only. */
  tos: number;

  constructor(
    readonly socket: number,
    senders: readonly number[],
    readonly udpPort: number,
    tos: number,
    dfSenders: readonly number[] = [],
    /** The outer source address, four words, IPv4 mapped; null: the route's. */
    readonly local: Int32Array | null = null,
  ) {
    this.senders = interleave(senders, dfSenders);
    this.tos = tos;
  }

  /** What the port sends with from now on; its VNIs and flood lists stay. */
  setSenders(senders: readonly number[], tos: number, dfSenders: readonly number[] = []): void {
    this.senders = interleave(senders, dfSenders);
    this.tos = tos;
  }

  mapVlan(vid: number, vni: number, header: number, counter: number): void {
    this.vniOfVlan[vid] = vni;
    this.headerOfVlan[vid] = header;
    this.counterOfVlan[vid] = counter;
  }

  /** Leaves a VLAN without VNI, header, counter and flood list, as it was before `mapVlan`. */
  unmapVlan(vid: number): void {
    this.mapVlan(vid, 0, 0, 0);
    this.floodOfVlan[vid] = NO_REMOTES;
  }

  /** Gives a VLAN its flood list; a remote that is named twice gets one copy. */
  setFlood(vid: number, remotes: readonly number[]): void {
    this.floodOfVlan[vid] = Int32Array.from(new Set(remotes));
  }
}

/** What chooses one of a tunnel's senders. @param hash of the flow @param whole the packet must not be fragmented */
export function senderChoice(hash: number, whole: boolean): number {
  return (hash << 1) | (whole ? 1 : 0);
}

/** @param dfSenders empty: there is one pool */
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

/** The first senders, as many as make a power of two, so that a mask chooses; the others are left unused. */
function powerOfTwoOf(senders: readonly number[]): readonly number[] {
  return senders.slice(0, 1 << (31 - Math.clz32(senders.length)));
}
