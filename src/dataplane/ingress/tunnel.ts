import { VNI_UNKNOWN as NO_PORT } from '../../encap/vni-table.js';
import { RX_ADDRESS, RX_INDEX, RX_LENGTH, RX_OFFSET, RX_TOS } from '../../port/nic.js';
import { ETHERNET_HEADER, isMulticastHigh, isZeroMac, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { hasVniFlag, reservedBits, VXLAN_HEADER, vni } from '../../wire/vxlan.js';
import { NO_TAG } from '../state/batch.js';
import type { Context } from '../state/context.js';
import { REASON } from '../state/drop-reasons.js';
import { ANY_VTEP, DROP_RESERVED_BITS, UP, VLAN_TUNNEL } from '../state/forwarding.js';
import { takeOverInner } from './decap.js';
import { allowedIn, classifyVlan, isInnerTagRefused } from './vlan.js';

/** Fills row `frame` of the batch from the descriptor at word `at`. @returns false when the frame was dropped */
export function ingressTunnel(sw: Context, frame: number, at: number): boolean {
  const { batch, forwarding, rx, view } = sw;
  const socket = rx[at + RX_INDEX];
  const datagram = rx[at + RX_OFFSET];
  const length = rx[at + RX_LENGTH] - VXLAN_HEADER;
  const owner = forwarding.socketOwner[socket];
  beginDatagram(sw, frame, at);
  batch.port[frame] = owner;
  batch.remote[frame] = 0;

  if (length < 0) return refuse(sw, frame, owner, REASON.vxlan_too_short);
  if (!hasVniFlag(view, datagram)) return refuse(sw, frame, owner, REASON.vxlan_flag_missing);
  const found = forwarding.vnis.find(forwarding.socketOf[socket], vni(view, datagram));
  if (found === NO_PORT) return refuse(sw, frame, owner, REASON.vni_unknown);
  const port = found >>> 12;
  const vid = found & 0xfff;
  const flags = forwarding.portFlags[port];
  batch.port[frame] = port;
  if ((flags & UP) === 0) return refuse(sw, frame, port, REASON.port_down);
  if ((flags & DROP_RESERVED_BITS) !== 0 && reservedBits(view, datagram) !== 0) {
    return refuse(sw, frame, port, REASON.vxlan_reserved_bits);
  }
  const address = at + RX_ADDRESS;
  const known = sw.remotes.find(port, rx[address], rx[address + 1], rx[address + 2], rx[address + 3]);
  if (known === 0 && (flags & ANY_VTEP) === 0) return refuseUnknownVtep(sw, frame, port, at);
  sw.counters.received(port, length);
  if (!acceptInner(sw, frame, port, vid, rx[at + RX_TOS])) return false;
  // A VTEP is only taken in by a frame that is. Replies go to the configured port, never to the source port.
  const remote = known === 0 ? sw.remotes.admit(port, rx, address, forwarding.tunnels[port].udpPort, sw.tick) : known;
  if (remote === 0) return dropped(sw, frame, REASON.vtep_unknown);
  sw.remotes.hear(remote, sw.tick);
  batch.remote[frame] = remote;
  sw.counters.receivedFrom(remote, forwarding.tunnels[port].counterOfVlan[vid], length);
  return true;
}

/** What every datagram's row begins with: where its frame lies, and nothing known of it. */
export function beginDatagram({ batch, rx }: Context, frame: number, at: number): void {
  batch.offset[frame] = rx[at + RX_OFFSET] + VXLAN_HEADER;
  batch.length[frame] = rx[at + RX_LENGTH] - VXLAN_HEADER;
  batch.vnet[frame] = 0;
  batch.gso[frame] = 0;
  batch.csum[frame] = 0;
  batch.gsoHeader[frame] = 0;
  batch.flowKnown[frame] = 0;
}

/** Drops a datagram that no frame was taken from; it still counts as received. */
function refuse(sw: Context, frame: number, port: number, reason: number): false {
  sw.counters.received(port, Math.max(0, sw.batch.length[frame]));
  sw.batch.drop(frame, reason);
  return false;
}

/** Drops a datagram from an address that is no remote of the port, and remembers the address. */
function refuseUnknownVtep(sw: Context, frame: number, port: number, at: number): false {
  const { rx, view } = sw;
  sw.counters.unknownVteps.met(port, vni(view, rx[at + RX_OFFSET]), rx, at + RX_ADDRESS, sw.tick);
  return refuse(sw, frame, port, REASON.vtep_unknown);
}

/** The inner frame's own checks, its VLAN, and what the tunnel did to its ECN and its checksum. */
function acceptInner(sw: Context, frame: number, port: number, vid: number, outerTos: number): boolean {
  const { batch, forwarding, view } = sw;
  const offset = batch.offset[frame];
  const length = batch.length[frame];
  if (length < ETHERNET_HEADER) return dropped(sw, frame, REASON.frame_too_short);
  const high = sourceHigh(view, offset);
  const low = sourceLow(view, offset);
  if (isMulticastHigh(high) || isZeroMac(high, low)) return dropped(sw, frame, REASON.source_mac_invalid);
  if (low === forwarding.portMacLow[port] && high === forwarding.portMacHigh[port]) {
    return dropped(sw, frame, REASON.source_is_own);
  }
  if (!enterVlan(sw, frame, port, vid)) return false;
  return takeOverInner(sw, frame, outerTos);
}

function dropped(sw: Context, frame: number, reason: number): false {
  sw.batch.drop(frame, reason);
  return false;
}

/** VNI to VLAN: by the table on a `vlan_tunnel` port, by tag and PVID on a port with a single VNI. */
function enterVlan(sw: Context, frame: number, port: number, vid: number): boolean {
  const { batch, forwarding } = sw;
  if ((forwarding.portFlags[port] & VLAN_TUNNEL) === 0) return classifyVlan(sw, frame, port);
  if (isInnerTagRefused(sw, port, batch.offset[frame])) return dropped(sw, frame, REASON.inner_vlan_tagged);
  // A tag that is kept is payload inside the VNI's VLAN, so that it cannot carry the frame into another one.
  batch.tci[frame] = NO_TAG;
  batch.vid[frame] = vid;
  return allowedIn(sw, frame, port, vid);
}
