/** Dependencies of the labs: how a switch is run and reached, and where states are kept. Types only. */

import type { SwitchClient as ControlClient } from '../../client/client.js';
import type { GuestImage } from '../vm/guest-image.js';

/** The methods of the control socket's client that the labs use. */
export type SwitchClient = Pick<ControlClient, 'get' | 'post' | 'events'>;

/** Dependencies of the labs; tests inject their own. */
export interface LabEnvironment {
  /** The folder with one folder for each lab that is up. */
  readonly root: string;
  /** The command line that runs a switch, without its `-c FILE`. */
  readonly switchCommand: readonly string[];
  connect(socket: string): SwitchClient;
  /**
   * What virtual machines boot.
   * @param print takes a line about what is downloaded
   * @throws LabError LAB_LACKS_TOOL, LAB_COMMAND_FAILED; Interrupted
   */
  image(print: (line: string) => void, signal: AbortSignal | undefined): Promise<GuestImage>;
}
