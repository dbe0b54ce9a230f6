/**
 * Frames to the device of a layer-3 port: only IP packets for its host, without the Ethernet header, which the PacketIo leaves away.
 * ARP and neighbour discovery end here, since the engine speaks them for the host.
 */
import { TAG_KEEP, TAG_POP } from '../../port/packet-io.js';
import {
  destinationHigh,
  destinationLow,
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  isMulticastHigh,
} from '../../wire/ethernet.js';
import { IPV4_HEADER, ipVersion } from '../../wire/ipv4.js';
import { IPV6_HEADER } from '../../wire/ipv6.js';
import { looksLikeNd } from '../../wire/nd.js';
import { VLAN_TAG } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { ALLOWED } from '../state/may-forward.js';

/** Why a frame does not enter the device: a drop reason, or ALLOWED. @param tag TX_TAG of the copy; a device has no tags */
export function whyNotToHost({ batch, layer3, view }: Context, frame: number, port: number, tag: number): number {
  const host = layer3.of[port];
  if (host === undefined) return REASON.port_down;
  if (tag !== TAG_KEEP && tag !== TAG_POP) return REASON.not_layer3;
  const offset = batch.offset[frame];
  const l3 = offset + ETHERNET_HEADER + (tag === TAG_POP ? VLAN_TAG : 0);
  const length = offset + batch.length[frame] - l3;
  if (length < 1) return REASON.frame_too_short;
  const high = destinationHigh(view, offset);
  const isForHost = isMulticastHigh(high) || (high === host.macHigh && destinationLow(view, offset) === host.macLow);
  switch (view.getUint16(l3 - 2)) {
    case ETHERTYPE_ARP:
      return REASON.suppressed;
    case ETHERTYPE_IPV4:
      if (length < IPV4_HEADER) return REASON.frame_too_short;
      return isForHost && ipVersion(view, l3) === 4 ? ALLOWED : REASON.not_layer3;
    case ETHERTYPE_IPV6:
      if (length < IPV6_HEADER) return REASON.frame_too_short;
      if (looksLikeNd(view, l3, length)) return REASON.suppressed;
      return isForHost && ipVersion(view, l3) === 6 ? ALLOWED : REASON.not_layer3;
    default:
      return REASON.not_layer3;
  }
}
