/**
 * Bridge protocol data units of the spanning tree (IEEE 802.1D-2004 clause 9): Configuration and Topology Change Notification BPDUs of
 * STP, Rapid Spanning Tree BPDUs of RSTP. Their frames are of IEEE 802.3, with a length and an LLC header in place of an EtherType.
 *
 *   byte 0                    6        12       14         17
 *        +--------------------+--------+--------+----------+------+
 *        | 01:80:c2:00:00:00  | source | length | 42 42 03 | BPDU |
 *        +--------------------+--------+--------+----------+------+
 *
 *   BPDU 0         2         3      4       5       13     17       25     27    29     31     33      35
 *        +---------+---------+------+-------+-------+------+--------+------+-----+------+------+-------+----------+
 *        | proto 0 | version | type | flags | root  | cost | bridge | port | age | max  | hello| delay | length 0 |
 *        +---------+---------+------+-------+-------+------+--------+------+-----+------+------+-------+----------+
 *
 * A TCN BPDU ends after its type, a Configuration BPDU before the last byte. Times are in 1/256 s. BPDUs of MSTP (version 3) are
 * read as those of RSTP, as clause 9.3.4 has it. Cold.
 */
import { viewOf } from './bytes.js';
import { ETHERNET_HEADER } from './ethernet.js';

const LLC = [0x42, 0x42, 0x03];
const HEADER = ETHERNET_HEADER + LLC.length;
/** Longest value of the length field: more is an EtherType. */
const MOST_LENGTH = 1500;

const TYPE_CONFIG = 0x00;
const TYPE_RST = 0x02;
const TYPE_TCN = 0x80;
const VERSION_RSTP = 2;

const TCN = 4;
const CONFIG = 35;
const RST = 36;
/** Length of every frame: the least of Ethernet, without FCS. */
export const BPDU_FRAME = 60;

const FLAG_TC = 0x01;
const FLAG_PROPOSAL = 0x02;
const ROLE_SHIFT = 2;
const FLAG_LEARNING = 0x10;
const FLAG_FORWARDING = 0x20;
const FLAG_AGREEMENT = 0x40;
const FLAG_TC_ACK = 0x80;

/** Roles by their code in the flags; Alternate stands for Backup too. */
const ROLES = ['unknown', 'alternate', 'root', 'designated'] as const;
export type BpduRole = (typeof ROLES)[number];

/** Parts of a second in a time field. */
const PARTS = 256;

/** Times of a tree, in milliseconds. */
export interface BpduTimes {
  messageAge: number;
  maxAge: number;
  helloTime: number;
  forwardDelay: number;
}

export interface TcnBpdu {
  kind: 'tcn';
}

export interface ConfigBpdu {
  /** `rst`: of RSTP. A `config` has the flags of topology changes only, and its sender is designated. */
  kind: 'config' | 'rst';
  topologyChange: boolean;
  topologyChangeAck: boolean;
  proposal: boolean;
  agreement: boolean;
  learning: boolean;
  forwarding: boolean;
  role: BpduRole;
  /** 16 hexadecimal digits, priority first: in the order of text, the better one is lower. As `bridge`. */
  root: string;
  /** Of the path to the root, 32 bits. */
  cost: number;
  bridge: string;
  /** Identifier of the sending port, priority first. */
  port: number;
  times: BpduTimes;
}

export type Bpdu = TcnBpdu | ConfigBpdu;

/** The BPDU of an untagged frame; null: it is none, or not whole. */
export function decodeBpdu(frame: Uint8Array): Bpdu | null {
  if (frame.length < HEADER + TCN) return null;
  const view = viewOf(frame);
  const field = view.getUint16(12);
  if (field > MOST_LENGTH || ETHERNET_HEADER + field > frame.length) return null;
  if (LLC.some((byte, at) => frame[ETHERNET_HEADER + at] !== byte)) return null;
  const length = field - LLC.length;
  if (length < TCN || view.getUint16(HEADER) !== 0) return null;
  const version = view.getUint8(HEADER + 2);
  const type = view.getUint8(HEADER + 3);
  if (type === TYPE_TCN) return { kind: 'tcn' };
  if (type === TYPE_CONFIG && length >= CONFIG) return readConfig(view, 'config');
  return type === TYPE_RST && version >= VERSION_RSTP && length >= RST ? readConfig(view, 'rst') : null;
}

