/**
 * Forms of option words on the command line: the iproute2 word and its argument.
 *
 * Data only. `table.ts` collects the words of all options; `words.ts` parses and prints them.
 */

export type OptionKind =
  /** WORD on, WORD off. */
  | { readonly form: 'switch' }
  /** WORD 1, WORD 0: the same, in the bridge's own style. */
  | { readonly form: 'bit' }
  /** WORD or noWORD; WORD on and WORD off too. */
  | { readonly form: 'flag' }
  /** WORD N, or a name for a value. `hex`: printed as 0x8. */
  | { readonly form: 'number'; readonly hex?: true; readonly names?: Readonly<Record<string, number | string>> }
  /** WORD TEXT; NONE without a value: the default. */
  | { readonly form: 'text'; readonly none?: string }
  /** WORD ONE-OF-THESE. `numbered`: also by its place, from 0. */
  | { readonly form: 'choice'; readonly choices: readonly string[]; readonly numbered?: true }
  /** WORD A or WORD A,B or WORD more than once; WORD none: the empty list. */
  | { readonly form: 'list' }
  /** WORD LOW HIGH. */
  | { readonly form: 'pair' }
  /** WORD followed by any of these names, each with a number; WORD off: none. Those of `bits` may have a unit (`10mbit`). */
  | { readonly form: 'numbers'; readonly parts: readonly string[]; readonly bits?: readonly string[] }
  /** Two words without a value: the first means true, the second false. */
  | { readonly form: 'state'; readonly no: string };

export interface Word {
  /** Absent: the key of the option. */
  readonly word?: string | undefined;
  /** Alternative spellings, accepted on input only. */
  readonly aliases?: readonly string[];
  readonly kind: OptionKind;
  /** The argument, as shown in help. */
  readonly value: string;
  /** Printed before `type`, as in iproute2; accepted after it as well. */
  readonly generic?: true;
}

export const onOff = (word?: string, ...aliases: string[]): Word => ({
  word,
  aliases,
  kind: { form: 'switch' },
  value: 'on|off',
});

export const bit = (): Word => ({ kind: { form: 'bit' }, value: '0|1' });

export const flag = (word?: string): Word => ({ word, kind: { form: 'flag' }, value: '' });

export const number = (value = 'N'): Word => ({ kind: { form: 'number' }, value });

export const hex = (value: string, names?: Readonly<Record<string, number | string>>): Word => ({
  kind: { form: 'number', hex: true, ...(names === undefined ? {} : { names }) },
  value: [value, ...Object.keys(names ?? {})].join('|'),
});

/** A number, or one of `names` for fixed values. */
export const numberOr = (names: Readonly<Record<string, number | string>>): Word => ({
  kind: { form: 'number', names },
  value: ['N', ...Object.keys(names)].join('|'),
});

export const text = (value: string, word?: string, ...aliases: string[]): Word => ({
  word,
  aliases,
  kind: { form: 'text' },
  value,
});

/** As `text`, with a word that takes the value away. */
export const textOrNone = (value: string, none: string): Word => ({ kind: { form: 'text', none }, value });

export const list = (value: string, ...aliases: string[]): Word => ({ aliases, kind: { form: 'list' }, value });

export const choice = (choices: readonly string[]): Word => ({
  kind: { form: 'choice', choices },
  value: choices.join('|'),
});

/** As `choice`; the place of a word, from 0, stands for it. */
export const numbered = (choices: readonly string[]): Word => ({
  kind: { form: 'choice', choices, numbered: true },
  value: choices.join('|'),
});

export const pair = (value: string): Word => ({ kind: { form: 'pair' }, value });

/** Any of `parts`, each followed by a number. */
export const numbers = (parts: readonly string[], bits: readonly string[] = []): Word => ({
  kind: { form: 'numbers', parts, bits },
  value: `off|${parts.map((part) => `[${part} ${bits.includes(part) ? 'BITS' : 'N'}]`).join(' ')}`,
});

export const state = (yes: string, no: string): Word => ({ word: yes, kind: { form: 'state', no }, value: '' });

export const generic = (word: Word): Word => ({ ...word, generic: true });
