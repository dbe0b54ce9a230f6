/**
 * Rooms of the sources for worker threads of tests: they cannot load TypeScript, so the rooms are translated into a folder
 * of their own.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));

/** @returns a new folder with the room, the rooms that it imports, and the given programs beside them; the caller removes it */
export function translateRoom(
  programs: Record<string, string>,
  room: 'fdb' | 'encap' | 'neigh' | 'shared-memory',
): string {
  const folder = mkdtempSync(join(tmpdir(), `overtap-${room}-`));
  for (const name of new Set([room, 'shared-memory', 'wire'])) translate(join(SOURCES, name), join(folder, name));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const [file, text] of Object.entries(programs)) writeFileSync(join(folder, file), text);
  return folder;
}

function translate(from: string, to: string): void {
  mkdirSync(to);
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  // The rooms inside a room (wire/bgp) are none that the tables import.
  for (const entry of readdirSync(from, { withFileTypes: true }).filter((one) => one.isFile())) {
    const file = entry.name;
    const { outputText } = ts.transpileModule(readFileSync(join(from, file), 'utf8'), { compilerOptions });
    writeFileSync(join(to, file.replace(/\.ts$/, '.js')), outputText);
  }
}
