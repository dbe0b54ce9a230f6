/**
 * Programs that are run to their end or kept in the background, with their output. Every wait has a bound. A signal goes
 * only to a program that was started here and has not ended: a process id that may be another program's by now is
 * never used. It knows nothing of namespaces or switches.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { LabError } from './errors.js';
import { until, within } from './wait.js';

const RUN_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const LINE_LIMIT_MS = 10_000;
/** Between the first signal and SIGKILL. */
const GRACE_MS = 3000;
/** Lines of output that an error quotes. */
const QUOTED_LINES = 8;

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Whether it gets a session of its own: Ctrl-C on the terminal does not end it half-way, and its children get the
   * signals that it gets. Default false.
   */
  readonly ownSession?: boolean;
}

/**
 * Runs a program to its end, whatever its exit status.
 * @throws LabError when it cannot be started, or does not end within the limit; it is killed then
 */
export async function run(command: readonly string[], options: { limitMs?: number } = {}): Promise<Ended> {
  const program = new Program(command, { ownSession: true });
  try {
    return await within(program.ended, options.limitMs ?? RUN_LIMIT_MS, `the end of: ${command.join(' ')}`);
  } finally {
    program.signal('SIGKILL');
  }
}

/**
 * Runs a program that has to succeed.
 * @param options.name what an error calls it; the command line when left out
 * @returns its standard output
 * @throws LabError LAB_COMMAND_FAILED with its name and its output
 */
export async function must(
  command: readonly string[],
  { name = command.join(' '), limitMs = RUN_LIMIT_MS }: { name?: string; limitMs?: number } = {},
): Promise<string> {
  const ended = await run(command, { limitMs });
  if (ended.status === 0) return ended.stdout;
  throw new LabError('LAB_COMMAND_FAILED', `${name}: ${reasonFor(ended)}`);
}

/** A shell's status when a command that it was to run is missing. */
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

/** A program in the background. Its output is kept. */
export class Program {
  /** Complete lines of standard output so far. */
  readonly lines: string[] = [];
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #ownSession: boolean;
  readonly #stdout = new Output();
  readonly #stderr = new Output();
  /** The beginning of a line whose end is still to come. */
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
    this.ended.catch(() => undefined); // each caller that awaits it gets the failure
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

  /** Its command line. */
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

  /** Standard output so far. */
  get output(): string {
    return this.#stdout.text;
  }

  /** Standard error so far. */
  get errors(): string {
    return this.#stderr.text;
  }

  /** The end of its output, for the message of an error. */
  get lastWords(): string {
    return `${this.output}\n${this.errors}`.trim().split('\n').slice(-QUOTED_LINES).join('\n');
  }

  /** Does nothing once the program has ended. */
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

  /** Ends it, by SIGKILL when it is still there three seconds after the signal. Ended already: nothing is done. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const closed = this.ended.catch(() => undefined);
    this.signal(signal);
    try {
      await within(closed, GRACE_MS, this.name);
      return;
    } catch {
      this.signal('SIGKILL');
    }
    // A child of its own may hold the pipes although it has ended itself.
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.destroy();
    await closed;
  }

  /**
   * Waits for its own end.
   * @returns its standard output
   * @throws when it fails, does not end within the limit, or the signal is aborted; it is killed then
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

  /** The first line, from number `from` on, that `accept` takes. @throws when the program ends first, or the limit is over */
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

  /** A line is cut out of the chunks that hold it, never out of all output: a part of a string keeps the whole in memory. */
  #take(text: string): void {
    this.#stdout.add(text);
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.lines.push(line);
  }
}

/** Output as it comes, joined when it is asked for: a string that grows by each chunk would be copied as often. */
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
