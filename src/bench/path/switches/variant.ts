/** The parts of a variant. Types only. */
import type { Program } from '../../../lab/testbed/program.js';
import type { LearningSite } from '../learning/site.js';
import type { Expectation, TunnelCounters } from '../proof/path.js';
import type { Host, Site } from '../site/site.js';
import type { Column } from '../types.js';

/** A switch that runs in a host. */
export interface RunningSwitch {
  /** None for the kernel's. */
  readonly processes: readonly Program[];
  /** Reads what it counted at its tunnel; absent where it cannot be asked. */
  readonly tunnel?: () => Promise<TunnelCounters>;
}

/** Starts a switch in a host. */
export type Attach = (site: Site, host: Host) => Promise<RunningSwitch>;
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
  /** Frames of many flows: 64 bytes, and a mix of lengths. */
  readonly flows?: true;
  readonly latency?: true;
  /** Round trips under load. */
  readonly load?: true;
  /** Rates without loss and with little. */
  readonly ndr?: true;
  readonly learning?: LearningMeasure;
}

/** A variant: the switches of host 1 and host 2, its columns and its measures. Column L uses the first switch only. */
export interface Variant {
  readonly switches: readonly Attach[];
  readonly columns: readonly Column[];
  readonly measures: Measures;
  /** The guests are in two subnets, between which the switches route. */
  readonly isRouted?: boolean;
  /** The way that its traffic is to take in column A. Absent: any way over the underlay and the switches' tunnels. */
  readonly path?: Expectation;
}
