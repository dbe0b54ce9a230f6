/** What is known of a command without loading it. Types only. */

export interface OptionSpec {
  /** As commander writes them: `-c, --config <FILE>`. */
  readonly flags: string;
  readonly text: string;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly fallback?: string;
}

export interface CommandFacts {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  readonly options?: readonly OptionSpec[];
}
