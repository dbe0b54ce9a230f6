/**
 * The VLAN tag of a frame on its way out. The transmit command pushes, pops or replaces it, as a NIC would; the frame's bytes stay in
 * place.
 */
import { TAG_KEEP, TAG_POP, TAG_PUSH, TAG_REPLACE, TAG_SERVICE } from '../../port/packet-io.js';
import { ETHERTYPE_QINQ } from '../../wire/ethernet.js';
import { priorityBits, VLAN_TAG } from '../../wire/vlan.js';
import type { Context } from '../state/context.js';
import { VLAN_TUNNEL } from '../state/forwarding.js';

const TAG_OPERATION = 3 << 16;

/**
 * TX_TAG of a copy that leaves by a port (Linux `br_handle_vlan`, `br_handle_egress_vlan_tunnel`): no change without VLAN filtering;
 * no tag into a `vlan_tunnel` port and where the VLAN is `untagged`; else one tag, of the bridge's `vlan_protocol`, with the VID and the priority that the frame
 * came with.
 */
export function tagOnEgress({ batch, forwarding }: Context, frame: number, port: number): number {
  const tpid = forwarding.bridgeTpid[forwarding.portBridge[port]];
  if (tpid === 0) return TAG_KEEP;
  const vid = batch.vid[frame];
  const tci = batch.tci[frame];
  const isUntagged = (forwarding.portFlags[port] & VLAN_TUNNEL) !== 0 || forwarding.isUntagged(port, vid);
  if (isUntagged) return tci < 0 ? TAG_KEEP : TAG_POP;
  if (tci < 0) return (tpid === ETHERTYPE_QINQ ? TAG_PUSH | TAG_SERVICE : TAG_PUSH) | vid;
  const tag = priorityBits(tci) | vid;
  return tag === tci ? TAG_KEEP : TAG_REPLACE | tag;
}

/** Bytes by which a tag operation makes a frame longer. */
export function tagGrowth(tag: number): number {
  const operation = tag & TAG_OPERATION;
  if (operation === TAG_PUSH) return VLAN_TAG;
  return operation === TAG_POP ? -VLAN_TAG : 0;
}
