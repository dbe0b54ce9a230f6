/**
 * 802.1Q tag (IEEE 802.1Q clause 9): four bytes between the source address and the type of the frame.
 *
 *   byte 12               14                            16                18
 *        +----------------+-----+---+-------------------+-----------------+---------
 *        |     0x8100     | PCP |DEI|        VID        |  type of frame  | payload
 *        +----------------+-----+---+-------------------+-----------------+---------
 *          TPID, 16 bits    3    1          12 bits
 *                         |<--------- TCI ------------->|
 *
 * A service tag (802.1ad) has 0x88a8 as TPID, and another tag behind it, or the payload.
 *
 * Owns the tag's offsets and the parts of the TCI. It never moves bytes: transmit commands push and pop tags.
 */
import { concatBytes, viewOf } from './bytes.js';
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN } from './ethernet.js';

export const VLAN_TAG = 4;

const TPID = 12;
const TCI = 14;
const INNER_TYPE = 16;

/** True when the frame carries an 802.1Q tag. Reads bytes 12 and 13 only. */
export function hasTag(view: DataView, frameOff: number): boolean {
  return view.getUint16(frameOff + TPID) === ETHERTYPE_VLAN;
}

/** Whether an EtherType is that of a tag: of 802.1Q or of 802.1ad. */
export function isTag(type: number): boolean {
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ;
}

/** Priority, drop eligibility and VID of a tagged frame of at least 16 bytes. */
export function tci(view: DataView, frameOff: number): number {
  return view.getUint16(frameOff + TCI);
}

/** Type field behind the tag, of a tagged frame of at least 18 bytes. */
export function taggedEtherType(view: DataView, frameOff: number): number {
  return view.getUint16(frameOff + INNER_TYPE);
}

/** VID of a TCI, 0 to 4095. 0 means "priority only", 4095 is reserved. */
export function vidOf(tci: number): number {
  return tci & 0x0fff;
}

/** PCP and DEI of a TCI, in place, so that `priorityBits(tci) | vid` is a TCI. */
export function priorityBits(tci: number): number {
  return tci & 0xf000;
}

/** The payload of an Ethernet frame of type 0x8100: TCI, type and what follows (cold). */
export function encodeVlan(tci: number, etherType: number, payload: Uint8Array): Uint8Array {
  const tag = new Uint8Array(VLAN_TAG);
  const view = viewOf(tag);
  view.setUint16(0, tci);
  view.setUint16(2, etherType);
  return concatBytes(tag, payload);
}
