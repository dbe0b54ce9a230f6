/** Parts of the completion scripts that all shells share. Pure. */
import type { Candidate, Shell, Table, Value } from './table.js';

const PLACES: Readonly<Record<Shell, string>> = {
  bash: '/usr/share/bash-completion/completions/overtap, or: source <(overtap completion bash)',
  zsh: '/usr/share/zsh/vendor-completions/_overtap, or: source <(overtap completion zsh)',
  fish: '/usr/share/fish/vendor_completions.d/overtap.fish, or: overtap completion fish | source',
};

/** The comment at the head of a script. */
export function headOf(shell: Shell, comment: string): string {
  return [
    `Completion of overtap for ${shell}: printed by "overtap completion ${shell}" from the tables of its commands.`,
    `Place: ${PLACES[shell]}`,
    'Names of links are those of the running switch, which is asked when they are needed.',
  ]
    .map((line) => `${comment} ${line}\n`)
    .join('');
}

/** Writes a function of a shell that prints, for its argument, the lines that stand under it; it has a case for each key. */
export type LookUp = (name: string, cases: readonly (readonly [key: string, lines: readonly string[]])[]) => string;

/** The tables as functions of a shell. Keys without lines are left out. */
export function lookUps(table: Table, lookUp: LookUp): string[] {
  const of = <T>(name: string, map: ReadonlyMap<string, T>, linesOf: (item: T) => readonly string[]): string =>
    lookUp(
      name,
      [...map].map(([key, item]) => [key, linesOf(item)] as const).filter(([, lines]) => lines.length > 0),
    );
  return [
    '# The words of a context, with what they mean after a tab.',
    of('__overtap_words', table.words, candidates),
    '# The options of a command.',
    of('__overtap_options', table.options, candidates),
    '# The value that follows a word: names to ask for, or words.',
    of('__overtap_value', table.values, (value) => [valueText(value)]),
    '# What else may stand in a context.',
    of('__overtap_rest', table.rests, (value) => [valueText(value)]),
    '# A context by its own spelling; nothing when there is none.',
    of('__overtap_context', allContexts(table), (context) => [context]),
  ];
}

const candidates = (list: readonly Candidate[]): string[] =>
  list.map(({ word, about }) => (about === '' ? word : `${word}\t${about}`));

/** A value as the scripts carry it. */
function valueText(value: Value): string {
  return typeof value === 'string' ? value : `words ${value.words.join(' ')}`;
}

/** Every spelling of a context, with the one that the tables use. */
function allContexts({ words, aliases }: Table): ReadonlyMap<string, string> {
  const own = [...words.keys()].filter((context) => context !== '' && !context.startsWith('link type '));
  return new Map([...own.map((context): [string, string] => [context, context]), ...aliases]);
}
