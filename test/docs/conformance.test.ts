/** The table of the kernel's cases is true about the tests, and docs/conformance.md is made from it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { conformanceText, faultsOf, readRows } from './conformance.js';
import { readReasons, readRun, selftestsText } from './selftests.js';

const ROOT = new URL('../../', import.meta.url).pathname;
const CASES = join(ROOT, 'test/conformance/cases');
const rows = readdirSync(CASES)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .flatMap((name) => readRows(readFileSync(join(CASES, name), 'utf8')));

it('each row that passes names a test, and each other one its reason', () => {
  const textOf = (path: string): string | undefined =>
    existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8') : undefined;
  expect(faultsOf(rows, textOf)).toEqual([]);
});

it('a row without its test, reason or place is found', () => {
  const faults = faultsOf(
    [
      { script: 'a.sh', case: 'one', result: 'passes', test: 'a.test.ts' },
      { script: 'a.sh', case: 'one', result: 'passes', test: 'a.test.ts' },
      { script: 'a.sh', case: 'two', result: 'passes', test: 'a.test.ts' },
      { script: 'a.sh', case: 'three', result: 'passes', test: 'b.test.ts' },
      { script: 'a.sh', case: 'four', result: 'passes' },
      { script: 'a.sh', case: 'five', result: 'differs' },
    ],
    (path) => (path === 'a.test.ts' ? 'it("a.sh: one")' : undefined),
  );
  expect(faults).toEqual([
    'a.sh: one: is there twice',
    'a.sh: two: a.test.ts does not name "two"',
    'a.sh: three: there is no file b.test.ts',
    'a.sh: four: passes without a test',
    'a.sh: five: differs without a reason',
  ]);
});

it('docs/conformance.md is made from the rows', async () => {
  const run = readRun(readFileSync(join(ROOT, 'test/conformance/selftests/run.json'), 'utf8'));
  const reasons = readReasons(readFileSync(join(ROOT, 'test/conformance/selftests/reasons.json'), 'utf8'));
  await expect(conformanceText(rows, selftestsText(run, reasons))).toMatchFileSnapshot(
    join(ROOT, 'docs/conformance.md'),
  );
});
