/**
 * Runs a student's code in a process of its own, which gets cases as lines of JSON and answers each with one. An exception, an endless loop,
 * or too much memory ends that process, with the reason in words; never the grader. The process may read files, and nothing else that Node's
 * permission model can take away.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const RUNNER = fileURLToPath(new URL('stage-runner.js', import.meta.url));
/** A case takes microseconds; a busy machine is given room. */
const CASE_LIMIT_MS = 10_000;
const START_LIMIT_MS = 60_000;
const HEAP_MIB = 64;
/** Of the whole process; Node itself takes 50. */
const MEMORY_BYTES = 384 * 1024 * 1024;
const WATCH_MS = 50;
/** Seconds of processor time in all: the end of a loop whose grader was killed. */
const CPU_SECONDS = 450;
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Bytes of one answer, and of what the code prints, at most. */
const MAX_ANSWER = 1024 * 1024;
const MAX_PRINTED = 2048;

/** What the runner is asked: calls of one function, in order. */
export interface Calls {
  readonly entry: string;
  /** Whether each call gets a Map first, which is new for each case. */
  readonly fresh: boolean;
  /** Arguments; `{ bytes: HEX }` becomes a Uint8Array. */
  readonly calls: readonly (readonly unknown[])[];
}

/** Results of the calls that returned, and why the next one did not. */
export interface Answered {
  readonly results: readonly unknown[];
  readonly fault?: string;
}

const isAnswered = (value: unknown): value is Answered =>
  typeof value === 'object' &&
  value !== null &&
  Array.isArray((value as Answered).results) &&
  ['string', 'undefined'].includes(typeof (value as Answered).fault);

/** What tests set. */
export interface StageOptions {
  /** The program of the process. */
  readonly program?: string;
  readonly caseLimitMs?: number;
  /** Hidden cases at most. */
  readonly cases?: number;
}

export class StageProcess {
  /** What the code has printed, as much as is kept. */
  printed = '';
  private readonly child: ChildProcess;
  private readonly closed: Promise<void>;
  private readonly watch: NodeJS.Timeout;
  private buffer = '';
  private why: string | undefined;
  private waiting: ((answer: Answered) => void) | undefined;

  /** @param path of the student's module */
  constructor(
    path: string,
    private readonly options: StageOptions = {},
  ) {
    const words = [
      ...permissionWords(),
      '--no-warnings',
      `--max-old-space-size=${HEAP_MIB}`,
      options.program ?? RUNNER,
      path,
    ];
    const [program, ...args] = [...limitWords(), process.execPath, ...words];
    // Of a group of its own, so that a signal for its whole group does not reach the grader.
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], env: {}, cwd: '/', detached: true });
    for (const signal of ENDS) process.on(signal, this.onEnd);
    const [input, output, errors, answers] = this.child.stdio as unknown as [Writable, Readable, Readable, Readable];
    input.on('error', () => undefined); // its end is told by "exit"
    output.on('data', (data: Buffer) => this.keep(data));
    errors.on('data', (data: Buffer) => this.keep(data));
    answers.on('data', (data: Buffer) => this.take(data));
    this.child.on('error', (error) => this.end(error.message));
    this.closed = new Promise((done) => {
      this.child.on('close', (code, signal) => {
        this.ended(code, signal);
        done();
      });
    });
    this.watch = setInterval(() => this.checkMemory(), WATCH_MS);
  }

  /** Loads the code. @returns why it could not be loaded */
  async load(): Promise<string | undefined> {
    return (await this.next(START_LIMIT_MS, 'its first line to its last')).fault;
  }

  ask(calls: Calls): Promise<Answered> {
    const answer = this.next(this.options.caseLimitMs ?? CASE_LIMIT_MS, `${calls.entry}()`);
    (this.child.stdin as Writable).write(`${JSON.stringify(calls)}\n`);
    return answer;
  }

  /** @returns when all that the code has printed has been read */
  async stop(): Promise<void> {
    this.kill();
    await this.closed;
  }

  private kill(): void {
    clearInterval(this.watch);
    for (const signal of ENDS) process.off(signal, this.onEnd);
    this.child.kill('SIGKILL');
  }

  /** An endless loop would outlive a grader that is ended: it does not see that its input has ended. */
  private readonly onEnd = (signal: NodeJS.Signals): void => {
    this.kill();
    process.kill(process.pid, signal);
  };

  private next(limit: number, what: string): Promise<Answered> {
    if (this.why !== undefined) return Promise.resolve({ results: [], fault: this.why });
    return new Promise((done) => {
      const timer = setTimeout(() => {
        this.end(`${what} did not come to an end within ${limit / 1000} s: is there an endless loop?`);
      }, limit);
      this.waiting = (answer) => {
        clearTimeout(timer);
        this.waiting = undefined;
        done(answer);
      };
    });
  }

  private take(data: Buffer): void {
    this.buffer += data.toString('utf8');
    if (this.buffer.length > MAX_ANSWER) this.end('it returns more than 1 MiB for one case');
    for (let end = this.buffer.indexOf('\n'); end !== -1; end = this.buffer.indexOf('\n')) {
      const line = this.buffer.slice(0, end);
      this.buffer = this.buffer.slice(end + 1);
      this.waiting?.(parsed(line));
    }
  }

  private keep(data: Buffer): void {
    if (this.printed.length < MAX_PRINTED) this.printed = (this.printed + data.toString('utf8')).slice(0, MAX_PRINTED);
  }

  private checkMemory(): void {
    if (residentBytes(this.child.pid) > MEMORY_BYTES) this.end(MEMORY);
  }

  private ended(code: number | null, signal: string | null): void {
    const isHeap = signal === 'SIGABRT' || /heap out of memory/.test(this.printed);
    const how = code === null ? `was ended by ${signal}` : `ended its process with status ${code}`;
    this.end(isHeap ? MEMORY : `the code ${how} before it had answered`);
  }

  private end(why: string): void {
    this.why ??= why;
    if (this.why === MEMORY) this.printed = ''; // Node's own report
    this.kill();
    this.waiting?.({ results: [], fault: this.why });
  }
}

const MEMORY = `it takes more memory than a stage may (${HEAP_MIB} MiB of objects)`;

function parsed(line: string): Answered {
  try {
    const value: unknown = JSON.parse(line);
    if (isAnswered(value)) return value;
  } catch {
    // The same as JSON of another shape.
  }
  return { results: [], fault: 'the code wrote where only the grader may' };
}

/** 0: unknown. */
function residentBytes(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}

/** A shell that sets the limit of processor time, and becomes the process. */
function limitWords(): string[] {
  if (process.platform !== 'linux') return [];
  return ['/bin/sh', '-c', `ulimit -t ${CPU_SECONDS}; exec "$0" "$@"`];
}

/** Node's permission model: reading alone. Its word changed with Node 22. */
function permissionWords(): string[] {
  const words = ['--permission', '--experimental-permission'];
  const word = words.find((one) => process.allowedNodeEnvironmentFlags.has(one));
  return word === undefined ? [] : [word, '--allow-fs-read=*'];
}
