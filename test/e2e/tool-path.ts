/** Where the compiled programs of test/e2e/tools are: apart from the compiler, which no test file has to load. */
import { fileURLToPath } from 'node:url';

/** As deep below the project's folder as the sources: relative imports hold. */
export const PROGRAMS = new URL('../../node_modules/.cache/overtap-tools/', import.meta.url);

/** Path of a compiled tool. */
export function toolPath(name: string): string {
  return fileURLToPath(new URL(`${name}.js`, PROGRAMS));
}
