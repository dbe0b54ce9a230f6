/** Where the native programs beside the addon are: built on this machine, or carried by the package. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What brings a missing one, for whoever has a package, and for whoever has the source. */
export const MISSING_REMEDY =
  'install the package again, or build it with "npm run build:native" in the directory of overtap; that takes gcc, make and Python 3';

/** The library that `overtap exec` preloads. @throws Error that says how to get it */
export function preloadLibrary(): string {
  const found = preloadLibraryPath();
  if (found === undefined) throw new Error(`the library of "overtap exec" is missing: ${MISSING_REMEDY}`);
  return found;
}

/** undefined: it is missing. */
export function preloadLibraryPath(): string | undefined {
  return place('overtap-exec.so', `overtap-exec.${libc()}.so`);
}

/** The CNI plugin; a carried one needs no C library. undefined: it is missing. */
export function cniPluginPath(): string | undefined {
  return place('overtap-cni', 'overtap-cni');
}

/** `src/exec` and `dist/exec` lie equally deep. */
function place(built: string, carried: string): string | undefined {
  return [`../../build/Release/${built}`, `../../prebuilds/linux-${process.arch}/${carried}`]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find(existsSync);
}

/** As of src/native/binding.ts. */
function libc(): 'glibc' | 'musl' {
  try {
    return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'glibc';
  } catch {
    return 'glibc';
  }
}
