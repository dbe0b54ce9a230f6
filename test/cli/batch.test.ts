import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { splitWords } from '../../src/cli/batch.js';
import { overtap, scratch } from './harness.js';

const folder = scratch();
afterAll(() => folder.remove());

describe('words of a line', () => {
  it.each([
    ['fdb show', ['fdb', 'show']],
    ['  fdb\tshow  ', ['fdb', 'show']],
    ['', []],
    ['   # a comment', []],
    ['fdb show # a comment', ['fdb', 'show']],
    ['link add a#b', ['link', 'add', 'a#b']],
    [`link add 'a b' "c 'd"`, ['link', 'add', 'a b', "c 'd"]],
    [`a''b ""`, ['ab', '']],
  ])('%j', (text, words) => {
    expect(splitWords(text)).toEqual(words);
  });

  it('a quote that is not closed is refused', () => {
    expect(() => splitWords(`link add "t1 x`)).toThrow('a quote is not closed: "t1 x');
  });
});

describe('-batch', () => {
  const batch = (text: string, ...before: string[]): ReturnType<typeof overtap> => {
    const file = folder.file('commands');
    writeFileSync(file, text);
    return overtap([...before, '-batch', file]);
  };
  const file = folder.file('commands');

  it('runs each line, with the global options', async () => {
    const { status, out, err } = await batch('help check\n\n# nothing\nhelp \\\n  apply\n');
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain('Usage: overtap check');
    expect(out).toContain('Usage: overtap apply');
    const none = await batch('link show', '-s', folder.file('none.sock'));
    expect(none.err).toContain(`no switch answers on ${folder.file('none.sock')}`);
  });

  it('stops at the first line that fails, and names it', async () => {
    const { status, out, err } = await batch('help check\nhelp \\\nnonsense\nhelp apply\n');
    expect(status).toBe(1);
    expect(err).toBe(`overtap: unknown command 'nonsense' (see "overtap --help")\nCommand failed ${file}:2\n`);
    expect(out).not.toContain('Usage: overtap apply');
  });

  it('control characters of a line or of the name of the file are shown, not obeyed', async () => {
    const open = await batch('help "\x1b]0;title\x07\n');
    expect(open.err).toContain('a quote is not closed: "\\x1b]0;title\\x07\n');
    const strange = folder.file('b\x1b[31m');
    writeFileSync(strange, 'nonsense\n');
    expect((await overtap(['-batch', strange])).err).toContain(`Command failed ${strange.replace('\x1b', '\\x1b')}`);
  });

  it('goes on with -force', async () => {
    const { status, out, err } = await batch('help nonsense\nhelp apply\n', '-force');
    expect(status).toBe(1);
    expect(err).toContain(`Command failed ${file}:1\n`);
    expect(out).toContain('Usage: overtap apply');
  });

  it('refuses commands that never end, options of its own in a line, and an open quote', async () => {
    const { err } = await batch('run -c x\n-j link\nhelp "x\n', '-force');
    expect(err.split('\n')).toEqual([
      'overtap: "run" cannot be in a batch',
      `Command failed ${file}:1`,
      'overtap: in a batch a line begins with a command',
      `Command failed ${file}:2`,
      'overtap: a quote is not closed: "x',
      `Command failed ${file}:3`,
      '',
    ]);
  });

  it('needs a file, which can be read, and no command beside it', async () => {
    const refused = async (...argv: string[]): Promise<string> => {
      const { status, err } = await overtap(argv);
      expect(status).toBe(2);
      return err;
    };
    expect(await refused('-batch')).toContain('-batch needs a file');
    expect(await refused('-batch', folder.file('absent'))).toContain('absent cannot be read: ENOENT');
    expect(await refused('-batch', file, 'link')).toContain(`takes its commands from ${file}: leave out "link"`);
    expect(await refused('-force', 'link')).toContain('-force belongs to -batch');
    expect(await refused('-batch', '/dev/zero')).toContain('the line is too long');
  });

  it('takes the spellings of iproute2', async () => {
    expect((await overtap(['-json', 'help', 'check'])).status).toBe(0);
    expect(await overtap(['-Version'])).toEqual(await overtap(['--version']));
  });
});
