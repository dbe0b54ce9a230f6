/**
 * Results of an examination: checks with their levels, and their text, one line each. Pure. The judges decide the level.
 */

/** `warn`: works, or may work, but look at it. `fail`: frames are lost, or the switch cannot run. */
export type Level = 'ok' | 'warn' | 'fail';

export interface Check {
  readonly level: Level;
  /** The examined object: `vxlan0 192.0.2.2`. */
  readonly subject: string;
  readonly finding: string;
  /** The remedy; only for a problem. */
  readonly remedy?: string;
}

export interface Diagnosis {
  /** No check failed; there may be warnings. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

export const ok = (subject: string, finding: string): Check => ({ level: 'ok', subject, finding });

export const warn = (subject: string, finding: string, remedy: string): Check => ({
  level: 'warn',
  subject,
  finding,
  remedy,
});

export const fail = (subject: string, finding: string, remedy: string): Check => ({
  level: 'fail',
  subject,
  finding,
  remedy,
});

export function diagnosis(checks: readonly Check[]): Diagnosis {
  return { ok: !checks.some(({ level }) => level === 'fail'), checks };
}

const WORDS: Readonly<Record<Level, string>> = { ok: 'ok', warn: 'WARN', fail: 'FAIL' };

/** `FAIL  SUBJECT: FINDING; REMEDY` */
export function formatCheck({ level, subject, finding, remedy }: Check): string {
  return `${WORDS[level].padEnd(4)}  ${subject}: ${finding}${remedy === undefined ? '' : `; ${remedy}`}`;
}

/** `12 checks: 10 ok, 1 WARN, 1 FAIL` */
export function formatSummary({ checks }: Diagnosis): string {
  const count = (wanted: Level): number => checks.filter(({ level }) => level === wanted).length;
  const parts = (['ok', 'warn', 'fail'] as const)
    .filter((level) => level === 'ok' || count(level) > 0)
    .map((level) => `${count(level)} ${WORDS[level]}`);
  return `${checks.length} check${checks.length === 1 ? '' : 's'}: ${parts.join(', ')}`;
}
