/**
 * The row of an option: all facts about one key of the configuration file.
 *
 * Schema (`schema.ts`), the resolved types (`../types.ts`), defaults, the words of `link add` and `link set` (`table.ts`), help,
 * the reference in docs/ and the JSON Schema for editors are all derived from rows. The files beside this one hold the
 * rows, one file for each mapping of the configuration.
 */
import type { z } from 'zod';
import { value } from '../../values/value.js';
import { choice, type Word } from './word.js';

/**
 * What a changed value does to a running switch: `live`, the change takes effect at once; `new port`, the port is closed and
 * opened again; `restart`, the change is refused; `next start`, it is accepted and takes effect at the next start.
 */
export type Change = 'live' | 'new port' | 'restart' | 'next start';

export interface Row<
  S extends z.ZodType = z.ZodType,
  D = unknown,
  F extends Rows | undefined = Rows | undefined,
  Q extends boolean = boolean,
> {
  /** The schema of the file's value by itself; rules across values are in `../rules/`. */
  readonly value: S;
  /** The default; undefined: see `otherwise`. */
  readonly default: D;
  /** The keys of a value that is a mapping. */
  readonly fields: F;
  readonly required: Q;
  /** The items of a list. */
  readonly items: z.ZodType | Rows | undefined;
  /** Description of a default that is not a constant. */
  readonly otherwise: string | undefined;
  /** The words of `link add` and `link set`; output uses the first one. */
  readonly words: readonly Word[];
  readonly change: Change;
  /** Documentation for the reference: one or two sentences of Markdown. */
  readonly doc: string;
}

/** Options by their keys, in the order of the reference. */
export interface Rows {
  readonly [key: string]: Row;
}

interface Facts {
  items?: z.ZodType | Rows;
  otherwise?: string;
  word?: Word | readonly Word[];
  change?: Change;
  doc: string;
}

interface Given<S extends z.ZodType, D, F extends Rows | undefined> extends Facts {
  value: S;
  default?: D;
  fields?: F;
}

/** An optional key. */
export function option<
  S extends z.ZodType,
  const D extends z.output<S> | undefined = undefined,
  F extends Rows | undefined = undefined,
>(given: Given<S, D, F>): Row<S, D, F, false> {
  return { ...row(given), default: given.default as D, fields: given.fields as F, required: false };
}

/** A required key. */
export function required<S extends z.ZodType>(given: Facts & { value: S }): Row<S, undefined, undefined, true> {
  return { ...row(given), default: undefined, fields: undefined, required: true };
}

/** An option with a fixed set of words as values; `link set` takes the same words. */
export function choiceOption<
  const T extends readonly [string, ...string[]],
  const D extends T[number] | undefined = undefined,
>(choices: T, given: Facts & { default?: D }) {
  return option({ word: choice(choices), ...given, value: value.choice(choices), default: given.default as D });
}

function row<S extends z.ZodType>({ value, items, otherwise, word = [], change = 'live', doc }: Facts & { value: S }) {
  const words: readonly Word[] = Array.isArray(word) ? word : [word as Word];
  return { value, items, otherwise, words, change, doc };
}

/** The zod shape of rows. */
export type Shape<R extends Rows> = {
  -readonly [K in keyof R]: R[K]['required'] extends true ? R[K]['value'] : z.ZodOptional<R[K]['value']>;
};

/** The shape of the zod object that takes these keys. */
export function shapeOf<const R extends Rows>(rows: R): Shape<R> {
  const shape = Object.entries(rows).map(([key, one]) => [key, one.required ? one.value : one.value.optional()]);
  return Object.fromEntries(shape) as Shape<R>;
}

type ValueOf<R extends Row> = R['fields'] extends Rows ? Settings<R['fields']> : z.output<R['value']>;

type IsThere<R extends Row> = R['required'] extends true ? true : R['default'] extends undefined ? false : true;

/** Resolved values: keys with a default and required keys are always present. */
export type Settings<R extends Rows> = {
  -readonly [K in keyof R as IsThere<R[K]> extends true ? K : never]: ValueOf<R[K]>;
} & {
  -readonly [K in keyof R as IsThere<R[K]> extends true ? never : K]?: ValueOf<R[K]>;
};

/** The values of the file, completed with defaults. Lists and mappings are shared with the file. */
export function settingsOf<const R extends Rows>(rows: R, given: { readonly [K in keyof R]?: unknown }): Settings<R> {
  const settings: Record<string, unknown> = {};
  for (const key in rows) {
    const value = given[key] ?? ownCopy(rows[key]?.default);
    if (value !== undefined) settings[key] = value;
  }
  return settings as Settings<R>;
}

/** Copies defaults, so that configurations never share a list or a mapping. */
function ownCopy(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value;
}

type Defaults<R extends Rows> = {
  -readonly [K in keyof R as R[K]['default'] extends undefined ? never : K]: R[K]['default'];
};

/** The defaults. */
export function defaultsOf<const R extends Rows>(rows: R): Defaults<R> {
  return settingsOf(rows, {}) as unknown as Defaults<R>;
}

/** Keys whose change has this effect. */
export function keysThat<R extends Rows>(change: Change, rows: R): (keyof R & string)[] {
  return Object.keys(rows).filter((key) => rows[key]?.change === change);
}
