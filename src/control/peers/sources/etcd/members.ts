/** The other hosts of a fabric, as etcd has them. Times are injected. */
import type { PeerFlood } from '../../contract.js';
import { MAX_ROWS } from '../rows.js';
import type { SourcePort } from '../source.js';
import { floodRows, type Remote, type UsableSite } from '../usable.js';
import { type KeyValue, MAX_MEMBERS } from './api.js';
import { commonVnis, decodeRecord, keyOf } from './record.js';

/** Characters of the values of all records: 4,096 of the usual size are a tenth of that. */
const MAX_TEXT = 8 * 1024 * 1024;
/** VNIs in common with all hosts: more make no row. */
const MAX_COMMON = MAX_ROWS;

interface Held {
  /** Without its VNIs: those in common are enough. */
  remote: Remote;
  /** As etcd has it, to read it again for a port with other options. */
  value: string;
  /** VNIs in common. */
  vnis: readonly number[];
  /** When it goes, unless etcd has it again: it was not there after a break; null: it is there. */
  until: number | null;
}

export class Members {
  private readonly byKey = new Map<string, Held>();
  private readonly faults = new Map<string, string>();
  /** Of all that are held: characters of values, and VNIs. */
  private text = 0;
  private common = 0;

  constructor(
    private readonly prefix: string,
    private port: SourcePort,
    private readonly site: UsableSite,
  ) {}

  /** What is wrong with a record; null: nothing. */
  get fault(): string | null {
    const [first] = this.faults;
    if (first === undefined) return null;
    const more = this.faults.size > 1 ? ` (and ${this.faults.size - 1} more)` : '';
    return `${first[0].slice(0, 100)} ${first[1]}${more}`;
  }

  /** The port has other options. */
  follow(port: SourcePort): void {
    this.port = port;
    for (const [key, { value, until }] of [...this.byKey]) {
      this.put(key, value);
      const held = this.byKey.get(key);
      if (held !== undefined) held.until = until;
    }
  }

  /** A record is there. */
  put(key: string, value: string): void {
    this.delete(key);
    if (key === keyOf(this.prefix, this.port)) return;
    const member = decodeRecord(value, this.port, this.site);
    if (member === null || member === 'own') return;
    if ('fault' in member) this.refuse(key, member.fault);
    else if (this.byKey.size >= MAX_MEMBERS) this.refuse(key, 'is one host too many');
    else {
      const { address, dstport } = member;
      const vnis = commonVnis(this.port, member);
      if (this.text + value.length > MAX_TEXT || this.common + vnis.length > MAX_COMMON)
        this.refuse(key, 'is too much: the records of the other hosts have filled what there is room for');
      else
        this.hold(key, {
          remote: { address, ...(dstport === undefined ? {} : { dstport }) },
          value,
          vnis,
          until: null,
        });
    }
  }

  private hold(key: string, held: Held): void {
    this.byKey.set(key, held);
    this.text += held.value.length;
    this.common += held.vnis.length;
  }

  /** A record is gone. */
  delete(key: string): void {
    this.faults.delete(key);
    const held = this.byKey.get(key);
    if (held === undefined) return;
    this.byKey.delete(key);
    this.text -= held.value.length;
    this.common -= held.vnis.length;
  }

  /**
   * All records that there are.
   * @param until absent hosts stay so long: after a break they may only be slower to come back; null: they go at once
   */
  become(pairs: readonly KeyValue[], until: number | null): void {
    const there = new Set(pairs.map(({ key }) => key));
    for (const key of this.faults.keys()) if (!there.has(key)) this.faults.delete(key);
    for (const [key, held] of this.byKey) {
      if (there.has(key)) continue;
      if (until === null) this.delete(key);
      else held.until = until;
    }
    for (const { key, value } of pairs) this.put(key, value);
  }

  /** Hosts whose time is over go. @returns when the next one's is; null: never */
  expire(now: number): number | null {
    let next: number | null = null;
    for (const [key, { until }] of this.byKey) {
      if (until === null) continue;
      if (until <= now) this.delete(key);
      else next = Math.min(next ?? until, until);
    }
    return next;
  }

  clear(): void {
    this.byKey.clear();
    this.faults.clear();
    this.text = 0;
    this.common = 0;
  }

  rows(): PeerFlood[] {
    const rows: PeerFlood[] = [];
    for (const { remote, vnis } of this.byKey.values()) {
      for (const row of floodRows(this.port, vnis, [remote])) rows.push(row);
      if (rows.length > MAX_ROWS) return rows.slice(0, MAX_ROWS);
    }
    return rows;
  }

  private refuse(key: string, fault: string): void {
    if (this.faults.size < MAX_MEMBERS) this.faults.set(key, fault);
  }
}
