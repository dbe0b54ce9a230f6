/**
 * What the labs need from outside: how a switch is run and reached, and where states are kept. Types only.
 */

import type { SwitchClient as ControlClient } from '../../client/client.js';

/** The switch's client, as far as the labs use it. */
export type SwitchClient = Pick<ControlClient, 'get' | 'post' | 'events'>;

/** What the labs need from outside, so that tests can put something else in its place. */
export interface LabEnvironment {
  /** The folder that holds one folder for each lab that is up. */
  readonly root: string;
  /** Program and first arguments that run a switch; `-c FILE` follows. */
  readonly switchCommand: readonly string[];
  connect(socket: string): SwitchClient;
}
