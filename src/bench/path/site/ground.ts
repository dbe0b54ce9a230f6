/**
 * The test bed of a turn. Its programs run in sessions of their own, so that Ctrl-C reaches only the benchmark, which then
 * ends them. It knows nothing of links and switches.
 */
import { sweep as sweepBed, Testbed } from '../../../lab/testbed/testbed.js';

/** Of everything that a run creates. */
export const PREFIX = 'otb';

/** Removes the remains of killed runs. */
export function sweep(): Promise<void> {
  return sweepBed(PREFIX);
}

export class Ground extends Testbed {
  /** When aborted, every wait of this turn ends. */
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    super(PREFIX, { signal, ownSession: true });
    this.signal = signal;
  }

  /** Creates namespaces without IPv6: its neighbour discovery and router solicitations would be counted as frames. */
  async addNamespaces(names: readonly string[]): Promise<void> {
    for (const name of names) await this.addNamespace(name);
  }
}
