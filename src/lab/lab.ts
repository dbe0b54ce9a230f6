/**
 * Owns the contract between the labs (scenarios/) and what brings them up, checks them and takes them down. Types only.
 */
import type { Inspected } from './checks/inspection.js';
import type { SwitchFiles } from './setup/state.js';
import type { Host } from './setup/topology.js';

export interface Lab extends Inspected {
  /** One line for `lab list`. */
  readonly summary: string;
  /** The configuration file of a host's switch, written so that a student can read it. */
  config(host: Host, files: SwitchFiles): string;
}
