/** A frame that has come in. It is in its VLAN already. */
export interface Frame {
  /** The port that it came in by. */
  readonly port: string;
  /** MACs in small letters: '02:00:00:00:00:0a'. */
  readonly source: string;
  readonly destination: string;
  readonly vlan: number;
  /** The time in seconds; it never goes back. */
  readonly now: number;
}

/** A port's name: one copy leaves there. 'flood': by all ports but its own. 'drop': none leaves. */
export type Decision = string;

export type decide = (fdb: Map<string, unknown>, frame: Frame) => Decision;
