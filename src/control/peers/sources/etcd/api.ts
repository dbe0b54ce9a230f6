/** Requests and answers of etcd's JSON gateway (etcd 3.4, rpc.proto): keys and values in base64, 64-bit numbers as text. */
import { z } from 'zod';
import { type EtcdClient, EtcdFailure } from './client.js';
import { endOfRange } from './record.js';

/** Hosts of one fabric; a range with more is cut off. */
export const MAX_MEMBERS = 4096;
/** Characters of a key: a prefix, an address, and the name of a port are far less. Keys are kept, so longer ones are told apart by this part. */
export const MAX_KEY = 1024;

const number = z.union([z.string().regex(/^-?[0-9]{1,20}$/), z.int()]).transform(String);
const base64 = z.string().transform((text) => Buffer.from(text, 'base64').toString('utf8'));
const header = z.looseObject({ revision: number.optional(), cluster_id: number.optional() });
const key = base64.transform((text) => text.slice(0, MAX_KEY));
const pair = z.looseObject({ key, value: base64.default(''), lease: number.default('0') });

/** A list that is refused for its length before its elements are read: a server that heeds no limit may send a million of them. */
function bounded<S extends z.ZodType>(element: S) {
  const isShort = (list: unknown): boolean => !Array.isArray(list) || list.length <= MAX_MEMBERS;
  return z.unknown().refine(isShort, { abort: true }).pipe(z.array(element)).default([]);
}

const GRANTED = z.looseObject({ ID: number, TTL: number });
const RANGE = z.looseObject({ header, kvs: bounded(pair), more: z.boolean().default(false) });
const KEPT = z.looseObject({ result: z.looseObject({ TTL: number.default('0') }) });
const WATCHED = z.looseObject({
  result: z.looseObject({
    header: header.optional(),
    created: z.boolean().default(false),
    canceled: z.boolean().default(false),
    compact_revision: number.default('0'),
    cancel_reason: z.string().default(''),
    events: bounded(z.looseObject({ type: z.string().default('PUT'), kv: pair })),
  }),
});

export type KeyValue = z.output<typeof pair>;
export type WatchMessage = z.output<typeof WATCHED>['result'];

export interface Snapshot {
  revision: bigint;
  pairs: KeyValue[];
  /** There are more than can be taken. */
  isCut: boolean;
}

/** @param seconds until etcd ends the lease, unless it is kept. @returns its ID */
export async function grantLease(client: EtcdClient, seconds: number): Promise<string> {
  return read(GRANTED, await client.call('/v3/lease/grant', { TTL: String(seconds) })).ID;
}

/** @returns whether the lease is still there */
export async function keepLease(client: EtcdClient, lease: string): Promise<boolean> {
  const { TTL } = read(KEPT, await client.call('/v3/lease/keepalive', { ID: lease })).result;
  return Number(TTL) > 0;
}

/** Ends a lease and deletes its keys. */
export async function revokeLease(client: EtcdClient, lease: string): Promise<void> {
  await client.call('/v3/lease/revoke', { ID: lease });
}

export async function put(client: EtcdClient, key: string, value: string, lease: string): Promise<void> {
  await client.call('/v3/kv/put', { key: encoded(key), value: encoded(value), lease });
}

/** All keys that begin with a text. */
export async function list(client: EtcdClient, folder: string): Promise<Snapshot> {
  const body = { key: encoded(folder), range_end: endOfRange(folder).toString('base64'), limit: String(MAX_MEMBERS) };
  const { header, kvs, more } = read(RANGE, await client.call('/v3/kv/range', body));
  return { revision: BigInt(header.revision ?? '0'), pairs: kvs, isCut: more };
}

/** Changes of all keys that begin with a text, until the stream breaks. @param until, onMessage as of `EtcdClient.stream` */
export function watch(
  client: EtcdClient,
  folder: string,
  from: bigint,
  until: AbortSignal,
  onMessage: (message: WatchMessage) => boolean,
): Promise<void> {
  const range = { key: encoded(folder), range_end: endOfRange(folder).toString('base64') };
  const body = { create_request: { ...range, start_revision: String(from) } };
  return client.stream('/v3/watch', body, until, (message) => onMessage(read(WATCHED, message).result));
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}

function read<S extends z.ZodType>(schema: S, answer: unknown): z.output<S> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new EtcdFailure(`answers what is not understood: ${result.error.issues[0]?.path.join('.') ?? ''}`);
}
