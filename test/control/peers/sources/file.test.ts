import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSource } from '../../../../src/control/peers/sources/file/file-source.js';
import { readPeerFile } from '../../../../src/control/peers/sources/file/peer-file.js';
import type { SourcePort } from '../../../../src/control/peers/sources/source.js';
import { type FakeSite, fakeSite, PORT, until } from './fake-tables.js';

const SITE = { isOwn: (address: string): boolean => address === '192.0.2.99' };
const read = (text: string, port: SourcePort = PORT) => readPeerFile(text, 'peers.yaml', port, SITE);
const MAC = '02:00:00:00:00:01';

describe('a file of peers', () => {
  it('has remotes, MACs and bindings, in YAML or JSON', () => {
    const text = `
remotes:
  - 192.0.2.2
  - { dst: 192.0.2.3, vni: 101-199, port: 4790 }
  - { dst: 192.0.2.4, src_vni: 100, vni: 900 }
  - 192.0.2.99
fdb:
  - { mac: "${MAC.toUpperCase()}", dst: 192.0.2.2, vni: 101, sticky: true }
  - { mac: "${MAC}", dst: 192.0.2.2, vni: 555 }
neigh:
  - { dst: 198.18.0.3, lladdr: "${MAC}", vni: 101, router: true }
`;
    const rows = read(text, { ...PORT, vnis: [100, 101] });
    expect(rows).toEqual({
      floods: [
        { port: 'vxlan0', vni: 100, remote: '192.0.2.2' },
        { port: 'vxlan0', vni: 101, remote: '192.0.2.2' },
        { port: 'vxlan0', vni: 101, remote: '192.0.2.3', dstport: 4790 },
        { port: 'vxlan0', vni: 100, remote: '192.0.2.4', sentVni: 900 },
      ],
      macs: [{ port: 'vxlan0', vni: 101, remote: '192.0.2.2', mac: MAC, sticky: true }],
      bindings: [{ port: 'vxlan0', vni: 101, ip: '198.18.0.3', mac: MAC, isRouter: true }],
    });
    expect(read('{"remotes":["192.0.2.2"]}').floods).toEqual([{ port: 'vxlan0', vni: 100, remote: '192.0.2.2' }]);
    expect(read('{}')).toEqual({ floods: [], macs: [], bindings: [] });
  });

  it.each([
    ['remotes: [192.0.2.300]', '1:11: remotes[0].dst: expected an IPv4 or IPv6 address'],
    ['remotes:\n  - 127.0.0.1', '2:5: remotes[0]: 127.0.0.1 is a loopback address'],
    ['remotes:\n  - { dst: 192.0.2.2, vlan: 3 }', '2:23: remotes[0].vlan: unknown key "vlan"'],
    ['{"remotes": ["239.1.1.1"]}', '1:14: remotes[0].dst: 239.1.1.1 is a multicast address'],
    ['remote: []', '1:1: remote: unknown key "remote"; did you mean "remotes"?'],
    [`fdb: [{ mac: "${MAC}", dst: "2001:db8::1" }]`, '2001:db8::1 is IPv6, and the port has IPv4'],
    ['a: &a [1]\nremotes: [*a]', '2:11: remotes[0]: this file may have no aliases; write the value out'],
    ['remotes: [192.0.2.2', 'mend the YAML here'],
    ['', 'the file is empty; give at least "remotes: []"'],
    [`${'['.repeat(60)}`, 'nested more than 32 levels deep'],
    [`remotes: [${'192.0.2.2, '.repeat(100_000)}]`, 'YAML of more than 262144 characters is not read'],
  ])('is refused with line and column: %#', (text, fault) => {
    expect(() => read(text)).toThrow(fault);
  });

  it('has a bounded number of rows', () => {
    const port = { ...PORT, vnis: Array.from({ length: 4000 }, (_, i) => i + 1) };
    const remotes = Array.from({ length: 40 }, (_, i) => `192.0.2.${i + 2}`);
    expect(() => read(JSON.stringify({ remotes }), port)).toThrow('makes more than 131072 rows');
  });
});

