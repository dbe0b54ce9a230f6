/**
 * Prints link options as words of `link add` and `link set`, and parses them, by the table of `table.ts`. Printed words parse
 * to the same keys and values.
 *
 * Pure. Checks only the form of values; ranges and combinations are checked by the rules of the configuration.
 */
import { shellWord } from '../../text/shell.js';
import { nearest } from '../../values/did-you-mean.js';
import type { LinkType } from './kinds.js';
import {
  GENERIC_KEYS,
  KEYS_WITHOUT_WORDS,
  OPTION_ROWS,
  type OptionRow,
  type OptionScope,
  SLAVE_KEYS,
} from './table.js';
import type { OptionKind } from './word.js';

/** Keys and values of the configuration file; null resets an option to its default. */
export type Options = Record<string, unknown>;

/** A word that cannot be parsed. The message says what to type instead. */
export class WordFault extends Error {
  override readonly name = 'WordFault';
}

/** Resets the option named by the next word to its default. */
const DEFAULT = 'default';

// ---- writing ----

/**
 * `options` as words that may follow `type TYPE`. Keys with commands of their own (`vlans`, `fdb`, `ports`) are skipped.
 * @throws Error for a key that is no option of such a link: a bug of the caller
 */
export function formatOptions(type: OptionScope, options: Options): string[] {
  return Object.entries(options).flatMap(([key, value]) => {
    if (value === undefined || KEYS_WITHOUT_WORDS.includes(key)) return [];
    const row = OPTION_ROWS[type].find((candidate) => candidate.key === key);
    if (row === undefined) throw new Error(`"${key}" is no option of a ${type} link`);
    return value === null ? [DEFAULT, row.word] : formatOption(row, value);
  });
}

function formatOption({ word, kind }: OptionRow, value: unknown): string[] {
  switch (kind.form) {
    case 'switch':
      return [word, value === true ? 'on' : 'off'];
    case 'bit':
      return [word, value === true ? '1' : '0'];
    case 'flag':
      return [value === true ? word : `no${word}`];
    case 'state':
      return [value === true ? word : kind.no];
    case 'number': {
      const name = Object.entries(kind.names ?? {}).find(([, meaning]) => meaning === value)?.[0];
      if (name !== undefined) return [word, name];
      return [word, kind.hex === true && typeof value === 'number' ? `0x${value.toString(16)}` : String(value)];
    }
    case 'pair':
      return [word, ...(value as readonly unknown[]).map(String)];
    case 'list': {
      const items = (value as readonly unknown[]).map(String);
      return [word, items.length === 0 ? 'none' : items.join(',')];
    }
    case 'numbers': {
      const given = Object.entries(value as Options).filter(([, count]) => count !== undefined);
      return [word, ...(given.length === 0 ? ['off'] : given.flatMap(([part, count]) => [part, String(count)]))];
    }
    default:
      return [word, String(value)];
  }
}

/** A change of a link. `master` absent: unchanged; null: no bridge. */
export interface LinkChange {
  readonly options?: Options;
  readonly master?: string | null;
}

/** Words that `link add` and `link set` accept at the position of a name, beside the options. */
export const LINK_WORDS: readonly string[] = ['name', 'dev', 'type', 'master', 'nomaster', DEFAULT];

/** The words of `link add`, in iproute2's order. */
export function formatLinkAdd(name: string, type: LinkType, change: LinkChange = {}): string[] {
  const { generic, further } = split(change.options);
  const before = [...formatOptions(type, generic), ...masterWords(change.master ?? undefined)];
  return ['link', 'add', ...nameWords(name), ...before, 'type', type, ...formatOptions(type, further)];
}

/** The words of one `link set` with all of `change`. */
export function formatLinkSet(name: string, type: LinkType, change: LinkChange): string[] {
  const { generic, further } = split(change.options);
  const words = ['link', 'set', ...nameWords(name), ...formatOptions(type, generic), ...masterWords(change.master)];
  const keys = Object.keys(further).filter((key) => !KEYS_WITHOUT_WORDS.includes(key));
  if (keys.length === 0) return words;
  const scope = type !== 'bridge' && keys.every((key) => SLAVE_KEYS.includes(key)) ? 'bridge_slave' : type;
  return [...words, 'type', scope, ...formatOptions(scope, further)];
}

