/** Helpers of the lab tests: names of namespaces, and the agent built from its source, so that no stale build is tested. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';

/** Prefix of this process's namespaces, so that several runs can share a machine. */
export const PREFIX = `ovt-t${process.pid}`;

/** Fails without root: a test that cannot run must not look like a passed one. */
export function needRoot(): void {
  if (process.geteuid?.() !== 0) throw new Error('these tests create network namespaces: run them as root');
}

/** Creates a folder for the files of one test file. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'overtap-lab-'));
}

/** Builds the agent into a folder. @returns the path of its file */
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
