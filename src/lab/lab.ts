/**
 * The contract between the labs (scenarios/) and the code that brings them up, checks them and takes them down. Types only.
 */
import type { Inspected } from './checks/inspection.js';
import type { LabFile } from './file/lab-file.js';
import type { Daemon } from './setup/daemons.js';
import type { SwitchFiles } from './setup/state.js';
import type { Host } from './setup/topology.js';
import type { WeatherPlan } from './weather/protocol.js';

export interface Lab extends Inspected {
  /** One line of description for `lab list`. */
  readonly summary: string;
  /** The text of the configuration file of a host's switch, written for readers. */
  config(host: Host, files: SwitchFiles): string;
  /** The file that it comes from; absent: it is code. */
  readonly file?: LabFile;
  /** Programs of others beside the switches, in the order in which they start. */
  readonly daemons?: readonly Daemon[];
  /** The links with weather; undefined: none. @param folder of the lab */
  weather?(folder: string): WeatherPlan | undefined;
}
