/** Whether a datagram and its inner frame are valid, and the VLAN of the frame: of an open tunnel port, and of one that a loop has closed. */
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { hasTag } from '../../wire/vlan.js';
import { reservedBits } from '../../wire/vxlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { DROP_RESERVED_BITS, VLAN_TUNNEL } from '../state/forwarding.js';
import { decapsulate } from './decap.js';
import { acceptSource } from './source.js';
import { classifyVlan, enterVlan } from './vlan.js';

/** Whether a bit is set that the port's `reserved_bits` names. */
export function hasReserved({ forwarding, view }: Context, port: number, datagram: number): boolean {
  if ((forwarding.portFlags[port] & DROP_RESERVED_BITS) === 0) return false;
  const { reservedHigh, reservedLow } = forwarding.tunnels[port];
  return reservedBits(view, datagram, reservedHigh, reservedLow) !== 0;
}

/** The checks of the inner frame, its VLAN, its ECN and its checksum. @returns false when the frame was dropped */
export function acceptInner(sw: Context, frame: number, port: number, vid: number, outerTos: number): boolean {
  const { batch } = sw;
  if (batch.length[frame] < ETHERNET_HEADER) return batch.drop(frame, REASON.frame_too_short);
  return acceptSource(sw, frame, port) && enterVlanOfVni(sw, frame, port, vid) && decapsulate(sw, frame, outerTos);
}

/** VNI to VLAN: by the port's map on a `vlan_tunnel` port, by tag and PVID on a port with a single VNI. */
function enterVlanOfVni(sw: Context, frame: number, port: number, vid: number): boolean {
  const { batch, forwarding } = sw;
  if ((forwarding.portFlags[port] & VLAN_TUNNEL) === 0) return classifyVlan(sw, frame, port);
  if (forwarding.refusesInnerTag(port) && hasTag(sw.view, batch.offset[frame])) {
    return batch.drop(frame, REASON.inner_vlan_tagged);
  }
  // A tag that is kept is payload inside the VNI's VLAN, so it cannot move the frame to another VLAN.
  return enterVlan(sw, frame, port, vid);
}
