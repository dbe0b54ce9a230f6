/** Types shared by the files of the whole-path benchmark. */

/** A: with all offloads. B: the underlay as a plain NIC. L: local ports, both guests on one switch. */
export type Column = 'A' | 'B' | 'L';
export type MeasureGroup = 'tcp' | 'frames' | 'latency' | 'learning';
export type VariantName =
  | 'kernel'
  | 'overtap'
  | 'netdev'
  | 'ovs'
  | 'mixed'
  | 'workers'
  | 'trains'
  | 'replicating'
  | 'large';

/** The parsed command line. */
export interface Options {
  readonly help: boolean;
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
  readonly settings: Omit<Options, 'help' | 'json' | 'isWhole'>;
  readonly machine: Machine;
  readonly summary: Summary;
  readonly failures: readonly Failure[];
  readonly samples: readonly (Sample & { readonly round: number })[];
}