/** Splits options into those printed before `type` and the others. Resets to a default are printed after it. */
function split(options: Options = {}): { generic: Options; further: Options } {
  const generic: Options = {};
  const further: Options = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (GENERIC_KEYS.includes(key) && value !== null) generic[key] = value;
    else further[key] = value;
  }
  return { generic, further };
}

/** A name that equals a word of the grammar needs a keyword before it. */
const nameWords = (name: string): string[] =>
  LINK_WORDS.includes(name) || OPTION_ROWS.link.some((row) => allWordsOf(row).includes(name)) ? ['dev', name] : [name];

const masterWords = (master: string | null | undefined): string[] =>
  master === undefined ? [] : master === null ? ['nomaster'] : ['master', master];

/** Words as one shell-quoted line. */
export function commandText(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

// ---- reading ----

/** Parses all of `words` as options of a scope. @throws WordFault */
export function parseOptions(scope: OptionScope, words: readonly string[]): Options {
  const options: Options = {};
  for (let at = 0; at < words.length; ) {
    const next = takeOption(scope, words, at, options);
    if (next === undefined) throw unknownWord(scope, words[at] ?? '');
    at = next;
  }
  return options;
}

/**
 * Parses the option at `words[at]` into `into`.
 * @returns the index after it; undefined when the word is no option of the scope
 * @throws WordFault for a missing or malformed value, and for a repeated option
 */
export function takeOption(
  scope: OptionScope,
  words: readonly string[],
  at: number,
  into: Options,
): number | undefined {
  const word = words[at] ?? '';
  if (word === DEFAULT) {
    const name = valueAt(words, at + 1, word, 'OPTION');
    const row = OPTION_ROWS[scope].find((candidate) => allWordsOf(candidate).includes(name));
    if (row === undefined) throw unknownWord(scope, name);
    put(into, row, name, null);
    return at + 2;
  }
  const row = OPTION_ROWS[scope].find((candidate) => allWordsOf(candidate).includes(word));
  if (row === undefined) return undefined;
  const { value, next } = readValue(row, words, at);
  put(into, row, word, value);
  return next;
}

/** The message for a word unknown in a scope. @param others words accepted beside the options */
export function unknownWord(scope: OptionScope, word: string, others: readonly string[] = []): WordFault {
  const typed = typesWith(word).filter((other) => other !== scope);
  if (typed.length > 0) {
    const types = `"type ${typed.join('" or "type ')}"`;
    if (scope === 'link') return new WordFault(`"${word}" is an option of a type; give it after ${types}`);
    return new WordFault(`there is no "${word}" after "type ${scope}"; it is an option of ${types}`);
  }
  const known = [...OPTION_ROWS[scope].flatMap(allWordsOf), ...others];
  const near = nearest(word, known);
  const place = scope === 'link' ? '' : ` after "type ${scope}"`;
  const all = [...usageWords(scope), ...others.map((other) => `[${other}]`)].join(' ');
  const hint = near === undefined ? `it takes ${all}` : `did you mean "${near}"?`;
  return new WordFault(`there is no "${word}"${place}; ${hint}`);
}

/** Scopes of a type that have an option of this word; of an option of all ports the one that serves for all of them. */
function typesWith(word: string): OptionScope[] {
  const has = (scope: OptionScope): boolean => OPTION_ROWS[scope].flatMap(allWordsOf).includes(word);
  const scopes = (Object.keys(OPTION_ROWS) as OptionScope[]).filter((scope) => scope !== 'link' && has(scope));
  return scopes.includes('bridge_slave') ? scopes.filter((one) => one === 'bridge' || one === 'bridge_slave') : scopes;
}

/** The options of a scope, formatted for help: `[ttl N|auto|inherit]`. */
export function usageWords(scope: OptionScope): string[] {
  return OPTION_ROWS[scope].map(({ word, kind, value }) => {
    if (kind.form === 'flag') return `[[no]${word}]`;
    if (kind.form === 'state') return `[${word}|${kind.no}]`;
    if (kind.form === 'text' && kind.none !== undefined) return `[${word} ${value}|${kind.none}]`;
    return `[${word} ${value}]`;
  });
}

/** All words of an option, aliases included. */
export function allWordsOf({ word, aliases = [], kind }: OptionRow): string[] {
  if (kind.form === 'flag') return [word, `no${word}`, ...aliases];
  if (kind.form === 'text' && kind.none !== undefined) return [word, kind.none, ...aliases];
  return kind.form === 'state' ? [word, kind.no, ...aliases] : [word, ...aliases];
}

function put(into: Options, row: OptionRow, word: string, value: unknown): void {
  const earlier = into[row.key];
  if (Array.isArray(earlier) && Array.isArray(value) && row.kind.form === 'list') {
    into[row.key] = [...(earlier as unknown[]), ...(value as unknown[])];
    return;
  }
  // `external vlan_tunnel on` sets the same option by the words of both halves.
  if (earlier !== undefined && earlier !== value)
    throw new WordFault(`"${word}" is one too many: the option has another value already`);
  into[row.key] = value;
}

interface Read {
  readonly value: unknown;
  readonly next: number;
}

function readValue(row: OptionRow, words: readonly string[], at: number): Read {
  const word = words[at] ?? '';
  const { kind } = row;
  if (kind.form === 'state') return { value: word === row.word, next: at + 1 };
  if (kind.form === 'flag') {
    if (word !== row.word) return { value: false, next: at + 1 };
    const told = readBoolean(words[at + 1]);
    return told === undefined ? { value: true, next: at + 1 } : { value: told, next: at + 2 };
  }
  if (kind.form === 'text' && word === kind.none) return { value: null, next: at + 1 };
  const text = valueAt(words, at + 1, word, row.value);
  switch (kind.form) {
    case 'switch':
    case 'bit':
      return { value: right(readBoolean(text), word, 'on or off', text), next: at + 2 };
    case 'number': {
      const name = Object.hasOwn(kind.names ?? {}, text) ? kind.names?.[text] : undefined;
      return { value: name ?? right(readNumber(text), word, row.value, text), next: at + 2 };
    }
    case 'choice': {
      const place = kind.numbered === true ? kind.choices[readNumber(text) ?? -1] : undefined;
      return { value: right(kind.choices.includes(text) ? text : place, word, row.value, text), next: at + 2 };
    }
    case 'list':
      return { value: text === 'none' ? [] : text.split(','), next: at + 2 };
    case 'pair': {
      const second = valueAt(words, at + 2, word, row.value);
      const low = right(readNumber(text), word, row.value, text);
      return { value: [low, right(readNumber(second), word, row.value, second)], next: at + 3 };
    }
    case 'numbers':
      return readParts(row, kind, words, at);
    default:
      return { value: text, next: at + 2 };
  }
}

type Parts = Extract<OptionKind, { form: 'numbers' }>;

/** `storm_limit broadcast 100 multicast 50`: parses as many parts as follow. */
function readParts(row: OptionRow, { parts, bits = [] }: Parts, words: readonly string[], at: number): Read {
  const first = words[at + 1] ?? '';
  if (first === 'off') return { value: {}, next: at + 2 };
  const value: Record<string, number> = {};
  let next = at + 1;
  for (let part = words[next]; part !== undefined && parts.includes(part); part = words[next]) {
    if (part in value) throw new WordFault(`"${row.word} ${part}" is given twice`);
    const text = valueAt(words, next + 1, `${row.word} ${part}`, 'N');
    const isBits = bits.includes(part);
    const what = isBits ? 'bits, such as 10000000 or 10mbit' : 'a number';
    value[part] = right(isBits ? readBits(text) : readNumber(text), `${row.word} ${part}`, what, text);
    next += 2;
  }
  if (next === at + 1) throw new WordFault(`"${row.word}" takes ${row.value}, not "${first}"`);
  return { value, next };
}

function valueAt(words: readonly string[], at: number, word: string, what: string): string {
  const value = words[at];
  if (value === undefined) throw new WordFault(`"${word}" needs a value: ${word} ${what}`);
  if (value === '') throw new WordFault(`"${word}" takes ${what}, not an empty word`);
  return value;
}

function right<T>(value: T | undefined, word: string, what: string, text: string): T {
  if (value === undefined) throw new WordFault(`"${word}" takes ${what}, not "${text}"`);
  return value;
}

function readBoolean(text: string | undefined): boolean | undefined {
  if (text === 'on' || text === '1' || text === 'true') return true;
  return text === 'off' || text === '0' || text === 'false' ? false : undefined;
}

const BIT_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** A number of bits, with the units of tc: `10mbit`, of 1,000,000 bits each. */
function readBits(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+)([kmgt]?)bit$/i.exec(text) ?? [];
  if (digits === '') return readNumber(text);
  const value = Number(digits) * BIT_UNITS[unit.toLowerCase()];
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Decimal, or hexadecimal with 0x. */
function readNumber(text: string): number | undefined {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
