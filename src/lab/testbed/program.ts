/**
 * Runs programs, to their end or in the background, and keeps their output. Every wait has a limit. Signals go only to
 * programs started here that have not ended, since the kernel reuses pids. It knows nothing of namespaces or switches.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { LabError } from './errors.js';
import { until, within } from './wait.js';

const RUN_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const LINE_LIMIT_MS = 30_000;
/** Milliseconds from the first signal to SIGKILL. */
const GRACE_MS = 3000;
/** Number of output lines that an error quotes. */
const QUOTED_LINES = 8;

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Environment variables in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Whether it gets a session of its own: then Ctrl-C on the terminal does not reach it, and signals sent to it go to its
   * children too. Default false.
   */
  readonly ownSession?: boolean;
}

/** When a program is killed that has not ended by itself. */
interface Bounds {
  limitMs?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Runs a program to its end, with any exit status.
 * @throws LabError when it cannot be started, or does not end within the limit and is killed
 */
export async function run(command: readonly string[], options: Bounds = {}): Promise<Ended> {
  const program = new Program(command, { ownSession: true });
  try {
    return await within(
      program.ended,
      options.limitMs ?? RUN_LIMIT_MS,
      `the end of: ${command.join(' ')}`,
      options.signal,
    );
  } finally {
    program.signal('SIGKILL');
  }
}

/**
 * Runs a program and requires exit status 0.
 * @param options.name its name in error messages (default: the command line)
 * @returns its standard output
 * @throws LabError LAB_COMMAND_FAILED with its name and its output
 */
export async function must(
  command: readonly string[],
  { name = command.join(' '), ...bounds }: Bounds & { name?: string } = {},
): Promise<string> {
  const ended = await run(command, bounds);
  if (ended.status === 0) return ended.stdout;
  throw new LabError('LAB_COMMAND_FAILED', `${name}: ${reasonFor(ended)}`);
}

/** Exit status of a shell when a command does not exist. */
const NOT_FOUND = 127;

function reasonFor(ended: Ended): string {
  const missing = ended.status === NOT_FOUND ? /(\S+): not found/.exec(ended.stderr)?.[1] : undefined;
  if (missing !== undefined) return missingHint(missing);
  return `${ended.stderr}${ended.stdout}`.trim() || `ended with ${ended.signal ?? `status ${ended.status}`}`;
}

export function describe(ended: Ended): string {
  return `${ended.signal ?? `status ${ended.status}`}\n${ended.stdout}${ended.stderr}`;
}

function hintFor(program: string, error: NodeJS.ErrnoException): string {
  return error.code === 'ENOENT' ? missingHint(program) : error.message;
}

function missingHint(program: string): string {
  if (program === 'ip') return 'the `ip` command is missing: install iproute2 (apt-get install iproute2)';
  return `the \`${program}\` command is missing`;
}

/** A program in the background, with its output. */
export class Program {
  /** Complete lines of standard output until now. */
  readonly lines: string[] = [];
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #ownSession: boolean;
  readonly #stdout = new Output();
  readonly #stderr = new Output();
  /** The start of a line that is not complete yet. */
  #partial = '';
  #over: Ended | null = null;

  constructor(
    readonly command: readonly string[],
    { env, ownSession = false }: ProgramOptions = {},
  ) {
    const [program, ...args] = command;
    this.#ownSession = ownSession;
    this.#child = spawn(program, args, {
      detached: ownSession,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#stderr.add(text));
    this.ended = this.#end();
    this.ended.catch(() => undefined); // callers that await it still get the failure
  }

  #end(): Promise<Ended> {
    return new Promise((resolve, reject) => {
      this.#child.once('error', (error) =>
        reject(new LabError('LAB_COMMAND_FAILED', `${this.name}: ${hintFor(this.command[0], error)}`)),
      );
      this.#child.once('close', (status, signal) => {
        this.#over = { status, signal, stdout: this.output, stderr: this.errors };
        resolve(this.#over);
      });
    });
  }

  /** The command line. */
  get name(): string {
    return this.command.join(' ');
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Standard output until now. */
  get output(): string {
    return this.#stdout.text;
  }

  /** Standard error until now. */
  get errors(): string {
    return this.#stderr.text;
  }

  /** The last lines of output, for error messages. */
  get lastWords(): string {
    return `${this.output}\n${this.errors}`.trim().split('\n').slice(-QUOTED_LINES).join('\n');
  }

  /** Sends a signal; does nothing if the program has ended. */
  signal(signal: NodeJS.Signals): void {
    if (!this.running) return;
    if (this.#ownSession) process.kill(-this.pid, signal);
    else this.#child.kill(signal);
  }

  /**
   * Sends a signal and waits for the end.
   * @returns how it ended, and the milliseconds from the signal to the end of the process
   * @throws LabError LAB_TIMEOUT when it does not end within the limit
   */
  async stop(signal: NodeJS.Signals, limitMs: number = STOP_LIMIT_MS): Promise<{ ended: Ended; ms: number }> {
    const exited = this.running ? new Promise<void>((resolve) => this.#child.once('exit', () => resolve())) : null;
    const start = performance.now();
    this.signal(signal);
    if (exited !== null) await within(exited, limitMs, `the end by ${signal} of: ${this.name}`);
    const ms = performance.now() - start;
    return { ended: await this.ended, ms };
  }

  /** Sends a signal, and SIGKILL if the program still runs three seconds later. Does nothing if it has ended. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const closed = this.ended.catch(() => undefined);
    this.signal(signal);
    try {
      await within(closed, GRACE_MS, this.name);
      return;
    } catch {
      this.signal('SIGKILL');
    }
    // The pipes may be held open by a child of the program after the program's end.
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.destroy();
    await closed;
  }

  /**
   * Waits until the program ends by itself.
   * @returns its standard output
   * @throws when it fails; and when the limit is over or the signal is aborted, after killing it
   */
  async toEnd(limitMs: number, signal?: AbortSignal): Promise<string> {
    try {
      const ended = await within(this.ended, limitMs, `the end of: ${this.name}`, signal);
      if (ended.status === 0) return ended.stdout;
      const how = `ended with ${ended.signal ?? `status ${ended.status}`}`;
      throw new LabError('LAB_COMMAND_FAILED', `${this.name} ${how}: ${this.lastWords}`);
    } finally {
      await this.end('SIGKILL');
    }
  }

  /** Waits for a line, from number `from` on, that `accept` accepts. @throws when the program ends first, or the limit is over */
  line(what: string, accept: (line: string) => boolean, limitMs = LINE_LIMIT_MS, from = 0): Promise<string> {
    return until(
      what,
      () => {
        const found = this.lines.slice(from).find(accept);
        if (found === undefined && this.#over !== null)
          throw new Error(`${what}: the program ended first: ${describe(this.#over)}`);
        return found;
      },
      limitMs,
    ) as Promise<string>;
  }

  /** Cuts lines from the new chunk only: a slice of the whole output would keep that whole string in memory. */
  #take(text: string): void {
    this.#stdout.add(text);
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.lines.push(line);
  }
}

/** Output in chunks, joined on demand: appending each chunk to one string would copy the string each time. */
class Output {
  readonly #chunks: string[] = [];

  add(text: string): void {
    this.#chunks.push(text);
  }

  get text(): string {
    if (this.#chunks.length > 1) this.#chunks.splice(0, this.#chunks.length, this.#chunks.join(''));
    return this.#chunks[0] ?? '';
  }
}
