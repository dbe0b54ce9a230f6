/**
 * What the stages come to know of each frame of the current batch: one row a frame, one array a fact. The ingress
 * stage fills a row, the bridge stage adds the outcome, the egress stage reads both.
 */

export const MAX_FRAMES = 256;

// Outcomes; a non-negative outcome is an FDB destination.
export const OUTCOME_FLOOD = -1;
export const OUTCOME_DROP = -2;

/** The frame carries no 802.1Q tag that the bridge looks at. */
export const NO_TAG = -1;

const column = () => new Int32Array(MAX_FRAMES);

export class Batch {
  /** Ingress port. */
  readonly port = column();
  /** Remote that a frame came from; 0 for a frame from a TAP. */
  readonly remote = column();
  /** Arena offset and length of the Ethernet frame, in bytes. */
  readonly offset = column();
  readonly length = column();
  /** VLAN that the frame is in; 0 in a bridge without VLAN filtering. */
  readonly vid = column();
  /** TCI of the tag in the frame's bytes, or NO_TAG. */
  readonly tci = column();
  /** virtio-net words, as in the descriptors of the Nic. */
  readonly vnet = column();
  readonly gso = column();
  readonly csum = column();
  /** Bytes of headers before the payload of a superframe that came through a tunnel; 0 for every other frame. */
  readonly gsoHeader = column();
  /** FDB destination, OUTCOME_FLOOD or OUTCOME_DROP. */
  readonly outcome = column();
  /** Index into DROP_REASONS where the outcome is OUTCOME_DROP. */
  readonly reason = column();
  /** Flow hash and outer TOS, worked out when the first copy goes into a tunnel; `flowKnown` says so. */
  readonly flow = column();
  readonly tos = column();
  readonly flowKnown = new Uint8Array(MAX_FRAMES);

  drop(frame: number, reason: number): void {
    this.outcome[frame] = OUTCOME_DROP;
    this.reason[frame] = reason;
  }
}
