/**
 * The contract between the labs (scenarios/) and the code that brings them up, checks them and takes them down. Types only.
 */
import type { Inspected } from './checks/inspection.js';
import type { SwitchFiles } from './setup/state.js';
import type { Host } from './setup/topology.js';

export interface Lab extends Inspected {
  /** One line of description for `lab list`. */
  readonly summary: string;
  /** The text of the configuration file of a host's switch, written for readers. */
  config(host: Host, files: SwitchFiles): string;
}
