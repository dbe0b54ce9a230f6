/**
 * Faults of a configuration file: how they are gathered, ordered and shown.
 *
 * Owns the error type that loading throws and the text form of a path. It never judges a value.
 */
import { quote } from '../../values/show.js';

/** Keys and list indices from the top of the file. */
export type Path = readonly (string | number)[];

/** Both count from 1; columns count UTF-16 units. Both are 0 where there is no text. */
export interface Position {
  line: number;
  column: number;
}

export interface ConfigFault extends Position {
  /** Such as bridges.br1.ports.vxlan0.vlans[1].vid. */
  path: string;
  message: string;
}

/**
 * What a sound file may be told of beside: `absent`, what it needs is not there yet, and the port waits for it; `own_address`,
 * a list holds an address of this host, which is left out; `own_tunnel`, the route to a remote leads into the switch itself.
 */
export interface ConfigWarning extends ConfigFault {
  kind: 'absent' | 'own_address' | 'own_tunnel';
}

/** Where a path stands in the text. */
export interface Locator {
  /** Of the value; of the nearest parent's key when the file does not give it. */
  value(path: Path): Position;
  /** Of the key that names the value; of the value when it is a list item. */
  key(path: Path): Position;
}

/** For a value that comes without a text. */
export const NOWHERE: Locator = {
  value: () => ({ line: 0, column: 0 }),
  key: () => ({ line: 0, column: 0 }),
};

/** All faults of one file, at once. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  override readonly name = 'ConfigError';

  constructor(
    readonly fileName: string,
    /** At least one, in the order of the text. */
    readonly faults: readonly ConfigFault[],
    readonly warnings: readonly ConfigWarning[] = [],
  ) {
    super(formatFaults(fileName, inOrder([...faults, ...warnings])));
  }

  /** A line for each fault: FILE:LINE:COLUMN: PATH: message, or PATH: message where there is no text. */
  format(): string {
    return this.message;
  }
}

/** Gathers faults while a file is read. */
export class FaultList {
  private readonly faults: ConfigFault[] = [];
  private readonly warned: ConfigWarning[] = [];

  constructor(private readonly locator: Locator) {}

  /** A fault of the value at `path`, or of its absence. */
  at(path: Path, message: string): void {
    this.add(this.locator.value(path), path, message);
  }

  /** A fault of the key or name at the end of `path`. */
  atKey(path: Path, message: string): void {
    this.add(this.locator.key(path), path, message);
  }

  /** What is said of the value at `path`, and does not make the file wrong. */
  warn(path: Path, kind: ConfigWarning['kind'], message: string): void {
    const { line, column } = this.locator.value(path);
    this.warned.push({ line, column, path: formatPath(path), message, kind });
  }

  get count(): number {
    return this.faults.length;
  }

  /** In the order of the text. */
  get warnings(): ConfigWarning[] {
    return inOrder(this.warned);
  }

  /** All faults, in the order of the text. */
  toError(fileName: string): ConfigError {
    return new ConfigError(fileName, inOrder(this.faults), this.warnings);
  }

  private add(position: Position, path: Path, message: string): void {
    this.faults.push({ line: position.line, column: position.column, path: formatPath(path), message });
  }
}

/** Sorted by position; faults at one place keep the order in which they were found. */
export function inOrder<T extends ConfigFault>(faults: readonly T[]): T[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Writes a path; a key that could be mistaken for several is quoted. The whole file is "(file)". */
export function formatPath(path: Path): string {
  if (path.length === 0) return '(file)';
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${quote(step)}]`;
  }
  return text;
}

/** As `FILE:LINE:COLUMN: PATH: message`; of a warning the message says that it is one. */
export function formatFaults(fileName: string, faults: readonly (ConfigFault | ConfigWarning)[]): string {
  return faults.map((one) => `${place(fileName, one)}${one.path}: ${WORDS[kindOf(one)]}${one.message}`).join('\n');
}

const WORDS = { fault: '', absent: 'warning: ', own_address: 'note: ', own_tunnel: 'warning: ' };

function kindOf(one: ConfigFault | ConfigWarning): keyof typeof WORDS {
  return 'kind' in one ? one.kind : 'fault';
}

function place(fileName: string, { line, column }: Position): string {
  return line === 0 ? '' : `${fileName}:${line}:${column}: `;
}
