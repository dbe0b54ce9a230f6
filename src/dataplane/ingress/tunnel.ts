/**
 * A datagram from a remote: the tunnel port and VLAN of its VNI, whether the remote is accepted, and whether the inner frame is
 * valid.
 */
import { VNI_UNKNOWN, vniPort, vniVid } from '../../encap/vni-table.js';
import { RX_ADDRESS, RX_INDEX, RX_LENGTH, RX_OFFSET, RX_TOS } from '../../port/packet-io.js';
import { VXLAN_HEADER, vni } from '../../wire/vxlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { ANY_VTEP, UP } from '../state/forwarding.js';
import { refuseClosedTunnel } from './closed.js';
import { isGeneve, takeGeneveHeader } from './geneve.js';
import { acceptInner, hasReserved } from './inner.js';
import { takeManagement } from './management.js';

/** Fills row `frame` of the batch from the descriptor at word `at`. @returns false when the frame was dropped */
export function ingressTunnel(sw: Context, frame: number, at: number): boolean {
  const { batch, forwarding, rx, view } = sw;
  const socket = rx[at + RX_INDEX];
  const datagram = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH] - VXLAN_HEADER;
  batch.begin(frame, forwarding.socketOwner[socket], datagram + VXLAN_HEADER, length);
  if (length < 0)
    return batch.drop(frame, isGeneve(forwarding, socket) ? REASON.geneve_too_short : REASON.vxlan_too_short);
  if ((view.getUint8(datagram) & forwarding.socketFlag[socket]) === 0) {
    if (!isGeneve(forwarding, socket)) return batch.drop(frame, REASON.vxlan_flag_missing);
    if (!takeGeneveHeader(sw, frame, at)) return false;
  }
  const found = forwarding.vnis.find(forwarding.socketOf[socket], vni(view, datagram));
  if (found === VNI_UNKNOWN) return takeManagement(sw, frame, at);

  const port = vniPort(found);
  const vid = vniVid(found);
  const flags = forwarding.portFlags[port];
  batch.port[frame] = port;
  if ((flags & UP) === 0) return refuseClosedTunnel(sw, frame, at, port, vid);
  if (hasReserved(sw, port, datagram)) return batch.drop(frame, REASON.vxlan_reserved_bits);
  const address = at + RX_ADDRESS;
  const known = sw.remotes.find(port, rx[address], rx[address + 1], rx[address + 2], rx[address + 3]);
  if (known === 0 && (flags & ANY_VTEP) === 0) return dropUnknownVtep(sw, frame, at);
  batch.remote[frame] = known;
  if (!acceptInner(sw, frame, port, vid, rx[at + RX_TOS])) return false;
  // Only an accepted frame makes its VTEP a remote. Replies go to the configured port, never to the source port.
  if (known === 0) {
    batch.remote[frame] = sw.remotes.admit(port, rx, address, forwarding.tunnels[port].udpPort, sw.tick);
    if (batch.remote[frame] === 0) return batch.drop(frame, REASON.vtep_unknown);
  }
  sw.remotes.hear(batch.remote[frame], sw.tick);
  return true;
}

/** Drops a datagram whose source is no remote of the port, and records the source. */
function dropUnknownVtep({ batch, counters, rx, tick, view }: Context, frame: number, at: number): false {
  const dropped = vni(view, rx[at + RX_OFFSET]);
  counters.unknownVteps.met(batch.port[frame], dropped, rx, at + RX_ADDRESS, tick);
  return batch.drop(frame, REASON.vtep_unknown);
}