/** @param view of a frame that holds a Configuration BPDU */
function readConfig(view: DataView, kind: ConfigBpdu['kind']): ConfigBpdu {
  const flags = view.getUint8(HEADER + 4);
  const isRapid = kind === 'rst';
  const has = (flag: number): boolean => isRapid && (flags & flag) !== 0;
  return {
    kind,
    topologyChange: (flags & FLAG_TC) !== 0,
    topologyChangeAck: (flags & FLAG_TC_ACK) !== 0,
    proposal: has(FLAG_PROPOSAL),
    agreement: has(FLAG_AGREEMENT),
    learning: has(FLAG_LEARNING),
    forwarding: has(FLAG_FORWARDING),
    role: isRapid ? ROLES[(flags >>> ROLE_SHIFT) & 3] : 'designated',
    root: readIdentifier(view, HEADER + 5),
    cost: view.getUint32(HEADER + 13),
    bridge: readIdentifier(view, HEADER + 17),
    port: view.getUint16(HEADER + 25),
    times: {
      messageAge: readTime(view, HEADER + 27),
      maxAge: readTime(view, HEADER + 29),
      helloTime: readTime(view, HEADER + 31),
      forwardDelay: readTime(view, HEADER + 33),
    },
  };
}

function readIdentifier(view: DataView, at: number): string {
  const half = (offset: number): string => view.getUint32(offset).toString(16).padStart(8, '0');
  return half(at) + half(at + 4);
}

function readTime(view: DataView, at: number): number {
  return (view.getUint16(at) * 1000) / PARTS;
}

/**
 * The frame of a BPDU, untagged.
 * @param source MAC address of the sender, 12 hexadecimal digits
 */
export function encodeBpdu(bpdu: Bpdu, source: string): Uint8Array {
  const frame = new Uint8Array(BPDU_FRAME);
  const view = viewOf(frame);
  const length = bpdu.kind === 'tcn' ? TCN : bpdu.kind === 'rst' ? RST : CONFIG;
  view.setUint32(0, 0x0180c200);
  view.setUint16(6, Number.parseInt(source.slice(0, 4), 16));
  view.setUint32(8, Number.parseInt(source.slice(4), 16));
  view.setUint16(12, LLC.length + length);
  frame.set(LLC, ETHERNET_HEADER);
  if (bpdu.kind === 'tcn') view.setUint8(HEADER + 3, TYPE_TCN);
  else writeConfig(view, bpdu);
  return frame;
}

function writeConfig(view: DataView, bpdu: ConfigBpdu): void {
  if (bpdu.kind === 'rst') {
    view.setUint8(HEADER + 2, VERSION_RSTP);
    view.setUint8(HEADER + 3, TYPE_RST);
  }
  view.setUint8(HEADER + 4, flagsOf(bpdu));
  writeIdentifier(view, HEADER + 5, bpdu.root);
  view.setUint32(HEADER + 13, bpdu.cost);
  writeIdentifier(view, HEADER + 17, bpdu.bridge);
  view.setUint16(HEADER + 25, bpdu.port);
  const { messageAge, maxAge, helloTime, forwardDelay } = bpdu.times;
  for (const [at, time] of [messageAge, maxAge, helloTime, forwardDelay].entries())
    view.setUint16(HEADER + 27 + 2 * at, Math.min(0xffff, Math.round((time * PARTS) / 1000)));
}

function flagsOf(bpdu: ConfigBpdu): number {
  const changes = (bpdu.topologyChange ? FLAG_TC : 0) | (bpdu.topologyChangeAck ? FLAG_TC_ACK : 0);
  if (bpdu.kind === 'config') return changes;
  return (
    changes |
    (bpdu.proposal ? FLAG_PROPOSAL : 0) |
    (ROLES.indexOf(bpdu.role) << ROLE_SHIFT) |
    (bpdu.learning ? FLAG_LEARNING : 0) |
    (bpdu.forwarding ? FLAG_FORWARDING : 0) |
    (bpdu.agreement ? FLAG_AGREEMENT : 0)
  );
}

function writeIdentifier(view: DataView, at: number, identifier: string): void {
  view.setUint32(at, Number.parseInt(identifier.slice(0, 8), 16));
  view.setUint32(at + 4, Number.parseInt(identifier.slice(8), 16));
}
