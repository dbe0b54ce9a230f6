/**
 * `npm test`: tools, build, then the static checks in parallel with all tests. Ends with the duration of each part, the
 * failures, and as the last line the machine-readable summary "N passed, N failed[, N skipped]". The exit status is 0 when
 * nothing failed. With OVERTAP_LONG=1 (`npm run test:long`): only the files with long counts, without static checks.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LONG = process.env.OVERTAP_LONG === '1';
const STATIC = LONG ? [] : ['format', 'lint', 'types', 'rules'];
/** Number of files listed at the end, the slowest first. */
const SLOWEST = 12;

const script = (name) => ['npm', 'run', '--silent', name];

/** Runs a command. @returns whether it succeeded, its duration in seconds, and its output if captured */
function run([program, ...words], stdio) {
  const began = performance.now();
  const child = spawn(program, words, { cwd: ROOT, stdio: ['ignore', stdio, stdio] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => {
    const end = (ok) => resolve({ ok, seconds: (performance.now() - began) / 1000, output });
    child.once('error', (error) => {
      output += `${error.message}\n`;
      end(false);
    });
    child.once('close', (status) => end(status === 0));
  });
}

/** Steps required by all others. */
async function prepare() {
  for (const command of [['node', 'scripts/test-tools.mjs'], script('build')]) {
    const { ok } = await run(command, 'inherit');
    if (!ok) finish({ passed: 0, failed: 1, skipped: 0 }, [command.join(' ')]);
  }
}

/** Run in sequence, to use at most one core beside the tests; output is shown on failure. */
async function staticChecks() {
  const sum = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const name of STATIC) {
    const { ok, seconds, output } = await run(script(name), 'pipe');
    console.log(`${ok ? '' : output}${ok ? 'ok' : 'FAILED'}: npm run ${name}, ${seconds.toFixed(1)} s`);
    sum[ok ? 'passed' : 'failed']++;
    if (!ok) sum.failures.push(`npm run ${name}`);
  }
  return sum;
}

/** All tests in one run of vitest; vitest.config.ts defines the order. */
async function tests() {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-test-'));
  const file = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const { ok } = await run(
      ['npx', '--no-install', 'vitest', 'run', ...reporters, ...process.argv.slice(2)],
      'inherit',
    );
    return { ok, report: readReport(file) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return { testResults: [], fault: `vitest gave no report: ${error.message}` };
  }
}

/** Summary over the tests. A file that could not be loaded, and a run that failed without a failed test, count as one failure. */
function judge({ ok, report }) {
  const sum = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const { name, status, assertionResults } of report.testResults) {
    for (const { status: outcome, fullName } of assertionResults) {
      sum[outcome === 'passed' || outcome === 'failed' ? outcome : 'skipped']++;
      if (outcome === 'failed') sum.failures.push(`${relative(ROOT, name)}: ${fullName}`);
    }
    if (status === 'failed' && assertionResults.every((one) => one.status !== 'failed')) {
      sum.failed++;
      sum.failures.push(relative(ROOT, name));
    }
  }
  if (!ok && sum.failed === 0) {
    sum.failed = 1;
    sum.failures.push(report.fault ?? 'vitest: an error outside the tests');
  }
  return sum;
}

const folderOf = (name) => (relative(ROOT, name).startsWith('test/e2e/') ? 'end-to-end' : 'unit');

function showTimes({ testResults }) {
  for (const kind of ['unit', 'end-to-end']) {
    const files = testResults.filter(({ name, endTime }) => folderOf(name) === kind && endTime > 0);
    if (files.length === 0) continue;
    const wall =
      Math.max(...files.map(({ endTime }) => endTime)) - Math.min(...files.map(({ startTime }) => startTime));
    const count = files.reduce((sum, { assertionResults }) => sum + assertionResults.length, 0);
    console.log(`${kind}: ${count} tests in ${files.length} files, ${(wall / 1000).toFixed(0)} s`);
  }
  const slowest = testResults
    .map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
    .sort((a, b) => b.seconds - a.seconds);
  for (const { name, seconds } of slowest.slice(0, SLOWEST))
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${relative(ROOT, name)}`);
}

function finish({ passed, failed, skipped }, failures) {
  for (const text of failures) console.log(`FAILED: ${text}`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exit(failed === 0 ? 0 : 1);
}

const began = performance.now();
await prepare();
const [checked, tested] = await Promise.all([staticChecks(), tests()]);
const judged = judge(tested);
console.log();
showTimes(tested.report);
console.log(`${((performance.now() - began) / 60_000).toFixed(1)} minutes in all`);
const sum = Object.fromEntries(['passed', 'failed', 'skipped'].map((key) => [key, checked[key] + judged[key]]));
finish(sum, [...checked.failures, ...judged.failures]);
