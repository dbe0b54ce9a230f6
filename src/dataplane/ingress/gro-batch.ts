/**
 * GRO batches: datagrams of one sender that the kernel coalesced and delivered in one piece (UDP_GRO). Most carry consecutive
 * segments of one TCP flow. Behind a frame that entered, those of its GRO batch that differ in nothing the switch looks at are
 * taken in by one small loop, at half the time per segment.
 *
 * At the first difference the loop ends, and `run.ts` and the stages of a single frame go on. Nothing is decided here.
 */
import { RX_LENGTH, RX_OFFSET, RX_STRIDE, RX_TRAIN } from '../../port/packet-io.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { L3_KIND, L3_OFFSET, L4_OFFSET } from '../../wire/inner.js';
import { IPV4_HEADER } from '../../wire/ipv4.js';
import { IPV6_HEADER } from '../../wire/ipv6.js';
import type { Context } from '../state/context.js';
import { checksumField, innerLayout, partialChecksum } from './decap.js';
import { isSame } from './run.js';

/** Bytes behind the tunnel header that all frames share: both MACs, the EtherType, and the first two of the IP header. */
const SHARED = ETHERNET_HEADER + 2;

/**
 * Takes in the frames of a GRO batch that follow `head`, which was taken in last, and are like it: equal headers except the fields that
 * number the segments, equal lengths, a full checksum. The head's ECN already is what the outer header made of it (RFC 6040), and
 * applying that again changes nothing.
 * @returns the first frame that is not taken in
 */
export function takeInGroBatch(sw: Context, head: number, count: number): number {
  const { batch, rx, view } = sw;
  const headAt = head * RX_STRIDE;
  const next = head + 1;
  if (next >= count || rx[headAt + RX_STRIDE + RX_TRAIN] === 0) return next;
  const field = checksumField(innerLayout);
  if (field === 0 || batch.vnet[head] !== 0 || !hasPlainIp(innerLayout, batch.offset[head])) return next;

  const partial = partialChecksum(view, innerLayout);
  const datagram = rx[headAt + RX_OFFSET];
  const length = rx[headAt + RX_LENGTH];
  const header = batch.offset[head] - datagram;
  const ip = header + ETHERNET_HEADER;
  const checksum = innerLayout[L4_OFFSET] + field - datagram;
  const v4 = innerLayout[L3_KIND] === 4;
  let frame = next;
  for (let at = headAt + RX_STRIDE; frame < count; frame++, at += RX_STRIDE) {
    const offset = rx[at + RX_OFFSET];
    if (rx[at + RX_TRAIN] === 0 || rx[at + RX_LENGTH] !== length) break;
    if (!isSame(view, offset, datagram, header + SHARED) || !isSameIp(view, offset + ip, datagram + ip, v4)) break;
    if (view.getUint16(offset + checksum) === partial) break;
    batch.inherit(frame, offset + header, length - header);
  }
  return frame;
}

/** Whether the frame is an untagged Ethernet header, an IP header without options, and a transport header, without gaps. */
function hasPlainIp(layout: Int32Array, frameOffset: number): boolean {
  const header = layout[L3_KIND] === 4 ? IPV4_HEADER : IPV6_HEADER;
  return layout[L3_OFFSET] - frameOffset === ETHERNET_HEADER && layout[L4_OFFSET] - layout[L3_OFFSET] === header;
}

/** Whether two IP headers without options are equal except for the identification and the header checksum. */
function isSameIp(view: DataView, one: number, other: number, v4: boolean): boolean {
  if (!v4) return isSame(view, one, other, IPV6_HEADER);
  return (
    view.getInt32(one, true) === view.getInt32(other, true) &&
    view.getInt32(one + 6, true) === view.getInt32(other + 6, true) &&
    isSame(view, one + 12, other + 12, 8)
  );
}
