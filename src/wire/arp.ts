/**
 * ARP for IPv4 over Ethernet (RFC 826), the 28 bytes behind the Ethernet header.
 *
 *   byte 0               2               4       5       6               8
 *        +---------------+---------------+-------+-------+---------------+
 *   0    |  hardware: 1  | protocol: 800 |   6   |   4   |   operation   |
 *        +---------------+---------------+-------+-------+---------------+
 *   8    |              sender's MAC address             |
 *        +-----------------------------------------------+
 *   14   |   sender's IPv4 address       |
 *        +-------------------------------+---------------+
 *   18   |              target's MAC address             |
 *        +-----------------------------------------------+
 *   24   |   target's IPv4 address       |
 *        +-------------------------------+
 *
 * MAC addresses are read with `macHigh` and `macLow` at these offsets. Owns the offsets and the check of the fixed fields. It
 * never answers: suppression decides that.
 */
import { viewOf } from './bytes.js';
import { ETHERTYPE_IPV4, writeMac, writeMacText } from './ethernet.js';
import { addressBytes } from './ip-address.js';

export const ARP_LENGTH = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;
/** Offsets of the MAC addresses. */
export const ARP_SENDER_MAC = 8;
export const ARP_TARGET_MAC = 18;

/** True when `length` bytes at `off` are ARP for IPv4 over Ethernet. The accessors below may be used only then. */
export function isArp4(view: DataView, off: number, length: number): boolean {
  return (
    length >= ARP_LENGTH &&
    view.getUint16(off) === 1 &&
    view.getUint16(off + 2) === ETHERTYPE_IPV4 &&
    view.getUint16(off + 4) === 0x0604
  );
}

/** ARP_REQUEST, ARP_REPLY or another number. */
export function arpOperation(view: DataView, off: number): number {
  return view.getUint16(off + 6);
}

/** Signed 32-bit. */
export function arpSenderAddress(view: DataView, off: number): number {
  return view.getInt32(off + 14);
}

/** Signed 32-bit. */
export function arpTargetAddress(view: DataView, off: number): number {
  return view.getInt32(off + 24);
}

/** Writes a reply of 28 bytes: the sender is the requested address, the target is the requester. */
export function writeArpReply(
  view: DataView,
  off: number,
  senderHigh: number,
  senderLow: number,
  senderAddress: number,
  targetHigh: number,
  targetLow: number,
  targetAddress: number,
): void {
  writeArp(view, off, ARP_REPLY, senderHigh, senderLow, senderAddress, targetHigh, targetLow, targetAddress);
}

/** Writes a request of 28 bytes; one for the sender's own address announces it (RFC 5227 section 2.3). */
export function writeArpRequest(
  view: DataView,
  off: number,
  senderHigh: number,
  senderLow: number,
  senderAddress: number,
  targetAddress: number,
): void {
  writeArp(view, off, ARP_REQUEST, senderHigh, senderLow, senderAddress, 0, 0, targetAddress);
}

function writeArp(
  view: DataView,
  off: number,
  operation: number,
  senderHigh: number,
  senderLow: number,
  senderAddress: number,
  targetHigh: number,
  targetLow: number,
  targetAddress: number,
): void {
  view.setUint16(off, 1);
  view.setUint16(off + 2, ETHERTYPE_IPV4);
  view.setUint16(off + 4, 0x0604);
  view.setUint16(off + 6, operation);
  writeMac(view, off + ARP_SENDER_MAC, senderHigh, senderLow);
  view.setInt32(off + 14, senderAddress);
  writeMac(view, off + ARP_TARGET_MAC, targetHigh, targetLow);
  view.setInt32(off + 24, targetAddress);
}

export interface ArpFields {
  operation: number;
  /** Text form of the addresses. */
  senderMac: string;
  senderAddress: string;
  /** Default 00:00:00:00:00:00, as a request has it. */
  targetMac?: string;
  targetAddress: string;
}

/** Builds the 28 bytes (cold). @throws RangeError when an address cannot be read or is not IPv4 */
export function encodeArp(fields: ArpFields): Uint8Array {
  const bytes = new Uint8Array(ARP_LENGTH);
  const view = viewOf(bytes);
  view.setUint16(0, 1);
  view.setUint16(2, ETHERTYPE_IPV4);
  view.setUint16(4, 0x0604);
  view.setUint16(6, fields.operation);
  writeMacText(view, ARP_SENDER_MAC, fields.senderMac);
  bytes.set(ipv4Bytes(fields.senderAddress), 14);
  writeMacText(view, ARP_TARGET_MAC, fields.targetMac ?? '00:00:00:00:00:00');
  bytes.set(ipv4Bytes(fields.targetAddress), 24);
  return bytes;
}

function ipv4Bytes(text: string): Uint8Array {
  const bytes = addressBytes(text);
  if (bytes.length !== 4) throw new RangeError(`ARP carries IPv4 addresses only, not "${text}"`);
  return bytes;
}
