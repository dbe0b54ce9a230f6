/**
 * Joins the compiled modules and their libraries into a few files under dist/bundle, which bin/overtap runs. Otherwise Node
 * reads and links several hundred modules, two thirds of the run time of a command. The addons stay outside.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const BUNDLE = resolve(DIST, 'bundle');
/** Entry points: programs and threads. Each becomes a file with this name. */
const ENTRIES = {
  main: 'cli/main.js',
  'engine-worker': 'control/engines/engine-worker.js',
  'liveness-worker': 'control/liveness/liveness-worker.js',
  'speaker-worker': 'evpn/speaker-worker.js',
  agent: 'lab/agents/agent.js',
  'weather-agent': 'lab/weather/weather-agent.js',
  'stage-runner': 'exercise/write/stage-runner.js',
  bench: 'bench/path/run.js',
  'learning-tester': 'bench/path/learning/learning-tester.js',
};
/** Files that refer to another entry by a path relative to themselves. */
const NAMES_AN_ENTRY = new Set(['engine-thread.js', 'liveness-thread.js', 'speaker-thread.js', 'stage-process.js']);

/**
 * V8 keeps the text of a file as long as the program runs, and with two bytes for each character if a single one is beyond
 * Latin-1. Without comments, and with such characters escaped, it is 2 MiB instead of 4.5. Lines and names stay, for stack traces.
 */
const TEXT = {
  comments: false,
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: false, asciiOnly: true } },
};

/** A module resolves files relative to its own URL: in the bundle it keeps the URL of its file in dist. */
const ownAddress = {
  name: 'own-address',
  transform(code, id) {
    if (!id.startsWith(DIST) || !code.includes('import.meta.url') || NAMES_AN_ENTRY.has(basename(id))) return null;
    const place = JSON.stringify(relative(BUNDLE, id));
    return { code: code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`), map: null };
  },
};

/**
 * node:http without its lazy exports. An ES import reads all of a built-in module's exports, and since Node 22 three of these load
 * undici: 70 ms of CPU time, more than all else that a command does. require() reads none.
 */
const eagerHttp = {
  name: 'eager-http',
  resolveId: (source, _importer, { kind }) =>
    source === 'node:http' && kind === 'import-statement' ? '\0node:http' : null,
  load: (id) =>
    id === '\0node:http'
      ? `import { createRequire } from 'node:module';
         export const { Agent, createServer, request } = createRequire(import.meta.url)('node:http');`
      : null,
};

const build = await rolldown({
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, resolve(DIST, path)])),
  platform: 'node',
  external: ['raw-socket'],
  plugins: [ownAddress, eagerHttp],
  logLevel: 'warn',
});
const { output } = await build.write({
  dir: BUNDLE,
  format: 'esm',
  sourcemap: true,
  ...TEXT,
  entryFileNames: '[name].js',
  cleanDir: true,
});
await build.close();
writeFileSync(resolve(BUNDLE, 'LICENSES.txt'), licences(output.flatMap(({ moduleIds = [] }) => moduleIds)));

await bundlePage();

/** The program of `overtap page` in the browser, and its markup and style, from their sources: they are no part of dist otherwise. */
async function bundlePage() {
  const sources = fileURLToPath(new URL('../src/page/browser/', import.meta.url));
  const folder = resolve(BUNDLE, 'page');
  mkdirSync(folder, { recursive: true });
  const page = await rolldown({ input: resolve(sources, 'main.ts'), platform: 'browser', logLevel: 'warn' });
  await page.write({ file: resolve(folder, 'page.js'), format: 'iife', minify: true });
  await page.close();
  for (const name of ['page.html', 'page.css']) copyFileSync(resolve(sources, name), resolve(folder, name));
}

/** The licences of the packages in the bundle, as their terms want it. */
function licences(modules) {
  const folders = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
  return [...new Set(folders)]
    .sort()
    .map(licence)
    .join(`\n${'-'.repeat(80)}\n`);
}

function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(resolve(folder, file), 'utf8')}`;
}
