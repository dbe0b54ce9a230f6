/**
 * Faults of a configuration file: collection, order and text form.
 *
 * Defines the error type of loading and the text form of a path. Never judges a value.
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
 * A finding that does not make a file invalid. `absent`: a device, namespace or address does not exist yet, and the port waits for
 * it; `own_address`: a list contains an address of this host, which is left out; `own_tunnel`: the route to a remote leads into
 * the switch itself; `contradiction`: two settings cut some guest off.
 */
export interface ConfigWarning extends ConfigFault {
  kind: 'absent' | 'own_address' | 'own_tunnel' | 'contradiction';
}

/** Position of a path in the text. */
export interface Locator {
  /** Position of the value, or of the nearest parent's key when the file does not give it. */
  value(path: Path): Position;
  /** Position of the value's key; of the value itself for a list item. */
  key(path: Path): Position;
}

/** For a value without a text. */
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
    /** At least one, in text order. */
    readonly faults: readonly ConfigFault[],
    /** In text order. */
    readonly warnings: readonly ConfigWarning[] = [],
  ) {
    super(formatFaults(fileName, [...faults, ...warnings]));
  }

  /** One line for each fault, then one for each warning: FILE:LINE:COLUMN: PATH: message, or PATH: message without a text. */
  format(): string {
    return this.message;
  }
}

/** Collects the faults of a file. */
export class FaultList {
  private readonly faults: ConfigFault[] = [];
  private readonly warned: ConfigWarning[] = [];

  constructor(private readonly locator: Locator) {}

  /** Reports a fault of the value at `path`, or of its absence. */
  at(path: Path, message: string): void {
    this.add(this.locator.value(path), path, message);
  }

  /** Reports a fault of the key or name at the end of `path`. */
  atKey(path: Path, message: string): void {
    this.add(this.locator.key(path), path, message);
  }

  /** Reports a warning about the value at `path`. */
  warn(path: Path, kind: ConfigWarning['kind'], message: string): void {
    const { line, column } = this.locator.value(path);
    this.warned.push({ line, column, path: formatPath(path), message, kind });
  }

  /**
   * Reports the absence of something that a later command may add: a fault in a file, a warning without a text, where the
   * document is that of a running switch.
   */
  missing(path: Path, message: string): void {
    if (this.locator === NOWHERE) this.warn(path, 'absent', message);
    else this.at(path, message);
  }

  get count(): number {
    return this.faults.length;
  }

  /** In text order. */
  get warnings(): ConfigWarning[] {
    return inOrder(this.warned);
  }

  /** All faults, in text order. */
  toError(fileName: string): ConfigError {
    return new ConfigError(fileName, inOrder(this.faults), this.warnings);
  }

  private add(position: Position, path: Path, message: string): void {
    this.faults.push({ line: position.line, column: position.column, path: formatPath(path), message });
  }
}

/** Sorted by position; faults at the same position keep their order of discovery. */
export function inOrder<T extends ConfigFault>(faults: readonly T[]): T[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Formats a path; ambiguous keys are quoted. The whole file is "(file)". */
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

/** As `FILE:LINE:COLUMN: PATH: message`; the text of a warning is marked as such. */
export function formatFaults(fileName: string, faults: readonly (ConfigFault | ConfigWarning)[]): string {
  return faults.map((one) => `${place(fileName, one)}${one.path}: ${WORDS[kindOf(one)]}${one.message}`).join('\n');
}

const WORDS = {
  fault: '',
  absent: 'warning: ',
  own_address: 'note: ',
  own_tunnel: 'warning: ',
  contradiction: 'warning: ',
};

function kindOf(one: ConfigFault | ConfigWarning): keyof typeof WORDS {
  return 'kind' in one ? one.kind : 'fault';
}

function place(fileName: string, { line, column }: Position): string {
  return line === 0 ? '' : `${fileName}:${line}:${column}: `;
}
