/**
 * Owns the switch processes of a lab: starting one in its namespace, knowing it again by its pid, ending it. It never
 * signals a process whose command line is not the one that was started.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { LabError } from './errors.js';
import { becomesTrue } from './wait.js';

/** How long a switch may take to end by itself, in milliseconds. */
const GRACE_MS = 2000;

export interface Started {
  readonly pid: number;
  /** Null while it runs; how it ended otherwise. */
  ending(): string | null;
}

/**
 * Starts a program inside a namespace, in a session of its own, with its output in a log file. It outlives the caller.
 * `ip netns exec` replaces itself by the program, so the pid is the program's own.
 */
export function startDetached(netns: string, command: readonly string[], log: string): Promise<Started> {
  const output = openSync(log, 'a', 0o644);
  const child = spawn('ip', ['netns', 'exec', netns, ...command], {
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  let ending: string | null = null;
  child.on('exit', (status, signal) => {
    ending = signal ? `killed by ${signal}` : `ended with status ${status}`;
  });
  child.unref();
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(new LabError('LAB_SWITCH_FAILED', `cannot start ${command[0]}: ${error.message}`)),
    );
    child.on('spawn', () => resolve({ pid: child.pid as number, ending: () => ending }));
  });
}

/** How often an empty command line is read again; the last times a millisecond apart, as the process may wait for a CPU. */
const READINGS = 1000;
const PATIENT_READINGS = 200;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Whether a process is there that has ended, and waits for its parent to notice. */
function isZombie(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return 'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
}

/** Nothing where there is no process. While a process becomes another program, for a moment it has no command line at all. */
function commandLine(pid: number): string {
  try {
    for (let i = 0; i < READINGS + PATIENT_READINGS; i++) {
      if (i >= READINGS) Atomics.wait(pause, 0, 0, 1);
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (text !== '' || isZombie(pid)) return text;
    }
  } catch {
    // It has ended.
  }
  return '';
}

/**
 * Whether the process with this pid is still the one that was started with this argument. Pids are used again: a
 * number alone proves nothing.
 */
export function isRunning(pid: number, argument: string): boolean {
  return commandLine(pid).split('\0').includes(argument);
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Ends a process: SIGTERM, and SIGKILL when it is still there two seconds later.
 * @returns how it ended: `not running`, `ended`, `killed`
 * @throws LabError LAB_NOT_DOWN when it survives even that
 */
export async function stopProcess(pid: number, argument: string): Promise<'not running' | 'ended' | 'killed'> {
  const gone = (): boolean => !isRunning(pid, argument);
  if (gone()) return 'not running';
  signalIfThere(pid, 'SIGTERM');
  if (await becomesTrue(gone, { limitMs: GRACE_MS })) return 'ended';
  signalIfThere(pid, 'SIGKILL');
  if (await becomesTrue(gone, { limitMs: GRACE_MS })) return 'killed';
  throw new LabError('LAB_NOT_DOWN', `process ${pid} does not end, not even by SIGKILL`);
}
