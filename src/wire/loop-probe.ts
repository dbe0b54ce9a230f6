/**
 * The loop probe: a frame that a bridge sends out of its ports, and that comes back to it where the network outside has a loop.
 * Other bridges, overtap's among them, flood it as any multicast frame.
 *
 *   byte 0       6      12      14       18        20       22        30       34        38             54       60
 *        +-------+-------+-------+--------+---------+--------+---------+--------+---------+--------------+--------+
 *        | group | source| 0x88b5| "otlp" | version |  VLAN  | bridge  |  port  |  moment | authenticator|  zeros |
 *        +-------+-------+-------+--------+---------+--------+---------+--------+---------+--------------+--------+
 *
 * `bridge` is a random number of the sending bridge; the data path recognises its own probes by it. `port` is a random number of the
 * sending port. `moment` is the sender's clock. The authenticator is a keyed hash of the bytes from "otlp" to `moment`, by a secret
 * that never leaves the sending process: who has not received a probe cannot make one.
 *
 * EtherType 0x88b5 is for local experiments (IEEE 802 section 9.2). Owns the layout; it computes no hash and never checks bounds
 * beyond `isProbe`.
 */
import { viewOf } from './bytes.js';
import { ETHERNET_HEADER, ETHERTYPE_QINQ, ETHERTYPE_VLAN, etherType, writeMac } from './ethernet.js';
import { VLAN_TAG } from './vlan.js';

/** 03:6f:74:6c:70:01, a locally administered group address that bridges forward. */
export const PROBE_HIGH = 0x036f;
export const PROBE_LOW = 0x746c7001;

export const ETHERTYPE_LOCAL_EXPERIMENT = 0x88b5;

const MAGIC = 0x6f746c70;
const VERSION = 1;

// Offsets from the end of the Ethernet header.
const PROBE_VERSION = 4;
const PROBE_VLAN = 6;
const PROBE_BRIDGE = 8;
const PROBE_PORT = 16;
const PROBE_MOMENT = 20;
const PROBE_AUTHENTICATOR = 24;
export const AUTHENTICATOR = 16;
/** Bytes behind the Ethernet header, without padding. */
const PROBE = PROBE_AUTHENTICATOR + AUTHENTICATOR;
/** Length of an untagged probe: the least of Ethernet, without FCS. */
export const PROBE_FRAME = 60;

/** What a probe says. */
export interface Probe {
  /** 0 in a bridge without VLAN filtering. */
  vid: number;
  /** Random number of the bridge, two words. */
  bridge: readonly [number, number];
  /** Random number of the port, 32 bits, not negative. */
  port: number;
  /** Ticks of the sender's clock, 32 bits, not negative. */
  moment: number;
}

/** Offset of the payload of the frame at `off`, whose EtherType may follow a tag of either protocol. */
function payloadAt(view: DataView, off: number): number {
  const type = etherType(view, off);
  return off + ETHERNET_HEADER + (type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ ? VLAN_TAG : 0);
}

/**
 * Whether the frame at `off`, which goes to the group address of probes, is a probe of this bridge; its authenticator is not looked at.
 * Hot: allocates nothing. @param length of the frame, at least ETHERNET_HEADER
 */
export function isProbeOf(view: DataView, off: number, length: number, bridge0: number, bridge1: number): boolean {
  const at = payloadAt(view, off);
  if (at + PROBE > off + length || etherType(view, at - ETHERNET_HEADER) !== ETHERTYPE_LOCAL_EXPERIMENT) return false;
  return (
    view.getInt32(at) === MAGIC &&
    view.getInt32(at + PROBE_BRIDGE) === bridge0 &&
    view.getInt32(at + PROBE_BRIDGE + 4) === bridge1
  );
}

/** The VLAN that a frame recognised by `isProbeOf` was sent in. */
export function probeVid(view: DataView, off: number): number {
  return view.getUint16(payloadAt(view, off) + PROBE_VLAN);
}

/**
 * Builds a probe (cold). Its source MAC is derived from the number of the bridge.
 * @param sign the authenticator of the signed bytes: AUTHENTICATOR bytes
 */
export function encodeProbe(
  { vid, bridge, port, moment }: Probe,
  sign: (signed: Uint8Array) => Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(PROBE_FRAME);
  const view = viewOf(frame);
  const at = ETHERNET_HEADER;
  writeMac(view, 0, PROBE_HIGH, PROBE_LOW);
  // Locally administered, of a single station.
  writeMac(view, 6, 0x0200 | (bridge[0] & 0xff), bridge[1]);
  view.setUint16(12, ETHERTYPE_LOCAL_EXPERIMENT);
  view.setInt32(at, MAGIC);
  view.setUint16(at + PROBE_VERSION, VERSION);
  view.setUint16(at + PROBE_VLAN, vid);
  view.setInt32(at + PROBE_BRIDGE, bridge[0]);
  view.setInt32(at + PROBE_BRIDGE + 4, bridge[1]);
  view.setUint32(at + PROBE_PORT, port);
  view.setUint32(at + PROBE_MOMENT, moment);
  frame.set(sign(frame.subarray(at, at + PROBE_AUTHENTICATOR)), at + PROBE_AUTHENTICATOR);
  return frame;
}

/** The probe in a frame, and its signed bytes and authenticator (cold); null: it is none of this version, or cut short. */
export function decodeProbe(frame: Uint8Array): (Probe & { signed: Uint8Array; authenticator: Uint8Array }) | null {
  if (frame.length < ETHERNET_HEADER + VLAN_TAG) return null;
  const view = viewOf(frame);
  const at = payloadAt(view, 0);
  if (at + PROBE > frame.length || view.getInt32(at) !== MAGIC || view.getUint16(at + PROBE_VERSION) !== VERSION)
    return null;
  return {
    vid: view.getUint16(at + PROBE_VLAN),
    bridge: [view.getInt32(at + PROBE_BRIDGE), view.getInt32(at + PROBE_BRIDGE + 4)],
    port: view.getUint32(at + PROBE_PORT),
    moment: view.getUint32(at + PROBE_MOMENT),
    signed: frame.subarray(at, at + PROBE_AUTHENTICATOR),
    authenticator: frame.subarray(at + PROBE_AUTHENTICATOR, at + PROBE),
  };
}
