/**
 * What the stages come to know of each frame of the current batch: one row a frame, one array a fact. The ingress
 * stage fills a row, the bridge stage adds the outcome, the egress stage reads both.
 */

// Outcomes; a non-negative outcome is an FDB destination.
export const OUTCOME_FLOOD = -1;
export const OUTCOME_DROP = -2;

// Stages: how far a frame has come when the whole batch has been taken in.
/** Dropped on its way in. */
export const DROPPED = 0;
/** In a VLAN of a bridge, which is to decide. */
export const ENTERED = 1;
/** As ENTERED, and on the way of the frame before it. */
export const CONTINUES = 2;
/** As ENTERED, and decided by what no other frame need share, so that none may take its way over. */
export const ALONE = 3;

/** The frame carries no 802.1Q tag that the bridge looks at. */
export const NO_TAG = -1;

/** `flowKnown`: `flow` and `tos` are worked out, and the frame may go into a tunnel. */
export const FLOW_KNOWN = 1;
/** `flowKnown`: the frame is a datagram of one of the switch's own tunnels (`egress/own-tunnel.ts`). */
export const FLOW_OWN_TUNNEL = 2;

/** Rows behind those of the frames received, for frames of the switch's own (`egress/originate.ts`). */
export const ORIGINATED_FRAMES = 128;

export class Batch {
  /** Ingress port. */
  readonly port: Int32Array;
  /** Remote that a frame came from; 0 for a frame from a TAP. */
  readonly remote: Int32Array;
  /** Arena offset and length of the Ethernet frame, in bytes. */
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** VLAN that the frame is in; 0 in a bridge without VLAN filtering. */
  readonly vid: Int32Array;
  /** TCI of the tag in the frame's bytes, or NO_TAG. */
  readonly tci: Int32Array;
  /** virtio-net words, as in the descriptors of the Nic. */
  readonly vnet: Int32Array;
  readonly gso: Int32Array;
  readonly csum: Int32Array;
  /** Bytes of headers before the payload of a superframe that came through a tunnel; 0 for every other frame. */
  readonly gsoHeader: Int32Array;
  /** DROPPED, ENTERED, CONTINUES or ALONE. */
  readonly stage: Uint8Array;
  /** FDB destination, OUTCOME_FLOOD or OUTCOME_DROP. */
  readonly outcome: Int32Array;
  /** Index into DROP_REASONS where the outcome is OUTCOME_DROP. */
  readonly reason: Int32Array;
  /**
   * What chooses the sending socket, and the inner TOS; worked out when the first copy goes into a tunnel, as `flowKnown` says:
   * 0, FLOW_KNOWN or FLOW_OWN_TUNNEL.
   */
  readonly flow: Int32Array;
  readonly tos: Int32Array;
  readonly flowKnown: Uint8Array;

  /** @param size the most frames that one batch receives */
  constructor(readonly size: number) {
    const frames = size + ORIGINATED_FRAMES;
    const column = (): Int32Array => new Int32Array(frames);
    this.port = column();
    this.remote = column();
    this.offset = column();
    this.length = column();
    this.vid = column();
    this.tci = column();
    this.vnet = column();
    this.gso = column();
    this.csum = column();
    this.gsoHeader = column();
    this.outcome = column();
    this.reason = column();
    this.flow = column();
    this.tos = column();
    this.stage = new Uint8Array(frames);
    this.flowKnown = new Uint8Array(frames);
  }

  drop(frame: number, reason: number): void {
    this.outcome[frame] = OUTCOME_DROP;
    this.reason[frame] = reason;
  }
}
