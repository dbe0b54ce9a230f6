/**
 * Programs that the end-to-end tests run, and waiting for what they do. Every wait has a bound; a signal goes only to a
 * child that was started here and has not ended yet. It knows nothing of namespaces or switches.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const RUN_LIMIT_MS = 60_000;
const WAIT_LIMIT_MS = 10_000;
const POLL_MS = 20;

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit status. @throws when it does not end in time, or cannot be started */
export async function run(command: readonly string[], options: { limitMs?: number } = {}): Promise<Ended> {
  const child = new Background(command);
  const limitMs = options.limitMs ?? RUN_LIMIT_MS;
  try {
    return await within(child.ended, limitMs, `the end of: ${command.join(' ')}`);
  } finally {
    child.signal('SIGKILL');
  }
}

/** Runs a program that has to succeed. @returns its standard output */
export async function must(command: readonly string[], options: { limitMs?: number } = {}): Promise<string> {
  const ended = await run(command, options);
  if (ended.status !== 0) throw new Error(`${command.join(' ')}: ${describe(ended)}`);
  return ended.stdout;
}

export function describe(ended: Ended): string {
  return `${ended.signal ?? `status ${ended.status}`}\n${ended.stdout}${ended.stderr}`;
}

/** A program that goes on while the test does other things. Its output is kept. */
export class Background {
  /** Complete lines of standard output so far. */
  readonly lines: string[] = [];
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;
  private stdout = '';
  private stderr = '';
  private over: Ended | null = null;

  constructor(readonly command: readonly string[]) {
    const [program, ...args] = command;
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.take(text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', (error) => reject(new Error(`${command.join(' ')}: ${error.message}`)));
      this.child.once('close', (status, signal) => {
        this.over = { status, signal, stdout: this.stdout, stderr: this.stderr };
        resolve(this.over);
      });
    });
    this.ended.catch(() => undefined); // whoever waits for it hears of it
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.command.join(' ')} was not started`);
    return this.child.pid;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get errors(): string {
    return this.stderr;
  }

  /** Does nothing once the program has ended, so that no other process can be hit. */
  signal(signal: NodeJS.Signals): void {
    if (this.running && this.child.pid !== undefined) this.child.kill(signal);
  }

  /** Milliseconds from the signal to the end of the process. */
  async stop(signal: NodeJS.Signals, limitMs = WAIT_LIMIT_MS): Promise<{ ended: Ended; ms: number }> {
    const exited = this.running ? new Promise<void>((resolve) => this.child.once('exit', () => resolve())) : null;
    const start = performance.now();
    this.signal(signal);
    if (exited !== null) await within(exited, limitMs, `the end by ${signal} of: ${this.command.join(' ')}`);
    const ms = performance.now() - start;
    return { ended: await this.ended, ms };
  }

  /** The first line, from number `from` on, that `accept` takes. */
  line(what: string, accept: (line: string) => boolean, limitMs = WAIT_LIMIT_MS, from = 0): Promise<string> {
    return until(
      what,
      () => {
        const found = this.lines.slice(from).find(accept);
        if (found === undefined && this.over !== null)
          throw new Error(`${what}: the program ended first: ${describe(this.over)}`);
        return found;
      },
      limitMs,
    );
  }

  private take(text: string): void {
    const before = this.stdout.lastIndexOf('\n') + 1;
    this.stdout += text;
    const end = this.stdout.lastIndexOf('\n') + 1;
    if (end > before) this.lines.push(...this.stdout.slice(before, end - 1).split('\n'));
  }
}

/** Polls until the probe gives something other than undefined, null or false. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limitMs = WAIT_LIMIT_MS,
): Promise<Exclude<T, undefined | null | false>> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value as Exclude<T, undefined | null | false>;
    if (performance.now() >= end) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await delay(POLL_MS);
  }
}

/**
 * Time in which something must not happen. Absence cannot be polled for, so this is the one plain wait; it comes after a
 * frame that took the same way was seen, for stragglers.
 */
export async function quiet(ms = 200): Promise<void> {
  await delay(ms);
}

async function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limitMs / 1000} s: ${what}`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
