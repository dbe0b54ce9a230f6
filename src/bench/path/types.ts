/** Types shared by the files of the whole-path benchmark. */
import type { Prices } from './machine/prices.js';
import type { Shown } from './proof/path.js';

/** A: with all offloads. B: the underlay as a plain NIC. L: local ports, both guests on one switch. P: two machines. */
export type Column = 'A' | 'B' | 'L' | 'P';
/** Address family of the underlay. */
export type Underlay = 'ipv4' | 'ipv6';
export type MeasureGroup = 'tcp' | 'frames' | 'flows' | 'latency' | 'load' | 'ndr' | 'learning';
export type VariantName =
  | 'kernel'
  | 'floor'
  | 'overtap'
  | 'netdev'
  | 'carried'
  | 'ovs'
  | 'ovs-tso'
  | 'mixed'
  | 'workers'
  | 'trains'
  | 'replicating'
  | 'routed'
  | 'routed-kernel'
  | 'large';

/** An address and a TCP port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The parsed command line. */
export interface Options {
  readonly help: boolean;
  /** Two results to compare, instead of a run. */
  readonly compare: readonly [old: string, now: string] | null;
  /** The far end on another machine, and its token. */
  readonly peer: (Endpoint & { readonly token: string }) | null;
  /** To be a far end, at this address, instead of a run. */
  readonly listen: Endpoint | null;
  /** One short round with small tables, which only shows that the benchmark works. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Duration of each measure. */
  readonly seconds: number;
  /** Number of programs that send frames. */
  readonly senders: number;
  readonly only: readonly MeasureGroup[];
  readonly columns: readonly Column[];
  readonly variants: readonly VariantName[];
  readonly underlay: Underlay;
  /** Whether the report compares with the goals of this project. */
  readonly goals: boolean;
  /** The file for JSON; `-` for standard output, null for none. */
  readonly json: string | null;
  /** Whether all measures, columns and variants are selected: such a result is kept. */
  readonly isWhole: boolean;
}

/** One measurement of one variant in one column. */
export interface Turn {
  readonly round: number;
  readonly column: Column;
  readonly variant: VariantName;
  readonly groups: readonly MeasureGroup[];
}

/** Values by the name of the measure (rows.ts). */
export type Values = Record<string, number>;

export interface Sample {
  readonly column: string;
  readonly variant: string;
  readonly measure: string;
  readonly value: number;
}

export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Figures by variant. */
export type Figures = Record<string, Figure>;
/** Figures by column and measure. */
export type Summary = Record<string, Record<string, Figures>>;

export interface Failure {
  readonly round: number;
  readonly column: string;
  readonly variant: string;
  readonly reason: string;
}

/** What carried a measure. */
export interface Path extends Shown {
  readonly round: number;
  readonly column: string;
  readonly variant: string;
  /** The names of its values, joined by commas. */
  readonly measures: string;
}

/** The machine's prices, in nanoseconds (machine/prices.ts); null when there is no compiler to measure them with. */
export interface MachinePrices {
  readonly before: Prices;
  /** Null when the run was interrupted. */
  readonly after: Prices | null;
}

/** The machine and the versions of the tools; null if a tool is not installed. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly load: number;
  readonly node: string;
  readonly iperf3: string | null;
  readonly trafgen: string | null;
  readonly sockperf: string | null;
  readonly ovs: string | null;
  readonly commit: string;
  readonly hasChanges: boolean;
}

export interface Result {
  readonly started: string;
  readonly ended: string;
  readonly isComplete: boolean;
  readonly settings: Omit<
    Options,
    'help' | 'compare' | 'peer' | 'listen' | 'json' | 'isWhole' | 'goals' | 'underlay'
  > & {
    /** Absent in results of older versions. */
    readonly underlay?: Underlay;
    readonly goals?: boolean;
  };
  readonly machine: Machine;
  /** Absent in results of older versions. */
  readonly prices?: MachinePrices | null;
  /** Signs of a busy or unstable machine, as sentences. */
  readonly warnings?: readonly string[];
  readonly summary: Summary;
  readonly failures: readonly Failure[];
  readonly samples: readonly (Sample & { readonly round: number })[];
  /** Absent in results of older versions. */
  readonly paths?: readonly Path[];
}
