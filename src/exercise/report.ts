/** What students have done, as rows for people, JSON and CSV. Pure but for reading the folders. */
import { exercises, type Kind } from './catalog.js';
import type { State, Students } from './student.js';

export interface ReportRow {
  readonly student: string;
  readonly exercise: string;
  readonly number: number;
  readonly kind: Kind;
  readonly started: string;
  readonly attempts: number;
  readonly hints: number;
  readonly solved: boolean;
  readonly solved_at?: string;
}

const COLUMNS = [
  'student',
  'number',
  'exercise',
  'kind',
  'started',
  'attempts',
  'hints',
  'solved',
  'solved_at',
] as const;

/** Every exercise that a student has started. @param student only this one */
export function reportRows(students: Students, student?: string): ReportRow[] {
  const known = exercises();
  const names = students.names().filter((name) => student === undefined || name === student);
  return names.flatMap((name) =>
    known.flatMap(({ name: exercise, number, kind }) => {
      const state = students.load(name, exercise);
      return state === undefined ? [] : [rowOf(state, number, kind, name)];
    }),
  );
}

function rowOf(state: State, number: number, kind: Kind, student: string): ReportRow {
  const { exercise, started, attempts, hints, solved } = state;
  const end = solved === undefined ? {} : { solved_at: solved };
  return { student, exercise, number, kind, started, attempts, hints, solved: solved !== undefined, ...end };
}

/** RFC 4180, with a line of names; no cell holds a comma, a quote or a formula. */
export function csvOf(rows: readonly ReportRow[]): string {
  const lines = rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(','));
  return [COLUMNS.join(','), ...lines].map((line) => `${line}\r\n`).join('');
}

/** Times come from a file that a student can write: a spreadsheet must not take one for a formula. */
function cell(value: unknown): string {
  const text = String(value ?? '');
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
