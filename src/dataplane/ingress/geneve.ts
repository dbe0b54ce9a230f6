/**
 * The header of a Geneve datagram (RFC 8926): whether its payload is a frame for the switch. Options are skipped by their length, since
 * the switch understands none.
 *
 * It leaves VNI, port and remote to `tunnel.ts`: those are the same as with VXLAN.
 */
import { VNI_UNKNOWN, vniPort } from '../../encap/vni-table.js';
import { RX_INDEX, RX_OFFSET } from '../../port/packet-io.js';
import {
  GENEVE_VERSION,
  geneveOptions,
  geneveProtocol,
  geneveVersion,
  hasCriticalOption,
  isGeneveControl,
  PROTOCOL_ETHERNET,
} from '../../wire/geneve.js';
import { vni } from '../../wire/vxlan.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { type Forwarding, NO_FLAG } from '../state/forwarding.js';

/** Whether a receiving socket has datagrams of Geneve. */
export function isGeneve({ socketFlag }: Forwarding, socket: number): boolean {
  return socketFlag[socket] === NO_FLAG;
}

/**
 * Takes the header off: the row, which was begun behind eight bytes, begins behind the options. A reason that needs no VNI is counted at
 * the port of the VNI, where there is one.
 * @returns false when the frame was dropped
 */
export function takeGeneveHeader(sw: Context, frame: number, at: number): boolean {
  const { batch, forwarding, rx, view } = sw;
  const datagram = rx[at + RX_OFFSET];
  if (geneveVersion(view, datagram) !== GENEVE_VERSION) return batch.drop(frame, REASON.geneve_version);
  const options = geneveOptions(view, datagram);
  if (options > batch.length[frame]) return batch.drop(frame, REASON.geneve_too_short);
  batch.offset[frame] += options;
  batch.length[frame] -= options;
  const reason = whyNoFrame(view, datagram);
  if (reason < 0) return true;
  const found = forwarding.vnis.find(forwarding.socketOf[rx[at + RX_INDEX]], vni(view, datagram));
  if (found === VNI_UNKNOWN) return batch.drop(frame, REASON.vni_unknown);
  batch.port[frame] = vniPort(found);
  return batch.drop(frame, reason);
}

/** Why the payload is no frame that may be forwarded; -1: it is one. */
function whyNoFrame(view: DataView, datagram: number): number {
  // "Tunnel endpoints MUST NOT forward the payload" (section 3.4, the O bit).
  if (isGeneveControl(view, datagram)) return REASON.geneve_control;
  // "On endpoints where option parsing is not supported, the packet MUST be dropped on the basis of the C bit" (section 3.4).
  if (hasCriticalOption(view, datagram)) return REASON.geneve_critical;
  return geneveProtocol(view, datagram) === PROTOCOL_ETHERNET ? -1 : REASON.geneve_protocol;
}
