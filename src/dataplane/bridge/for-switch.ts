/**
 * Group frames that are for the bridge itself: link protocols (01:80:c2:00:00:0x), and loop probes that it has sent. The control
 * thread gets a copy of what it has to know.
 */
import { isLinkLocalReserved } from '../../wire/ethernet.js';
import { isProbeOf, PROBE_HIGH, PROBE_LOW, probeVid } from '../../wire/loop-probe.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { PUNT_BPDU, PUNT_PROBE } from '../state/punt-ring.js';

/** The first two bytes of 01:80:c2:00:00:0x. */
const LINK_HIGH = 0x0180;
/** The rest of 01:80:c2:00:00:00, the address of all bridges. */
const BRIDGES_LOW = 0xc2000000 | 0;

/**
 * Decides about a frame to a group address if it is for the bridge itself. Its VLAN is known.
 * @returns false: it is for others, and goes on
 */
export function isForSwitch(sw: Context, frame: number, high: number, low: number): boolean {
  if (high === LINK_HIGH && isLinkLocalReserved(high, low)) return takeLinkFrame(sw, frame, low);
  return high === PROBE_HIGH && low === PROBE_LOW && takeProbe(sw, frame);
}

/** IEEE 802.1D section 7.12.6: no bridge forwards such a frame, unless `group_fwd_mask` says so. */
function takeLinkFrame(sw: Context, frame: number, low: number): boolean {
  const { batch, forwarding } = sw;
  const port = batch.port[frame];
  if (takeBpdu(sw, frame, LINK_HIGH, low)) return true;
  const mask = forwarding.bridgeGroupFwdMask[forwarding.portBridge[port]] | forwarding.portGroupFwdMask[port];
  if (((mask >>> (low & 0x0f)) & 1) !== 0) return false;
  return !batch.drop(frame, REASON.link_local);
}

/** Takes a BPDU where the bridge is part of a spanning tree. @returns false: it is none, or the bridge takes no part */
export function takeBpdu(sw: Context, frame: number, high: number, low: number): boolean {
  const { batch, forwarding } = sw;
  const isToBridges = high === LINK_HIGH && low === BRIDGES_LOW;
  if (!isToBridges || forwarding.bridgeStp[forwarding.portBridge[batch.port[frame]]] === 0) return false;
  punt(sw, frame, PUNT_BPDU);
  return !batch.drop(frame, REASON.link_local);
}

/**
 * A probe of this bridge has gone round: it ends here. One that comes in another VLAN than it left in is not a loop yet, and goes
 * on, as a frame of the guests would. Probes of other bridges go on too.
 */
function takeProbe(sw: Context, frame: number): boolean {
  const { batch, forwarding, view } = sw;
  const bridge = forwarding.portBridge[batch.port[frame]];
  const offset = batch.offset[frame];
  const id0 = forwarding.bridgeGuard0[bridge];
  const id1 = forwarding.bridgeGuard1[bridge];
  if ((id0 | id1) === 0 || !isProbeOf(view, offset, batch.length[frame], id0, id1)) return false;
  if (probeVid(view, offset) !== batch.vid[frame]) return false;
  punt(sw, frame, PUNT_PROBE);
  return !batch.drop(frame, REASON.loop_blocked);
}

function punt({ batch, controlLimiter, punts, tick, view }: Context, frame: number, kind: number): void {
  const port = batch.port[frame];
  if (!controlLimiter.admits(port, tick)) return;
  punts.push(kind, port, batch.remote[frame], batch.vid[frame], view, batch.offset[frame], batch.length[frame]);
}
