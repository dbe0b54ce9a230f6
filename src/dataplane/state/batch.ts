/**
 * The frames of the current batch: one row per frame, one array per fact. Ingress fills a row, the bridge adds the outcome, egress
 * reads both.
 */
import { MESSAGE_WORDS } from './neigh-message.js';

// ---- Outcomes. A non-negative outcome is an FDB destination.
/** A copy to every port that may have one. */
export const OUTCOME_FLOOD = -1;
export const OUTCOME_DROP = -2;
/** OUTCOME_FLOOD for an ARP or ND request; its message says which ports get no copy, and whether the switch answers. */
export const OUTCOME_FLOOD_REQUEST = -3;
/** The switch answers an ARP or ND request and forwards it nowhere. */
export const OUTCOME_ANSWER = -4;
/** Not yet: a packet of a layer-3 port waits for the MAC of its next hop, and comes again in a later batch. */
export const OUTCOME_HELD = -5;

// ---- Stages: how far ingress has taken a frame.
/** Dropped by ingress. */
export const DROPPED = 0;
/** In a VLAN of a bridge; the bridge decides. */
export const ENTERED = 1;
/** As ENTERED, and in one run with the frame before it. */
export const CONTINUES = 2;
/** As ENTERED, and decided by facts outside the run's shared headers: the next frame must not inherit the outcome. */
export const ALONE = 3;

/** `tci` of a frame without a tag that the bridge looks at. Below it is NO_SERVICE_TAG: "no tag" is a negative TCI. */
export const NO_TAG = -1;
/** The same on a bridge with `vlan_protocol 802.1ad`, where the frame may have an 802.1Q tag as payload. */
export const NO_SERVICE_TAG = -2;

/** `flowKnown`: `flow` and `tos` are computed, and the frame may enter a tunnel. */
export const FLOW_KNOWN = 1;
/** `flowKnown`: the frame is a datagram of one of the switch's own tunnels (`egress/own-tunnel.ts`). */
export const FLOW_OWN_TUNNEL = 2;

/** Rows behind those of the received frames, for frames that the switch originates (`egress/originate.ts`). */
export const ORIGINATED_FRAMES = 128;

export class Batch {
  /** Ingress port. */
  readonly port: Int32Array;
  /** Remote that a frame came from; 0 for a frame from a local port. */
  readonly remote: Int32Array;
  /** Arena offset and length of the Ethernet frame, in bytes. */
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** VLAN of the frame; 0 in a bridge without VLAN filtering. */
  readonly vid: Int32Array;
  /** TCI of the tag in the frame's bytes; negative: NO_TAG or NO_SERVICE_TAG. */
  readonly tci: Int32Array;
  /** virtio-net words, as in the descriptors of the PacketIo. */
  readonly vnet: Int32Array;
  readonly gso: Int32Array;
  readonly csum: Int32Array;
  /**
   * Of an unsegmented TCP frame from a tunnel: bytes of its headers, and its VNET_GSO_* type in the upper half; 0 for every
   * other frame.
   */
  readonly gsoHeader: Int32Array;
  /** DROPPED, ENTERED, CONTINUES or ALONE. */
  readonly stage: Uint8Array;
  /** FDB destination or OUTCOME_*. */
  readonly outcome: Int32Array;
  /** Index into DROP_REASONS where the outcome is OUTCOME_DROP. */
  readonly reason: Int32Array;
  /** Flow hash that chooses the sending socket, and the inner TOS. Valid where `flowKnown` is FLOW_KNOWN: from the first tunnel copy on. */
  readonly flow: Int32Array;
  readonly tos: Int32Array;
  /** 0, FLOW_KNOWN or FLOW_OWN_TUNNEL. */
  readonly flowKnown: Uint8Array;
  /**
   * The ARP or ND message of a received frame: MESSAGE_WORDS words per row (`neigh-message.ts`). Valid where the outcome is
   * OUTCOME_ANSWER or OUTCOME_FLOOD_REQUEST.
   */
  readonly messages: Int32Array;

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
    this.messages = new Int32Array(size * MESSAGE_WORDS);
  }

  /** Begins a row: a frame of `port`, with nothing else known about it. Beside `inherit` the only place that resets a row. */
  begin(row: number, port: number, offset: number, length: number): void {
    this.port[row] = port;
    this.remote[row] = 0;
    this.offset[row] = offset;
    this.length[row] = length;
    this.vid[row] = 0;
    this.tci[row] = NO_TAG;
    this.vnet[row] = 0;
    this.gso[row] = 0;
    this.csum[row] = 0;
    this.gsoHeader[row] = 0;
    this.flowKnown[row] = 0;
  }

  /** Begins a row that continues the run of the row before it: port, remote, VLAN and tag are that row's. */
  inherit(row: number, offset: number, length: number): void {
    const before = row - 1;
    this.port[row] = this.port[before];
    this.remote[row] = this.remote[before];
    this.offset[row] = offset;
    this.length[row] = length;
    this.vid[row] = this.vid[before];
    this.tci[row] = this.tci[before];
    this.vnet[row] = 0;
    this.gso[row] = 0;
    this.csum[row] = 0;
    this.gsoHeader[row] = 0;
    this.flowKnown[row] = 0;
    this.stage[row] = CONTINUES;
  }

  /** Drops a frame. @returns false: the frame goes no further */
  drop(row: number, reason: number): false {
    this.outcome[row] = OUTCOME_DROP;
    this.reason[row] = reason;
    return false;
  }
}
