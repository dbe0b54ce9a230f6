/** What a lab says to its weather process: the plan at its start, and requests at its socket, a line of JSON each. Types and paths only. */
import { join } from 'node:path';
import type { Counts } from './direction.js';
import type { Weather } from './weather.js';

/** A cable's end: a NIC that the process makes, or a stream to the switch that has the port. */
export type CableEnd =
  | {
      readonly form: 'tap';
      readonly netns: string;
      readonly ifname: string;
      readonly mac?: string;
      readonly addresses: readonly string[];
    }
  | { readonly form: 'stream'; readonly socket: string };

export interface CablePlan {
  readonly names: readonly string[];
  readonly ends: readonly [string, string];
  readonly devices: readonly [CableEnd, CableEnd];
  /** Of the frames from the first end, and from the second. */
  readonly weather: readonly [Weather, Weather];
}

export interface WeatherPlan {
  readonly socket: string;
  readonly cables: readonly CablePlan[];
}

export type WeatherRequest =
  | { readonly op: 'show' }
  | {
      readonly op: 'set';
      readonly link: string;
      /** An end; absent: both. */
      readonly from?: string | undefined;
      /** Absent keys stay as they are; with `clear` they go back to their defaults. */
      readonly weather: Partial<Weather>;
      readonly clear: boolean;
    };

export interface DirectionRow {
  readonly link: string;
  readonly from: string;
  readonly to: string;
  readonly weather: Weather;
  /** `waiting` frames are on their way; `undelivered` are those that their device did not take. */
  readonly counts: Counts & { readonly waiting: number; readonly undelivered: number };
}

export interface WeatherAnswer {
  /** What the request was refused for. */
  readonly error?: string;
  readonly rows?: readonly DirectionRow[];
  /** Streams without their switch. */
  readonly unconnected?: number;
}

/** Longest line of a request. */
export const MAX_LINE = 4096;

export const planPath = (folder: string): string => join(folder, 'weather.json');
export const socketPath = (folder: string): string => join(folder, 'weather.sock');
export const logPath = (folder: string): string => join(folder, 'weather.log');
