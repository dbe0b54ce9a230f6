/** What the tests of the judges share: checks as lines and levels. */
import { expect } from 'vitest';
import { type Check, formatCheck } from '../../src/doctor/check.js';

export const shown = (checks: readonly Check[]): string[] => checks.map(formatCheck);
export const levels = (checks: readonly Check[]): string => checks.map(({ level }) => level).join(' ');

/** What is wrong has a remedy, and what is right has none. */
export function expectRemedies(checks: readonly Check[]): void {
  for (const check of checks) expect(check.remedy === undefined, formatCheck(check)).toBe(check.level === 'ok');
}
