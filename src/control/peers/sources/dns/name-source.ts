/**
 * The addresses of one DNS name as remotes of a port: asked again when their TTL is over, kept while no server answers, and for a grace
 * time after the name has ceased to exist.
 */
import { isServiceName } from '../../../../values/dns-name.js';
import { formatAddress, parseAddress } from '../../../../wire/ip-address.js';
import { caught, forget, guarded } from '../../../guard.js';
import { Health } from '../health.js';
import { NO_ROWS, ownerName, SourceRows } from '../rows.js';
import type { PeerSource, SourcePort, SourceSite, SourceStatus } from '../source.js';
import { floodRows, type Remote, readRemote } from '../usable.js';

/** Seconds between two questions: the least, and the most, whatever the TTL. */
const MIN_S = 1;
const MAX_S = 3600;
/** Seconds until a question without an answer is asked again: doubled each time. */
const MAX_RETRY_S = 60;
/** Seconds until a name that does not exist is asked for again. */
const MAX_ABSENT_S = 30;
/** A question comes later by up to this part of its time, so that many hosts do not ask at once. */
const JITTER = 0.1;
/** Remotes of one name: each gets a copy of every flooded frame. */
const MAX_REMOTES = 64;
/** Hosts of one service. */
const MAX_TARGETS = 32;

/** What a look-up has found. */
interface Found {
  remotes: Remote[];
  ttl: number;
  /** Something that was left out, in words. */
  fault: string | null;
  /** There is no such name, or it has no address. */
  isAbsent: boolean;
}

export class NameSource implements PeerSource {
  readonly name: string;
  private readonly rows: SourceRows;
  private readonly health: Health;
  private readonly ending = new AbortController();
  /** Addresses of each host of a service, for the time when it alone cannot be looked up. */
  private readonly targets = new Map<string, string[]>();
  private timer: NodeJS.Timeout | null = null;
  private remotes: Remote[] = [];
  private failures = 0;
  private isTold = false;
  private absentSince: number | null = null;

  constructor(
    private readonly dnsName: string,
    private port: SourcePort,
    private readonly site: SourceSite,
  ) {
    this.name = `dns ${dnsName}`;
    this.rows = new SourceRows(site.tables.owner(ownerName(this.name, port)), site.graceMs());
    this.health = new Health((reason, heldBack) => site.say(this.port.name, this.name, reason, heldBack));
    // Not in the same moment as all others.
    this.later(site.random() * 0.05);
  }

  follow(port: SourcePort): void {
    this.port = port;
    if (this.isTold) this.tell();
    this.rows.retry();
  }

  status(): SourceStatus {
    const { state, spokeAt } = this.health;
    return { source: this.name, state, ...this.rows.counts, spokeAt, fault: this.health.fault ?? this.rows.refusal };
  }

