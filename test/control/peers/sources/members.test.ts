/** What a hostile etcd can make a switch keep, and read. */
import { expect, it } from 'vitest';
import {
  MAX_KEY,
  MAX_MEMBERS,
  list,
  watch,
  type WatchMessage,
} from '../../../../src/control/peers/sources/etcd/api.js';
import type { EtcdClient } from '../../../../src/control/peers/sources/etcd/client.js';
import { Members } from '../../../../src/control/peers/sources/etcd/members.js';
import { PORT } from './fake-tables.js';

const PREFIX = '/overtap/test';
const SITE = { isOwn: () => false };

function record(i: number, more: object = {}): string {
  const vtep = `198.18.${i >> 8}.${i & 255}`;
  return JSON.stringify({ vtep, dstport: 4789, encapsulation: 'vxlan', vnis: [100], ...more });
}

/** A client of a server that answers with this. */
function answering(answer: unknown): EtcdClient {
  return {
    call: async () => answer,
    stream: async (_: string, __: object, ___: AbortSignal, onMessage: (message: unknown) => boolean) =>
      void onMessage(answer),
  } as unknown as EtcdClient;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

it('cuts keys, which are kept for each record, sound or not', async () => {
  const kv = { key: base64('k'.repeat(3_000_000)), value: base64('nonsense') };
  const { pairs } = await list(answering({ header: { revision: '1' }, kvs: [kv] }), PREFIX);
  expect(pairs[0]?.key).toHaveLength(MAX_KEY);
  const heard: WatchMessage[] = [];
  const message = { result: { events: [{ kv }] } };
  await watch(answering(message), PREFIX, 1n, AbortSignal.timeout(1000), (one) => heard.push(one) > 0);
  expect(heard[0]?.events[0]?.kv.key).toHaveLength(MAX_KEY);
});

it('refuses a list beyond the limit by its length, however many elements it has', async () => {
  const kvs = Array.from({ length: MAX_MEMBERS + 1 }, () => ({ key: base64('k') }));
  // Reading an element of it would fail the test.
  Object.defineProperty(kvs, 0, { get: () => expect.fail('an element was read'), enumerable: true });
  const events = kvs;
  await expect(list(answering({ header: {}, kvs }), PREFIX)).rejects.toThrow(/not understood: kvs/);
  const answer = { result: { events } };
  await expect(watch(answering(answer), PREFIX, 1n, AbortSignal.timeout(1000), () => true)).rejects.toThrow(/events/);
});

it('takes lists that are absent, and those at the limit', async () => {
  expect((await list(answering({ header: { revision: '7' } }), PREFIX)).pairs).toEqual([]);
  const kvs = Array.from({ length: MAX_MEMBERS }, () => ({ key: base64('k') }));
  expect((await list(answering({ header: {}, kvs }), PREFIX)).pairs).toHaveLength(MAX_MEMBERS);
});

it('holds records up to 8 MiB of text in all, and has room again when some go', () => {
  const members = new Members(PREFIX, PORT, SITE);
  // 60,000 characters each: 139 fit into 8 MiB.
  const padding = 'x'.repeat(60_000 - record(1000, { pad: '' }).length);
  for (let i = 1000; i < 1200; i++) members.put(`key ${i}`, record(i, { pad: padding }));
  expect(members.rows()).toHaveLength(139);
  expect(members.fault).toMatch(/^key 1139 is too much.*\(and 60 more\)$/);
  members.put('key 1000', record(1000));
  members.put('key 1139', record(1139, { pad: padding }));
  expect(members.rows()).toHaveLength(140);
  members.delete('key 1001');
  members.put('key 1139', record(1139, { pad: padding }));
  expect(members.rows()).toHaveLength(139);
  for (let i = 1000; i < 1200; i++) members.delete(`key ${i}`);
  for (let i = 1000; i < 1139; i++) members.put(`key ${i}`, record(i, { pad: padding }));
  expect(members.rows()).toHaveLength(139);
  expect(members.fault).toBeNull();
});

it('holds as many VNIs in common as make rows', () => {
  const vnis = Array.from({ length: 4094 }, (_, i) => i + 1);
  const members = new Members(PREFIX, { ...PORT, vnis }, SITE);
  for (let i = 1; i <= 40; i++) members.put(`key ${i}`, record(i, { vnis: ['1-4094'] }));
  // 32 times 4,094 is below 131,072.
  expect(members.rows()).toHaveLength(32 * 4094);
  expect(members.fault).toMatch(/^key 33 is too much.*\(and 7 more\)$/);
});
