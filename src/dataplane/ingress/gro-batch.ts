/**
 * Trains: datagrams that the kernel took from one sender and handed over together (UDP_GRO). Most carry neighbouring
 * segments of one TCP flow. Behind a frame that was taken in, those of its train that differ in nothing the switch looks at
 * are taken in by one small loop: half the time of a segment's way through the switch, were each looked at by itself.
 *
 * Where anything is otherwise the loop ends, and `run.ts` and the stages of a single frame go on: nothing is decided here.
 */
import { RX_LENGTH, RX_OFFSET, RX_STRIDE, RX_TRAIN } from '../../port/nic.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { L3_KIND, L3_OFFSET, L4_OFFSET } from '../../wire/inner.js';
import { IPV4_HEADER } from '../../wire/ipv4.js';
import { IPV6_HEADER } from '../../wire/ipv6.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { CONTINUES } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { checksumField, partialChecksum } from './decap.js';
import { isSame, takeOverPlace } from './run.js';
import { beginDatagram } from './tunnel.js';

/** Where the inner IP header lies in a datagram. */
const IP = VXLAN_HEADER + ETHERNET_HEADER;
/** Bytes that all have in common: the VXLAN header, both MACs, the EtherType, and the first two of the IP header. */
const SHARED = IP + 2;

/**
 * Takes in what follows `head` in its train and is like it: the same headers but for what numbers the segments, the same
 * length, and a checksum that is finished. `sw.layout` describes the head. Its ECN is what the outer header made of it
 * (RFC 6040); made of the same once more, it stays so.
 * @returns the first frame that is not taken in
 */
export function takeInGroBatch(sw: Context, head: number, count: number): number {
  const { batch, layout, rx, view } = sw;
  const headAt = head * RX_STRIDE;
  const next = head + 1;
  if (next >= count || rx[headAt + RX_STRIDE + RX_TRAIN] === 0) return next;
  const field = checksumField(layout);
  if (field === 0 || batch.vnet[head] !== 0 || !hasPlainIp(layout, batch.offset[head])) return next;

  const unfinished = partialChecksum(view, layout);
  const datagram = rx[headAt + RX_OFFSET];
  const length = rx[headAt + RX_LENGTH];
  const checksum = layout[L4_OFFSET] + field - datagram;
  const v4 = layout[L3_KIND] === 4;
  let frame = next;
  for (let at = headAt + RX_STRIDE; frame < count; frame++, at += RX_STRIDE) {
    const offset = rx[at + RX_OFFSET];
    if (rx[at + RX_TRAIN] === 0 || rx[at + RX_LENGTH] !== length) break;
    if (!isSame(view, offset, datagram, SHARED) || !isSameIp(view, offset + IP, datagram + IP, v4)) break;
    if (view.getUint16(offset + checksum) === unfinished) break;
    beginDatagram(sw, frame, at);
    takeOverPlace(sw, frame);
    batch.stage[frame] = CONTINUES;
  }
  countGroBatch(sw, head, frame - next);
  return frame;
}

/** Whether the IP header stands right behind an untagged Ethernet header and the transport header right behind it. */
function hasPlainIp(layout: Int32Array, frameOffset: number): boolean {
  const header = layout[L3_KIND] === 4 ? IPV4_HEADER : IPV6_HEADER;
  return layout[L3_OFFSET] - frameOffset === ETHERNET_HEADER && layout[L4_OFFSET] - layout[L3_OFFSET] === header;
}

/** Whether two IP headers without options differ in nothing but their identification and its checksum. */
function isSameIp(view: DataView, one: number, other: number, v4: boolean): boolean {
  if (!v4) return isSame(view, one, other, IPV6_HEADER);
  return (
    view.getInt32(one, true) === view.getInt32(other, true) &&
    view.getInt32(one + 6, true) === view.getInt32(other + 6, true) &&
    isSame(view, one + 12, other + 12, 8)
  );
}

/** Enters so many frames behind `head` into its accounts. */
function countGroBatch({ batch, counters, forwarding }: Context, head: number, frames: number): void {
  const port = batch.port[head];
  const vid = batch.vid[head];
  const bytes = batch.length[head] * frames;
  counters.received(port, bytes, frames);
  counters.receivedFrom(batch.remote[head], forwarding.tunnels[port].counterOfVlan[vid], bytes, frames);
  const counter = forwarding.vlanCounter(port, vid);
  if (counter !== 0) counters.receivedIn(counter, bytes, frames);
}
