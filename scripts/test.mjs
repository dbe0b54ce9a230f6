/**
 * `npm test`: tools, build, then the static checks in parallel with all tests. Ends with the duration of each part, the
 * failures, and as the last line the machine-readable summary "N passed, N failed[, N skipped]". The exit status is 0 when
 * nothing failed. With OVERTAP_LONG=1 (`npm run test:long`): only the files with long counts, without static checks.
 *
 * Tests meet real clocks and a busy machine. So a few files that failed run once more, alone: a test that passes then is
 * told as UNSTEADY with its first cause, and counts as passed; it is a fault to mend all the same (CONTRIBUTING.md).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LONG = process.env.OVERTAP_LONG === '1';
const STATIC = LONG ? [] : ['format', 'lint', 'types', 'rules', 'bench:guard'];
/** Number of files listed at the end, the slowest first. */
const SLOWEST = 12;
/** Characters of a failure's message behind its name: whoever sees only the end of a log still learns the cause. */
const CAUSE = 300;
/** Most files that run once more; when more have failed, the cause is hardly chance. */
const SECOND_LOOKS = 3;

const script = (name) => ['npm', 'run', '--silent', name];

/**
 * The environment of tests. With NODE_EXTRA_CA_CERTS each start of Node reads those certificates: 40 ms of processor time, three
 * quarters of a bare start, a few thousand times. No test speaks TLS with strangers.
 */
const { NODE_EXTRA_CA_CERTS: _, ...TEST_ENV } = process.env;

/** Runs a command. @returns whether it succeeded, its duration in seconds, and its output if captured */
function run([program, ...words], stdio, env = process.env) {
  const began = performance.now();
  const child = spawn(program, words, { cwd: ROOT, env, stdio: ['ignore', stdio, stdio] });
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

/** Steps required by all others. apt-get mostly waits, so the program is built beside it; npm changes node_modules, so it follows. */
async function prepare() {
  const require = async (command) => {
    const { ok } = await run(command, 'inherit');
    if (!ok) finish({ passed: 0, failed: 1, skipped: 0 }, [command.join(' ')]);
  };
  await Promise.all([require(['node', 'scripts/test-tools.mjs', '--system']), require(script('build'))]);
  await require(['node', 'scripts/test-tools.mjs', '--compiled']);
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

/** The named files, or all, in one run of vitest; vitest.config.ts defines the order. */
async function tests(words = process.argv.slice(2)) {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-test-'));
  const file = join(folder, 'report.json');
  try {
    const reporters = ['default', './scripts/tell-skipped.mjs', 'json']
      .map((name) => `--reporter=${name}`)
      .concat(`--outputFile.json=${file}`);
    const { ok } = await run(['npx', '--no-install', 'vitest', 'run', ...reporters, ...words], 'inherit', TEST_ENV);
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

/** The first lines of a failure's message in one line, without its stack and colours; empty if there is none. */
function causeOf(messages = []) {
  const [text] = stripVTControlCharacters(messages[0] ?? '').split(/\n\s+at /, 1);
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (line === '') return '';
  return `: ${line.length > CAUSE ? `${line.slice(0, CAUSE - 1)}…` : line}`;
}

const failedTests = ({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed');

/** Files with failed tests run once more. @returns the report with what they show then; `unsteady` says what passed this time */
async function lookAgain({ ok, report }) {
  const failed = report.testResults.filter((file) => failedTests(file).length > 0);
  const isTold = report.testResults.every((file) => file.status !== 'failed' || failedTests(file).length > 0);
  if (ok || failed.length === 0 || failed.length > SECOND_LOOKS || !isTold) return { ok, report, unsteady: [] };
  console.log(`\nonce more, alone: ${failed.map(({ name }) => relative(ROOT, name)).join(' ')}`);
  const again = await tests(failed.map(({ name }) => relative(ROOT, name)));
  const second = new Map(again.report.testResults.map((file) => [file.name, file]));
  const unsteady = failed.flatMap((file) => {
    const passed = new Set(
      (second.get(file.name)?.assertionResults ?? [])
        .filter((one) => one.status === 'passed')
        .map((one) => one.fullName),
    );
    return failedTests(file)
      .filter(({ fullName }) => passed.has(fullName))
      .map((one) => `${relative(ROOT, file.name)}: ${one.fullName}${causeOf(one.failureMessages)}`);
  });
  const testResults = report.testResults.map((file) =>
    failed.includes(file) ? (second.get(file.name) ?? file) : file,
  );
  return { ok: again.ok, report: { ...again.report, testResults }, unsteady };
}

/** Summary over the tests. A file that could not be loaded, and a run that failed without a failed test, count as one failure. */
function judge({ ok, report }) {
  const sum = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const { name, status, message, assertionResults } of report.testResults) {
    for (const { status: outcome, fullName, failureMessages } of assertionResults) {
      sum[outcome === 'passed' || outcome === 'failed' ? outcome : 'skipped']++;
      if (outcome === 'failed') sum.failures.push(`${relative(ROOT, name)}: ${fullName}${causeOf(failureMessages)}`);
    }
    if (status === 'failed' && assertionResults.every((one) => one.status !== 'failed')) {
      sum.failed++;
      sum.failures.push(`${relative(ROOT, name)}${causeOf([message])}`);
    }
  }
  if (!ok && sum.failed === 0) {
    sum.failed = 1;
    sum.failures.push(report.fault ?? 'vitest: an error outside the tests');
  }
  return sum;
}

const folderOf = (name) => (relative(ROOT, name).startsWith('test/e2e/') ? 'end-to-end' : 'unit');

const hasRun = (results) => results.some(({ status }) => status === 'passed' || status === 'failed');

function showTimes({ testResults }) {
  for (const kind of ['unit', 'end-to-end']) {
    // A file whose tests are all skipped bears the start of the run.
    const files = testResults.filter(
      ({ name, assertionResults }) => folderOf(name) === kind && hasRun(assertionResults),
    );
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
const looked = await lookAgain(tested);
const judged = judge(looked);
console.log();
showTimes(tested.report);
for (const text of looked.unsteady) console.log(`UNSTEADY: ${text}`);
console.log(`${((performance.now() - began) / 60_000).toFixed(1)} minutes in all`);
const sum = Object.fromEntries(['passed', 'failed', 'skipped'].map((key) => [key, checked[key] + judged[key]]));
finish(sum, [...checked.failures, ...judged.failures]);
