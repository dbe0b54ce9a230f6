/** What a variant is made of. Types only. */
import type { Program } from '../../lab/testbed/program.js';
import type { LearningSite } from './learning-site.js';
import type { Host, Site } from './site.js';
import type { Column } from './types.js';

/** Puts a switch into a host. @returns the processes whose memory is the switch's */
export type Attach = (site: Site, host: Host) => Promise<Program[]>;
/** Puts a switch that learns into a site. @returns what has it forget all learned addresses */
export type AttachLearning = (site: LearningSite, entries: number) => Promise<() => Promise<unknown>>;

export interface LearningMeasure {
  readonly attach: AttachLearning;
  /** How many addresses are tried at most; the size of the switch's FDB, where it has one. */
  readonly addresses: number;
  /** How exactly their number is searched. */
  readonly step: number;
}

/** What is measured with a variant; a group that is left out is not measured. */
export interface Measures {
  /** Numbers of streams. */
  readonly tcp?: readonly number[];
  readonly frames?: true;
  readonly latency?: true;
  readonly learning?: LearningMeasure;
}

/** A variant: the switches of host 1 and of host 2, the columns that it is measured in, and what is measured. */
export interface Variant {
  readonly switches: readonly Attach[];
  readonly columns: readonly Column[];
  readonly measures: Measures;
}
