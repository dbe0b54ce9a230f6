/**
 * The namespaces, programs and folder of one run, and their removal. Names are `<prefix>-<pid>-...`, and nothing with
 * another name is touched. `takeDown` removes everything; `sweep` removes the remains of killed runs. It knows nothing of
 * links and switches.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addNamespace, deleteNamespace, NETNS_DIR, namespaceExists } from './namespaces.js';
import { must, Program, type ProgramOptions } from './program.js';
import { refuseIfInterrupted } from './wait.js';

const RUN_LIMIT_MS = 15_000;

/** The command line that runs a program in a namespace. `ip netns exec` replaces itself by the program, which keeps the pid. */
export function inNamespace(netns: string, command: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', netns, ...command];
}

export class Testbed {
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  readonly #ownSession: boolean;
  readonly #namespaces: string[] = [];
  readonly #programs: Program[] = [];
  #folder: string | null = null;

  /**
   * @param prefix of all names, such as `otb`: letters only
   * @param options.signal when aborted, nothing more is started and `run` ends
   * @param options.ownSession whether programs get a session of their own (program.ts)
   */
  constructor(prefix: string, { signal, ownSession = false }: { signal?: AbortSignal; ownSession?: boolean } = {}) {
    if (process.getuid?.() !== 0) throw new Error('network namespaces and TAPs need root');
    this.#prefix = `${prefix}-${process.pid}-`;
    this.#signal = signal;
    this.#ownSession = ownSession;
  }

  /** The name of this run's namespace with a label. */
  nameOf(label: string): string {
    return `${this.#prefix}${label}`;
  }

  get namespaces(): readonly string[] {
    return this.#namespaces;
  }

  /** A temporary folder, created on first use. */
  get folder(): string {
    this.#folder ??= mkdtempSync(join(tmpdir(), this.#prefix));
    return this.#folder;
  }

  /** Creates a namespace with its loopback up. Without `ipv6` its NICs send no frames by themselves. */
  async addNamespace(name: string, { ipv6 = false } = {}): Promise<void> {
    refuseIfInterrupted(this.#signal);
    this.#namespaces.push(name);
    await addNamespace(name, { ipv6 });
  }

  /** Starts a program in a namespace; `takeDown` ends it. */
  start(netns: string, command: readonly string[], options: ProgramOptions = {}): Program {
    refuseIfInterrupted(this.#signal);
    const program = new Program(inNamespace(netns, command), { ownSession: this.#ownSession, ...options });
    this.#programs.push(program);
    return program;
  }

  /** Runs a program in a namespace and requires exit status 0. @returns its standard output */
  run(
    netns: string,
    command: readonly string[],
    { limitMs = RUN_LIMIT_MS, ...options }: ProgramOptions & { limitMs?: number } = {},
  ): Promise<string> {
    return this.start(netns, command, { ownSession: true, ...options }).toEnd(limitMs, this.#signal);
  }

  /**
   * Removes everything; a failure does not stop the rest.
   * @param signal the first signal to the programs
   * @throws AggregateError of all failures
   */
  async takeDown(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const failures: unknown[] = [];
    const attempt = (work: () => Promise<unknown>): Promise<unknown> =>
      work().catch((error: unknown) => failures.push(error));
    // In reverse order, so that a switch ends before the database that it uses.
    if (signal === 'SIGKILL') await Promise.all(this.#programs.map((program) => attempt(() => program.end(signal))));
    else for (const program of this.#programs.reverse()) await attempt(() => program.end(signal));
    await Promise.all(this.#namespaces.map((name) => attempt(() => removeNamespace(name))));
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
    this.#programs.length = 0;
    this.#namespaces.length = 0;
    this.#folder = null;
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
  }
}

/** Ends the programs of a namespace and deletes it. Another process may do the same at the same time. */
async function removeNamespace(name: string): Promise<void> {
  if (!namespaceExists(name)) return;
  try {
    for (const pid of (await must(['ip', 'netns', 'pids', name])).split('\n').filter(Boolean)) kill(Number(pid));
    await deleteNamespace(name);
  } catch (error) {
    if (namespaceExists(name)) throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Removes the remains of killed runs: names with this prefix and the pid of a process that does not exist. */
export async function sweep(prefix: string): Promise<void> {
  const named = new RegExp(`^${prefix}-(\\d+)-`);
  const leftIn = (folder: string): string[] => readdirSync(folder).filter((name) => isLeftOver(named.exec(name)?.[1]));
  await Promise.all(namespacesIn(leftIn).map(removeNamespace));
  for (const folder of leftIn(tmpdir())) rmSync(join(tmpdir(), folder), { recursive: true, force: true });
}

/** Lists namespaces; the folder of their names does not exist before the first one. */
function namespacesIn(list: (folder: string) => string[]): string[] {
  try {
    return list(NETNS_DIR);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isLeftOver(pid: string | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
