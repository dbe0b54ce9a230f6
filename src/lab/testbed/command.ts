/**
 * Owns running a short-lived program to its end, with a time limit. It never keeps a program in the background.
 */
import { spawn } from 'node:child_process';
import { LabError } from './errors.js';

const LIMIT_MS = 15_000;

function hintFor(program: string, error: NodeJS.ErrnoException): string {
  if (error.code !== 'ENOENT') return error.message;
  if (program === 'ip') return 'the `ip` command is missing: install iproute2 (apt-get install iproute2)';
  return `the \`${program}\` command is missing`;
}

/**
 * Runs a program and gives its standard output. It gets a session of its own, so that a Ctrl-C on the terminal does
 * not kill it half-way through taking something down.
 * @throws LabError LAB_COMMAND_FAILED with the command line and what it said
 */
export function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    const fail = (why: string): void =>
      reject(new LabError('LAB_COMMAND_FAILED', `${[program, ...args].join(' ')}: ${why}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`no end within ${LIMIT_MS / 1000} s`);
    }, LIMIT_MS);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      fail(hintFor(program, error));
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(out);
      else fail(err.trim() || `ended with ${signal ?? `status ${status}`}`);
    });
  });
}
