/**
 * BFD Control packets (RFC 5880 section 4.1), without authentication.
 *
 *   byte 0        1               2         3       4        8          12           16            20            24
 *        +--------+---------------+---------+-------+--------+----------+------------+-------------+-------------+
 *        |Vers|Dia|Sta|P|F|C|A|D|M| detect  | length|   my   |   your   | desired TX | required RX | required    |
 *        |         |               | mult    |       | discr. |  discr.  | (us)       | (us)        | echo RX (us)|
 *        +--------+---------------+---------+-------+--------+----------+------------+-------------+-------------+
 *
 * Owns the layout and the checks that need no session (section 6.8.6, up to the choice of the session). Allocates nothing.
 */

/** RFC 5881 section 4: single hop. */
export const BFD_PORT = 3784;
/** RFC 5883 section 5: multihop. */
export const BFD_MULTIHOP_PORT = 4784;
/** TTL of single-hop packets, sent and accepted (RFC 5881 section 5). */
export const BFD_TTL = 255;
/** Bytes of a packet without authentication. */
export const BFD_PACKET = 24;
/**
 * Behind a packet, where its Length ends, a probe of the path MTU has 12 bytes that an answer of another overtap repeats: which of the
 * probes it answers. Other implementations do not look there (section 6.8.6 asks for no more than Length bytes).
 */
export const BFD_MARK = 12;
const MARK = 0x4f564d50;
/** The least length of a packet with an authentication section. */
const WITH_AUTHENTICATION = 26;

/** Session states, as on the wire. */
export const ADMIN_DOWN = 0;
export const DOWN = 1;
export const INIT = 2;
export const UP = 3;
export type BfdState = typeof ADMIN_DOWN | typeof DOWN | typeof INIT | typeof UP;

/** Diagnostics (section 4.1). */
export const DIAG_NONE = 0;
export const DIAG_EXPIRED = 1;
export const DIAG_NEIGHBOUR_DOWN = 3;
export const DIAG_PLANE_RESET = 4;
export const DIAG_ADMIN_DOWN = 7;

const VERSION = 1;
const POLL = 0x20;
const FINAL = 0x10;
const AUTHENTICATED = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

/** What a Control packet says. Times in microseconds. */
export interface BfdPacket {
  diag: number;
  state: BfdState;
  poll: boolean;
  final: boolean;
  demand: boolean;
  detectMult: number;
  my: number;
  your: number;
  desiredTx: number;
  requiredRx: number;
  requiredEchoRx: number;
  /** Two words of a probe, or of its answer; absent: both 0. */
  hasMark: boolean;
  mark0: number;
  mark1: number;
}

/** Why a packet is not accepted; names of counters. */
export type BfdFault =
  | 'version'
  | 'length'
  | 'detect_mult'
  | 'multipoint'
  | 'my_discriminator'
  | 'your_discriminator'
  | 'authentication';

export function emptyPacket(): BfdPacket {
  return {
    diag: 0,
    state: DOWN,
    poll: false,
    final: false,
    demand: false,
    detectMult: 1,
    my: 0,
    your: 0,
    desiredTx: 0,
    requiredRx: 0,
    requiredEchoRx: 0,
    hasMark: false,
    mark0: 0,
    mark1: 0,
  };
}

/**
 * Reads the UDP payload of `length` bytes at `off` into `packet`, in the order of RFC 5880 section 6.8.6.
 * @returns why it must be discarded; null: `packet` is filled in
 */
export function decodeBfd(view: DataView, off: number, length: number, packet: BfdPacket): BfdFault | null {
  if (length < BFD_PACKET) return 'length';
  const first = view.getUint8(off);
  const flags = view.getUint8(off + 1);
  const said = view.getUint8(off + 3);
  if (first >>> 5 !== VERSION) return 'version';
  if (said < ((flags & AUTHENTICATED) === 0 ? BFD_PACKET : WITH_AUTHENTICATION) || said > length) return 'length';
  packet.detectMult = view.getUint8(off + 2);
  if (packet.detectMult === 0) return 'detect_mult';
  if ((flags & MULTIPOINT) !== 0) return 'multipoint';
  packet.my = view.getUint32(off + 4);
  if (packet.my === 0) return 'my_discriminator';
  packet.state = (flags >>> 6) as BfdState;
  packet.your = view.getUint32(off + 8);
  if (packet.your === 0 && packet.state > DOWN) return 'your_discriminator';
  if ((flags & AUTHENTICATED) !== 0) return 'authentication';
  packet.diag = first & 0x1f;
  packet.poll = (flags & POLL) !== 0;
  packet.final = (flags & FINAL) !== 0;
  packet.demand = (flags & DEMAND) !== 0;
  packet.desiredTx = view.getUint32(off + 12);
  packet.requiredRx = view.getUint32(off + 16);
  packet.requiredEchoRx = view.getUint32(off + 20);
  packet.hasMark = length >= said + BFD_MARK && view.getUint32(off + said) === MARK;
  packet.mark0 = packet.hasMark ? view.getUint32(off + said + 4) : 0;
  packet.mark1 = packet.hasMark ? view.getUint32(off + said + 8) : 0;
  return null;
}

/** Writes BFD_PACKET bytes at `off`, and with a mark BFD_MARK more. */
export function encodeBfd(view: DataView, off: number, packet: BfdPacket): void {
  view.setUint8(off, (VERSION << 5) | (packet.diag & 0x1f));
  const flags = (packet.poll ? POLL : 0) | (packet.final ? FINAL : 0) | (packet.demand ? DEMAND : 0);
  view.setUint8(off + 1, (packet.state << 6) | flags);
  view.setUint8(off + 2, packet.detectMult);
  view.setUint8(off + 3, BFD_PACKET);
  view.setUint32(off + 4, packet.my);
  view.setUint32(off + 8, packet.your);
  view.setUint32(off + 12, packet.desiredTx);
  view.setUint32(off + 16, packet.requiredRx);
  view.setUint32(off + 20, packet.requiredEchoRx);
  if (!packet.hasMark) return;
  view.setUint32(off + BFD_PACKET, MARK);
  view.setUint32(off + BFD_PACKET + 4, packet.mark0);
  view.setUint32(off + BFD_PACKET + 8, packet.mark1);
}
