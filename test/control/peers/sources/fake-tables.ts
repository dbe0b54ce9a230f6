/** Tables that only note which rows each source has. */
import type { PeerChange, PeerFlood, PeerOutcome, PeerTables } from '../../../../src/control/peers/contract.js';
import { DnsClient } from '../../../../src/control/peers/sources/dns/client.js';
import type { SourcePort, SourceSite } from '../../../../src/control/peers/sources/source.js';

export class FakeTables implements PeerTables {
  readonly rows = new Map<string, Map<string, object>>();
  readonly changes: PeerChange[] = [];
  /** Refuses rows of these remotes. */
  refused = new Set<string>();

  owner(name: string) {
    const rows = this.rows.get(name) ?? new Map<string, object>();
    this.rows.set(name, rows);
    return {
      change: (change: PeerChange): Promise<PeerOutcome> => {
        this.changes.push(change);
        let refused = 0;
        for (const kind of ['floods', 'macs', 'bindings'] as const) {
          for (const row of change[kind]?.remove ?? []) rows.delete(`${kind} ${JSON.stringify(row)}`);
          for (const row of change[kind]?.add ?? []) {
            if ('remote' in row && this.refused.has(row.remote)) refused++;
            else rows.set(`${kind} ${JSON.stringify(row)}`, row);
          }
        }
        return Promise.resolve(refused === 0 ? { refused } : { refused, reason: 'full' });
      },
      clear: (): Promise<void> => {
        rows.clear();
        return Promise.resolve();
      },
      renew: (): void => undefined,
      settled: (): Promise<void> => Promise.resolve(),
    };
  }

  all(kind: 'floods' | 'macs' | 'bindings'): object[] {
    return [...this.rows.values()].flatMap((rows) =>
      [...rows].flatMap(([key, row]) => (key.startsWith(kind) ? [row] : [])),
    );
  }

  /** Flood rows as `VNI REMOTE[:PORT]`, sorted. */
  get floods(): string[] {
    return (this.all('floods') as PeerFlood[])
      .map(({ vni, remote, dstport }) => `${vni} ${remote}${dstport === undefined ? '' : `:${dstport}`}`)
      .sort();
  }
}

export const PORT: SourcePort = {
  name: 'vxlan0',
  type: 'vxlan',
  family: 4,
  local: '192.0.2.1',
  dev: undefined,
  dstport: 4789,
  vnis: [100],
};

export interface FakeSite extends SourceSite {
  tables: FakeTables;
  said: string[];
}

export function fakeSite(given: Partial<SourceSite> & { servers?: string[] } = {}): FakeSite {
  const said: string[] = [];
  return {
    dns: new DnsClient(() => given.servers ?? []),
    isOwn: () => false,
    switchName: () => 'host1',
    etcd: () => ({ ttl: 2 }),
    graceMs: () => 60_000,
    random: () => 0,
    say: (_port, source, reason) => said.push(`${source}: ${reason ?? 'works again'}`),
    ...given,
    tables: new FakeTables(),
    said,
  };
}

/** Waits until a condition holds. @param what for the message of a failure */
export async function until(what: string, holds: () => boolean, ms = 8000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
