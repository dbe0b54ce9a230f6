/**
 * A datagram from the underlay: the checks of RFC 7348 and of SEMANTICS "Underlay to overlay", in that order.
 * What passes is a frame in a VLAN of a bridge, from a known remote; nothing is learned here.
 */
import { decapsulatedEcn, ECN_INVALID as NO_ECN } from '../encap/ecn.js';
import { VNI_UNKNOWN as NO_PORT } from '../encap/vni-table.js';
import {
  RX_ADDRESS,
  RX_INDEX,
  RX_LENGTH,
  RX_OFFSET,
  RX_TOS,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
  VNET_NEEDS_CSUM,
} from '../port/nic.js';
import { fold, pseudoHeaderSum4, pseudoHeaderSum6 } from '../wire/checksum.js';
import { ETHERNET_HEADER, isMulticastHigh, isZeroMac, sourceHigh, sourceLow } from '../wire/ethernet.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, parseInner } from '../wire/inner.js';
import { ipv4Tos, PROTOCOL_TCP, PROTOCOL_UDP, setIpv4Ecn } from '../wire/ipv4.js';
import { ipv6TrafficClass, setIpv6Ecn } from '../wire/ipv6.js';
import { TCP_CHECKSUM, TCP_HEADER, tcpHeaderLength } from '../wire/tcp.js';
import { UDP_CHECKSUM, UDP_HEADER } from '../wire/udp.js';
import { hasTag } from '../wire/vlan.js';
import { hasVniFlag, reservedBits, VXLAN_HEADER, vni } from '../wire/vxlan.js';
import { NO_TAG } from './batch.js';
import type { Context } from './context.js';
import {
  ECN_INVALID,
  FRAME_TOO_SHORT,
  INNER_VLAN_TAGGED,
  PORT_DOWN,
  SOURCE_IS_OWN,
  SOURCE_MAC_INVALID,
  VNI_UNKNOWN,
  VTEP_UNKNOWN,
  VXLAN_FLAG_MISSING,
  VXLAN_RESERVED_BITS,
  VXLAN_TOO_SHORT,
} from './drop-reasons.js';
import { ANY_VTEP, DROP_RESERVED_BITS, KEEP_INNER_VLAN, UP, VLAN_TUNNEL } from './forwarding.js';
import { allowedIn, classifyVlan } from './ingress-vlan.js';

/** Fills row `frame` of the batch from the descriptor at word `at`. @returns false when the frame was dropped */
export function ingressVxlan(sw: Context, frame: number, at: number): boolean {
  const { batch, forwarding, rx, view } = sw;
  const socket = rx[at + RX_INDEX];
  const datagram = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH] - VXLAN_HEADER;
  const owner = forwarding.socketOwner[socket];
  batch.port[frame] = owner;
  batch.remote[frame] = 0;
  batch.offset[frame] = datagram + VXLAN_HEADER;
  batch.length[frame] = length;
  batch.vnet[frame] = 0;
  batch.gso[frame] = 0;
  batch.csum[frame] = 0;
  batch.gsoHeader[frame] = 0;
  batch.flowKnown[frame] = 0;

  if (length < 0) return refuse(sw, frame, owner, VXLAN_TOO_SHORT);
  if (!hasVniFlag(view, datagram)) return refuse(sw, frame, owner, VXLAN_FLAG_MISSING);
  const found = forwarding.vnis.find(socket, vni(view, datagram));
  if (found === NO_PORT) return refuse(sw, frame, owner, VNI_UNKNOWN);
  const port = found >>> 12;
  const vid = found & 0xfff;
  const flags = forwarding.portFlags[port];
  batch.port[frame] = port;
  if ((flags & UP) === 0) return refuse(sw, frame, port, PORT_DOWN);
  if ((flags & DROP_RESERVED_BITS) !== 0 && reservedBits(view, datagram) !== 0) {
    return refuse(sw, frame, port, VXLAN_RESERVED_BITS);
  }
  const remote = remoteOf(sw, port, flags, at);
  if (remote === 0) return refuse(sw, frame, port, VTEP_UNKNOWN);
  batch.remote[frame] = remote;
  sw.counters.received(port, length);
  sw.counters.receivedFrom(remote, forwarding.tunnels[port].counterOfVlan[vid], length);
  return acceptInner(sw, frame, port, vid, rx[at + RX_TOS]);
}

/** Drops a datagram that no frame was taken from; it still counts as received. */
function refuse(sw: Context, frame: number, port: number, reason: number): false {
  sw.counters.received(port, Math.max(0, sw.batch.length[frame]));
  sw.batch.drop(frame, reason);
  return false;
}

/** The remote that sent the datagram; 0 when the port does not accept it. */
function remoteOf(sw: Context, port: number, flags: number, at: number): number {
  const { forwarding, rx, remotes } = sw;
  const address = at + RX_ADDRESS;
  const known = remotes.find(port, rx[address], rx[address + 1], rx[address + 2], rx[address + 3]);
  if (known !== 0 || (flags & ANY_VTEP) === 0) return known;
  // A VTEP met for the first time. Replies go to the configured port, never to the source port.
  return remotes.admit(port, rx, address, forwarding.tunnels[port].udpPort);
}

/** The inner frame's own checks, its VLAN, and what the tunnel did to its ECN and its checksum. */
function acceptInner(sw: Context, frame: number, port: number, vid: number, outerTos: number): boolean {
  const { batch, forwarding, view } = sw;
  const offset = batch.offset[frame];
  const length = batch.length[frame];
  if (length < ETHERNET_HEADER) return dropped(sw, frame, FRAME_TOO_SHORT);
  const high = sourceHigh(view, offset);
  const low = sourceLow(view, offset);
  if (isMulticastHigh(high) || isZeroMac(high, low)) return dropped(sw, frame, SOURCE_MAC_INVALID);
  if (low === forwarding.portMacLow[port] && high === forwarding.portMacHigh[port]) {
    return dropped(sw, frame, SOURCE_IS_OWN);
  }
  if (!enterVlan(sw, frame, port, vid)) return false;
  parseInner(view, offset, length, sw.layout);
  if ((outerTos & 3) !== 0 && !takeOverEcn(sw, outerTos & 3)) return dropped(sw, frame, ECN_INVALID);
  recogniseUnfinished(sw, frame);
  return true;
}

function dropped(sw: Context, frame: number, reason: number): false {
  sw.batch.drop(frame, reason);
  return false;
}

/** VNI to VLAN: by the table on a `vlan_tunnel` port, by tag and PVID on a port with a single VNI. */
function enterVlan(sw: Context, frame: number, port: number, vid: number): boolean {
  const { batch, forwarding } = sw;
  const flags = forwarding.portFlags[port];
  if ((flags & VLAN_TUNNEL) === 0) return classifyVlan(sw, frame, port);
  if ((flags & KEEP_INNER_VLAN) === 0 && hasTag(sw.view, batch.offset[frame])) {
    return dropped(sw, frame, INNER_VLAN_TAGGED); // RFC 7348 section 6.1
  }
  // A tag that is kept is payload inside the VNI's VLAN, so that it cannot carry the frame into another one.
  batch.tci[frame] = NO_TAG;
  batch.vid[frame] = vid;
  return allowedIn(sw, frame, port, vid);
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