  stop(): void {
    this.ending.abort();
    this.rows.stop();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  clear(): Promise<void> {
    return this.rows.clear();
  }

  private later(seconds: number): void {
    if (this.ending.signal.aborted) return;
    const ms = seconds * 1000 * (1 + JITTER * this.site.random());
    this.timer = setTimeout(
      guarded('dns', () => forget('dns', this.turn())),
      ms,
    );
    this.timer.unref();
  }

  /** Asks once. Always leads to the next time. */
  private async turn(): Promise<void> {
    let next = MAX_RETRY_S;
    try {
      next = this.take(await this.lookUp());
    } catch (error) {
      if (this.ending.signal.aborted) return;
      this.failures++;
      this.health.failed(error instanceof Error ? error.message : String(error));
      next = Math.min(2 ** (this.failures - 1), MAX_RETRY_S);
    }
    this.later(next);
  }

  /** @returns seconds until the next question */
  private take({ remotes, ttl, fault, isAbsent }: Found): number {
    this.failures = 0;
    if (this.ending.signal.aborted) return MAX_S;
    if (isAbsent) return this.takeAbsence(fault);
    this.absentSince = null;
    this.health.spoke(fault);
    const isSame = this.isTold && JSON.stringify(remotes) === JSON.stringify(this.remotes);
    this.remotes = remotes;
    if (!isSame) this.tell();
    return Math.min(Math.max(ttl, MIN_S), MAX_S);
  }

  /** A name that is gone may be a mistake of a moment, so its remotes stay for a while. */
  private takeAbsence(fault: string | null): number {
    const now = performance.now();
    this.absentSince ??= now;
    const left = this.site.graceMs() - (now - this.absentSince);
    this.health.failed(fault ?? 'there is no such name');
    if (left > 0) return Math.min(MAX_ABSENT_S, Math.max(left / 1000, MIN_S));
    this.remotes = [];
    this.health.lapsed();
    this.tell();
    return MAX_ABSENT_S;
  }

  private tell(): void {
    this.isTold = true;
    const floods = floodRows(this.port, this.port.vnis, this.remotes);
    forget('dns', this.rows.become({ ...NO_ROWS, floods }));
  }

  private lookUp(): Promise<Found> {
    return isServiceName(this.dnsName) ? this.lookUpService() : this.lookUpHost();
  }

  private async lookUpHost(): Promise<Found> {
    const { addresses, ttl } = await this.addressesOf(this.dnsName);
    const { remotes, fault } = this.usable(addresses.map((address) => ({ address })));
    // Nothing but nonsense is no reason to forget what the name was before.
    const isAbsent = addresses.length === 0 || (remotes.length === 0 && fault !== null);
    return { remotes, ttl, fault, isAbsent };
  }

  private async lookUpService(): Promise<Found> {
    const answer = await this.site.dns.ask(this.dnsName, 'SRV', this.ending.signal);
    const services = answer.services.filter(({ target, port }) => target !== '' && port > 0);
    let ttl = answer.ttl ?? MIN_S;
    const remotes: Remote[] = [];
    let fault =
      services.length > MAX_TARGETS ? `it has ${services.length} hosts; the first ${MAX_TARGETS} count` : null;
    const asked = new Map<string, string[]>();
    for (const { target, port } of services.slice(0, MAX_TARGETS)) {
      const found = asked.has(target) ? undefined : await this.addressesOfTarget(target);
      if (found !== undefined) {
        asked.set(target, found.addresses);
        ttl = Math.min(ttl, found.ttl);
        fault ??= found.fault;
      }
      for (const address of asked.get(target) ?? []) remotes.push({ address, dstport: port });
    }
    for (const target of this.targets.keys()) if (!asked.has(target)) this.targets.delete(target);
    const usable = this.usable(remotes);
    fault ??= usable.fault;
    const isAbsent = services.length === 0 || (usable.remotes.length === 0 && fault !== null);
    return { remotes: usable.remotes, ttl, fault, isAbsent };
  }

  /** One host of a service that cannot be looked up keeps the addresses that it had. */
  private async addressesOfTarget(target: string): Promise<{ addresses: string[]; ttl: number; fault: string | null }> {
    try {
      const { addresses, ttl } = await this.addressesOf(target);
      this.targets.set(target, addresses);
      return { addresses, ttl, fault: addresses.length === 0 ? `${target} has no address` : null };
    } catch (error) {
      if (this.ending.signal.aborted) throw error;
      const fault = `${target}: ${error instanceof Error ? error.message : String(error)}`;
      return { addresses: this.targets.get(target) ?? [], ttl: MIN_S * 5, fault };
    }
  }

  private async addressesOf(name: string): Promise<{ addresses: string[]; ttl: number }> {
    const answer = await this.site.dns.ask(name, this.port.family === 4 ? 'A' : 'AAAA', this.ending.signal);
    const addresses = answer.addresses.flatMap((bytes) => textOf(bytes) ?? []);
    return { addresses, ttl: answer.ttl ?? MIN_S };
  }

  /** Those that can be remotes, in an order that does not depend on the server's. */
  private usable(given: readonly Remote[]): { remotes: Remote[]; fault: string | null } {
    const found = new Map<string, Remote>();
    let fault: string | null = null;
    for (const remote of given) {
      const read = readRemote(remote.address, this.port, this.site);
      if (read === 'own') continue;
      if ('fault' in read) fault ??= read.fault;
      else found.set(`${read.address} ${remote.dstport ?? ''}`, { ...remote, address: read.address });
    }
    const sorted = [...found].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, remote]) => remote);
    if (sorted.length > MAX_REMOTES) fault ??= `it has ${sorted.length} addresses; ${MAX_REMOTES} of them count`;
    return { remotes: sorted.slice(0, MAX_REMOTES), fault };
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  const hex = (at: number): string => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16);
  const text = bytes.length === 4 ? bytes.join('.') : Array.from({ length: 8 }, (_, i) => hex(2 * i)).join(':');
  const parsed = parseAddress(text);
  if (parsed === null) caught('dns', new Error(`an address of ${bytes.length} bytes`));
  return parsed === null ? undefined : formatAddress(...parsed.words);
}
