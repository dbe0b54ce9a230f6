/** What is known of the program and of a command without loading it: data for parser, completion and man page. */

export interface OptionSpec {
  /** As commander writes them: `-c, --config <FILE>`. */
  readonly flags: string;
  readonly text: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly fallback?: string;
  /** May be given more than once; the values are joined by commas. */
  readonly many?: boolean;
}

export interface CommandFacts {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly options?: readonly OptionSpec[];
}

/** Options before or after any command, beside those for help and version. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: '-s, --control <SOCK>', text: 'control socket of the switch' },
  { flags: '-j, --json', text: 'print listings as JSON' },
  { flags: '-d, --details', text: 'show more: every option of a link, age and moves of an FDB entry' },
  { flags: '-b, --batch <FILE>', text: 'run the commands in FILE, one per line; -: those of standard input' },
  { flags: '--force', text: 'with --batch: go on after a command that failed' },
];
export const HELP_OPTION: OptionSpec = { flags: '-h, --help', text: 'show help' };
export const VERSION_OPTION: OptionSpec = { flags: '-V, --version', text: 'show the version' };
