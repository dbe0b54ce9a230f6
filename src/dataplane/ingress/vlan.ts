/**
 * The VLAN in which a frame enters the bridge (Linux `__allowed_ingress`), for frames whose VLAN is in their own bytes: from a
 * local port, or from a tunnel port with a single VNI.
 */
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { hasTag, tci, VLAN_TAG, vidOf } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';

/** Sets the frame's `vid` and `tci`; without VLAN filtering both stay 0 and NO_TAG, and tags are payload. @returns false when the frame was dropped */
export function classifyVlan(sw: Context, frame: number, port: number): boolean {
  const { batch, forwarding, view } = sw;
  if (forwarding.bridgeFiltering[forwarding.portBridge[port]] === 0) return true;
  const offset = batch.offset[frame];
  let vid = 0;
  if (hasTag(view, offset)) {
    if (batch.length[frame] < ETHERNET_HEADER + VLAN_TAG) return batch.drop(frame, REASON.frame_too_short);
    batch.tci[frame] = tci(view, offset);
    vid = vidOf(batch.tci[frame]);
  }
  if (vid === 0) {
    // Untagged, or with a priority tag (VID 0).
    vid = forwarding.portPvid[port];
    if (vid === 0) return batch.drop(frame, REASON.no_pvid);
  }
  return enterVlan(sw, frame, port, vid);
}

/** Sets the frame's `vid`, if the port is a member of that VLAN. @returns false when the frame was dropped */
export function enterVlan({ batch, forwarding }: Context, frame: number, port: number, vid: number): boolean {
  batch.vid[frame] = vid;
  return forwarding.isMember(port, vid) || batch.drop(frame, REASON.vlan_not_allowed);
}
