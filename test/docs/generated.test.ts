/** Documents that are made from the code are as the code makes them. `npm run docs` writes them anew. */
import { expect, it } from 'vitest';
import { openApiDocument } from '../../src/api/openapi.js';
import { COMMANDS } from '../../src/cli/catalog.js';
import { overtap } from '../cli/harness.js';
import { cliText } from './cli.js';
import { httpApiText } from './http-api.js';

const DOCS = new URL('../../docs/', import.meta.url).pathname;

it('docs/http-api.md is made from the schemas of the API', async () => {
  await expect(httpApiText(openApiDocument('1'))).toMatchFileSnapshot(`${DOCS}http-api.md`);
});

it('docs/cli.md is made from the help of the commands', async () => {
  const helps = new Map<string, string>();
  for (const name of ['', ...COMMANDS.map((command) => command.name)]) {
    const { out } = await overtap(name === '' ? ['--help'] : [name, '--help']);
    helps.set(name, out);
  }
  await expect(cliText(helps)).toMatchFileSnapshot(`${DOCS}cli.md`);
});
