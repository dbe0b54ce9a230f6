/**
 * Takes in one frame or datagram that no device has received, as if its port or socket had: for `overtap trace --apply`. Between two
 * batches, in one engine.
 */
import {
  HEADROOM,
  type Injection,
  RX_ADDRESS,
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_KIND,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRIDE,
  RX_TOS,
  RX_VNET,
} from '../port/packet-io.js';
import { processBatch, routeAll } from './engine.js';
import type { Context } from './state/context.js';

/** @throws RangeError when it does not fit into the arena */
export function injectFrame(sw: Context, { kind, index, bytes, vnet, gso, csum, tos, address }: Injection): void {
  const { io, rx } = sw;
  // Ethernet headers lie at 2 mod 4, as those of received frames.
  const offset = ((io.headerBase + io.headerBytes + HEADROOM + 3) & ~3) + 2;
  if (offset + bytes.length > sw.bytes.length) throw new RangeError(`a frame of ${bytes.length} bytes does not fit`);
  sw.bytes.set(bytes, offset);
  rx.fill(0, 0, RX_STRIDE);
  rx[RX_KIND] = kind;
  rx[RX_INDEX] = index;
  rx[RX_OFFSET] = offset;
  rx[RX_LENGTH] = bytes.length;
  rx[RX_VNET] = vnet ?? 0;
  rx[RX_GSO] = gso ?? 0;
  rx[RX_CSUM] = csum ?? 0;
  rx[RX_TOS] = tos ?? 0;
  for (let word = 0; word < 4; word++) rx[RX_ADDRESS + word] = address?.[word] ?? 0;
  processBatch(sw, 1);
  routeAll(sw);
}
