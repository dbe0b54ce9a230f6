/**
 * Mirrors (SPAN): ports that get a copy of what enters or leaves by other ports of their bridge. A frame is selected by port and by VLAN,
 * and is copied to each mirror once, as in Open vSwitch: as it came in, or else as it first left.
 *
 * Copies that are to be made in a batch are noted here, and made at its end (`egress/mirror.ts`). Few and of fixed size: what finds no
 * room is dropped and counted, so a mirror takes nothing from the traffic that it shows.
 */
import { VIDS } from '../../encap/tunnel.js';
import { MAX_PORTS } from './counters.js';

/** Mirrors of a switch: a bit each in a row of the batch. */
export const MAX_MIRRORS = 8;

export const MIRROR_INGRESS = 1;
export const MIRROR_EGRESS = 2;

/** Copies of a batch, and of one while more frames wait than it can take: a share of its frames. */
export const MIRROR_COPIES = 2048;
export const BUSY_SHARE = 4;

// Words of a note: row, index of the mirror, then TX_TAG, TX_VNET, TX_GSO and TX_CSUM of the copy.
export const NOTE_ROW = 0;
export const NOTE_MIRROR = 1;
export const NOTE_TAG = 2;
export const NOTE_VNET = 3;
export const NOTE_GSO = 4;
export const NOTE_CSUM = 5;
export const NOTE_WORDS = 6;

/** A mirror. Plain data, made by the control path. */
export interface Mirror {
  /** The port that the copies leave by. */
  readonly port: number;
  /** MIRROR_* bits. */
  readonly directions: number;
  /** By port: 1, it is mirrored; null: all of the bridge are. */
  readonly ports: Uint8Array | null;
  /** By VID; null: all are. */
  readonly vlans: Uint8Array | null;
}

export class Mirrors {
  list: readonly Mirror[] = [];
  /** By row of the batch: the mirrors that have it already. */
  readonly seen: Uint8Array;
  readonly notes = new Int32Array(MIRROR_COPIES * NOTE_WORDS);
  count = 0;
  /** Copies that the batch may still make. */
  left = 0;
  /** Commands of the present list that were looked at. */
  looked = 0;

  constructor(rows: number) {
    this.seen = new Uint8Array(rows);
  }

  /** Control path. @param directions 0: the port is no mirror @param ports null: all @param vlans null: all */
  set(port: number, directions: number, ports: readonly number[] | null, vlans: readonly number[] | null): void {
    const others = this.list.filter((mirror) => mirror.port !== port);
    this.list = others;
    if (directions === 0) return;
    if (others.length === MAX_MIRRORS) throw new RangeError(`a switch has at most ${MAX_MIRRORS} mirrors`);
    const mirror = { port, directions, ports: bytesOf(ports, MAX_PORTS), vlans: bytesOf(vlans, VIDS) };
    this.list = [...others, mirror];
  }
}

function bytesOf(numbers: readonly number[] | null, size: number): Uint8Array | null {
  if (numbers === null) return null;
  const bytes = new Uint8Array(size);
  for (const number of numbers) bytes[number] = 1;
  return bytes;
}
