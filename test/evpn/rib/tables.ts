/** What a control thread has after all batches, and what a neighbour has after all messages: both fail on a batch that makes no sense. */
import { BATCH, type RemoteFlood, type RemoteMac, type RemotePrefix } from '../../../src/evpn/contract.js';
import type { Rib, RoutesMessage } from '../../../src/evpn/rib/contract.js';
import type { EvpnRoute, PathAttributes } from '../../../src/wire/bgp/route.js';

interface Delta<T> {
  add: readonly T[];
  remove: readonly T[];
}

export class Tables {
  readonly macs = new Map<string, RemoteMac>();
  readonly floods = new Map<string, RemoteFlood>();
  readonly prefixes = new Map<string, RemotePrefix>();
  changes = 0;

  /** Takes all batches. */
  drain(rib: Rib): this {
    for (let message = rib.deltas(); message !== null; message = rib.deltas()) this.take(message);
    return this;
  }

  take({ macs, floods, prefixes }: RoutesMessage): void {
    const before = this.changes;
    this.#apply(this.macs, macs, ({ vni, mac, ip }) => `${vni} ${mac} ${ip ?? ''}`);
    this.#apply(this.floods, floods, ({ vni, remote }) => `${vni} ${remote}`);
    this.#apply(this.prefixes, prefixes, ({ vni, prefix, remote }) => `${vni} ${prefix} ${remote}`);
    const rows = this.changes - before;
    if (rows === 0 || rows > BATCH) throw new Error(`a batch of ${rows} rows`);
  }

  /** `vni mac ip -> remote`, in order. */
  macTexts(): string[] {
    return [...this.macs].map(([key, { remote }]) => `${key.trim()} -> ${remote}`).sort();
  }

  floodTexts(): string[] {
    return [...this.floods.keys()].sort();
  }

  prefixTexts(): string[] {
    return [...this.prefixes.keys()].sort();
  }

  #apply<T>(rows: Map<string, T>, { add, remove }: Delta<T>, keyOf: (row: T) => string): void {
    this.changes += add.length + remove.length;
    for (const row of remove) if (!rows.delete(keyOf(row))) throw new Error(`no row ${keyOf(row)} to remove`);
    for (const row of add) {
      const key = keyOf(row);
      if (JSON.stringify(rows.get(key)) === JSON.stringify(row)) throw new Error(`row ${key} is there already`);
      rows.set(key, row);
    }
  }
}

/** Routes that a neighbour has from us. */
export class Heard {
  readonly routes = new Map<string, { route: EvpnRoute; attributes: PathAttributes }>();
  messages = 0;

  constructor(
    private readonly rib: Rib,
    private readonly address: string,
  ) {}

  /** @param most messages */
  drain(limit = 100, most = Number.POSITIVE_INFINITY): this {
    const outbox = this.rib.outbox(this.address);
    for (let i = 0; i < most; i++) {
      const next = outbox.next(limit);
      if (next === null) return this;
      this.messages++;
      if ('withdrawn' in next) {
        for (const route of next.withdrawn) {
          if (!this.routes.delete(keyOf(route))) throw new Error(`withdrawn, but never announced: ${keyOf(route)}`);
        }
      } else for (const route of next.routes) this.routes.set(keyOf(route), { route, attributes: next.attributes });
    }
    return this;
  }

  texts(): string[] {
    return [...this.routes.keys()].sort();
  }

  get(text: string): { route: EvpnRoute; attributes: PathAttributes } {
    const found = this.routes.get(text);
    if (found === undefined) throw new Error(`${text} is not announced: ${this.texts().join('; ')}`);
    return found;
  }
}

/** `2 RD MAC IP`, `3 RD ORIGIN`, `5 RD PREFIX`. */
export function keyOf(route: EvpnRoute): string {
  if (route.type === 2) return `2 ${route.rd} ${route.mac}${route.ip === undefined ? '' : ` ${route.ip}`}`;
  return route.type === 3 ? `3 ${route.rd} ${route.origin}` : `5 ${route.rd} ${route.prefix}`;
}
