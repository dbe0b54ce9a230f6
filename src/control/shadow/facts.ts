/**
 * What happens to a frame in a shadow switch, as its tables and counters meet it: numbers, in the order of the calls. `control/trace`
 * puts them into words.
 */
import type { FdbRow } from '../../fdb/table.js';
import type { NeighRow } from '../../neigh/table.js';

/** Four words, IPv4 mapped. */
export type Words = readonly [number, number, number, number];

export type Fact =
  /** The FDB was asked for a MAC. */
  | { fact: 'entry'; high: number; low: number; fid: number; entry: FdbRow | null }
  /** A source MAC was learned, with an outcome of `fdb/table.ts`. `before` is its entry until then. */
  | {
      fact: 'learned';
      high: number;
      low: number;
      fid: number;
      destination: number;
      before: FdbRow | null;
      outcome: number;
      /** A new entry waits for its authentication (MAB). */
      isLocked?: true;
    }
  | { fact: 'binding'; fid: number; address: Words; binding: NeighRow | null }
  /** An address was claimed, with an outcome of `neigh/outcomes.ts`. */
  | { fact: 'heard'; fid: number; address: Words; high: number; low: number; before: NeighRow | null; outcome: number }
  /** A router's MAC was asked for, and is one. */
  | { fact: 'router'; fid: number; high: number; low: number }
  /** The sender of a datagram was sought: 0, none, or its remote. */
  | { fact: 'remote'; port: number; address: Words; remote: number }
  /** A new VTEP was to be taken in: 0, refused, or its remote. */
  | { fact: 'admitted'; port: number; address: Words; remote: number }
  /** Storm control of a port, which has a limit for the kind of traffic (STORM_*). */
  | { fact: 'storm'; port: number; kind: number; packets: number; passed: boolean }
  /** The limit of a port (POLICE_*) for a frame of so many packets. */
  | { fact: 'police'; port: number; direction: number; bytes: number; packets: number; passed: boolean }
  /** A source's budget for floods refuses: an index into DROP_REASONS. */
  | { fact: 'budget'; source: number; reason: number }
  /** A frame is dropped at its ingress port, or a copy at its egress port, behind so many sent copies. */
  | { fact: 'dropped'; where: 'in' | 'out'; port: number; reason: number; order: number }
  /** The control thread gets a copy of the frame, or a report (PUNT_*). */
  | { fact: 'punt'; kind: number; port: number };

/** Collects the facts about one frame. */
export class Recorder {
  facts: Fact[] = [];
  /** Tables call each other's methods; only what the data path asks is a fact. */
  private depth = 0;

  note(fact: Fact): void {
    this.facts.push(fact);
  }

  /** Carries out `work`, whose own calls are no facts. */
  within<T>(work: () => T): T {
    this.depth++;
    try {
      return work();
    } finally {
      this.depth--;
    }
  }

  get isInside(): boolean {
    return this.depth > 0;
  }
}
