import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EtcdSource } from '../../../../src/control/peers/sources/etcd/etcd-source.js';
import { commonVnis, decodeRecord, encodeRecord } from '../../../../src/control/peers/sources/etcd/record.js';
import type { SourcePort, SourceSite } from '../../../../src/control/peers/sources/source.js';
import { type FakeSite, fakeSite, PORT, until } from './fake-tables.js';
import { ScriptedEtcd } from './scripted-etcd.js';

const PREFIX = '/overtap/test';
const OWN = `${PREFIX}/vteps/192.0.2.1/4789/vxlan0`;
let etcd: ScriptedEtcd;
let site: FakeSite;
const sources: EtcdSource[] = [];

function start(given: Partial<SourceSite> = {}, port: SourcePort = PORT, endpoints = [etcd.url]): EtcdSource {
  site = fakeSite(given);
  const source = new EtcdSource(endpoints, PREFIX, port, site);
  sources.push(source);
  return source;
}

function put(address: string, vnis: (number | string)[] = [100], more: object = {}): string {
  const key = `${PREFIX}/vteps/${address}/4789/vxlan0`;
  etcd.put(
    key,
    JSON.stringify({ vtep: address, dstport: 4789, encapsulation: 'vxlan', vnis, switch: 'other', ...more }),
  );
  return key;
}

const floods = (...rows: string[]): Promise<void> =>
  until(`floods ${rows.join(', ')}`, () => JSON.stringify(site.tables.floods) === JSON.stringify(rows));

beforeEach(async () => {
  etcd = await ScriptedEtcd.start();
});
afterEach(() => {
  for (const source of sources.splice(0)) source.stop();
  etcd.close();
});

describe('hosts that find each other by etcd', () => {
  it('tell their own record under a lease, and flood to those with a VNI in common', async () => {
    put('192.0.2.2', [100, '200-299']);
    const source = start({}, { ...PORT, vnis: [100, 250, 300] });
    await floods('100 192.0.2.2', '250 192.0.2.2');
    expect(JSON.parse(etcd.store.get(OWN)?.value ?? '')).toEqual({
      vtep: '192.0.2.1',
      dstport: 4789,
      encapsulation: 'vxlan',
      vnis: ['100', '250', '300'],
      switch: 'host1',
    });
    expect(etcd.leases.has(etcd.store.get(OWN)?.lease ?? '')).toBe(true);
    const third = put('192.0.2.3', [300], { dstport: 4790 });
    await floods('100 192.0.2.2', '250 192.0.2.2', '300 192.0.2.3:4790');
    expect(source.status()).toMatchObject({ source: `etcd ${PREFIX}`, state: 'ok', remotes: 2, fault: null });
    etcd.delete(third);
    await floods('100 192.0.2.2', '250 192.0.2.2');
    source.follow({ ...PORT, vnis: [250] });
    await floods('250 192.0.2.2');
    await until('the record has the new VNIs', () => etcd.store.get(OWN)?.value.includes('"vnis":["250"]') === true);
  });

  it('get another lease when theirs has ended, and write the record again', async () => {
    const source = start();
    await until('its record', () => etcd.store.has(OWN));
    etcd.endLease(etcd.store.get(OWN)?.lease ?? '');
    await until('its record again', () => etcd.store.has(OWN));
    expect(etcd.leases.has(etcd.store.get(OWN)?.lease ?? '')).toBe(true);
    source.stop();
    await source.leave();
    expect(etcd.store.has(OWN)).toBe(false);
  });

  it('keep the last state while etcd is gone, and give others time to come back', async () => {
    const gone = put('192.0.2.2');
    put('192.0.2.3');
    const source = start();
    await floods('100 192.0.2.2', '100 192.0.2.3');
    etcd.close();
    await until('failed', () => source.status().state === 'failed');
    etcd.store.delete(gone);
    await etcd.again();
    await until('ok', () => source.status().state === 'ok');
    expect(site.tables.floods).toEqual(['100 192.0.2.2', '100 192.0.2.3']);
    expect(site.said.at(-1)).toBe(`etcd ${PREFIX}: works again`);
    await floods('100 192.0.2.3');
  });

  it('forget all when etcd is gone for longer than the grace time', async () => {
    put('192.0.2.2');
    const source = start({ graceMs: () => 1000 });
    await floods('100 192.0.2.2');
    etcd.close();
    await floods();
    expect(source.status().state).toBe('lapsed');
    await etcd.again();
    await floods('100 192.0.2.2');
    expect(source.status().state).toBe('ok');
  });

  it('read all anew when etcd has forgotten the changes in between', async () => {
    put('192.0.2.2');
    start();
    await floods('100 192.0.2.2');
    etcd.compact(() => put('192.0.2.4'));
    await floods('100 192.0.2.2', '100 192.0.2.4');
    expect(etcd.refusedWatches).toBe(1);
  });

  it('speak to the next endpoint', async () => {
    put('192.0.2.2');
    start({}, PORT, ['http://127.0.0.1:9', etcd.url]);
    await floods('100 192.0.2.2');
  });

  it('log in', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'overtap-etcd-'));
    const file = join(folder, 'password');
    etcd.password = 'secret';
    put('192.0.2.2');
    writeFileSync(file, 'wrong\n');
    const source = start({ etcd: () => ({ ttl: 2, user: 'overtap', password_file: file }) });
    await until('refused', () => source.status().fault?.includes('authentication failed') === true);
    writeFileSync(file, 'secret\n');
    await floods('100 192.0.2.2');
    rmSync(folder, { recursive: true });
  });

  it('tell of two hosts with one address', async () => {
    const source = start();
    await until('its record', () => etcd.store.has(OWN));
    etcd.put(OWN, JSON.stringify({ switch: 'host2' }));
    await until('a fault', () => source.status().fault?.startsWith('switch "host2" has 192.0.2.1 too') === true);
  });
});

