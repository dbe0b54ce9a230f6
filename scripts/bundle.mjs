/**
 * Joins the compiled modules and the libraries that they use into a few files under dist/bundle, which is what
 * bin/overtap runs: Node reads and links several hundred modules otherwise, which is two thirds of the time that a
 * command takes. The addons stay outside.
 */
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const BUNDLE = resolve(DIST, 'bundle');
/** Programs and threads: each is a file of its own, named as here. */
const ENTRIES = { main: 'cli/main.js', 'engine-worker': 'control/engines/engine-worker.js' };
/** They name another entry by a path that begins beside themselves. */
const NAMES_AN_ENTRY = new Set(['engine-thread.js']);

/** A module finds its neighbours by its own address: in the bundle it goes on to have the one that it has in dist. */
const ownAddress = {
  name: 'own-address',
  transform(code, id) {
    if (!id.startsWith(DIST) || !code.includes('import.meta.url') || NAMES_AN_ENTRY.has(basename(id))) return null;
    const place = JSON.stringify(relative(BUNDLE, id));
    return { code: code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`), map: null };
  },
};

const build = await rolldown({
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, resolve(DIST, path)])),
  platform: 'node',
  external: ['raw-socket', 'cap'],
  plugins: [ownAddress],
  logLevel: 'warn',
});
await build.write({ dir: BUNDLE, format: 'esm', sourcemap: true, entryFileNames: '[name].js', cleanDir: true });
await build.close();
