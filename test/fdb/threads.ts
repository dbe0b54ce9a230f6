/**
 * A room of the sources for worker threads of tests: they cannot load TypeScript, so it is translated into a folder of its
 * own.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** @returns a new folder with the room and the given programs beside it; the caller removes it */
export function translateRoom(programs: Record<string, string>, name: 'fdb' | 'encap' | 'neigh' = 'fdb'): string {
  const folder = mkdtempSync(join(tmpdir(), `overtap-${name}-`));
  const room = fileURLToPath(new URL(`../../src/${name}/`, import.meta.url));
  for (const file of readdirSync(room)) {
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const { outputText } = ts.transpileModule(readFileSync(join(room, file), 'utf8'), { compilerOptions });
    writeFileSync(join(folder, file.replace(/\.ts$/, '.js')), outputText);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const [file, text] of Object.entries(programs)) writeFileSync(join(folder, file), text);
  return folder;
}
