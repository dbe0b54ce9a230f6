/** The payload of a datagram of a tunnel port. */
import type { TunnelType } from '../../config/options/kinds.js';
import { encodeGeneve } from '../../wire/geneve.js';
import { encodeVxlan } from '../../wire/vxlan.js';

export function encapsulate(type: TunnelType, vni: number, frame: Uint8Array): Uint8Array {
  return type === 'geneve' ? encodeGeneve(vni, frame) : encodeVxlan(vni, frame);
}
