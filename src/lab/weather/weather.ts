/** The weather of a link: what may happen to its frames, as settings with bounds, and their words. Nothing here moves a frame. */
import { z } from 'zod';
import { option, required, type Rows } from '../../config/options/option.js';
import { expected } from '../../values/value.js';
import { labValue } from '../values/lab-value.js';

/** Weather of one direction of a link. Times in microseconds, probabilities from 0 to 1, rate in bits a second. */
export interface Weather {
  readonly delay: number;
  readonly jitter: number;
  readonly loss: number;
  readonly reorder: number;
  readonly duplicate: number;
  readonly corrupt: number;
  /** 0: no limit. */
  readonly rate: number;
  /** Frames that may wait. */
  readonly limit: number;
  readonly seed: number;
}

export const CLEAR: Weather = {
  delay: 0,
  jitter: 0,
  loss: 0,
  reorder: 0,
  duplicate: 0,
  corrupt: 0,
  rate: 0,
  limit: 1000,
  seed: 1,
};

/** A line of `weather`, and of `lab weather`: both directions, or the one from an end. */
export interface LinkWeather {
  readonly link: string;
  readonly from: string | undefined;
  readonly weather: Partial<Weather>;
}

const TIME_UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 };
const RATE_UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
/** Bounds of times and rates. */
export const LONGEST_US = 10_000_000;
export const FASTEST = 100e9;

function measure(what: string, units: Readonly<Record<string, number>>, min: number, max: number) {
  const error = expected(what);
  const pattern = new RegExp(`^([0-9]{1,9}(?:\\.[0-9]{1,6})?)(${Object.keys(units).join('|')})$`);
  return z.string({ error }).transform((text, context): number => {
    const [, number = '', unit = ''] = pattern.exec(text) ?? [];
    const value = Math.round(Number(number) * (units[unit] ?? Number.NaN));
    if (number !== '' && value >= min && value <= max) return value;
    context.issues.push({ code: 'custom', message: error({ input: text }), input: text });
    return z.NEVER;
  });
}

const time = measure("a time up to 10s, such as '20ms', '150us' or '1.5s'", TIME_UNITS, 0, LONGEST_US);
const rate = measure("a rate from 8kbit to 100gbit, such as '10mbit'", RATE_UNITS, 8e3, FASTEST);
const percent = (() => {
  const error = expected("a share such as '1%' or '0.05%'");
  return z.string({ error }).transform((text, context): number => {
    const share = /^[0-9]{1,3}(\.[0-9]{1,6})?%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number.NaN;
    if (share >= 0 && share <= 1) return share;
    context.issues.push({ code: 'custom', message: error({ input: text }), input: text });
    return z.NEVER;
  });
})();

/** The settings, by the words of file and command line. */
export const weatherOptions = {
  delay: option({ value: time, otherwise: 'none', doc: 'Time that a frame needs beyond that of the machine.' }),
  jitter: option({
    value: time,
    otherwise: 'none',
    doc: 'Each frame takes up to this much more, evenly distributed. The order is kept: a frame waits for the one before it.',
  }),
  loss: option({ value: percent, otherwise: '`0%`', doc: 'Share of the frames that are lost, each by itself.' }),
  reorder: option({
    value: percent,
    otherwise: '`0%`',
    doc: 'Share of the frames that do not wait, and so overtake those before them. Needs `delay`.',
  }),
  duplicate: option({ value: percent, otherwise: '`0%`', doc: 'Share of the frames that arrive twice.' }),
  corrupt: option({
    value: percent,
    otherwise: '`0%`',
    doc: 'Share of the frames in which one bit behind the Ethernet header is changed.',
  }),
  rate: option({ value: rate, otherwise: 'no limit', doc: 'Bits a second; the Ethernet header counts.' }),
  limit: option({
    value: labValue.whole('a number of frames', 1, 20_000),
    default: CLEAR.limit,
    doc: 'Frames that may wait in one direction, and 16 MiB; further ones are lost as `queue_full`.',
  }),
  seed: option({
    value: labValue.whole('a number', 0, 4_294_967_295),
    default: CLEAR.seed,
    doc: 'Decides what happens to which frame: the same seed, settings and frames give the same losses.',
  }),
} satisfies Rows;

export const linkWeatherOptions = {
  link: required({
    value: z.string({ error: expected('the name of a link') }).max(40, { error: expected('the name of a link') }),
    doc: 'The name of a guest is its cable; that of a host is its cable to the underlay. With `underlay: pair` the one cable has the names of both.',
  }),
  from: option({
    value: labValue.name,
    otherwise: 'both directions',
    doc: 'Only frames from this end: a guest, a host, or `net` for the underlay.',
  }),
  ...weatherOptions,
};

/** A whole weather of given settings. */
export function weatherOf(given: Partial<Weather>, before: Weather = CLEAR): Weather {
  return { ...before, ...given };
}

/** The settings among the values of a mapping. */
export function settingsIn(given: Readonly<Record<string, unknown>>): Partial<Weather> {
  const named = Object.entries(given).filter(([key, value]) => key in weatherOptions && value !== undefined);
  return Object.fromEntries(named) as Partial<Weather>;
}

/** What is wrong with a weather as a whole; undefined: nothing. */
export function weatherFault({ reorder, delay }: Weather): string | undefined {
  return reorder > 0 && delay === 0 ? 'reorder needs a delay: only frames that wait can be overtaken' : undefined;
}

/** As the words that set it; `clear` without any. */
export function weatherText(weather: Weather): string {
  const words: string[] = [];
  for (const key of ['delay', 'jitter'] as const) if (weather[key] > 0) words.push(`${key} ${timeText(weather[key])}`);
  for (const key of ['loss', 'reorder', 'duplicate', 'corrupt'] as const)
    if (weather[key] > 0) words.push(`${key} ${Number((weather[key] * 100).toFixed(6))}%`);
  if (weather.rate > 0) words.push(`rate ${rateText(weather.rate)}`);
  if (weather.limit !== CLEAR.limit) words.push(`limit ${weather.limit}`);
  return words.join(' ') || 'clear';
}

function timeText(us: number): string {
  if (us % 1000 !== 0) return `${us}us`;
  return us % 1_000_000 === 0 ? `${us / 1_000_000}s` : `${us / 1000}ms`;
}

function rateText(bits: number): string {
  for (const unit of ['gbit', 'mbit', 'kbit']) {
    const size = RATE_UNITS[unit] as number;
    if (bits >= size && (bits * 1000) % size === 0) return `${bits / size}${unit}`;
  }
  return `${bits}bit`;
}
