import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseConfig } from '../../../../src/config/load.js';
import type { SwitchConfig } from '../../../../src/config/types.js';
import { PeerSources } from '../../../../src/control/peers/sources/sources.js';
import { FakeTables, until } from './fake-tables.js';

let folder: string;
let config: SwitchConfig;
let sources: PeerSources;
let tables: FakeTables;

const parse = (ports: string): SwitchConfig =>
  parseConfig(`bridges:\n  br1:\n    ports:\n${ports}`, 'f.yaml', { hostname: () => 'host1', netnsExists: () => true });
const vxlan = (name: string, id: number, options: string): string =>
  `      ${name}: { type: vxlan, local: 192.0.2.1, id: ${id}, ${options} }\n`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-sources-'));
  for (const [name, address] of [
    ['one', '192.0.2.2'],
    ['two', '192.0.2.3'],
  ])
    writeFileSync(join(folder, String(name)), `remotes: [${address}, 192.0.2.77]`);
  tables = new FakeTables();
  sources = new PeerSources({
    tables,
    config: () => config,
    host: { addresses: () => new Set(['192.0.2.1', '192.0.2.77']) },
    say: () => undefined,
  });
});
afterEach(() => {
  sources.stop();
  rmSync(folder, { recursive: true });
});

const floods = (...rows: string[]): Promise<void> =>
  until(`floods ${rows.join(', ')}`, () => JSON.stringify(tables.floods) === JSON.stringify(rows));

it('start, change and end with the configuration, each for itself', async () => {
  const one = `peers_file: ${join(folder, 'one')}`;
  const two = `peers_file: ${join(folder, 'two')}`;
  config = parse(vxlan('vxlan0', 42, one) + vxlan('vxlan1', 43, two));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(tables.floods).toEqual([]);
  sources.start();
  await floods('42 192.0.2.2', '43 192.0.2.3');
  expect(sources.rowsOf('vxlan0')).toMatchObject([{ source: `file ${join(folder, 'one')}`, state: 'ok', remotes: 1 }]);

  const before = tables.changes.length;
  config = parse(vxlan('vxlan0', 42, two) + vxlan('vxlan1', 43, two));
  await floods('42 192.0.2.3', '43 192.0.2.3');
  expect(tables.changes.slice(before).flatMap((change) => change.floods?.add ?? [])).toEqual([
    { port: 'vxlan0', vni: 42, remote: '192.0.2.3' },
  ]);

  config = parse(vxlan('vxlan0', 44, two) + vxlan('vxlan1', 43, two));
  await floods('43 192.0.2.3', '44 192.0.2.3');
  config = parse(vxlan('vxlan1', 43, two));
  await floods('43 192.0.2.3');
  expect(sources.rowsOf('vxlan0')).toEqual([]);
  sources.stop();
  expect(tables.floods).toEqual(['43 192.0.2.3']);
});

it('have rows that were refused tried again when the configuration changes', async () => {
  tables.refused.add('192.0.2.2');
  config = parse(vxlan('vxlan0', 42, `peers_file: ${join(folder, 'one')}`));
  sources.start();
  await until('refused', () => sources.rowsOf('vxlan0')[0]?.fault === '1 rows are not in: full');
  tables.refused.clear();
  config = parse(vxlan('vxlan0', 43, `peers_file: ${join(folder, 'one')}`));
  await floods('43 192.0.2.2');
  await until('no fault', () => sources.rowsOf('vxlan0')[0]?.fault === undefined);
});
