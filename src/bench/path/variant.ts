/** The parts of a variant. Types only. */
import type { Program } from '../../lab/testbed/program.js';
import type { LearningSite } from './learning-site.js';
import type { Host, Site } from './site.js';
import type { Column } from './types.js';

/** Starts a switch in a host. @returns its processes */
export type Attach = (site: Site, host: Host) => Promise<Program[]>;
/** Starts a switch in a learning site. @returns a function that deletes all learned entries */
type AttachLearning = (site: LearningSite, entries: number) => Promise<() => Promise<unknown>>;

export interface LearningMeasure {
  readonly attach: AttachLearning;
  /** Maximum number of addresses to try: the size of the switch's FDB, if it has a fixed one. */
  readonly addresses: number;
  /** Precision of the search for the capacity, in addresses. */
  readonly step: number;
}

/** The measures of a variant; a group without a value is not measured. */
export interface Measures {
  /** Numbers of parallel streams. */
  readonly tcp?: readonly number[];
  readonly frames?: true;
  readonly latency?: true;
  readonly learning?: LearningMeasure;
}

/** A variant: the switches of host 1 and host 2, its columns and its measures. Column L uses the first switch only. */
export interface Variant {
  readonly switches: readonly Attach[];
  readonly columns: readonly Column[];
  readonly measures: Measures;
}
