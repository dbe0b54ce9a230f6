import { expect, test } from 'vitest';
import { allHold, closingTable, type Finding, findingLine } from '../../../src/lab/checks/findings.js';

const ok: Finding = { verdict: 'ok', claim: 'a reaches b', seen: '5 of 5' };
const failed: Finding = { verdict: 'FAILED', claim: 'no loop', seen: '3 came back' };

test('a line begins with its verdict', () => {
  expect(findingLine(ok)).toBe('ok     a reaches b: 5 of 5');
  expect(findingLine(failed)).toBe('FAILED no loop: 3 came back');
});

test('one failure fails the check, and a check without claims has not passed', () => {
  expect(allHold([ok, ok])).toBe(true);
  expect(allHold([ok, failed])).toBe(false);
  expect(allHold([])).toBe(false);
});

test('the table is aligned and counts the claims', () => {
  const table = closingTable('x', [ok, failed], true, 1234);
  expect(table).toContain('x: 1 of 2 claims proved in 1.2 s');
  expect(closingTable('x', [ok], false, 50)[1]).toBe('x: 1 of 1 claims proved in 0.1 s; the check ended early');
  const rows = table.filter((line) => /^(ok|FAILED)/.test(line));
  expect(rows).toEqual(['ok      a reaches b  5 of 5', 'FAILED  no loop      3 came back']);
});
