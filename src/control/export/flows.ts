/**
 * Flows for IPFIX: sampled frames with the same key are one. The number of flows is bounded; a new one beyond it ends the oldest, so a
 * guest that invents addresses gets its own flows exported early, and no memory. It knows no bytes of messages.
 */
import type { FrameRecord } from '../../dataplane/state/observer-reader.js';
import { fateOf, type Headers, headersOf, interfaceOf } from './sampled.js';

/** Of flowEndReason (RFC 5102). */
export const END_IDLE = 1;
export const END_ACTIVE = 2;
export const END_FORCED = 4;
export const END_RESOURCES = 5;

export interface Flow {
  headers: Headers;
  ingress: number;
  egress: number;
  vid: number;
  vni: number;
  /** Addresses of the VTEPs that the frames came from and went to, four words each. */
  from: readonly number[] | null;
  to: readonly number[] | null;
  /** The port of the tunnel; -1: none. */
  tunnel: number;
  /** Index into DROP_REASONS; -1: forwarded. */
  reason: number;
  packets: number;
  octets: number;
  /** Milliseconds since 1970. */
  first: number;
  last: number;
}

export interface FlowLimits {
  cache: number;
  /** Milliseconds. */
  active: number;
  inactive: number;
}

export class FlowCache {
  private readonly flows = new Map<string, Flow>();

  constructor(
    public limits: FlowLimits,
    private readonly ended: (flow: Flow, why: number) => void,
  ) {}

  get size(): number {
    return this.flows.size;
  }

  /** @param weight frames that the sample stands for */
  add(record: FrameRecord, weight: number): void {
    const headers = headersOf(record);
    if (headers === null) return;
    const now = Number(record.time / 1_000_000n);
    const made = flowOf(record, headers, now);
    const key = keyOf(made);
    let flow = this.flows.get(key);
    if (flow === undefined) {
      flow = made;
      if (this.flows.size >= this.limits.cache) this.endOldest();
      this.flows.set(key, flow);
    }
    flow.packets += weight;
    // The length of an IP packet, as collectors count it; of other frames all of it.
    flow.octets += weight * Math.max(0, record.length - (headers.family === 0 ? 0 : 14));
    flow.last = now;
  }

  private endOldest(): void {
    for (const [key, flow] of this.flows) {
      this.flows.delete(key);
      this.ended(flow, END_RESOURCES);
      return;
    }
  }

  /** Ends the flows whose time is over. @param now milliseconds since 1970 */
  expire(now: number): void {
    for (const [key, flow] of this.flows) {
      const isIdle = now - flow.last >= this.limits.inactive;
      if (!isIdle && now - flow.first < this.limits.active) continue;
      this.flows.delete(key);
      this.ended(flow, isIdle ? END_IDLE : END_ACTIVE);
    }
  }

  /** Ends all flows. */
  clear(): void {
    for (const flow of this.flows.values()) this.ended(flow, END_FORCED);
    this.flows.clear();
  }
}

function flowOf(record: FrameRecord, headers: Headers, now: number): Flow {
  const { sent, reason } = fateOf(record);
  const toRemote = sent.find((copy) => copy.remote !== null);
  const copy = toRemote ?? sent[0];
  return {
    headers,
    ingress: interfaceOf(record.port),
    egress: copy === undefined ? 0 : interfaceOf(copy.port),
    vid: record.vid,
    vni: record.remote !== null ? record.vni : (toRemote?.vni ?? 0),
    from: record.remote,
    to: toRemote?.remote ?? null,
    tunnel: record.remote !== null ? record.port : (toRemote?.port ?? -1),
    reason,
    packets: 0,
    octets: 0,
    first: now,
    last: now,
  };
}

function keyOf({ headers: h, ingress, egress, vid, vni, from, to, reason }: Flow): string {
  const bytes = (part: Uint8Array): string => Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
  const addresses = `${bytes(h.destination)}${bytes(h.source)}${bytes(h.sourceAddress)}${bytes(h.destinationAddress)}`;
  return `${addresses} ${h.etherType} ${h.protocol} ${h.sourcePort} ${h.destinationPort} ${h.tos} ${ingress} ${egress} ${vid} ${vni} ${reason} ${from?.join()} ${to?.join()}`;
}