describe('a hostile etcd', () => {
  it.each([
    ['/v3/lease/grant', 'no json', 'answers with HTTP status 200'],
    ['/v3/lease/grant', '{}', 'answers what is not understood: ID'],
    ['/v3/kv/range', '{"header":{},"kvs":[{"key":7}]}', 'answers what is not understood: kvs.0.key'],
    ['/v3/watch', '{"result":{"events":7}}\n', 'answers what is not understood: result.events'],
    ['/v3/watch', 'nonsense\n', 'sends what is no JSON'],
    ['/v3/watch', `{"a":"${'x'.repeat(5 * 1024 * 1024)}`, 'sends a message of more than 4194304 bytes'],
    ['/v3/kv/range', `{"a":"${'x'.repeat(17 * 1024 * 1024)}"}`, 'answers with more than 16777216 bytes'],
  ])('answers %s with what no etcd says', async (path, answer, fault) => {
    put('192.0.2.2');
    etcd.instead.set(path, answer);
    const source = start();
    await until(`${fault}; it is ${source.status().fault}`, () => source.status().fault?.includes(fault) === true);
    etcd.instead.clear();
    await floods('100 192.0.2.2');
  });

  it('has records that are none', async () => {
    put('127.0.0.1');
    put('239.1.1.1');
    put('2001:db8::1');
    put('192.0.2.9', ['0-5']);
    etcd.put(`${PREFIX}/vteps/x`, 'x'.repeat(70_000));
    put('192.0.2.2');
    const source = start();
    await floods('100 192.0.2.2');
    expect(source.status().fault).toMatch(/ \(and 4 more\)$/);
  });
});

describe('a record', () => {
  it('is read as it was written', () => {
    const vnis = fc
      .uniqueArray(fc.integer({ min: 1, max: 300 }), { minLength: 1 })
      .map((all) => all.sort((a, b) => a - b));
    fc.assert(
      fc.property(vnis, vnis, (theirs, own) => {
        const text = encodeRecord({ ...PORT, local: '192.0.2.2', vnis: theirs }, 'other');
        const member = decodeRecord(text, { ...PORT, vnis: own }, { isOwn: () => false });
        if (member === null || member === 'own' || 'fault' in member) return false;
        const expected = own.filter((vni) => theirs.includes(vni));
        return JSON.stringify(commonVnis({ ...PORT, vnis: own }, member)) === JSON.stringify(expected);
      }),
      { seed: Number(process.env.OVERTAP_SEED ?? 1) },
    );
  });
});
