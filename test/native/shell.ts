/**
 * One shell process that starts the programs of a test: forking the test process, with the arenas of many PacketIos, takes ten
 * times as long as the program (20 ms per start, 20 starts per test).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Shell {
  readonly commands: number;
  readonly answers: number;
}

let running: Shell | undefined;

function start(): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'ott-shell-'));
  const [commands, answers] = ['commands', 'answers'].map((name) => join(folder, name));
  execFileSync('mkfifo', [commands, answers]);
  // It ends with the test: its commands come to an end then.
  spawn('sh', ['-c', 'exec sh <"$1" 4>"$2" >&4', 'sh', commands, answers], { stdio: 'ignore' }).unref();
  const opened = { commands: openSync(commands, 'w'), answers: openSync(answers, 'r') };
  rmSync(folder, { recursive: true });
  return opened;
}

/** A word as a shell reads it. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Runs a program to its end. @returns its standard output @throws with its output when it fails */
export function shell(...command: string[]): string {
  return shellLine(command.map(quoted).join(' '));
}

/** Likewise a line that a shell reads. */
export function shellLine(line: string): string {
  running ??= start();
  const { commands, answers } = running;
  writeSync(commands, `complaint=$( { ${line}; } 2>&1 >&4 </dev/null ); printf '%s\\0%s\\0' "$?" "$complaint"\n`);
  const [output, complaint] = readAnswer(answers, line);
  // The status is the last thing before the first NUL; a program prints whole lines.
  const [, text, status] = /^([\s\S]*?)(\d+)$/.exec(output) as unknown as [string, string, string];
  if (status !== '0') throw new Error(`${line}: status ${status}: ${complaint}${text}`);
  return text;
}

/** What stands before the first NUL, and before the second. */
function readAnswer(answers: number, line: string): [string, string] {
  const piece = Buffer.alloc(65536);
  const pieces: Buffer[] = [];
  for (;;) {
    const length = readSync(answers, piece);
    if (length === 0) throw new Error(`the shell has ended at: ${line}`);
    pieces.push(Buffer.from(piece.subarray(0, length)));
    const parts = Buffer.concat(pieces).toString().split('\0');
    if (parts.length > 2) return [parts[0], parts[1]];
  }
}
