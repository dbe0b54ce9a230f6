/**
 * A frame from a local port: whether it is valid, and its VLAN.
 */
import {
  LONGEST_FRAME,
  RX_CSUM,
  RX_GSO,
  RX_INDEX,
  RX_LENGTH,
  RX_OFFSET,
  RX_STRANGER,
  RX_VNET,
  VNET_GSO_ECN,
  VNET_GSO_NONE,
  VNET_GSO_TCPV4,
  VNET_GSO_TCPV6,
  VNET_GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '../../port/packet-io.js';
import { ETHERNET_HEADER, etherType } from '../../wire/ethernet.js';
import { isTag, VLAN_TAG } from '../../wire/vlan.js';
import { addressPacket, beginPacket, isFrame } from '../layer3/ingress.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { LAYER3, UP } from '../state/forwarding.js';
import { refuseClosed } from './closed.js';
import { acceptSource } from './source.js';
import { classifyVlan } from './vlan.js';

/**
 * Least payload bytes of a superframe's segment. Linux TCP never goes below 48 bytes with options (TCP_MIN_SND_MSS); without a
 * bound, one write of a guest could become 65,000 packets.
 */
const MIN_SEGMENT = 32;
/** Most segments of a superframe: 64 KiB in segments of 128 bytes. The least host MTU (576) makes 122 segments. */
const MAX_SEGMENTS = 512;

/** Fills row `frame` of the batch from the descriptor at word `at`. @returns false when the frame was dropped */
export function ingressLocal(sw: Context, frame: number, at: number): boolean {
  const { batch, rx } = sw;
  const port = rx[at + RX_INDEX];
  const offset = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH];
  batch.begin(frame, port, offset, length);
  const flags = sw.forwarding.portFlags[port];
  if ((flags & UP) === 0) return refuseClosed(sw, frame, port);
  if (rx[at + RX_STRANGER] !== 0) return batch.drop(frame, REASON.remote_unknown);
  if (length < ETHERNET_HEADER) return batch.drop(frame, REASON.frame_too_short);
  if (length > LONGEST_FRAME) return batch.drop(frame, REASON.frame_too_long);
  const isPacket = (flags & LAYER3) !== 0 && !isFrame(sw, frame);
  if (isPacket && !beginPacket(sw, frame, port)) return false;
  if (!takeOffload(sw, frame, at)) return batch.drop(frame, REASON.offload_invalid);
  if (!acceptSource(sw, frame, port) || !classifyVlan(sw, frame, port)) return false;
  return !isPacket || addressPacket(sw, frame, port);
}

/**
 * Copies the virtio-net words of the descriptor at word `at` into the frame's row, if they are valid for its length.
 * @returns false when they are not valid
 */
export function takeOffload({ batch, rx, view }: Context, frame: number, at: number): boolean {
  const vnet = rx[at + RX_VNET];
  const gso = rx[at + RX_GSO];
  const csum = rx[at + RX_CSUM];
  if (vnet !== 0 && !isValidOffload(vnet, gso, csum, view, rx[at + RX_OFFSET], rx[at + RX_LENGTH])) return false;
  batch.vnet[frame] = vnet;
  batch.gso[frame] = gso;
  batch.csum[frame] = csum;
  return true;
}

/**
 * Whether a virtio-net header stays inside its frame (virtio 1.2 section 5.1.6.2): the checksum field it points to,
 * and a plausible segment size where there is a segmentation type. `hdr_len` is a hint and ignored.
 *
 * The checksum must start behind the first tag: a device that completes it in place would otherwise write a VID of the guest's choice
 * into a frame whose VLAN was checked.
 */
function isValidOffload(
  vnet: number,
  gso: number,
  csum: number,
  view: DataView,
  offset: number,
  length: number,
): boolean {
  const needsChecksum = (vnet & VNET_NEEDS_CSUM) !== 0;
  if (needsChecksum) {
    const start = csum & 0xffff;
    const field = start + (csum >>> 16);
    const headers = isTag(etherType(view, offset)) ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER;
    if (start < headers || field + 2 > length) return false;
  }
  const segmentation = (vnet >>> 8) & 0xff;
  if (segmentation === VNET_GSO_NONE) return true;
  const size = gso & 0xffff;
  if (size < MIN_SEGMENT || length > size * MAX_SEGMENTS) return false;
  return needsChecksum && isSegmentationType(segmentation & ~VNET_GSO_ECN);
}

function isSegmentationType(type: number): boolean {
  return type === VNET_GSO_TCPV4 || type === VNET_GSO_TCPV6 || type === VNET_GSO_UDP_L4;
}
