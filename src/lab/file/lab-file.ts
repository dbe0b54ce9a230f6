/** The shape of a lab file that was read and found valid. Types only. */
import type { Locator } from '../../config/read/faults.js';
import type { CheckOf } from '../checks/words/word.js';
import type { LinkWeather } from '../weather/weather.js';
import type { Underlay } from './options.js';

/** The configuration of a host's switch as the file gives it. */
export interface GivenSwitch {
  readonly value: unknown;
  /** Its lines in the file, for their comments; without the indentation. */
  readonly text: string;
}

export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly given: GivenSwitch | undefined;
}

export interface LabGuest {
  readonly name: string;
  readonly host: string;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  readonly mac: string | undefined;
  readonly ifname: string | undefined;
  readonly vlan: number | undefined;
  readonly isHost: boolean;
}

export interface LabRoute {
  readonly from: string;
  readonly dev: string;
  readonly to: string;
  readonly via: string;
}

export interface LabFile {
  readonly lab: string;
  readonly summary: string;
  readonly prefix: string;
  readonly underlay: Underlay;
  readonly router: string;
  readonly vni: number;
  readonly hosts: readonly LabHost[];
  readonly guests: readonly LabGuest[];
  readonly routers: readonly string[];
  readonly routes: readonly LabRoute[];
  readonly weather: readonly LinkWeather[];
  readonly drawing: string | undefined;
  readonly checks: readonly CheckOf[];
  readonly locator: Locator;
  /** The whole text. */
  readonly source: string;
}
