/**
 * Cost of one copy of a frame on egress: packets on the wire, and work of the kernel.
 */
import { VNET_GSO_ECN, VNET_GSO_NONE, VNET_GSO_UDP_L4 } from '../../port/packet-io.js';
import { TCP_HEADER } from '../../wire/tcp.js';
import { UDP_HEADER } from '../../wire/udp.js';
import type { Context } from '../state/context.js';

/**
 * Payload of a TCP segment over an MTU of 1500. An unsegmented frame of a kernel peer through the tunnel does not carry its
 * segment size.
 */
const USUAL_SEGMENT = 1448;
/** Shift: 4 segments cost as much as one message. They are sent in trains, 0.15 to 0.3 us each against 1.5. */
const SEGMENTS_OF_SEND = 2;
/** Shift: 8 KiB likewise, because the payload is copied for each message. */
const BYTES_OF_SEND = 13;

/** Packets of one copy on the wire: the segments of a superframe, else 1. */
export function segmentsOf({ batch }: Context, frame: number): number {
  const length = batch.length[frame];
  const type = (batch.vnet[frame] >>> 8) & ~VNET_GSO_ECN;
  if (type === VNET_GSO_NONE) {
    const header = batch.gsoHeader[frame] & 0xffff;
    return header === 0 ? 1 : Math.max(1, Math.ceil((length - header) / USUAL_SEGMENT));
  }
  const header = (batch.csum[frame] & 0xffff) + (type === VNET_GSO_UDP_L4 ? UDP_HEADER : TCP_HEADER);
  return Math.max(1, Math.ceil((length - header) / (batch.gso[frame] & 0xffff)));
}

/** Bytes of a frame on the wire in so many packets: each has the headers of a superframe. */
export function wireBytes({ batch }: Context, frame: number, packets: number): number {
  const length = batch.length[frame];
  if (packets === 1) return length;
  const type = (batch.vnet[frame] >>> 8) & ~VNET_GSO_ECN;
  if (type === VNET_GSO_NONE) return length + (packets - 1) * (batch.gsoHeader[frame] & 0xffff);
  const header = (batch.csum[frame] & 0xffff) + (type === VNET_GSO_UDP_L4 ? UDP_HEADER : TCP_HEADER);
  return length + (packets - 1) * header;
}

/** Cost of a copy in sends: messages of one packet that take the same time. */
export function sendsOf(segments: number, length: number): number {
  return 1 + (segments >>> SEGMENTS_OF_SEND) + (length >>> BYTES_OF_SEND);
}
