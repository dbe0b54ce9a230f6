/**
 * The known flows that this engine has given to the table of flows, and those that may be given to it.
 *
 * A row of ours is in memory that the control thread reads too: which MACs are carried (`fdb show`, `trace`). The engine alone writes it.
 * What is done with it is in `flow/`.
 */
import { COUNT_WORDS, FAR_WORDS, FLOW_SLOTS, FLOW_STAMPS, FLOW_WORDS, type FlowTable } from '../../port/flow-table.js';
import { MAX_PORTS } from './counters.js';

// ---- Words of a row
export const ROW_STATE = 0;
export const ROW_IN = 1;
export const ROW_OUT = 2;
export const ROW_FID = 3;
export const ROW_VID = 4;
export const ROW_FROM_HIGH = 5;
export const ROW_FROM_LOW = 6;
export const ROW_TO_HIGH = 7;
export const ROW_TO_LOW = 8;
/** Bytes of the tag that frames come in with, and of the one that they leave with. */
export const ROW_IN_TAG = 9;
export const ROW_OUT_TAG = 10;
/** Tick of the last frame. */
export const ROW_USED = 11;
/** Frames that were carried, modulo 2^32. */
export const ROW_CARRIED = 12;
/** LOCAL, INTO or OUT_OF a tunnel; and the remote there. */
export const ROW_KIND = 13;
export const ROW_REMOTE = 14;
/** The device of the underlay. */
export const ROW_UNDER = 15;
export const ROW_SHIFT = 4;

// ---- Kinds of a row
export const LOCAL = 0;
export const INTO = 1;
export const OUT_OF = 2;

// ---- States of a row
export const FREE = 0;
export const CARRIED = 1;
/** Out of force: its last frames are counted with the next tick, and then its slot is free. */
export const LEAVING = 2;

// ---- Words of a candidate
export const SEEN_IN = 0;
export const SEEN_OUT = 1;
export const SEEN_VID = 2;
/** 1: frames come in with a tag. */
export const SEEN_TAGGED = 3;
export const SEEN_FROM_HIGH = 4;
export const SEEN_FROM_LOW = 5;
export const SEEN_TO_HIGH = 6;
export const SEEN_TO_LOW = 7;
export const SEEN_FRAMES = 8;
/** Tick from which the frames count. */
export const SEEN_SINCE = 9;
/** Of the tunnel, in or out; 0: none. */
export const SEEN_REMOTE = 10;
/** Tick until which the flow is the engine's: it has trains. */
export const SEEN_BARRED = 11;
/** It was carried, so many frames a tick, and is looked at (`flow/answers.ts`); 0: it is not. */
export const SEEN_LOOKED = 12;
/** Tick until which it is not looked at again, once carried. */
export const SEEN_KEPT = 13;
/** Tick until which it is the engine's, which is sooner. */
export const SEEN_QUICK = 14;
export const SEEN_SHIFT = 4;
/** Ticks for which the frames of a candidate are counted. */
export const SEEN_TICKS = 10;

// ---- Words of a row's last tick
export const LATELY_FRAMES = 0;
export const LATELY_BYTES = 1;
export const LATELY_SHIFT = 1;

const CANDIDATES = 1024;
/** Flows that may become rows in one turn. */
export const MOST_DUE = 32;

/** An interface of a local port whose flows may be carried. */
export interface FlowPort {
  /** Its number in keys. */
  device: number;
  /** The program of its packet sockets. */
  filter: number;
  /** Its index, in its namespace. */
  index: number;
  /** Number of that namespace. */
  place: number;
  /** It is that of the underlay. */
  isHome: boolean;
}

