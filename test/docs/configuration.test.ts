import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { EXAMPLE } from '../config/example.js';
import { referenceText, schemaText } from './configuration.js';

const DOCS = '../../docs';
const EXAMPLES = [...referenceText().matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);

describe('the reference of the configuration', () => {
  // After a change of an option: npm run docs
  it('is what the rows of the options say', async () => {
    await expect(referenceText()).toMatchFileSnapshot(`${DOCS}/configuration.md`);
  });

  it('has a JSON Schema that says the same', async () => {
    await expect(schemaText()).toMatchFileSnapshot(`${DOCS}/configuration.schema.json`);
  });

  it('has examples that are YAML', () => {
    expect(EXAMPLES.length).toBeGreaterThan(10);
    for (const example of EXAMPLES) expect(parse(example)).toBeTypeOf('object');
  });
});

describe('the JSON Schema', () => {
  const schema = z.fromJSONSchema(JSON.parse(schemaText()) as Parameters<typeof z.fromJSONSchema>[0]);
  const faults = (text: string) => schema.safeParse(parse(text)).error?.issues.length ?? 0;

  it.each([
    ['the example of the contract', EXAMPLE],
    ['bridges and ports with nothing after them', 'bridges: { br0: , br1: { ports: } }\nports:'],
    [
      'offloads and limits',
      'offloads: { tunnel_gso: auto }\nbridges: { br0: { ports: { t: { type: tap, storm_limit: { broadcast: 1 } } } } }',
    ],
  ])('takes %s', (_, text) => {
    expect(schema.safeParse(parse(text)).error).toBeUndefined();
  });

  it.each([
    ['a file without bridges', 'name: host1'],
    ['an unknown key', 'bridges: {}\nbridge: {}'],
    ['an unknown key of a port', 'bridges: {}\nports: { t: { type: tap, learn: true } }'],
    ['an option of the other type', 'bridges: {}\nports: { t: { type: tap, id: 5 } }'],
    ['a number out of its range', 'workers: 17\nbridges: {}'],
    ['an unknown word', 'bridges: {}\nports: { x: { type: vxlan, id: 5, df: never } }'],
    ['a list of something else', 'bridges: {}\nports: { t: { type: tap, vlans: [{ pvid: true }] } }'],
  ])('refuses %s', (_, text) => {
    expect(faults(text)).toBeGreaterThan(0);
  });
});
