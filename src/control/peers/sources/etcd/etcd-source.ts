/**
 * Hosts find each other by etcd: each has a record under a lease, and watches those of the others. While etcd cannot be reached the last state
 * stays, for a grace time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { forget, guarded } from '../../../guard.js';
import { Health } from '../health.js';
import { NO_ROWS, ownerName, SourceRows } from '../rows.js';
import type { PeerSource, SourcePort, SourceSite, SourceStatus } from '../source.js';
import { revokeLease } from './api.js';
import { EtcdClient } from './client.js';
import { Members } from './members.js';
import { folderOf } from './record.js';
import { EtcdSession } from './session.js';

/** Milliseconds between two attempts: at first, and at most. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** Milliseconds in which changes are put together: hosts often come in numbers. */
const GATHER_MS = 20;
/** Milliseconds for a last word to etcd. */
const GOODBYE_MS = 500;

export class EtcdSource implements PeerSource {
  readonly name: string;
  private readonly rows: SourceRows;
  private readonly health: Health;
  private readonly members: Members;
  private readonly ending = new AbortController();
  private session: EtcdSession | null = null;
  private lease: string | null = null;
  /** When etcd was there last, in the clock of `performance.now`. */
  private contactAt: number;
  private telling: NodeJS.Timeout | null = null;
  private expiring: NodeJS.Timeout | null = null;
  private failures = 0;
  /** That was spoken to last. */
  private endpoint: string | null = null;
  /** Another host has the address of this one. */
  private conflict: string | null = null;

  constructor(
    private readonly endpoints: readonly string[],
    private readonly prefix: string,
    private port: SourcePort,
    private readonly site: SourceSite,
  ) {
    this.name = `etcd ${prefix}`;
    this.rows = new SourceRows(site.tables.owner(ownerName(this.name, port)), site.graceMs());
    this.health = new Health((reason, heldBack) => site.say(this.port.name, this.name, reason, heldBack));
    this.members = new Members(prefix, port, site);
    this.contactAt = performance.now();
    forget('etcd', this.run());
  }

  follow(port: SourcePort): void {
    this.port = port;
    this.members.follow(port);
    this.session?.follow(port);
    if (this.health.spokeAt !== null) this.tell();
    this.rows.retry();
  }

  status(): SourceStatus {
    const { state, spokeAt, fault } = this.health;
    return { source: this.name, state, ...this.rows.counts, spokeAt, fault: fault ?? this.rows.refusal };
  }

  stop(): void {
    this.ending.abort();
    this.rows.stop();
    for (const timer of [this.telling, this.expiring]) if (timer !== null) clearTimeout(timer);
  }

  clear(): Promise<void> {
    return this.rows.clear();
  }

  /** Ends the lease, so that the others need not wait for its end. */
  async leave(): Promise<void> {
    const { endpoint, lease } = this;
    if (lease === null || endpoint === null) return;
    this.lease = null;
    try {
      const client = await EtcdClient.open(endpoint, this.site.etcd(), AbortSignal.timeout(GOODBYE_MS));
      await client.logIn();
      await revokeLease(client, lease);
      client.close();
    } catch {
      // The lease ends by itself.
    }
  }

  /** One session after the other, each with the next endpoint. */
  private async run(): Promise<void> {
    const { signal } = this.ending;
    // A list may be in the same order on all hosts.
    let at = Math.floor(this.site.random() * this.endpoints.length);
    while (!signal.aborted) {
      const endpoint = this.endpoints[at % this.endpoints.length] ?? '';
      at++;
      try {
        await this.speak(endpoint, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.failed(`${endpoint} ${error instanceof Error ? error.message : String(error)}`);
      }
      // The other endpoints of the list are tried at once.
      if (this.failures % this.endpoints.length !== 0) continue;
      const ms = Math.min(RETRY_MS * 2 ** Math.min(this.failures, 10), MAX_RETRY_MS);
      await sleep(ms * (0.5 + this.site.random() / 2), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  private async speak(endpoint: string, signal: AbortSignal): Promise<void> {
    const session = new EtcdSession({
      endpoint,
      folder: folderOf(this.prefix),
      prefix: this.prefix,
      port: this.port,
      switchName: this.site.switchName(),
      config: this.site.etcd(),
      lease: this.lease,
      signal,
      leased: (lease) => {
        this.lease = lease;
      },
      contact: () => this.contact(),
      snapshot: ({ pairs, isCut }, isFirst) => {
        // After a break other hosts may be about to come back, as this one is.
        const holds = isFirst && this.health.spokeAt !== null;
        this.members.become(pairs, holds ? performance.now() + this.site.etcd().ttl * 1000 : null);
        this.changed(isCut ? 'there are more hosts than a switch can have' : null);
      },
      put: (key, value) => {
        this.members.put(key, value);
        this.changed(null);
      },
      deleted: (key) => {
        this.members.delete(key);
        this.changed(null);
      },
      conflict: (text) => {
        this.conflict = text;
        this.changed(null);
      },
    });
    this.session = session;
    this.endpoint = endpoint;
    this.conflict = null;
    try {
      await session.run();
    } finally {
      this.session = null;
    }
  }

  private contact(): void {
    this.contactAt = performance.now();
    this.failures = 0;
  }

  private changed(fault: string | null): void {
    this.contact();
    this.health.spoke(fault ?? this.conflict ?? this.members.fault);
    this.expire();
    this.tell();
  }

  private failed(reason: string): void {
    this.failures++;
    this.health.failed(reason);
    if (performance.now() - this.contactAt < this.site.graceMs() || this.health.state === 'lapsed') return;
    this.members.clear();
    this.health.lapsed();
    this.tell();
  }

  /** Hosts that did not come back go when their time is over. */
  private expire(): void {
    if (this.expiring !== null) clearTimeout(this.expiring);
    const next = this.members.expire(performance.now());
    this.expiring =
      next === null
        ? null
        : setTimeout(
            guarded('etcd', () => this.expired()),
            next - performance.now() + 1,
          );
    this.expiring?.unref();
  }

  private expired(): void {
    this.expiring = null;
    // Without etcd nobody can come back: the grace time holds.
    if (this.health.state !== 'ok') return;
    this.expire();
    this.tell();
  }

  private tell(): void {
    if (this.telling !== null || this.ending.signal.aborted) return;
    const work = (): void => {
      this.telling = null;
      forget('etcd', this.rows.become({ ...NO_ROWS, floods: this.members.rows() }));
    };
    this.telling = setTimeout(guarded('etcd', work), GATHER_MS);
    this.telling.unref();
  }
}