export class Flows {
  readonly rows: Int32Array;
  readonly candidates = new Int32Array(CANDIDATES << SEEN_SHIFT);
  readonly due = new Int32Array(MOST_DUE);
  dueCount = 0;
  /** What rows have carried in the last tick, by slot. */
  readonly lately = new Int32Array(FLOW_SLOTS << LATELY_SHIFT);
  /** Ticks since which frames are in the kernel's devices and none comes out. */
  heldTicks = 0;
  /** Tick of the last count: frames that are counted now came in it. */
  tick = 0;
  /** Rows at and behind it are free. */
  end = 0;
  /** As they were written. */
  readonly written: Int32Array[];
  /** Flows out of tunnels, as they were written. */
  readonly far: Int32Array[];
  /** Descriptors and source ports of sending sockets. */
  readonly senders = new Map<number, { fd: number; port: number }>();
  /** Result of `carries`: the device of the underlay. */
  under = 0;
  /** A firewall or IPsec see datagrams; when that was asked. */
  isWatched = true;
  watchedAt = -1;
  readonly counts = new Int32Array(FLOW_SLOTS * COUNT_WORDS);
  /** As last counted. */
  readonly counted = new Int32Array(FLOW_SLOTS * COUNT_WORDS);
  readonly ports: (FlowPort | undefined)[] = new Array<FlowPort | undefined>(MAX_PORTS).fill(undefined);
  /** Frames were taken from the engine, and carried by nobody: other programs of an interface stop them. Nothing is carried any more. */
  isBroken = false;
  /** It was reported. */
  isTold = false;

  constructor(
    readonly table: FlowTable,
    readonly engine: number,
    readonly memory = flowMemory(),
  ) {
    this.rows = new Int32Array(memory);
    this.written = Array.from({ length: FLOW_SLOTS }, () => new Int32Array(FLOW_WORDS));
    this.far = Array.from({ length: FLOW_SLOTS }, () => new Int32Array(FAR_WORDS));
    table.read(this.counted);
  }

  candidateOf(port: number, fromLow: number, toLow: number, vid: number): number {
    const mixed = Math.imul(fromLow ^ Math.imul(toLow, 0x85ebca6b) ^ (port << 12) ^ vid, 0x9e3779b1);
    return ((mixed ^ (mixed >>> 15)) & (CANDIDATES - 1)) << SEEN_SHIFT;
  }

  /** The place among the candidates where the flow of a row was seen. By now it may be another flow's. */
  seenAt(slot: number): number {
    const { rows } = this;
    const row = slot << ROW_SHIFT;
    return this.candidateOf(rows[row + ROW_IN], rows[row + ROW_FROM_LOW], rows[row + ROW_TO_LOW], rows[row + ROW_VID]);
  }
}

export function flowMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((FLOW_SLOTS << ROW_SHIFT) * 4);
}

/** The place of the stamp of an FDB entry. */
export function stampPlace(high: number, low: number, fid: number): number {
  const mixed = Math.imul(low ^ Math.imul(high ^ Math.imul(fid, 0x27d4eb2f), 0x85ebca6b), 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & (FLOW_STAMPS - 1);
}

/** A flow that is carried, for listings. */
export interface CarriedFlow {
  port: number;
  out: number;
  fid: number;
  fromHigh: number;
  fromLow: number;
  toHigh: number;
  toLow: number;
  frames: number;
}

/** The flows that engines have given to the table. For the control thread. */
export class FlowReader {
  private readonly engines: Int32Array[];

  constructor(memories: readonly SharedArrayBuffer[]) {
    this.engines = memories.map((memory) => new Int32Array(memory));
  }

  list(): CarriedFlow[] {
    const flows: CarriedFlow[] = [];
    for (const rows of this.engines) {
      for (let row = 0; row < rows.length; row += 1 << ROW_SHIFT) {
        if (Atomics.load(rows, row + ROW_STATE) !== CARRIED) continue;
        const flow = {
          ...{ port: rows[row + ROW_IN], out: rows[row + ROW_OUT], fid: rows[row + ROW_FID] },
          ...{ fromHigh: rows[row + ROW_FROM_HIGH], fromLow: rows[row + ROW_FROM_LOW] },
          ...{ toHigh: rows[row + ROW_TO_HIGH], toLow: rows[row + ROW_TO_LOW], frames: rows[row + ROW_CARRIED] >>> 0 },
        };
        if (Atomics.load(rows, row + ROW_STATE) === CARRIED) flows.push(flow);
      }
    }
    return flows;
  }
}
