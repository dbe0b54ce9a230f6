/**
 * The test bed of a turn: namespaces named in advance, programs in sessions of their own, since Ctrl-C is to end the
 * benchmark and not its programs half-way. It knows nothing of cables and switches.
 */
import { sweep as sweepBed, Testbed } from '../../lab/testbed/testbed.js';

const PREFIX = 'otb';

/** Removes what killed runs left behind. */
export function sweep(): Promise<void> {
  return sweepBed(PREFIX);
}

export class Ground extends Testbed {
  /** Ends every wait here. */
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    super(PREFIX, { signal, ownSession: true });
    this.signal = signal;
  }

  /** Makes namespaces. Without IPv6: neighbour discovery and router solicitations would be counted among the frames. */
  async addNamespaces(names: readonly string[]): Promise<void> {
    for (const name of names) await this.addNamespace(name);
  }
}
