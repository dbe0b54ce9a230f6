/**
 * What the way through the underlay did to a frame: its congestion mark moves inside (RFC 6040), and a checksum that a
 * kernel peer left to a NIC is recognised as unfinished.
 */
import { decapsulatedEcn, ECN_INVALID as NO_ECN } from '../encap/ecn.js';
import { VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_NEEDS_CSUM } from '../port/nic.js';
import { fold, pseudoHeaderSum4, pseudoHeaderSum6 } from '../wire/checksum.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../wire/inner.js';
import { ipv4Tos, PROTOCOL_TCP, PROTOCOL_UDP, setIpv4Ecn } from '../wire/ipv4.js';
import { ipv6TrafficClass, setIpv6Ecn } from '../wire/ipv6.js';
import { TCP_CHECKSUM, TCP_HEADER, tcpHeaderLength } from '../wire/tcp.js';
import { UDP_CHECKSUM, UDP_HEADER } from '../wire/udp.js';
import type { Context } from './context.js';
import { ECN_INVALID } from './drop-reasons.js';

/** @returns false when the frame was dropped for its ECN */
export function takeOverInner(sw: Context, frame: number, outerTos: number): boolean {
  const { batch } = sw;
  parseInner(sw.view, batch.offset[frame], batch.length[frame], sw.layout);
  if ((outerTos & 3) !== 0 && !takeOverEcn(sw, outerTos & 3)) {
    batch.drop(frame, ECN_INVALID);
    return false;
  }
  recogniseUnfinished(sw, frame);
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
function recogniseUnfinished(sw: Context, frame: number): void {
  const { batch, layout, view } = sw;
  const l4 = layout[L4_OFFSET];
  if (l4 === 0) return;
  const protocol = layout[L4_PROTOCOL];
  const l4Length = layout[L3_END] - l4;
  const tcp = protocol === PROTOCOL_TCP;
  if (tcp ? l4Length < TCP_HEADER : protocol !== PROTOCOL_UDP || l4Length < UDP_HEADER) return;
  const field = tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
  const l3 = layout[L3_OFFSET];
  const v4 = layout[L3_KIND] === 4;
  const pseudo = v4 ? pseudoHeaderSum4(view, l3, protocol, l4Length) : pseudoHeaderSum6(view, l3, protocol, l4Length);
  if (view.getUint16(l4 + field) !== fold(pseudo)) return;

  const start = l4 - batch.offset[frame];
  batch.vnet[frame] = VNET_NEEDS_CSUM;
  batch.csum[frame] = start | (field << 16);
  if (!tcp) return;
  const tcpHeader = tcpHeaderLength(view, l4);
  if (tcpHeader < TCP_HEADER || tcpHeader > l4Length) return;
  // Larger than any NIC's MTU means one unsegmented TCP frame; the egress port decides by its own MTU.
  const header = start + tcpHeader;
  batch.gsoHeader[frame] = header | ((v4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6) << 16);
}
