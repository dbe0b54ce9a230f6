/**
 * The RIB of the edge: Adj-RIBs-In, import, choice, own routes, and what neighbours and the control thread have not got of it yet.
 *
 * Each change goes one way: path -> best path of the NLRI -> places (MAC, flood, prefix) that it is a candidate of -> choice there -> own
 * routes and rows that differ. Each step does nothing when its result is the same.
 */
import { BATCH, type LocalMac, type LocalPrefix, type Question, type SpeakerConfig } from '../contract.js';
import { routesPage, vniAnswers } from './answers.js';
import { AttributeStore, orderOf } from './attributes.js';
import type { EventMessage, NeighborCounts, Outbox, Received, Rib, RoutesMessage, Update } from './contract.js';
import { Duplicates, type FrozenMac } from './duplicates.js';
import { Exporter } from './export.js';
import { ImportTable } from './import.js';
import { loopOf } from './loops.js';
import type { Neighbor } from './neighbor.js';
import { Neighbors } from './neighbors.js';
import { OwnRoutes } from './own-routes.js';
import type { Nlri, Path, Place } from './path.js';
import { chooseBest, PathTable } from './paths.js';
import { Telling } from './telling.js';
import { VniTable } from './vni-table.js';

/** Events that wait; further ones are lost: each is told once, and listings have the rest. */
const MAX_EVENTS = 1024;

const NOTHING_TO_SEND: Outbox = { next: () => null, again: () => {} };
const NO_PLACES: readonly Place[] = [];

/** @returns an empty RIB; `configure` it first */
export function createRib(): Rib {
  return new EvpnRib();
}

class EvpnRib implements Rib {
  readonly #attributes = new AttributeStore();
  readonly #paths = new PathTable(this.#attributes, (nlri, path) => this.#settle(nlri, path));
  readonly #neighbors = new Neighbors();
  readonly #tables = new Map<number, VniTable>();
  readonly #imports = new ImportTable();
  readonly #own = new OwnRoutes(this.#attributes);
  readonly #exporter = new Exporter(this.#own, this.#attributes);
  readonly #telling = new Telling();
  readonly #tell = (event: EventMessage): void => this.#note(event);
  readonly #duplicates = new Duplicates(this.#tell);
  #events: EventMessage[] = [];
  #asn = 0;
  #routerId = '';

