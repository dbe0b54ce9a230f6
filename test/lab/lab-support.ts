/**
 * Helpers of the lab tests: namespaces of the test's own, and the agent built from its source, so that no stale build
 * is tested.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';

/** Namespaces of this test process: other runs on the machine have others. */
export const PREFIX = `ovt-t${process.pid}`;

/** Throws what is missing in one sentence; a test that cannot run must not look as if it had passed. */
export function needRoot(): void {
  if (process.geteuid?.() !== 0) throw new Error('these tests make network namespaces: run them as root');
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'overtap-lab-'));
}

/** Builds the agent into a folder. @returns its file */
export function buildAgent(folder: string): string {
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
  for (const name of ['agent', 'agent-protocol']) {
    const source = readFileSync(new URL(`../../src/lab/agents/${name}.ts`, import.meta.url), 'utf8');
    writeFileSync(join(folder, `${name}.js`), ts.transpileModule(source, { compilerOptions: options }).outputText);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  return join(folder, 'agent.js');
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
