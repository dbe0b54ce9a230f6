/**
 * Datagrams of the management VNI (RFC 8971), which no port carries: BFD packets go to the liveness thread, nothing to a bridge.
 */
import { RX_ADDRESS, RX_INDEX, RX_OFFSET } from '../../port/packet-io.js';
import { bfdLength, findBfd } from '../../wire/bfd-vxlan.js';
import { VXLAN_HEADER, vni } from '../../wire/vxlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';

/** Decides about a datagram whose VNI no port has. It ends here in any case. */
export function takeManagement(sw: Context, frame: number, at: number): false {
  const { batch, forwarding, liveness, rx, view } = sw;
  const socket = forwarding.socketOf[rx[at + RX_INDEX]];
  const datagram = rx[at + RX_OFFSET];
  if (liveness === null || forwarding.managementVni[socket] !== vni(view, datagram))
    return batch.drop(frame, REASON.vni_unknown);
  const bfd = findBfd(view, datagram + VXLAN_HEADER, batch.length[frame]);
  const path = forwarding.managementPath[socket];
  if (bfd >= 0 && liveness.push(path, rx, at + RX_ADDRESS, view, bfd, bfdLength)) sw.wakeLiveness();
  return batch.drop(frame, REASON.management_vni);
}