describe('a watched file', () => {
  let folder: string;
  let path: string;
  let site: FakeSite;
  let source: FileSource;

  const start = (at = path): void => {
    site = fakeSite();
    source = new FileSource(at, PORT, site);
  };
  const floods = (...remotes: string[]): Promise<void> =>
    until(`${remotes.join(', ')}; there are ${site.tables.floods.join(', ')}`, () => {
      return JSON.stringify(site.tables.floods) === JSON.stringify(remotes.map((one) => `100 ${one}`));
    });
  const failed = (fault: string): Promise<void> =>
    until(`${fault}; it is ${source.status().fault}`, () => source.status().fault?.includes(fault) === true);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'overtap-peers-'));
    path = join(folder, 'peers.yaml');
  });
  afterEach(() => {
    source.stop();
    rmSync(folder, { recursive: true });
  });

  it('is followed when it is written, and when another one takes its place', async () => {
    writeFileSync(path, 'remotes: [192.0.2.2]');
    start();
    await floods('192.0.2.2');
    writeFileSync(path, 'remotes: [192.0.2.3]');
    await floods('192.0.2.3');
    writeFileSync(`${path}.new`, 'remotes: [192.0.2.3, 192.0.2.4]');
    renameSync(`${path}.new`, path);
    await floods('192.0.2.3', '192.0.2.4');
    expect(site.tables.changes.at(-1)).toMatchObject({ floods: { add: [{ remote: '192.0.2.4' }], remove: [] } });
    source.follow({ ...PORT, vnis: [100, 101] });
    await until('four rows', () => site.tables.floods.length === 4);
    expect(source.status()).toMatchObject({ state: 'ok', remotes: 2, fault: null });
  });

  it('stays in force while it is half written, broken, huge or gone, and says so once', async () => {
    writeFileSync(path, 'remotes: [192.0.2.2]');
    start();
    await floods('192.0.2.2');
    writeFileSync(path, 'remotes: [192.0.2.2, ');
    await failed('mend the YAML here');
    writeFileSync(path, '');
    await failed('the file is empty');
    writeFileSync(path, 'x'.repeat(5 * 1024 * 1024));
    await failed('the file is longer than 4194304 bytes');
    unlinkSync(path);
    await failed('no such file');
    expect(site.tables.floods).toEqual(['100 192.0.2.2']);
    expect(site.said.length).toBe(4);
    writeFileSync(path, 'remotes: [192.0.2.5]');
    await floods('192.0.2.5');
    expect(source.status().fault).toBe(null);
  });

  it('never waits for a pipe, a device or a folder', async () => {
    execFileSync('mkfifo', [path]);
    start();
    await failed('it is a pipe, not a file');
    unlinkSync(path);
    mkdirSync(path);
    await failed('it is a directory, not a file');
    rmSync(path, { recursive: true });
    symlinkSync('/dev/zero', path);
    await failed('it is a device or a socket, not a file');
    unlinkSync(path);
    symlinkSync(path, path);
    await failed('ELOOP');
  });

  it('is found when its folder comes later, and when a link to its folder changes', async () => {
    for (const [name, address] of [
      ['one', '192.0.2.2'],
      ['two', '192.0.2.3'],
    ]) {
      mkdirSync(join(folder, String(name)));
      writeFileSync(join(folder, String(name), 'peers.yaml'), `remotes: [${address}]`);
    }
    start(join(folder, 'now', 'peers.yaml'));
    await failed('no such file');
    symlinkSync('one', join(folder, 'now'));
    await floods('192.0.2.2');
    symlinkSync('two', join(folder, 'next'));
    renameSync(join(folder, 'next'), join(folder, 'now'));
    await floods('192.0.2.3');
  });
});
