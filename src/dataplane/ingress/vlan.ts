/**
 * The VLAN a frame enters the bridge in (SEMANTICS "The bridge"; Linux `__allowed_ingress`). For frames that bring
 * their VLAN along in their bytes: from a TAP, or from a vxlan port with a single VNI.
 */
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { hasTag, tci, VLAN_TAG, vidOf } from '../../wire/vlan.js';
import { NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { KEEP_INNER_VLAN, MEMBER, VLAN_TUNNEL } from '../state/forwarding.js';

/** Sets the frame's `vid` and `tci`. @returns false when the frame was dropped */
export function classifyVlan(sw: Context, frame: number, port: number): boolean {
  const { batch, forwarding, view } = sw;
  batch.tci[frame] = NO_TAG;
  batch.vid[frame] = 0;
  if (forwarding.bridgeFiltering[forwarding.portBridge[port]] === 0) return true; // tags are payload

  const offset = batch.offset[frame];
  let vid = 0;
  if (hasTag(view, offset)) {
    if (batch.length[frame] < ETHERNET_HEADER + VLAN_TAG) {
      batch.drop(frame, REASON.frame_too_short);
      return false;
    }
    batch.tci[frame] = tci(view, offset);
    vid = vidOf(batch.tci[frame]);
  }
  if (vid === 0) {
    // Untagged, or tagged for its priority only.
    vid = forwarding.portPvid[port];
    if (vid === 0) {
      batch.drop(frame, REASON.no_pvid);
      return false;
    }
  }
  batch.vid[frame] = vid;
  return allowedIn(sw, frame, port, vid);
}

/** Whether the port is a member of the VLAN; drops the frame if not. */
export function allowedIn(sw: Context, frame: number, port: number, vid: number): boolean {
  if ((sw.forwarding.vlans[(port << 12) | vid] & MEMBER) !== 0) return true;
  sw.batch.drop(frame, REASON.vlan_not_allowed);
  return false;
}

/**
 * Whether an inner frame may not be tagged on this vxlan port, and is (RFC 7348 section 6.1: neither sent nor taken in). On a
 * port that maps VLANs to VNIs a tag of 802.1Q, one that says a priority only among them; 802.1ad is payload.
 * @param at where the frame begins as it is in the tunnel
 */
export function isInnerTagRefused({ forwarding, view }: Context, port: number, at: number): boolean {
  return (forwarding.portFlags[port] & (VLAN_TUNNEL | KEEP_INNER_VLAN)) === VLAN_TUNNEL && hasTag(view, at);
}
