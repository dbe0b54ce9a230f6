/** Parts of the completion scripts that all shells share. Pure. */
import type { Shell, Table, Value } from './table.js';

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

/** A value as the scripts carry it. */
export function valueText(value: Value): string {
  return typeof value === 'string' ? value : `words ${value.words.join(' ')}`;
}

/** Every spelling of a context, with the one that the tables use. */
export function allContexts({ words, aliases }: Table): ReadonlyMap<string, string> {
  const own = [...words.keys()].filter((context) => context !== '' && !context.startsWith('link type '));
  return new Map([...own.map((context): [string, string] => [context, context]), ...aliases]);
}
