/**
 * The grammar of iproute2: words in any order, most of them followed by a value (`dev PORT vlan VID`).
 * It parses words and numbers, independent of their meaning.
 */
import { nearest } from '../values/did-you-mean.js';
import { UsageError } from './errors.js';

/** One word that a command understands. */
export interface WordRule {
  /** As typed. */
  readonly word: string;
  /** Where the result is kept; words that mean the same share one key. */
  readonly key: string;
  /** Name of the value that follows, as help shows it. Without it the word is its own value (`dynamic`). */
  readonly value?: string;
  /** May be given more than once. */
  readonly many?: boolean;
}

export interface Grammar {
  /** The command as typed, for messages: `fdb show`. */
  readonly command: string;
  readonly rules: readonly WordRule[];
  /** Key for the word that no rule knows, such as the LINK of `link show LINK`, and its name in help. */
  readonly rest?: { readonly key: string; readonly value: string };
}

/** Grammars by subcommand. */
export type Grammars = Readonly<Record<string, Grammar>>;

export type Words = ReadonlyMap<string, readonly string[]>;

/** Sorts `words` by the grammar's keys. @throws UsageError on a word it does not know, a missing or a repeated value */
export function parseWords(grammar: Grammar, words: readonly string[]): Words {
  const found = new Map<string, string[]>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const rule = grammar.rules.find((candidate) => candidate.word === word);
    const key = rule?.key ?? restKey(grammar, word);
    const earlier = found.get(key);
    if (earlier !== undefined && rule?.many !== true) {
      throw new UsageError(`"${grammar.command}": "${word}" is one too many; ${hint(grammar, word)}`);
    }
    let value = word;
    if (rule?.value !== undefined) {
      i++;
      if (i >= words.length)
        throw new UsageError(`"${grammar.command}": "${word}" needs a value: ${word} ${rule.value}`);
      value = words[i] as string;
    }
    if (earlier === undefined) found.set(key, [value]);
    else earlier.push(value);
  }
  return found;
}

function restKey(grammar: Grammar, word: string): string {
  if (grammar.rest === undefined) {
    throw new UsageError(`"${grammar.command}" does not know "${word}"; ${hint(grammar, word)}`);
  }
  return grammar.rest.key;
}

/** The closest known word, otherwise all of them. */
function hint(grammar: Grammar, word: string): string {
  const words = grammar.rules.map((rule) => rule.word);
  const near = words.includes(word) ? undefined : nearest(word, words);
  return near === undefined ? takes(grammar) : `did you mean "${near}"?`;
}

function takes(grammar: Grammar): string {
  const parts = grammar.rules.map((rule) =>
    rule.value === undefined ? `[${rule.word}]` : `[${rule.word} ${rule.value}]`,
  );
  if (grammar.rest !== undefined) parts.push(`[${grammar.rest.value}]`);
  return `it takes ${parts.join(' ')}`;
}

/** The single value kept under `key`. */
export function one(words: Words, key: string): string | undefined {
  return words.get(key)?.[0];
}

/** The single value kept under `key`. @param example the command as it would be right */
export function required(grammar: Grammar, words: Words, key: string, what: string, example: string): string {
  const value = one(words, key);
  if (value === undefined) throw new UsageError(`"${grammar.command}" needs ${what}: ${example}`);
  return value;
}

/** The value under `key` as a whole number from `min` to `max`. @throws UsageError when it is none */
export function integer(words: Words, key: string, min: number, max: number): number | undefined {
  const text = one(words, key);
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new UsageError(`"${key}" takes a number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

/** The subcommands of a command such as `fdb`. The first of `here` is meant when no word is given. */
export interface Subcommands {
  readonly command: string;
  readonly here: readonly string[];
  /** Other spellings: `list` for `show`. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** What iproute2 also takes for `show`. */
export const SHOW_ALIASES: Readonly<Record<string, string>> = { list: 'show', lst: 'show', ls: 'show' };

/**
 * The subcommand that `word` names in full or by an unambiguous beginning (`sh`, `tunnel`).
 * @throws UsageError when there is none or more than one
 */
export function subcommand(family: Subcommands, word: string | undefined): string {
  if (word === undefined) return family.here[0] as string;
  const aliases = family.aliases ?? {};
  const known = [...family.here, ...Object.keys(aliases), 'help'];
  const spellings = known.includes(word) ? [word] : known.filter((name) => word !== '' && name.startsWith(word));
  const meant = [...new Set(spellings.map((name) => aliases[name] ?? name))];
  const commands = family.here.map((name) => `"overtap ${family.command} ${name}"`).join(', ');
  if (meant.length === 0) throw new UsageError(`"${family.command}" has no command "${word}"; there is ${commands}`);
  if (meant.length > 1) {
    throw new UsageError(`"${family.command} ${word}" is ambiguous: ${meant.join(', ')}`);
  }
  return meant[0] as string;
}
