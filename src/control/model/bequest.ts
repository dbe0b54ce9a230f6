/**
 * The open device of a port as one process gives it to the next one: its descriptors, and what else that has to know. Plain data;
 * only the kind of the port reads the facts.
 */

export interface Bequest {
  /** JSON. */
  facts: unknown;
  /** They stay open in both processes. */
  fds: number[];
  /** Why the port waits for the rest of its device, such as a peer; absent: it does not. */
  absent?: string;
}

/** A port without its device, and why. */
export interface Absence {
  absent: string;
}

/** Who may change devices that two processes have open. */
export interface Custody {
  /** False until the process that had them before has given them up: then a device is only closed, and nothing about it changed. */
  isOurs: boolean;
}

/** The devices of a former process, by port name. */
export interface Legacy {
  bequests: ReadonlyMap<string, Bequest | Absence>;
  custody: Custody;
}
