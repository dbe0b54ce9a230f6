/** The FDB and the flood lists of one host: rows end there, as the control thread puts them. */
import type { RemoteFlood, RemoteMac } from '../../evpn/contract.js';
import type { RoutesMessage } from '../../evpn/rib/contract.js';
import { COUNTER_ENTRIES, createFdb, type Fdb, FLAG_EXTERN_LEARN } from '../../fdb/table.js';
import { type Fabric, MAC_HIGH } from './fabric.js';

export class HostTables {
  readonly fdb: Fdb;
  /** Remotes by VNI. */
  readonly floods = new Map<number, Set<string>>();
  /** Rows that were changed, all in all. */
  changes = 0;
  readonly #remotes = new Map<string, number>();
  /** By index, which begins with 1. */
  readonly #vteps: string[] = [''];

  /** @param own VNIs of the host */
  constructor(fabric: Fabric, own: number) {
    const share = (fabric.macs * own) / fabric.vnis;
    this.fdb = createFdb({ capacity: Math.max(1024, Math.ceil(share * 1.1)), owners: 2, groups: 1, events: 4 });
  }

  get entries(): number {
    return this.fdb.counters[COUNTER_ENTRIES] as number;
  }

  get floodRows(): number {
    let rows = 0;
    for (const { size } of this.floods.values()) rows += size;
    return rows;
  }

  /** The VTEP that a MAC is behind, as the FDB has it. @param low last four bytes of the MAC */
  vtepOf(low: number, vni: number): string | undefined {
    const destination = this.fdb.resolve(MAC_HIGH, low, vni);
    return destination < 0 ? undefined : this.#vteps[destination >>> 10];
  }

  take({ macs, floods }: RoutesMessage): void {
    for (const row of macs.remove) this.#remove(row);
    for (const row of macs.add) this.#add(row);
    for (const row of floods.remove) this.floods.get(row.vni)?.delete(row.remote);
    for (const row of floods.add) this.#flood(row);
    this.changes += macs.remove.length + macs.add.length + floods.remove.length + floods.add.length;
  }

  #add({ vni, mac, remote }: RemoteMac): void {
    const [high, low] = wordsOf(mac);
    const destination = (this.#indexOf(remote) << 10) | 1;
    if (!this.fdb.set(high, low, vni, destination, 1, FLAG_EXTERN_LEARN, 0)) throw new Error('the FDB is full');
  }

  #remove({ vni, mac }: RemoteMac): void {
    const [high, low] = wordsOf(mac);
    this.fdb.remove(high, low, vni);
  }

  #flood({ vni, remote }: RemoteFlood): void {
    const list = this.floods.get(vni);
    if (list === undefined) this.floods.set(vni, new Set([remote]));
    else list.add(remote);
  }

  #indexOf(remote: string): number {
    const known = this.#remotes.get(remote);
    if (known !== undefined) return known;
    const index = this.#remotes.size + 1;
    this.#remotes.set(remote, index);
    this.#vteps.push(remote);
    return index;
  }
}

function wordsOf(mac: string): [number, number] {
  const digits = mac.replaceAll(':', '');
  return [Number.parseInt(digits.slice(0, 4), 16), Number.parseInt(digits.slice(4), 16) | 0];
}
