/**
 * The process in which a student's stage runs: loads the module that it is given, then answers each line of standard input with a line at
 * descriptor 3. It judges nothing: what is right never comes here.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { Answered, Calls } from './stage-process.js';

const ANSWERS = 3;
/** Stack lines of a student's error that help to find it. */
const STACK_LINES = 4;

type Stage = (...args: readonly unknown[]) => unknown;

function answer(answered: Answered): void {
  const bytes = Buffer.from(`${JSON.stringify(answered)}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(ANSWERS, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** An error as its author wants to read it: what, and where in the file. */
function inWords(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`;
  const where = (error.stack ?? '').split('\n').filter((line) => line.includes('stage.'));
  return [`it threw ${error.name}: ${error.message}`, ...where.slice(0, STACK_LINES)].join('\n');
}

const revived = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'bytes' in value
    ? Uint8Array.from(Buffer.from(String(value.bytes), 'hex'))
    : value;

function carryOut(module: Readonly<Record<string, unknown>>, { entry, fresh, calls }: Calls): Answered {
  const stage = module[entry];
  if (typeof stage !== 'function')
    return { results: [], fault: `the file exports no function ${entry}; write "export function ${entry}(...)"` };
  const state = fresh ? [new Map()] : [];
  const results: unknown[] = [];
  for (const args of calls) {
    try {
      const result = (stage as Stage)(...state, ...args.map(revived));
      if (result instanceof Promise) return { results, fault: `${entry} is async; a stage answers at once` };
      results.push(result === undefined ? null : JSON.parse(JSON.stringify(result)));
    } catch (error) {
      return { results, fault: inWords(error) };
    }
  }
  return { results };
}

/**
 * Node's permission model leaves signals alone: one could end the grader, or open its debugger (SIGUSR1), which then runs code outside of
 * all limits. Native code, which could send one itself, is refused by the model.
 */
function takeSignalsAway(): void {
  const refuse = (): never => {
    throw new Error('a stage sends no signals');
  };
  for (const name of ['kill', '_kill', '_debugProcess', '_debugEnd'])
    Object.defineProperty(process, name, { value: refuse, writable: false, configurable: false });
}

takeSignalsAway();
const [, , path = ''] = process.argv;
let module: Readonly<Record<string, unknown>> = {};
try {
  module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  answer({ results: [] });
} catch (error) {
  answer({ results: [], fault: inWords(error) });
}
for await (const line of createInterface({ input: process.stdin })) answer(carryOut(module, JSON.parse(line) as Calls));
