/**
 * Folders of sockets.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * As `mkdir -p`. Node's recursive mkdir loops forever where the kernel answers ENOENT, as in /proc.
 * @param mode permission bits of folders that are made, less the umask @throws Error of mkdir(2)
 */
export function makeFolder(path: string, mode = 0o777): void {
  const missing: string[] = [];
  const isMissing = (folder: string): boolean => lstatSync(folder, { throwIfNoEntry: false }) === undefined;
  for (let folder = resolve(path); isMissing(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) if (isMissing(folder)) mkdirSync(folder, { mode });
}
