/**
 * What the way through the underlay did to a frame: its congestion mark moves inside (RFC 6040), and a checksum that a
 * kernel peer left to a NIC is recognised as unfinished.
 */
import { decapsulatedEcn, ECN_INVALID as NO_ECN } from '../../encap/ecn.js';
import { VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_NEEDS_CSUM } from '../../port/nic.js';
import { fold, pseudoHeaderSum4, pseudoHeaderSum6 } from '../../wire/checksum.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../../wire/inner.js';
import { ipv4Tos, PROTOCOL_TCP, PROTOCOL_UDP, setIpv4Ecn } from '../../wire/ipv4.js';
import { ipv6TrafficClass, setIpv6Ecn } from '../../wire/ipv6.js';
import { TCP_CHECKSUM, TCP_HEADER, tcpHeaderLength } from '../../wire/tcp.js';
import { UDP_CHECKSUM } from '../../wire/udp.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';

/** @returns false when the frame was dropped for its ECN */
export function takeOverInner(sw: Context, frame: number, outerTos: number): boolean {
  const { batch } = sw;
  parseInner(sw.view, batch.offset[frame], batch.length[frame], sw.layout);
  if ((outerTos & 3) !== 0 && !takeOverEcn(sw, outerTos & 3)) {
    batch.drop(frame, REASON.ecn_invalid);
    return false;
  }
  recognisePartialChecksum(sw, frame);
  return true;
}

/** Applies the outer ECN to the inner IP header (RFC 6040). @returns false when the pair is invalid */
function takeOverEcn(sw: Context, outerEcn: number): boolean {
  const { layout, view } = sw;
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
 * A kernel peer on a virtual underlay leaves inner checksums to a NIC that is not there: the field holds the sum of
 * the pseudo-header alone (SEMANTICS "Offloads"). Marked as NEEDS_CSUM here, the guest takes it as its own kernel's
 * promise; a finished checksum that looks the same by chance is valid under either reading.
 */
function recognisePartialChecksum(sw: Context, frame: number): void {
  const { batch, layout, view } = sw;
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
  // Larger than any NIC's MTU means one unsegmented TCP frame; the egress port decides by its own MTU.
  const header = start + tcpHeader;
  batch.gsoHeader[frame] = header | ((layout[L3_KIND] === 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6) << 16);
}

/** Where the checksum of a frame lies behind L4_OFFSET; 0: it has none to speak of. */
export function checksumField(layout: Int32Array): number {
  if (layout[L4_OFFSET] === 0) return 0;
  if (layout[L4_PROTOCOL] === PROTOCOL_TCP) return TCP_CHECKSUM;
  return layout[L4_PROTOCOL] === PROTOCOL_UDP ? UDP_CHECKSUM : 0;
}

/** What the checksum of a TCP or UDP frame reads that was left to a NIC: the sum of its pseudo-header. */
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
