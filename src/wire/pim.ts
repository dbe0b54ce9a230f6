/**
 * PIM version 2 (RFC 7761 section 4.9), as far as a switch needs it: the hello by which a multicast router announces itself.
 *
 *   bit  0       4       8               16                              31
 *        +-------+-------+---------------+-------------------------------+
 *   0    |version| type  |   reserved    |           checksum            |
 *        +-------+-------+---------------+-------------------------------+
 *
 * Owns this one test; it reads nothing else of the protocol.
 */
import { ipv4Destination } from './ipv4.js';

export const PROTOCOL_PIM = 103;

const PIM_HEADER = 4;
/** Version 2, type 0. */
const HELLO = 0x20;
/** 224.0.0.13 */
const ALL_PIM_ROUTERS = 0xe000000d | 0;

/**
 * Whether a PIM packet is a hello to all PIM routers (Linux `br_multicast_pim`).
 * @param end end of the packet by its IPv4 header
 */
export function isPimHello(view: DataView, l3: number, l4: number, end: number): boolean {
  return end - l4 >= PIM_HEADER && view.getUint8(l4) === HELLO && ipv4Destination(view, l3) === ALL_PIM_ROUTERS;
}
