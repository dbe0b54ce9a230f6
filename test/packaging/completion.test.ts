/**
 * packaging/completion: the files are what `overtap completion SHELL` prints (`npm run docs` writes them), and bash, zsh and fish
 * complete with them. Shells that are not installed are left out.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/catalog.js';
import { SHELLS, type Shell } from '../../src/cli/completion/table.js';
import { overtap } from '../cli/harness.js';

const PACKAGING = new URL('../../packaging/completion/', import.meta.url).pathname;
const FILES: Readonly<Record<Shell, string>> = { bash: 'overtap', zsh: '_overtap', fish: 'overtap.fish' };
const LABS = ['one-vxlan-many-vlans', 'dove'];

const folder = mkdtempSync(join(tmpdir(), 'overtap-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program in the place of overtap: names of a switch, and others of the one behind -s. */
mkdirSync(join(folder, 'bin'));
writeFileSync(
  join(folder, 'bin/overtap'),
  `#!/bin/sh
case "$*" in
  'completion links') printf 'br0\\ntap1\\nvxlan0\\n' ;;
  'completion ports') printf 'tap1\\nvxlan0\\n' ;;
  'completion bridges') echo br0 ;;
  '-s /x.sock completion bridges') echo other ;;
  *) echo wrong >&2; exit 1 ;;
esac
`,
);
chmodSync(join(folder, 'bin/overtap'), 0o755);
writeFileSync(join(folder, 'host1.yaml'), '');
const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder };

const isInstalled = (shell: Shell): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
const run = (shell: Shell, script: string, ...words: string[]): string[] =>
  execFileSync(shell, ['-c', script, ...words], { env, cwd: folder, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);

const BASH = `source "$0"; COMP_LINE=$1; COMP_POINT=\${#1}; _overtap; printf '%s\\n' "\${COMPREPLY[@]}"`;
// What completes in a shell without a terminal: the functions of compinit stand in for the line editor.
const ZSH = `
  compdef() { :; }
  _describe() { local -a given; given=("\${(@P)3}"); print -rl -- "\${given[@]}"; }
  _files() { print -rl -- *(N); }
  source "$0"; words=("\${(@s: :)1}"); CURRENT=$#words; _overtap`;
const FISH = 'complete -e -c overtap; source $argv[1]; complete -C $argv[2]';

/** The candidates for the last word of a line, without their meanings. */
function complete(shell: Shell, line: string): string[] {
  const file = join(folder, 'scripts', FILES[shell]);
  if (shell === 'bash') return run('bash', BASH, file, line);
  if (shell === 'fish') return run('fish', FISH, file, line).map((one) => one.replace(/\t.*/, ''));
  const begun = line.slice(line.lastIndexOf(' ') + 1);
  const all = run('zsh', ZSH, file, line).map((one) => one.replace(/(?<!\\):.*/, '').replaceAll('\\:', ':'));
  return all.filter((one) => one.startsWith(begun));
}

const CASES: readonly [line: string, some: readonly string[], none: readonly string[]][] = [
  ['overtap ', COMMANDS.map(({ name }) => name), ['-s', 'show', 'br0']],
  ['overtap f', ['fdb'], ['link']],
  ['overtap fdb ', ['show', 'append', 'flush'], ['dev']],
  ['overtap fdb show ', ['dev', 'br', 'vlan', 'state', 'dynamic'], ['sticky']],
  ['overtap fdb list ', ['dev', 'br', 'vlan'], ['sticky']],
  ['overtap fdb add 02:00:00:00:00:01 ', ['dev', 'sticky', 'src_vni'], ['show']],
  ['overtap fdb add 02:00:00:00:00:01 dev ', ['br0', 'tap1', 'vxlan0'], ['sticky']],
  ['overtap fdb show br ', ['br0'], ['tap1']],
  ['overtap -s /x.sock fdb show br ', ['other'], ['br0']],
  ['overtap fdb flush state ', ['dynamic', 'static', 'permanent', 'all'], ['dev']],
  ['overtap --json stats ', ['br0', 'tap1', 'dev'], ['run']],
  ['overtap link set ', ['br0', 'tap1', 'master', 'type', 'up', 'down'], ['vni', 'ttl']],
  ['overtap link set t', ['tap1', 'type'], ['vxlan0']],
  ['overtap link set tap1 master ', ['br0'], ['tap1']],
  ['overtap link add vxlan1 type ', ['bridge', 'tap', 'vxlan', 'patch', 'netdev'], ['bridge_slave']],
  ['overtap link set vxlan0 type ', ['bridge_slave', 'vxlan'], []],
  ['overtap link set vxlan0 type vxlan ', ['ttl', 'udpcsum', 'noudpcsum', 'remotes', 'isolated', 'master'], ['show']],
  ['overtap link set vxlan0 type vxlan df ', ['unset', 'set', 'inherit'], ['ttl']],
  ['overtap link set vxlan0 type vxlan ttl ', ['auto', 'inherit'], ['N']],
  ['overtap link set vxlan0 type vxlan default ', ['ttl', 'df'], []],
  ['overtap link set tap1 type bridge_slave isolated ', ['on', 'off'], ['learning']],
  ['overtap link set tap1 type bridge_slave storm_limit ', ['off', 'broadcast'], ['learning']],
  ['overtap vlan set neigh_suppress ', ['on', 'off'], []],
  ['overtap mdb add port ', ['tap1', 'vxlan0'], ['br0']],
  ['overtap neigh show nud ', ['permanent', 'reachable'], []],
  ['overtap link del tap1 dev ', ['br0'], []],
  ['overtap monitor ', ['fdb', 'learned', 'all'], []],
  ['overtap log-level ', ['info', 'trace'], []],
  ['overtap lab run ', LABS, ['list']],
  ['overtap help ', ['fdb', 'run'], []],
  ['overtap run -', ['-c', '--config', '--log-level', '-s', '--json'], ['--dry-run']],
  ['overtap run --log-level ', ['debug', 'fatal'], ['-c']],
  ['overtap run -c ', ['host1.yaml'], ['run']],
  ['overtap -s ', ['host1.yaml'], ['run']],
  ['overtap --batch ', ['host1.yaml'], ['run']],
];

/** The scripts as they are now, which those of packaging/completion may not be yet. */
beforeAll(async () => {
  mkdirSync(join(folder, 'scripts'));
  for (const shell of SHELLS) {
    const { out } = await overtap(['completion', shell]);
    writeFileSync(join(folder, 'scripts', FILES[shell]), out);
  }
}, 60_000);

describe.each(SHELLS)('%s', (shell) => {
  it('has the script that overtap prints', async () => {
    const lab = { labs: LABS.map((name) => ({ name, summary: '' })) };
    const { out } = await overtap(['completion', shell], {}, { lab: async () => lab as never });
    const { out: whole } = await overtap(['completion', shell]);
    expect(out.length).toBeLessThan(whole.length);
    await expect(whole).toMatchFileSnapshot(join(PACKAGING, FILES[shell]));
  });

  it.runIf(isInstalled(shell)).each(CASES)('completes "%s"', (line, some, none) => {
    const found = complete(shell, line);
    expect(found).toEqual(expect.arrayContaining([...some]));
    expect(found.filter((one) => none.includes(one))).toEqual([]);
  });
});

it.runIf(isInstalled('zsh'))('zsh takes the file by its name, with compinit', () => {
  const script = `fpath=("$0" $fpath); autoload -Uz compinit; compinit -u -D; print -r -- $_comps[overtap]; autoload +X _overtap && echo loaded`;
  expect(run('zsh', script, join(folder, 'scripts'))).toEqual(['_overtap', 'loaded']);
});
