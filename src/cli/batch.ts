/**
 * `overtap -batch FILE`: the commands of a file, one per line, as `ip -batch` and `bridge -batch` read them. One program for all
 * of them, since starting Node takes ten times as long as a command. What a line does is the command's own affair.
 */
import { createReadStream } from 'node:fs';
import { printable } from '../text/printable.js';
import { GLOBAL_OPTIONS } from './command-facts.js';
import type { Io } from './context.js';
import { UsageError } from './errors.js';

/** Most characters of a line with its continuation lines. */
const LONGEST_LINE = 64 * 1024;
/** Commands that never end by themselves, or that take over the process. */
const NOT_IN_A_BATCH: ReadonlySet<string> = new Set([
  'run',
  'monitor',
  'lab',
  'bench',
  'log',
  'capture',
  'top',
  'exec',
  'shell',
]);

export interface Batch {
  /** A path; `-`: standard input. */
  readonly file: string;
  /** Goes on after a command that failed. */
  readonly force: boolean;
  /** The other global options, for each line. */
  readonly globals: readonly string[];
}

/** Options that iproute2 spells with one dash, and Commander with two. */
const SPELLINGS: Readonly<Record<string, string>> = {
  '-batch': '--batch',
  '-b': '--batch',
  '-force': '--force',
  '-json': '--json',
  '-details': '--details',
  '-Version': '--version',
};
/** Short options of a command that would be the program's own before it: `capture -s 128` is a length. */
const OWN_SPELLINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  capture: { '-s': '--snaplen' },
  top: { '-b': '--plain' },
};

/** Commands whose words are another program's, from the first that is no option of theirs. */
const RUNS_ANOTHER: ReadonlySet<string> = new Set(['exec', 'shell']);

/** Both spellings of the options with a value, as in `-s, --control <SOCK>`. */
const WITH_A_VALUE: ReadonlySet<string> = new Set(
  GLOBAL_OPTIONS.filter(({ flags }) => flags.includes('<')).flatMap(({ flags }) => flags.match(/--?[a-z]+/g) ?? []),
);

/** What such a command understands itself. */
const OWN_OPTIONS: ReadonlySet<string> = new Set([...WITH_A_VALUE, '-h', '--help']);

/** Puts `--` before the words of another program, so that its options are not taken for overtap's. */
function leaveAlone(words: readonly string[]): string[] {
  let at = 1;
  while (OWN_OPTIONS.has(words[at] ?? '')) at += WITH_A_VALUE.has(words[at] as string) ? 2 : 1;
  const rest = words.slice(at);
  return [...words.slice(0, at), ...(rest[0] === '--' || rest.length === 0 ? [] : ['--']), ...rest];
}

function ownSpelling(words: readonly string[]): string[] {
  if (RUNS_ANOTHER.has(words[0] ?? '')) return leaveAlone(words);
  const own = OWN_SPELLINGS[words[0] ?? ''] ?? {};
  return words.map((word) => (Object.hasOwn(own, word) ? (own[word] as string) : word));
}

/**
 * Reads the words before the command.
 * @returns the words in Commander's spelling, and the batch that they ask for, if any
 * @throws UsageError when a batch has no file, or a command stands beside it
 */
export function readGlobals(argv: readonly string[]): { words: string[]; batch?: Batch } {
  const globals: string[] = [];
  let file: string | undefined;
  let force = false;
  let at = 0;
  for (; at < argv.length && argv[at]?.startsWith('-') && argv[at] !== '--'; at++) {
    const word = SPELLINGS[argv[at] as string] ?? (argv[at] as string);
    if (word === '--force') force = true;
    else if (word === '--batch') file = argv[++at] ?? '';
    else if (word.startsWith('--batch=')) file = word.slice('--batch='.length);
    else globals.push(word, ...(WITH_A_VALUE.has(word) ? argv.slice(++at, at + 1) : []));
  }
  if (file === undefined) {
    if (force) throw new UsageError('-force belongs to -batch FILE');
    return { words: [...globals, ...ownSpelling(argv.slice(at))] };
  }
  if (file === '') throw new UsageError('-batch needs a file with commands, or "-" for standard input');
  if (at < argv.length) throw new UsageError(`-batch takes its commands from ${file}: leave out "${argv[at]}"`);
  return { words: [], batch: { file, force, globals } };
}

/** Runs one command line. @returns its exit status, 0 when it is done; its error has been printed */
type RunLine = (words: string[]) => Promise<number>;

/**
 * Runs the lines of a batch in order, and stops at the first that fails, unless `force` is set. Each failure is also told with
 * its line, as iproute2 does.
 * @returns 0, or 1 when a command failed
 * @throws UsageError when the file cannot be read
 */
export async function runBatch({ file, force, globals }: Batch, io: Io, runLine: RunLine): Promise<number> {
  let failures = 0;
  for await (const { number, text } of commandsOf(file)) {
    const status = await runCommand(text, globals, io, runLine);
    if (status === 0) continue;
    io.stderr.write(printable(`Command failed ${file}:${number}\n`));
    failures++;
    if (!force) break;
  }
  return failures === 0 ? 0 : 1;
}

async function runCommand(text: string, globals: readonly string[], io: Io, runLine: RunLine): Promise<number> {
  let words: string[];
  try {
    words = splitWords(text);
    const [name] = words;
    if (name !== undefined && NOT_IN_A_BATCH.has(name)) throw new UsageError(`"${name}" cannot be in a batch`);
    if (name?.startsWith('-')) throw new UsageError('in a batch a line begins with a command');
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(printable(`overtap: ${error.message}\n`));
    return 2;
  }
  return words.length === 0 ? 0 : runLine([...globals, ...words]);
}

interface Line {
  /** Of its first line in the file, from 1. */
  number: number;
  text: string;
}

/** The commands, with continuation lines joined: a line that ends in `\` goes on with the next. */
async function* commandsOf(file: string): AsyncGenerator<Line> {
  let [number, began, text] = [0, 0, ''];
  for await (const line of linesOf(file)) {
    number++;
    if (text === '') began = number;
    text += line;
    if (text.length > LONGEST_LINE) throw new UsageError(`${file}:${began}: the line is too long`);
    if (text.endsWith('\\')) {
      text = `${text.slice(0, -1)} `;
      continue;
    }
    yield { number: began, text };
    text = '';
  }
  if (text !== '') yield { number: began, text };
}

/** A piece of at most LONGEST_LINE characters and one read stands for a line that does not end: `commandsOf` refuses it. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  input.setEncoding('utf8');
  let rest = '';
  try {
    for await (const piece of input) {
      const lines = (rest + String(piece)).split(/\r?\n/);
      rest = lines.pop() ?? '';
      yield* lines;
      if (rest.length > LONGEST_LINE) break;
    }
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  if (rest !== '') yield rest;
}

/**
 * Splits a line into words: separated by blanks, quoted by `'` or `"` where a blank belongs to a word. A word that begins with
 * `#` begins a comment.
 * @throws UsageError when a quote is not closed
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  const word = /\s*(?:(#.*)|((?:[^\s'"]|'[^']*'|"[^"]*")+)|(['"].*)|$)/gy;
  for (;;) {
    const [, comment, found, open] = word.exec(text) ?? [];
    if (open !== undefined) throw new UsageError(`a quote is not closed: ${open}`);
    if (comment !== undefined || found === undefined) return words;
    words.push(found.replace(/'([^']*)'|"([^"]*)"/g, (_quoted, single, double) => single ?? double));
  }
}
