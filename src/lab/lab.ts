/**
 * Owns the contract between the labs (scenarios/) and what brings them up, checks them and takes them down. Types only.
 */
import type { Inspection } from './inspection.js';
import type { SwitchFiles } from './state.js';
import type { Host, Topology } from './topology.js';

export interface Lab {
  readonly name: string;
  /** One line for `lab list`. */
  readonly summary: string;
  readonly topology: Topology;
  /** The configuration file of a host's switch, written so that a student can read it. */
  config(host: Host, files: SwitchFiles): string;
  /** Proves what the lab is there to show. */
  check(inspection: Inspection): Promise<void>;
}

/** The switch's client, as far as the labs use it. */
export interface SwitchClient {
  get<T>(path: string): Promise<T>;
}

/** What the labs need from outside, so that tests can put something else in its place. */
export interface Workshop {
  /** The folder that holds one folder for each lab that is up. */
  readonly root: string;
  /** Program and first arguments that run a switch; `-c FILE` follows. */
  readonly switchCommand: readonly string[];
  connect(socket: string): SwitchClient;
}
