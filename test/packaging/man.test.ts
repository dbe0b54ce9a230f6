/** The man pages are made from the program's tables (`npm run docs` writes them), and man and mandoc read them without a complaint. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { COMMANDS, helpOf } from '../../src/cli/catalog.js';
import { switchOptions } from '../../src/config/options/switch.js';
import { vxlanOptions } from '../../src/config/options/vxlan.js';
import { programVersion } from '../../src/control/daemon/version.js';
import { commandPage, configurationPage } from './man.js';
import { helpText, inline, line } from './roff.js';

const MAN = new URL('../../packaging/man/', import.meta.url).pathname;
const PAGES = [
  ['overtap.1', await commandPage(programVersion())],
  ['overtap.yaml.5', configurationPage(programVersion())],
] as const;

const folder = mkdtempSync(join(tmpdir(), 'overtap-man-'));
for (const [name, text] of PAGES) writeFileSync(join(folder, name), text);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (program: string): boolean => spawnSync(program, ['--help']).error === undefined;
const read = (page: string): string =>
  spawnSync('man', ['-l', page], { env: { ...process.env, MANWIDTH: '100' }, encoding: 'utf8' }).stdout;

describe.each(PAGES)('%s', (name, text) => {
  const page = join(folder, name);

  it('is made from the tables', () => expect(text).toMatchFileSnapshot(`${MAN}${name}`));

  it.runIf(has('mandoc'))('has no fault that mandoc finds', () => {
    const { stdout, stderr } = spawnSync('mandoc', ['-Tlint', '-Wwarning', page], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toBe('');
  });

  it.runIf(has('man'))('has no fault that groff finds', () => {
    const { stderr } = spawnSync('man', ['--warnings', '-l', page], {
      env: { ...process.env, MANWIDTH: '160' },
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
  });
});

describe.runIf(has('man'))('as man shows them', () => {
  it('overtap(1) has every command with its help', async () => {
    const shown = read(join(folder, 'overtap.1'));
    for (const command of COMMANDS) {
      expect(shown).toContain(`overtap ${command.name}`);
      const example = (await helpOf(command)).trimEnd().split('\n').at(-1)?.trim() ?? '';
      expect(shown).toContain(example);
    }
  });

  it('overtap.yaml(5) has the keys', () => {
    const shown = read(join(folder, 'overtap.yaml.5'));
    for (const key of Object.keys({ ...switchOptions, ...vxlanOptions }))
      expect(shown).toMatch(new RegExp(`^ +${key}\\b`, 'm'));
  });
});

describe('roff', () => {
  it('takes nothing in a text for a macro or a sequence', () => {
    expect(line(".x 'y' a-b \\n ~^`")).toBe('\\&.x \\(aqy\\(aq a\\-b \\en \\(ti\\(ha\\(ga');
    expect(line("'x")).toBe('\\(aqx');
    expect(inline('see [here](x.md): `-c .x` or b')).toBe(
      'see here: \\fB\\-c .x\\fR or b'.replace('\\-c .x', '\\-c .x'),
    );
    expect(inline('`.x` y')).toBe('\\fB\\&.x\\fR y');
  });

  it('fills paragraphs and leaves indented lines as they are', () => {
    expect(helpText('\na\nb\n  c\n  d\n\n  e')).toEqual([
      '.PP',
      'a',
      'b',
      '.PP',
      '.EX',
      '  c',
      '  d',
      '.EE',
      '.PP',
      '.EX',
      '  e',
      '.EE',
    ]);
  });
});

it('the version of the pages is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(programVersion()).toBe(version);
});
