/**
 * The form of a check word: what `checks` of a lab file may say. A word is a row table, a line for the report, and a proof. It knows
 * guests and hosts by name, never a certain lab, so that other tools (exercises) use the same words.
 */
import type { Rows, Settings } from '../../../config/options/option.js';
import type { Sniffer } from '../../capture/sniffer.js';
import type { Host, Station, Topology } from '../../setup/topology.js';
import type { Seen } from '../findings.js';
import type { Inspection } from '../inspection.js';

/** What a proof works with. */
export interface Place {
  readonly inspection: Inspection;
  readonly topology: Topology;
  /** Without names: all. @throws RangeError for an unknown name, which no valid file has */
  guests(names?: readonly string[]): readonly Station[];
  guest(name: string): Station;
  host(name: string): Host;
  /** The capture of a host's underlay NIC since the checks began. */
  wire(host: string): Sniffer;
}

/** What a key's value names. */
export type Reference = 'guest' | 'host';

export interface CheckWord {
  /** As in the file: `broadcast once`. */
  readonly word: string;
  readonly rows: Rows;
  readonly doc: string;
  /** What stands behind `- `. */
  readonly example: string;
  /** Keys whose values, or items, are names. */
  readonly names: Readonly<Record<string, Reference>>;
  /** The line of the report when the file has no `claim`. */
  claim(args: unknown): string;
  /** Hosts whose wire it looks at. */
  wires(args: unknown, hosts: readonly string[]): readonly string[];
  /** Whether it moves more than captures hold: they end before it. */
  readonly isBulk: boolean;
  /** What is wrong with values that are each valid; undefined: nothing. */
  fault(args: unknown): string | undefined;
  prove(place: Place, args: unknown): Promise<Seen>;
}

/** One item of `checks`. */
export interface CheckOf {
  readonly word: CheckWord;
  readonly args: unknown;
  readonly claim: string;
}

interface Given<R extends Rows> {
  word: string;
  rows: R;
  doc: string;
  example: string;
  names: Readonly<Partial<Record<keyof R & string, Reference>>>;
  claim(args: Settings<R>): string;
  wires?(args: Settings<R>, hosts: readonly string[]): readonly string[];
  isBulk?: boolean;
  fault?(args: Settings<R>): string | undefined;
  prove(place: Place, args: Settings<R>): Promise<Seen>;
}

/** A word; its functions get the values that its rows have. */
export function checkWord<const R extends Rows>(given: Given<R>): CheckWord {
  const { wires = () => [], isBulk = false, fault = () => undefined, ...rest } = given;
  return { ...rest, wires, isBulk, fault } as unknown as CheckWord;
}
