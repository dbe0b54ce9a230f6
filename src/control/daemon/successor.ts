/**
 * Starts the process that is to take this one's switch over: the program of the same path, which may have been replaced, with the
 * same words, in the same service and with the same rights. What it prints before it has the switch is also this process's to tell.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { ChangeRefused } from '../controls.js';

/** Names the descriptor of the standard error that the new process has once it runs the switch. */
export const STDERR_VARIABLE = 'OVERTAP_STDERR_FD';
const LATER_STDERR = 3;
export const TAKE_OVER_OPTION = '--take-over';
/** Most characters of its output that are repeated. */
const MOST_TEXT = 2000;
/** Time in milliseconds for it to ask for the switch. */
const START_MS = 60_000;

export interface Child {
  /** Rejects when it ends, or does not ask for the switch in time. Never resolves. */
  readonly failed: Promise<never>;
}

/** @throws ChangeRefused when this process cannot be replaced */
export function startSuccessor(): Child {
  const { execPath, execArgv, argv, env, pid } = process;
  const [, program, ...words] = argv;
  refuse(pid, execPath, words);
  const child = spawn(
    execPath,
    [...execArgv, program, ...words.filter((word) => word !== TAKE_OVER_OPTION), TAKE_OVER_OPTION],
    {
      // WATCHDOG_PID is this process's; the new one becomes the main process of the service.
      env: { ...env, WATCHDOG_PID: '', [STDERR_VARIABLE]: String(LATER_STDERR) },
      stdio: ['ignore', 1, 'pipe', 2],
      detached: true,
    },
  );
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    process.stderr.write(bytes);
    said = `${said}${bytes.toString('utf8')}`.slice(-MOST_TEXT);
  });
  const failed = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`it has not asked for the switch within ${START_MS / 1000} s`));
    }, START_MS).unref();
    child.once('error', reject);
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      const reason = said.trim().replace(/^overtap: /, '');
      reject(new Error(reason === '' ? `it ended with ${signal ?? `status ${status}`}` : reason));
    });
  });
  failed.catch(() => undefined);
  child.unref();
  return { failed };
}

function refuse(pid: number, execPath: string, words: readonly string[]): void {
  if (pid === 1)
    throw new ChangeRefused(
      'the switch is process 1 of its container, which ends with it; start a new container in its place',
      'unavailable',
    );
  const at = words.findIndex((word) => word === '-c' || word === '--config');
  if (words[at + 1] === '-' || words.includes('--config=-') || words.includes('-c-'))
    throw new ChangeRefused(
      'the switch was started with a configuration from standard input, which cannot be read again; write "overtap config show" to a file and start "overtap run --take-over -c FILE"',
      'unavailable',
    );
  try {
    accessSync(execPath, constants.X_OK);
  } catch {
    throw new ChangeRefused(
      `${execPath}, which runs the switch, is no longer there; start "overtap run --take-over -c FILE" with the new one`,
      'unavailable',
    );
  }
}
