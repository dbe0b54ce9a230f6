/** One session with one member of an etcd cluster: log in, lease, own record, the records of all, and then their changes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EtcdConfig } from '../../../../config/types.js';
import { forget } from '../../../guard.js';
import type { SourcePort } from '../source.js';
import { grantLease, keepLease, list, put, type Snapshot, type WatchMessage, watch } from './api.js';
import { EtcdClient, EtcdFailure } from './client.js';
import { encodeRecord, keyOf } from './record.js';

/** Milliseconds after which all records are read again, whatever the watch says. */
const ANEW_MS = 300_000;
/** Milliseconds between two writes of the own record: somebody else may delete it each time. */
const PUBLISH_MS = 1000;

export interface SessionParts {
  endpoint: string;
  folder: string;
  prefix: string;
  port: SourcePort;
  switchName: string;
  config: EtcdConfig;
  /** The lease of the session before. */
  lease: string | null;
  signal: AbortSignal;
  leased(lease: string): void;
  /** etcd has answered. */
  contact(): void;
  /** @param isFirst of this session */
  snapshot(snapshot: Snapshot, isFirst: boolean): void;
  put(key: string, value: string): void;
  deleted(key: string): void;
  /** Something is wrong with the own record, in words. */
  conflict(text: string): void;
}

export class EtcdSession {
  readonly endpoint: string;
  private readonly ending = new AbortController();
  private readonly signal: AbortSignal;
  private port: SourcePort;
  private lease: string | null;
  private client: EtcdClient | null = null;
  private isPublishing = false;
  /** The own record is to be written again. */
  private isStale = false;

  constructor(private readonly parts: SessionParts) {
    this.endpoint = parts.endpoint;
    this.port = parts.port;
    this.lease = parts.lease;
    this.signal = AbortSignal.any([parts.signal, this.ending.signal]);
  }

  /** Until something fails. @throws EtcdFailure */
  async run(): Promise<void> {
    try {
      this.client = await EtcdClient.open(this.endpoint, this.parts.config, this.signal);
      await this.client.logIn();
      const lease = await this.ensureLease(this.client);
      await this.write(this.client, lease);
      await Promise.race([this.keep(this.client), this.watchAll(this.client), this.aborted()]);
    } finally {
      this.ending.abort();
      this.client?.close();
    }
  }

  /** The port has other options. */
  follow(port: SourcePort): void {
    this.port = port;
    this.publish();
  }

  private aborted(): Promise<never> {
    return new Promise((_, reject) => {
      if (this.signal.aborted) reject(new EtcdFailure('is left'));
      this.signal.addEventListener('abort', () => reject(new EtcdFailure('is left')), { once: true });
    });
  }

  // ---- The own record ----

  private async ensureLease(client: EtcdClient): Promise<string> {
    if (this.lease !== null && (await keepLease(client, this.lease))) return this.lease;
    this.lease = await grantLease(client, this.parts.config.ttl);
    this.parts.leased(this.lease);
    return this.lease;
  }

  private async write(client: EtcdClient, lease: string): Promise<void> {
    await put(client, keyOf(this.parts.prefix, this.port), encodeRecord(this.port, this.parts.switchName), lease);
  }

  /** Keeps the lease, or gets another one. */
  private async keep(client: EtcdClient): Promise<void> {
    const ms = (this.parts.config.ttl * 1000) / 3;
    for (;;) {
      await sleep(ms, undefined, { signal: this.signal, ref: false });
      const before = this.lease;
      const lease = await this.ensureLease(client);
      if (lease !== before) await this.write(client, lease);
      this.parts.contact();
    }
  }

  /** Writes the record again, soon. A failure ends the session. */
  private publish(): void {
    this.isStale = true;
    if (this.isPublishing) return;
    this.isPublishing = true;
    forget('etcd', this.publishSoon());
  }

  private async publishSoon(): Promise<void> {
    try {
      while (this.isStale && this.client !== null && !this.signal.aborted) {
        this.isStale = false;
        await this.write(this.client, await this.ensureLease(this.client));
        await sleep(PUBLISH_MS, undefined, { signal: this.signal, ref: false });
      }
    } catch (error) {
      if (error instanceof EtcdFailure) this.ending.abort();
    } finally {
      this.isPublishing = false;
    }
  }

  // ---- The records of all ----

  private async watchAll(client: EtcdClient): Promise<void> {
    for (let isFirst = true; ; isFirst = false) {
      const snapshot = await list(client, this.parts.folder);
      this.parts.snapshot(snapshot, isFirst);
      const own = snapshot.pairs.find(({ key }) => key === keyOf(this.parts.prefix, this.port));
      if (!snapshot.isCut || own !== undefined) this.takeOwn(own === undefined ? 'DELETE' : 'PUT', own?.value ?? '');
      await this.watchFrom(client, snapshot.revision + 1n);
    }
  }

  /** Until it is time to read all records again, or etcd has forgotten the changes in between (compaction). */
  private async watchFrom(client: EtcdClient, from: bigint): Promise<void> {
    const over = new AbortController();
    const isWorn = sleep(ANEW_MS, true, { signal: AbortSignal.any([this.signal, over.signal]), ref: false });
    const watching = watch(client, this.parts.folder, from, over.signal, (message) => this.take(message));
    try {
      await Promise.race([watching, isWorn]);
    } finally {
      over.abort();
      for (const end of [watching, isWorn]) end.catch(() => undefined);
    }
  }

  /** @returns false when all records must be read again */
  private take({ canceled, compact_revision, cancel_reason, events }: WatchMessage): boolean {
    if (canceled && compact_revision !== '0') return false;
    if (canceled) throw new EtcdFailure(`has ended the watch: ${cancel_reason.slice(0, 100)}`);
    const own = keyOf(this.parts.prefix, this.port);
    for (const { type, kv } of events) {
      if (kv.key === own) this.takeOwn(type, kv.value);
      else if (type === 'DELETE') this.parts.deleted(kv.key);
      else this.parts.put(kv.key, kv.value);
    }
    return true;
  }

  /** Somebody has deleted or overwritten the record of this host. */
  private takeOwn(type: string, value: string): void {
    if (type === 'DELETE') this.publish();
    if (type === 'DELETE' || value === encodeRecord(this.port, this.parts.switchName)) return;
    const other = nameIn(value);
    if (other === this.parts.switchName) return;
    this.parts.conflict(
      `switch ${JSON.stringify(other)} has ${this.port.local} too, and has overwritten this host's record`,
    );
  }
}

function nameIn(value: string): string {
  try {
    const name = (JSON.parse(value) as { switch?: unknown } | null)?.switch;
    return typeof name === 'string' ? name.slice(0, 64) : '';
  } catch {
    return '';
  }
}