  configure(config: SpeakerConfig): void {
    const gone = this.#neighbors.configure(config);
    for (const neighbor of gone) this.#drop(neighbor);
    const isOtherAs = config.asn !== this.#asn;
    this.#asn = config.asn;
    this.#routerId = config.routerId;
    this.#duplicates.configure(config.duplicates);
    this.#configureVnis(config);
    if (this.#imports.configure(this.#tables.values()) || isOtherAs) this.#importAnew();
    for (const table of this.#tables.values()) this.#rebuild(table);
  }

  receive(address: string, { announced, attributes, withdrawn }: Update): Received {
    const neighbor = this.#neighbors.find(address);
    if (neighbor === undefined) return { accepted: 0, refused: announced.length };
    for (const route of withdrawn) this.#paths.withdraw(neighbor, route);
    if (attributes === null) return { accepted: 0, refused: 0 };
    const loop = loopOf(attributes, this.#asn, this.#routerId);
    const kept = this.#attributes.find(attributes);
    const hasRoom = (): boolean => neighbor.hasRoom(this.#tell);
    const fits = neighbor.hasRoomFor(kept);
    let accepted = 0;
    for (const route of announced) {
      if (loop === null && fits && this.#paths.announce(neighbor, route, kept, hasRoom)) accepted++;
      // It takes the place of what this neighbour announced before.
      if (loop !== null || !fits) this.#paths.withdraw(neighbor, route);
      if (loop === null && !fits) neighbor.refuse('attributes', this.#tell);
      if (loop !== null) this.#imports.refuse(loop);
    }
    return { accepted, refused: announced.length - accepted };
  }

  up(address: string, routerId: string): void {
    const neighbor = this.#neighbors.find(address);
    if (neighbor === undefined) return;
    neighbor.isUp = true;
    neighbor.forgive();
    neighbor.routerOrder = orderOf(routerId);
    this.#own.open(neighbor);
  }

  lost(address: string, keep: 'none' | 'stale'): void {
    const neighbor = this.#neighbors.find(address);
    if (neighbor === undefined) return;
    if (keep === 'none') {
      this.#drop(neighbor);
      return;
    }
    this.#end(neighbor);
    this.#makeStale(neighbor);
  }

  renewed(address: string): void {
    const neighbor = this.#neighbors.find(address);
    if (neighbor !== undefined) this.#makeStale(neighbor);
  }

  #makeStale(neighbor: Neighbor): void {
    this.#paths.sweep(neighbor, (path) => {
      // Of the restart before this one (RFC 4724 section 4.2).
      if (path.stale === 1) return 'gone';
      return path.stale === 2 ? 'same' : makeStale(path, 1);
    });
  }

  endOfRib(address: string): void {
    this.#dropStale(address);
  }

  expireStale(address: string, to: 'gone' | 'long-lived'): void {
    const neighbor = this.#neighbors.find(address);
    if (to === 'gone') this.#dropStale(address);
    if (neighbor === undefined || neighbor.stale === 0) return;
    this.#paths.sweep(neighbor, (path) => {
      if (path.stale !== 1) return 'same';
      return path.attributes.mayLiveLong ? makeStale(path, 2) : 'gone';
    });
  }

  announce(macs: readonly LocalMac[], prefixes: readonly LocalPrefix[]): void {
    for (const mac of macs) this.#l2(mac.vni)?.mac(mac.mac).learn(mac);
    for (const { vni, prefix } of prefixes) this.#setPrefix(vni, prefix, true);
  }

  withdraw(macs: readonly LocalMac[], prefixes: readonly LocalPrefix[]): void {
    for (const mac of macs) this.#l2(mac.vni)?.macs.get(mac.mac)?.forget(mac);
    for (const { vni, prefix } of prefixes) this.#setPrefix(vni, prefix, false);
  }

  clearDuplicates(vni?: number, mac?: string): void {
    this.#thaw(this.#duplicates.clear(vni, mac));
  }

  outbox(address: string): Outbox {
    const neighbor = this.#neighbors.find(address);
    return (neighbor === undefined ? undefined : this.#own.outbox(neighbor)) ?? NOTHING_TO_SEND;
  }

  deltas(): RoutesMessage | null {
    return this.#telling.next(BATCH);
  }

  events(): EventMessage[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  tick(now: number): void {
    this.#thaw(this.#duplicates.tick(now));
  }

  counts(address: string): NeighborCounts {
    const neighbor = this.#neighbors.find(address);
    if (neighbor === undefined) return { received: 0, accepted: 0, crowded: 0, sent: 0, stale: 0 };
    const { routes, refused, crowded, stale } = neighbor;
    const sent = this.#own.outbox(neighbor)?.sent ?? 0;
    return { received: routes + refused, accepted: routes, crowded, sent, stale };
  }

  refreshNeeded(): string | null {
    for (const neighbor of this.#neighbors) if (neighbor.wantsRefresh()) return neighbor.address;
    return null;
  }

  answer(question: Extract<Question, { ask: 'routes' }>): ReturnType<typeof routesPage>;
  answer(question: Extract<Question, { ask: 'vnis' }>): { vnis: ReturnType<typeof vniAnswers> };
  answer(question: Extract<Question, { ask: 'routes' | 'vnis' }>): object {
    if (question.ask === 'vnis') return { vnis: vniAnswers(this.#tables) };
    return routesPage(question, this.#paths, this.#tables);
  }

  refusals(): Readonly<Record<string, number>> {
    return { ...this.#imports.refusals };
  }

  #configureVnis({ vnis }: SpeakerConfig): void {
    const named = new Map(vnis.map((config) => [config.vni, config]));
    for (const [vni, table] of this.#tables) {
      if (named.get(vni)?.kind === table.config.kind) continue;
      this.#exporter.clear(table);
      this.#tables.delete(vni);
    }
    for (const config of vnis) {
      const table = this.#tables.get(config.vni);
      if (table === undefined) this.#tables.set(config.vni, this.#createTable(config));
      else table.configure(config);
    }
    for (const table of this.#tables.values()) {
      const l3 = table.config.l3vni === undefined ? undefined : this.#tables.get(table.config.l3vni);
      table.l3 = l3?.config.kind === 'l3' ? l3 : null;
    }
  }

  #createTable(config: SpeakerConfig['vnis'][number]): VniTable {
    const { markMac, markFlood, markPrefix } = this.#telling;
    const publish: Exporter['publishMac'] = (table, entry) => this.#exporter.publishMac(table, entry);
    return new VniTable(config, { duplicates: this.#duplicates, markMac, markFlood, markPrefix, publish });
  }

  /** Own routes anew, where the configuration says otherwise than before. */
  #rebuild(table: VniTable): void {
    const signature = JSON.stringify([table.config, table.l3?.config]);
    if (signature === table.signature) return;
    table.signature = signature;
    this.#exporter.rebuild(table);
  }

  /** Best path and places of an NLRI of which a path changed, came or went. */
  #settle(nlri: Nlri, path: Path): void {
    const best = chooseBest(nlri);
    if (best !== null && best === nlri.best && best !== path) return;
    this.#place(nlri, best);
  }

  #place(nlri: Nlri, best: Path | null): void {
    const places = best === null ? NO_PLACES : this.#imports.placesOf(best);
    const before = nlri.places;
    if (best !== null) nlri.best = best;
    nlri.places = NO_PLACES;
    for (const place of before) if (!places.includes(place)) place.remove(nlri);
    nlri.best = best;
    for (const place of places) {
      if (before.includes(place)) place.change(nlri);
      else if (!place.add(nlri)) {
        this.#imports.refuse('candidates');
        continue;
      }
      nlri.places = nlri.places.length === 0 && places.length === 1 ? places : [...nlri.places, place];
    }
  }

  #importAnew(): void {
    for (const nlri of this.#paths) this.#place(nlri, chooseBest(nlri));
  }

  #drop(neighbor: Neighbor): void {
    this.#end(neighbor);
    if (neighbor.routes > 0) this.#paths.sweep(neighbor, () => 'gone');
  }

  #end(neighbor: Neighbor): void {
    neighbor.isUp = false;
    neighbor.forgive();
    this.#own.close(neighbor);
  }

  #dropStale(address: string): void {
    const neighbor = this.#neighbors.find(address);
    if (neighbor === undefined || neighbor.stale === 0) return;
    this.#paths.sweep(neighbor, ({ stale }) => (stale === 0 ? 'same' : 'gone'));
  }

  #setPrefix(vni: number, prefix: string, isHere: boolean): void {
    const table = this.#tables.get(vni);
    if (table?.config.kind !== 'l3') return;
    if (isHere) table.ownPrefixes.add(prefix);
    else table.ownPrefixes.delete(prefix);
    this.#exporter.publishPrefix(table, prefix);
  }

  #l2(vni: number): VniTable | undefined {
    const table = this.#tables.get(vni);
    return table?.config.kind === 'l2' ? table : undefined;
  }

  #thaw(macs: readonly FrozenMac[]): void {
    for (const { vni, mac } of macs) this.#l2(vni)?.macs.get(mac)?.settle();
  }

  #note(event: EventMessage): void {
    if (this.#events.length < MAX_EVENTS) this.#events.push(event);
  }
}

function makeStale(path: Path, stale: 1 | 2): 'changed' {
  if (path.stale === 0) path.neighbor.stale++;
  path.stale = stale;
  return 'changed';
}
