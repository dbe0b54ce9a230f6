/**
 * Owns the switch processes of a lab, which outlive the command that starts them: starting, recognising and ending one. A
 * process is signalled only if its command line has the expected argument, since the kernel reuses pids.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { LabError } from './errors.js';
import { becomesTrue } from './wait.js';

/** Milliseconds from SIGTERM to SIGKILL, and from SIGKILL to giving up. */
const GRACE_MS = 2000;

export interface Started {
  readonly pid: number;
  /** How the process ended; null while it runs. */
  ending(): string | null;
}

/**
 * Starts a program in a namespace and in a session of its own, with its output in a log file. It outlives the caller.
 * `ip netns exec` replaces itself by the program, so the pid is that of the program.
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

/** How often an empty command line is read again: at first at once, then every millisecond, as the process may wait for a CPU. */
const READINGS = 1000;
const PATIENT_READINGS = 200;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Whether the process has ended but its parent has not yet collected its status. */
function isZombie(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return 'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
}

/** The command line of a process, empty if there is none. During exec it is empty for a moment, so it is read again. */
function commandLine(pid: number): string {
  try {
    for (let i = 0; i < READINGS + PATIENT_READINGS; i++) {
      if (i >= READINGS) Atomics.wait(pause, 0, 0, 1);
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (text !== '' || isZombie(pid)) return text;
    }
  } catch {
    // The process is gone.
  }
  return '';
}

/** Whether the process with this pid runs and has this argument in its command line. */
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
 * Ends a process by SIGTERM, and by SIGKILL if it still runs two seconds later.
 * @param argument of its command line, see `isRunning`
 * @param by SIGKILL: at once
 * @throws LabError LAB_NOT_DOWN when the process survives SIGKILL
 */
export async function stopProcess(
  pid: number,
  argument: string,
  by: 'SIGTERM' | 'SIGKILL' = 'SIGTERM',
): Promise<'not running' | 'ended' | 'killed'> {
  const gone = (): boolean => !isRunning(pid, argument);
  if (gone()) return 'not running';
  signalIfThere(pid, by);
  if (by === 'SIGTERM' && (await becomesTrue(gone, { limitMs: GRACE_MS }))) return 'ended';
  signalIfThere(pid, 'SIGKILL');
  if (await becomesTrue(gone, { limitMs: GRACE_MS })) return 'killed';
  throw new LabError('LAB_NOT_DOWN', `process ${pid} does not end, even after SIGKILL`);
}
