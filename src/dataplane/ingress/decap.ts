/**
 * Decapsulation: the outer congestion mark moves to the inner IP header (RFC 6040), and a partial checksum, which a kernel peer left
 * to a NIC, is recognised.
 */
import { decapsulatedEcn, ECN_INVALID as NO_ECN } from '../../encap/ecn.js';
import { VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_NEEDS_CSUM } from '../../port/packet-io.js';
import { fold, pseudoHeaderSum4, pseudoHeaderSum6 } from '../../wire/checksum.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { ipv4Tos, PROTOCOL_TCP, PROTOCOL_UDP, setIpv4Ecn } from '../../wire/ipv4.js';
import { ipv6TrafficClass, setIpv6Ecn } from '../../wire/ipv6.js';
import { TCP_CHECKSUM, TCP_HEADER, tcpHeaderLength } from '../../wire/tcp.js';
import { UDP_CHECKSUM } from '../../wire/udp.js';
import type { Batch } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';

/** Headers (`wire/inner.ts`) of the frame that `decapsulate` read last; `gro-batch.ts` reads them as those of its head. */
export const innerLayout = new Int32Array(8);

/** @returns false when the frame was dropped because of its ECN */
export function decapsulate({ batch, view }: Context, frame: number, outerTos: number): boolean {
  parseInner(view, batch.offset[frame], batch.length[frame], innerLayout);
  const outerEcn = outerTos & 3;
  if (outerEcn !== 0 && !applyEcn(view, innerLayout, outerEcn)) return batch.drop(frame, REASON.ecn_invalid);
  recognisePartialChecksum(batch, frame, view, innerLayout);
  return true;
}

/** Applies the outer ECN to the inner IP header (RFC 6040). @returns false when the pair is invalid */
function applyEcn(view: DataView, layout: Int32Array, outerEcn: number): boolean {
  const kind = layout[L3_KIND];
  if (kind === 0) return true;
  const l3 = layout[L3_OFFSET];
  const inner = (kind === 4 ? ipv4Tos(view, l3) : ipv6TrafficClass(view, l3)) & 3;
  const ecn = decapsulatedEcn(outerEcn, inner);
  if (ecn === NO_ECN) return false;
  if (ecn === inner) return true;
  if (kind === 4) setIpv4Ecn(view, l3, ecn);
  else setIpv6Ecn(view, l3, ecn);
  return true;
}

/**
 * A kernel peer on a virtual underlay leaves inner checksums to a NIC that does not exist: the field holds the folded sum of the
 * pseudo-header alone. Marked as NEEDS_CSUM, it reaches the guest as a checksum that its own kernel would have left open. A full
 * checksum that looks the same by chance is valid either way.
 */
function recognisePartialChecksum(batch: Batch, frame: number, view: DataView, layout: Int32Array): void {
  const field = checksumField(layout);
  if (field === 0) return;
  const l4 = layout[L4_OFFSET];
  if (view.getUint16(l4 + field) !== partialChecksum(view, layout)) return;

  const l4Length = layout[L3_END] - l4;
  const tcp = field === TCP_CHECKSUM;
  const start = l4 - batch.offset[frame];
  batch.vnet[frame] = VNET_NEEDS_CSUM;
  batch.csum[frame] = start | (field << 16);
  if (!tcp) return;
  const tcpHeader = tcpHeaderLength(view, l4);
  if (tcpHeader < TCP_HEADER || tcpHeader > l4Length) return;
  // A frame longer than its egress port's MTU is then an unsegmented TCP frame; egress compares.
  const header = start + tcpHeader;
  batch.gsoHeader[frame] = header | ((layout[L3_KIND] === 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6) << 16);
}

/** Offset of the TCP or UDP checksum from L4_OFFSET; 0: the frame has neither. */
export function checksumField(layout: Int32Array): number {
  if (layout[L4_OFFSET] === 0) return 0;
  if (layout[L4_PROTOCOL] === PROTOCOL_TCP) return TCP_CHECKSUM;
  return layout[L4_PROTOCOL] === PROTOCOL_UDP ? UDP_CHECKSUM : 0;
}

/** The partial checksum (CHECKSUM_PARTIAL) of a TCP or UDP frame: the folded sum of its pseudo-header. */
export function partialChecksum(view: DataView, layout: Int32Array): number {
  const l3 = layout[L3_OFFSET];
  const l4Length = layout[L3_END] - layout[L4_OFFSET];
  const protocol = layout[L4_PROTOCOL];
  return fold(
    layout[L3_KIND] === 4
      ? pseudoHeaderSum4(view, l3, protocol, l4Length)
      : pseudoHeaderSum6(view, l3, protocol, l4Length),
  );
}
