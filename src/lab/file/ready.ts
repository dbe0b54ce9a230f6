/** The ready labs that are files: they are in the folder `labs` of the package. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Inspection } from '../checks/inspection.js';
import { runChecks } from '../checks/words/index.js';
import type { Lab } from '../lab.js';
import { labOf } from './from-file.js';
import { decodeLabFile } from './read.js';

/** The checks of the file, for code that does what they cannot say. */
export interface FileChecks {
  /** Proves those that only look. */
  look(): Promise<void>;
  /** Proves those that move much: captures should end before. */
  move(): Promise<void>;
}

/** @param check what the words of the file cannot say, and where they belong in between */
export function readyLab(name: string, check?: (inspection: Inspection, words: FileChecks) => Promise<void>): Lab {
  const path = readyPath(name);
  const file = decodeLabFile(readFileSync(path, 'utf8'), path);
  if (check === undefined) return labOf(file);
  return labOf(file, (inspection) => {
    const prove = (isBulk: boolean): Promise<void> =>
      runChecks(
        inspection,
        file.checks.filter(({ word }) => word.isBulk === isBulk),
      );
    return check(inspection, { look: () => prove(false), move: () => prove(true) });
  });
}

/** Path of the file of a ready lab. */
export function readyPath(name: string): string {
  return fileURLToPath(new URL(`../../../labs/${name}.yaml`, import.meta.url));
}
