/** MACs and IP addresses in attributes. */
import { addressBytes, formatAddress } from '../wire/ip-address.js';
import { NetlinkFault } from './fault.js';

/** @throws NetlinkFault when it has not 6 bytes */
export function macText(value: Buffer): string {
  if (value.length !== 6) throw new NetlinkFault(`a MAC address has 6 bytes, not ${value.length}`);
  return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export const macBytes = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex');

/** @throws NetlinkFault when it has neither 4 nor 16 bytes */
export function ipText(value: Buffer): string {
  if (value.length === 4) return [...value].join('.');
  if (value.length !== 16) throw new NetlinkFault(`an IP address has 4 or 16 bytes, not ${value.length}`);
  return formatAddress(value.readUInt32BE(0), value.readUInt32BE(4), value.readUInt32BE(8), value.readUInt32BE(12));
}

/** 4 bytes, or 16. */
export const ipBytes = (text: string): Buffer => Buffer.from(addressBytes(text));
