/**
 * The programs of test/e2e/tools, compiled before the end-to-end tests: they run in processes of their own, and Node 20 runs no
 * TypeScript. What they import of src is taken from dist.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';
import { PROGRAMS } from './tool-path.js';

const SOURCES = new URL('tools/', import.meta.url);
const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2022,
  verbatimModuleSyntax: true,
};

/** Run by vitest before the first end-to-end test (`globalSetup`). */
export default function compileTools(): void {
  mkdirSync(PROGRAMS, { recursive: true });
  writeFileSync(new URL('package.json', PROGRAMS), '{"type":"module"}');
  for (const name of readdirSync(SOURCES).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))) {
    const source = readFileSync(new URL(name, SOURCES), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions: OPTIONS });
    writeFileSync(
      new URL(name.replace(/\.ts$/, '.js'), PROGRAMS),
      outputText.replaceAll("'../../../src/", "'../../../dist/"),
    );
  }
}
