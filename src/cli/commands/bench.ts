/**
 * `overtap bench`: runs the whole-path benchmark (src/bench/path) in a separate process, and passes options, output and exit status
 * on. The benchmark itself interprets the options.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';

/** The path is the same relative to src/cli/commands and to dist/cli/commands. */
const PROGRAM = fileURLToPath(new URL('../../../dist/bundle/bench.js', import.meta.url));
const PASSED_ON = [
  'rounds',
  'seconds',
  'senders',
  'only',
  'columns',
  'variants',
  'underlay',
  'peer',
  'token',
  'listen',
];
const FLAGS = ['local', 'routed', 'goals', 'quick'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function run({ context, words, options }: Invocation): Promise<number> {
  // The global option `--json` has no value; for this command, a word after it is a file.
  const isComparison = options.compare !== undefined;
  const isFarEnd = words.length === 1 && words[0] === 'far-end' && !isComparison;
  if (!isFarEnd && words.length > (isComparison || context.json ? 1 : 0)) {
    throw new UsageError(`"bench" takes options only, not "${words[words.length - 1]}" (see "overtap bench --help")`);
  }
  if (!existsSync(PROGRAM)) {
    throw new Error(`${PROGRAM} is missing: run "npm run build" in the project folder`);
  }
  const args = PASSED_ON.flatMap((name) => {
    const value = options[name];
    return value === undefined ? [] : [`--${name}=${value}`];
  });
  for (const name of FLAGS) if (options[name] !== undefined) args.push(`--${name}`);
  if (isComparison) args.push(`--compare=${options.compare}`, '--', ...words);
  else if (isFarEnd) args.push('far-end');
  else if (context.json) args.push(`--json=${words[0] ?? '-'}`);
  return pass(args, context);
}

/** Runs the program to its end. Signals are forwarded to it, so that it removes its topology. */
async function pass(args: readonly string[], context: Context): Promise<number> {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, forward);
  try {
    child.stdout.setEncoding('utf8').on('data', (text: string) => context.print(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => void context.io.stderr.write(text));
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, forward);
  }
}
