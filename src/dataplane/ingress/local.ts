/**
 * A frame from a TAP: is what came in a frame at all, and which VLAN is it in.
 */
import {
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_LENGTH,
  RX_OFFSET,
  RX_VNET,
  VNET_GSO_ECN,
  VNET_GSO_NONE,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../port/nic.js';
import { ETHERNET_HEADER, isMulticastHigh, isZeroMac, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { hasTag, VLAN_TAG } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { UP } from '../state/forwarding.js';
import { classifyVlan } from './vlan.js';

/**
 * Bytes of payload in a superframe's segment, at least. No TCP has less than 48 and its options (TCP_MIN_SND_MSS in Linux), and
 * without a bound one write of a guest could be 65,000 packets.
 */
const LEAST_SEGMENT = 32;
/** Segments of a superframe at most: 64 KiB in pieces of 128 bytes, where the least MTU of a host (576) makes 122. */
const MOST_SEGMENTS = 512;

/** Fills row `frame` of the batch from the descriptor at word `at`. @returns false when the frame was dropped */
export function ingressLocal(sw: Context, frame: number, at: number): boolean {
  const { batch, rx, view } = sw;
  const port = rx[at + RX_INDEX];
  const offset = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH];
  beginFrame(sw, frame, at);

  if ((sw.forwarding.portFlags[port] & UP) === 0) {
    batch.drop(frame, REASON.port_down);
    return false;
  }
  if (length < ETHERNET_HEADER) {
    batch.drop(frame, REASON.frame_too_short);
    return false;
  }
  const headers = hasTag(view, offset) ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER;
  if (!offloadIsValid(batch.vnet[frame], batch.gso[frame], batch.csum[frame], headers, length)) {
    batch.drop(frame, REASON.offload_invalid);
    return false;
  }
  const high = sourceHigh(view, offset);
  if (isMulticastHigh(high) || isZeroMac(high, sourceLow(view, offset))) {
    batch.drop(frame, REASON.source_mac_invalid);
    return false;
  }
  return classifyVlan(sw, frame, port);
}

/** What every row of a TAP's frame begins with; the frame is counted as received. */
export function beginFrame({ batch, counters, rx }: Context, frame: number, at: number): void {
  batch.port[frame] = rx[at + RX_INDEX];
  batch.remote[frame] = 0;
  batch.offset[frame] = rx[at + RX_OFFSET];
  batch.length[frame] = rx[at + RX_LENGTH];
  batch.vnet[frame] = rx[at + RX_VNET];
  batch.gso[frame] = rx[at + RX_GSO];
  batch.csum[frame] = rx[at + RX_CSUM];
  batch.gsoHeader[frame] = 0;
  batch.flowKnown[frame] = 0;
  counters.received(rx[at + RX_INDEX], rx[at + RX_LENGTH]);
}

/**
 * Whether a virtio-net header stays inside its frame (virtio 1.2 section 5.1.6.2): the checksum field it points to,
 * and a sane segment size wherever there is a segmentation type. `hdr_len` is a hint and not looked at.
 *
 * The checksum must begin behind the tag: a device that completes it where it lies would otherwise write a VID of the
 * guest's choosing into a frame whose VLAN has been checked.
 * @param headers bytes of the Ethernet header, its tag included
 */
export function offloadIsValid(vnet: number, gso: number, csum: number, headers: number, length: number): boolean {
  const needsChecksum = (vnet & VNET_NEEDS_CSUM) !== 0;
  if (needsChecksum) {
    const start = csum & 0xffff;
    const field = start + (csum >>> 16);
    if (start < headers || field + 2 > length) return false;
  }
  const segmentation = (vnet >>> 8) & 0xff;
  if (segmentation === VNET_GSO_NONE) return true;
  const size = gso & 0xffff;
  if (size < LEAST_SEGMENT || length > size * MOST_SEGMENTS) return false;
  return needsChecksum && isSegmentationType(segmentation & ~VNET_GSO_ECN);
}

function isSegmentationType(type: number): boolean {
  return type === VNET_GSO_TCPV4 || type === VNET_GSO_TCPV6 || type === VNET_GSO_UDP_L4;
}
