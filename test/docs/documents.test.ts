/**
 * The documents are true about the repository: relative links lead to files, source files that they name exist, each rule of
 * docs/semantics.md names a test that exists, and each drop reason has its rule there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DROP_REASONS } from '../../src/dataplane/state/drop-reasons.js';

const ROOT = new URL('../../', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const inFolder = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`);

const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'CODE_OF_CONDUCT.md',
].concat(
  'bench/README.md',
  inFolder('docs').filter((name) => name.endsWith('.md')),
);
const SOURCES = ['src', 'test', 'bench', 'scripts', 'docs', 'bin', 'packaging', '.github', 'exercises']
  .flatMap(inFolder)
  .concat(readdirSync(ROOT));

/** Targets of inline links and of reference definitions, without those to other hosts and to places of the page itself. */
function linksOf(text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map((match) => match[1] ?? match[2]);
  return targets.filter((target) => !/^(https?:|#)/.test(target)).map((target) => target.replace(/#.*$/, ''));
}

/** Names of files in backquotes, such as `bridge/flood.ts`; patterns are left out. */
function filesOf(text: string): string[] {
  const names = [...text.matchAll(/`([\w./-]+\.(?:ts|mjs|cjs|c|h|json|md|yml))`/g)].map((match) => match[1]);
  return names.filter((name) => !name.startsWith('/') && !name.startsWith('dist/'));
}

describe.each(DOCUMENTS)('%s', (document) => {
  it('has links that lead to files', () => {
    const missing = linksOf(read(document)).filter((link) => !existsSync(join(ROOT, dirname(document), link)));
    expect(missing).toEqual([]);
  });

  it('names source files that exist', () => {
    const exists = (name: string): boolean => SOURCES.some((path) => path === name || path.endsWith(`/${name}`));
    expect(document === 'CHANGELOG.md' ? [] : filesOf(read(document)).filter((name) => !exists(name))).toEqual([]);
  });
});

describe('docs/semantics.md', () => {
  const text = read('docs/semantics.md');
  const files = new Map([...text.matchAll(/^\[([\w-]+)\]: \.\.\/(\S+)$/gm)].map((match) => [match[1], match[2]]));

  it('names tests that exist', () => {
    const missing: string[] = [];
    for (const [, name, titles] of text.matchAll(/\[([\w-]+)\]((?: "[^"]+")+)/g)) {
      const file = files.get(name);
      const source = file === undefined ? '' : read(file).replaceAll("\\'", "'");
      for (const [, title] of titles.matchAll(/"([^"]+)"/g)) {
        if (!source.includes(title)) missing.push(`${file ?? name}: ${title}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('names a test for each rule', () => {
    const rules = [...text.matchAll(/^\| [A-Z]\d+ \|.*$/gm)].map(([row]) => row);
    expect(rules.length).toBeGreaterThan(40);
    expect(rules.filter((row) => !/\[[\w-]+\] "[^|]*\|$/.test(row))).toEqual([]);
  });

  it('has a rule for each drop reason', () => {
    const rows = text.slice(text.indexOf('## Drop reasons'));
    expect(DROP_REASONS.filter((reason) => !rows.includes(`| \`${reason}\` |`))).toEqual([]);
  });
});
