/** `overtap exec`: a command in which rtnetlink about a switch's links is answered by the switch. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { preloadable } from './folder.js';
import { serve } from './server.js';
import type { Switches } from './switches.js';
export { netnsOf, Switches } from './switches.js';
export { programFault } from './program.js';

export interface ExecOptions {
  readonly command: readonly string[];
  readonly switches: Switches;
  /** Path of the preloaded library. */
  readonly library: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Something that must not happen. */
  report(error: unknown): void;
  /** Tells the user something. */
  warn(text: string): void;
}

/** Signals that end or stop the command, as if it had been started without this program between. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** A shell's status of a command that a signal has ended. */
const SIGNALLED = 128;

/** Runs the command to its end. @returns its exit status @throws Error when it cannot be started */
export async function runCommand({ command, switches, library, env, report, warn }: ExecOptions): Promise<number> {
  const server = await serve(switches, report);
  const preload = [preloadable(library, server.folder), env.LD_PRELOAD]
    .filter((path) => path !== undefined && path !== '')
    .join(':');
  const [program = '', ...words] = command;
  // Ctrl-C is for the command, which has it from the terminal.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  process.on('SIGQUIT', ignore);
  try {
    return await new Promise<number>((resolve, reject) => {
      const child = spawn(program, words, {
        stdio: 'inherit',
        env: { ...env, LD_PRELOAD: preload, OVERTAP_EXEC: server.path },
      });
      for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
      child.once('error', (error: NodeJS.ErrnoException) => reject(startFault(program, error)));
      child.once('exit', (status, signal) => resolve(status ?? SIGNALLED + signalNumber(signal)));
    });
  } finally {
    for (const text of switches.losses()) warn(text);
    server.close();
  }
}

/** A program that cannot be started, with a shell's status for it: another than any of the switch's. */
export class NotStarted extends Error {
  override readonly name = 'NotStarted';

  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

function startFault(program: string, error: NodeJS.ErrnoException): Error {
  if (error.code === 'ENOENT') {
    const where = program.includes('/') ? 'there is no such file' : 'no folder of PATH has such a program';
    return new NotStarted(`cannot start ${program}: ${where}`, 127);
  }
  if (error.code === 'EACCES') return new NotStarted(`cannot start ${program}: it is not executable`, 126);
  return error;
}

const signalNumber = (signal: NodeJS.Signals | null): number => (signal === null ? 1 : constants.signals[signal]);
