/**
 * The VLAN in which a frame enters the bridge (Linux `__allowed_ingress`), for frames whose VLAN is in their own bytes: from a
 * local port, or from a tunnel port with a single VNI.
 */
import { destinationHigh, destinationLow, ETHERNET_HEADER, ETHERTYPE_QINQ, etherType } from '../../wire/ethernet.js';
import { hasTag, tci, VLAN_TAG, vidOf } from '../../wire/vlan.js';
import { takeBpdu } from '../bridge/for-switch.js';
import { learnInClosed } from './learn-in-closed.js';
import { NO_SERVICE_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';

/** Sets the frame's `vid` and `tci`; without VLAN filtering both stay 0 and NO_TAG, and tags are payload. @returns false when the frame was dropped */
export function classifyVlan(sw: Context, frame: number, port: number): boolean {
  const { batch, forwarding, view } = sw;
  const tpid = forwarding.bridgeTpid[forwarding.portBridge[port]];
  if (tpid === 0) return true;
  const offset = batch.offset[frame];
  let vid = 0;
  // A tag of the other protocol is payload.
  if (etherType(view, offset) === tpid) {
    if (batch.length[frame] < ETHERNET_HEADER + VLAN_TAG) return batch.drop(frame, REASON.frame_too_short);
    batch.tci[frame] = tci(view, offset);
    vid = vidOf(batch.tci[frame]);
  } else if (tpid === ETHERTYPE_QINQ) {
    batch.tci[frame] = NO_SERVICE_TAG;
    vid = serviceVid(sw, frame, port);
  }
  if (vid === 0) {
    // Untagged, or with a priority tag (VID 0).
    vid = forwarding.portPvid[port];
    if (vid === 0) return refuseWithoutPvid(sw, frame);
  }
  return enterVlan(sw, frame, port, vid);
}

/** The service VLAN of a frame's customer VLAN by the port's `cvlan_map`; 0: none, so it has the PVID. */
function serviceVid({ batch, forwarding, view }: Context, frame: number, port: number): number {
  const vids = forwarding.serviceVids[port];
  const offset = batch.offset[frame];
  if (vids.length === 0 || batch.length[frame] < ETHERNET_HEADER + VLAN_TAG || !hasTag(view, offset)) return 0;
  return vids[vidOf(tci(view, offset))];
}

/** Sets the frame's `vid`, if the port is a member of that VLAN. @returns false when the frame was dropped */
export function enterVlan(sw: Context, frame: number, port: number, vid: number): boolean {
  sw.batch.vid[frame] = vid;
  return sw.forwarding.isMember(port, vid) || refuseVlan(sw, frame, port, vid);
}

/** Drops a frame of a VLAN that the port is no member of, or whose state lets none pass: in the state `learning` its source is learned. */
function refuseVlan(sw: Context, frame: number, port: number, vid: number): false {
  const { batch, forwarding } = sw;
  if (heardAsBpdu(sw, frame)) return false;
  if (forwarding.learnsInClosed(port, vid)) learnInClosed(sw, frame, port);
  return batch.drop(frame, forwarding.whyNoMember(port, vid));
}

function refuseWithoutPvid(sw: Context, frame: number): false {
  return heardAsBpdu(sw, frame) ? false : sw.batch.drop(frame, REASON.no_pvid);
}

/** BPDUs have no VLAN: a bridge with a spanning tree hears them where no untagged frame may enter, or pass. @returns whether it is one */
function heardAsBpdu(sw: Context, frame: number): boolean {
  const { batch, view } = sw;
  return takeBpdu(sw, frame, destinationHigh(view, batch.offset[frame]), destinationLow(view, batch.offset[frame]));
}
