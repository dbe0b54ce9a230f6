/** `overtap completion`, and the table that its scripts are made of. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/catalog.js';
import { completionTable } from '../../src/cli/completion/table.js';
import { OPTION_ROWS } from '../../src/config/options/table.js';
import { allWordsOf } from '../../src/config/options/words.js';
import { fakeSwitch, overtap, routes } from './harness.js';

const folder = mkdtempSync(join(tmpdir(), 'overtap-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the names of a switch', () => {
  const links = [
    { ifname: 'br0', type: 'bridge', operstate: 'UP', mtu: 1450 },
    { ifname: 'tap1', type: 'tap', operstate: 'UP', mtu: 1450 },
  ];

  it.each([
    ['links', 'br0\ntap1\n'],
    ['bridges', 'br0\n'],
    ['ports', 'tap1\n'],
  ])('%s', async (kind, names) => {
    const sw = await fakeSwitch(join(folder, 'x.sock'), routes({ '/v1/links': links }));
    expect(await overtap(['-s', sw.socket, 'completion', kind])).toEqual({ status: 0, out: names, err: '' });
    await sw.close();
  });

  it('are none where no switch answers', async () => {
    const absent = ['-s', join(folder, 'none.sock'), 'completion', 'links'];
    expect(await overtap(absent)).toEqual({ status: 0, out: '', err: '' });
  });
});

it.each([[[]], [['ksh']], [['bash', 'zsh']]])('%j is refused', async (words) => {
  const { status, err } = await overtap(['completion', ...words]);
  expect([status, err.startsWith('overtap: "completion" takes ')]).toEqual([2, true]);
});

describe('the table', () => {
  const table = completionTable(COMMANDS, ['dove'], ['mtu']);
  const wordsOf = (context: string): string[] => (table.words.get(context) ?? []).map(({ word }) => word);

  it('knows every command, its options and those of the program', async () => {
    expect(wordsOf('')).toEqual([...COMMANDS.map(({ name }) => name), 'help']);
    const { out } = await overtap(['--help']);
    const [, own = ''] = /\nOptions:\n([\s\S]*?)\n\n/.exec(out) ?? [];
    const flags = [...own.matchAll(/(?<![\w-])--?[a-zA-Z][\w-]*/g)].map(([flag]) => flag);
    const known = table.options.get('')?.map(({ word }) => word) ?? [];
    expect(flags.filter((flag) => !known.includes(flag))).toEqual([]);
    for (const { name, options = [] } of COMMANDS)
      expect(table.options.get(name)?.length).toBe(
        options.reduce((sum, { flags: text }) => sum + text.split(', ').length, 0),
      );
  });

  it('knows every word of every kind of link', () => {
    for (const [scope, rows] of Object.entries(OPTION_ROWS)) {
      const context = scope === 'link' ? 'link add' : `link type ${scope}`;
      expect(wordsOf(context)).toEqual(expect.arrayContaining(rows.flatMap(allWordsOf)));
    }
  });

  it('names no word twice in one place', () => {
    const twice = (words: readonly string[]): string[] => words.filter((word, at) => words.indexOf(word) !== at);
    for (const context of table.words.keys())
      expect({ context, twice: twice(wordsOf(context)) }).toEqual({ context, twice: [] });
  });
});
