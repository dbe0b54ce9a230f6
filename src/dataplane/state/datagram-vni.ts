/** The VNI of a received datagram, for what is recorded of it: VXLAN and Geneve have it at one place. */
import { RX_INDEX, RX_LENGTH, RX_OFFSET } from '../../port/packet-io.js';
import { hasVniFlag, VXLAN_HEADER, vni } from '../../wire/vxlan.js';
import type { Context } from './context.js';
import { NO_FLAG } from './forwarding.js';

/** @param at word of its descriptor @returns 0 where it has none */
export function datagramVni({ forwarding, rx, view }: Context, at: number): number {
  if (rx[at + RX_LENGTH] < VXLAN_HEADER) return 0;
  const datagram = rx[at + RX_OFFSET];
  const isValid = forwarding.socketFlag[rx[at + RX_INDEX]] === NO_FLAG || hasVniFlag(view, datagram);
  return isValid ? vni(view, datagram) : 0;
}
