/** The reference of the lab file is as the rows make it; its examples and the ready labs are valid, by reader and schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { CHECK_WORDS } from '../../src/lab/checks/words/index.js';
import { parseLabFile } from '../../src/lab/file/read.js';
import { templateOf } from '../../src/lab/file/template.js';
import { labFileText, labSchemaText } from './lab-file.js';

const DOCS = '../../docs';
const LABS = new URL('../../labs/', import.meta.url).pathname;
const schema = z.fromJSONSchema(JSON.parse(labSchemaText()) as Parameters<typeof z.fromJSONSchema>[0]);

// After a change of a row: npm run docs
it('is what the rows and the check words say', async () => {
  await expect(labFileText()).toMatchFileSnapshot(`${DOCS}/lab-file.md`);
  await expect(labSchemaText()).toMatchFileSnapshot(`${DOCS}/lab-file.schema.json`);
});

it('has examples that are YAML', () => {
  const examples = [...labFileText().matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
  expect(examples.length).toBeGreaterThan(15);
  for (const example of examples) expect(parse(example)).toBeTypeOf('object');
});

it.each([...readdirSync(LABS), 'the template'])('%s is valid by reader and schema', (name) => {
  const text = name === 'the template' ? templateOf('mine') : readFileSync(`${LABS}${name}`, 'utf8');
  expect(parseLabFile(text, name).lab).toBe(name === 'the template' ? 'mine' : name.replace('.yaml', ''));
  expect(schema.safeParse(parse(text)).error).toBeUndefined();
});

it.each(CHECK_WORDS.map((word) => [word.word, word] as const))('the example of %s is valid', (_, { example }) => {
  const guests = ['alice', 'bob', 'carol', 'a', 'b', 'c', 'd'].map(
    (name, i) => `  ${name}: { host: h${1 + (i % 2)}, address: 10.0.0.${i + 1}/24 }`,
  );
  const text = `lab: x\nhosts: { h1: {}, h2: {} }\nguests:\n${guests.join('\n')}\nchecks:\n  - ${example}\n`;
  expect(parseLabFile(text, 'x.yaml').checks).toHaveLength(1);
});

it.each([
  ['no hosts', 'lab: a'],
  ['an unknown key', 'lab: a\nhosts: { h1: {} }\nguest: {}'],
  ['an unknown check', 'lab: a\nhosts: { h1: {} }\nchecks: [{ pong: {} }]'],
  ['two words in a check', 'lab: a\nhosts: { h1: {} }\nchecks: [{ ping: {}, mtu: {} }]'],
])('the schema refuses %s', (_, text) => {
  expect(schema.safeParse(parse(text)).success).toBe(false);
});
