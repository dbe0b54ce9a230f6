/**
 * Changes of a running switch, serialized: holds the live document and the configured entries, and turns requests into
 * operations. A request is validated completely first; a refused one has no effect.
 */
import type {
  ApplyAnswer,
  ApplyRequest,
  FdbRequest,
  FlushAnswer,
  LinkRequest,
  MdbRequest,
  NeighRequest,
  NexthopRequest,
  SwitchEvent,
  VlansRequest,
} from '../../api/api.js';
import { withEntries } from '../../config/edit/entries.js';
import { addLink, deleteLink, setLink } from '../../config/edit/links.js';
import { editNexthops } from '../../config/edit/nexthops.js';
import { withoutTables, withTables } from '../../config/edit/tables.js';
import type { Document } from '../../config/edit/tree.js';
import { type CheckedDocument, checkDocument, netnsExists } from '../../config/load.js';
import { keysThat } from '../../config/options/option.js';
import { switchOptions } from '../../config/options/switch.js';
import { type HostFacts, NO_FACTS } from '../../config/read/host-facts.js';
import type { SwitchConfig, TableConfig } from '../../config/types.js';
import {
  ChangeRefused,
  type Controls,
  type ObservedListener,
  type ObservedPort,
  type ObserveRequest,
} from '../controls.js';
import type { Engines } from '../engines/engines.js';
import type { EventFeed } from '../events/event-feed.js';
import type { Observation } from '../observe/observation.js';
import { linkChanges } from '../events/link-events.js';
import type { Legacy } from '../model/bequest.js';
import { DeviceError } from '../model/device-error.js';
import type { Entry } from '../model/entries.js';
import { type Departure, partings, Transition } from '../model/transition.js';
import { commandsBetween } from '../plan/commands.js';
import { editVlans } from '../plan/commands-vlans.js';
import { deltaOfEdit, deltaToFile, type EntryDelta } from '../plan/delta.js';
import { type How, type Reconciler, reasonOf } from '../reconcile/reconcile.js';
import type { MulticastControl } from '../tables/multicast-control.js';
import type { NeighTable } from '../tables/neigh-table.js';
import { formatAddress } from '../../wire/ip-address.js';
import { explain } from './explain.js';
import { addEntry, deleteEntry, flushEntries } from './fdb-requests.js';
import type { FdbTables } from './fdb-selection.js';
import { LiveTables, NO_TABLES } from './live-tables.js';
import { hasAnyLocal, isOwnAddress, ownRemotes, refuseOwnAddress } from './own-addresses.js';
import { strayedEntries } from './settle-entries.js';

export interface LiveParts {
  reconciler: Reconciler;
  engines: Pick<Engines, 'apply' | 'fdb' | 'remotes'>;
  tables: FdbTables;
  neigh: Pick<NeighTable, 'change' | 'follow' | 'manual'>;
  /** Rows of sources of peers; absent: there are none. */
  peers?: { follow(): void; bindingFreed(bridge: string, vid: number, ip: string): void };
  /** Follows the configuration; absent: there is none. */
  evpn?: { follow(): void };
  multicast: Pick<MulticastControl, 'change' | 'follow' | 'forgetRemotes' | 'permanent'>;
  /** Spanning trees and states of ports follow a change before the engines know of it. */
  trees: { follow(): void };
  states: { follow(): void };
  feed: Pick<EventFeed, 'tell' | 'drain' | 'subscribe'>;
  observation: Pick<Observation, 'subscribe' | 'drain' | 'ports'>;
  /** Host facts for the rules; absent: none. */
  host?: HostFacts;
  /** The VTEP of this index was replaced or removed. */
  renumbered(remote: number): void;
  /** An operation that cannot fail has failed: engines and model have diverged. */
  broken(error: Error): void;
}

/** What a start takes over from the process before. */
export interface Inheritance {
  entries: readonly Entry[];
  legacy: Legacy;
}

/** What is kept beside the file by another part of the switch: links that no file names. */
export interface Keeper {
  /** A new document with these links, as they are in the present one. @throws EditRefused where they do not fit */
  keep(given: Document, present: Document): Document;
  /** The document without them. */
  strip(document: Document): Document;
}

/** The configuration as it is held here. */
export interface HeldConfig {
  document: Document;
  entries: Entry[];
  tables: TableConfig;
}

const NO_ENTRIES: EntryDelta = { add: [], remove: [] };

/** Settings read at start only. */
const FIXED = keysThat('restart', switchOptions);

export class LiveControl implements Controls {
  /** The change in progress, and the queue behind it. */
  private last: Promise<unknown> = Promise.resolve();
  /** Counters of the changes that take an entry away or elsewhere, at the last check of entries. */
  private settled = '';
  private readonly tables: LiveTables;
  private readonly keepers: Keeper[] = [];
  /** Why no change is carried out any more. */
  private ended: string | null = null;

  /** @param document the initial live document; `reconciler.model.config` is its resolved form */
  constructor(
    private document: Document,
    private readonly parts: LiveParts,
  ) {
    this.tables = new LiveTables({
      ...parts,
      isOwn: (port, dst) => isOwnAddress(parts.reconciler.model.config, this.host, port, dst),
    });
  }

  /**
   * Applies the first configuration to a switch without links.
   * @param inheritance entries and devices of the process before, in place of those that the configuration asks for
   * @throws DeviceError
   */
  async start({ tables = NO_TABLES, ...config }: SwitchConfig, inheritance?: Inheritance): Promise<void> {
    this.document = withoutTables(this.document);
    const { entries, legacy } = inheritance ?? {};
    const delta =
      entries === undefined ? deltaOfEdit(this.parts.reconciler.model.config, config) : { add: entries, remove: [] };
    await this.reconcile(config, delta, { waits: true, legacy });
    try {
      await this.setTables(tables);
    } catch (error) {
      throw error instanceof ChangeRefused ? new DeviceError(error.message, { cause: error }) : error;
    }
  }

  link(request: LinkRequest): Promise<void> {
    const change = (document: Document): Document => {
      switch (request.op) {
        case 'add':
          return addLink(document, request);
        case 'del':
          return deleteLink(document, request.name);
        case 'set':
          return setLink(document, request.name, request);
      }
    };
    // As with `ip link`, a missing namespace is refused, since it may be a typing error, unless the client says otherwise.
    return this.edit(change, undefined, { waits: request.op !== 'del' && request.waits === true });
  }

  vlan(request: VlansRequest): Promise<void> {
    return this.edit((document) => editVlans(document, request));
  }

  nexthop(request: NexthopRequest): Promise<void> {
    // Entries go by what they name now, which may be other than in the document: `PortEntries.defineNexthops`.
    return this.edit((document) => editNexthops(document, request), NO_ENTRIES);
  }

  fdb(request: FdbRequest): Promise<FlushAnswer | undefined> {
    return this.exclusively(async () => {
      this.settle();
      const change = new Transition();
      const { tables, reconciler } = this.parts;
      let answer: FlushAnswer | undefined;
      if (request.op === 'flush') answer = { removed: flushEntries(tables, request, change) };
      else if (request.op === 'del') deleteEntry(tables, request, change);
      else {
        refuseOwnAddress(reconciler.model.config, this.host, request.dev, request.dst);
        addEntry(tables, request, change);
      }
      reconciler.finishEntries(change);
      await this.carryOut(change);
      return answer;
    });
  }

  neigh(request: NeighRequest): Promise<void> {
    return this.exclusively(async () => {
      const change = new Transition();
      const operations = this.parts.neigh.change(request);
      for (const operation of operations) if (operation.op === 'neigh-del') this.freeBinding(operation);
      this.parts.reconciler.finishEntries(change);
      change.entries.unshift(...operations);
      await this.carryOut(change);
    });
  }

  mdb(request: MdbRequest): Promise<void> {
    return this.exclusively(async () => {
      const change = new Transition();
      const { reconciler, multicast } = this.parts;
      if (request.op === 'add' || request.op === 'replace')
        refuseOwnAddress(reconciler.model.config, this.host, request.port, request.dst);
      const operations = multicast.change(request);
      reconciler.finishEntries(change);
      change.entries.push(...operations);
      await this.carryOut(change);
    });
  }

  apply({ config: value, dry_run: dryRun }: ApplyRequest): Promise<ApplyAnswer> {
    return this.exclusively(async () => {
      this.settle();
      const { model } = this.parts.reconciler;
      const { document: given, config } = this.checkWithKept(value);
      const { tables = NO_TABLES, ...links } = config;
      const document = withoutTables(given);
      const next = this.keepFixed(links);
      const ofLinks = commandsBetween(
        { document: this.document, config: model.config },
        { document, config: next },
        model.entries,
        this.host,
      );
      const commands = [...ofLinks, ...this.tables.commandsTo(tables, next)];
      const notes = withoutCommand(model.config, next);
      if (dryRun === true) return { commands, ...warningsOf(notes) };
      const absent = await this.become(document, next, deltaToFile(model.entries, next), { waits: true });
      await this.setTables(tables);
      return {
        commands,
        ...warningsOf([...notes, ...[...absent].map(([name, reason]) => `${name} waits: ${reason}`)]),
      };
    });
  }

  /** The present state as a configuration file, including entries added at run time. */
  stated(): Promise<Document> {
    return this.exclusively(async () => {
      this.settle();
      const { config, entries } = this.parts.reconciler.model;
      const { name, control } = config;
      const links = withEntries(this.document, config, (port) => entries.ofPort(port));
      const document = withTables(links, this.tables.held);
      // The socket path may come from the command line.
      return { name, ...this.keepers.reduce((out, keeper) => keeper.strip(out), document), control };
    });
  }

  /** Changes links on behalf of a part of the switch, by the rules of a request. @throws ChangeRefused */
  revise(change: (document: Document) => Document): Promise<void> {
    return this.edit(change);
  }

  /** From now on files are applied, and the running configuration is shown, without the links that this keeper has, beside others. */
  keepBy(keeper: Keeper): void {
    this.keepers.push(keeper);
  }

  /**
   * Runs work with no change beside it: requests and the switch's own changes wait for its end.
   * @param work gets a reader of the configuration as it is then
   */
  still<T>(work: (held: () => HeldConfig) => Promise<T>): Promise<T> {
    return this.exclusively(() =>
      work(() => {
        this.settle();
        const { entries } = this.parts.reconciler.model;
        return { document: this.document, entries: [...entries.all()], tables: this.tables.held };
      }),
    );
  }

  /** Refuses every later change, also those that wait. @param reason for the client */
  end(reason: string): void {
    this.ended = reason;
  }

  subscribe(listener: (event: SwitchEvent) => void): () => void {
    return this.parts.feed.subscribe(listener);
  }

  observe(request: ObserveRequest, listener: ObservedListener): () => void {
    return this.parts.observation.subscribe(request, listener);
  }

  observable(): ObservedPort[] {
    return this.parts.observation.ports();
  }

  /** Opens missing devices of ports. @returns the reason while they are unavailable; null: open */
  renew(ports: readonly string[]): Promise<string | null> {
    const renewed = this.exclusively(async () => {
      this.settle();
      const { model } = this.parts.reconciler;
      const present = ports.filter((name) => model.ports.has(name));
      const { held } = this.tables;
      try {
        await this.reconcile(model.config, { add: [], remove: [] }, { renewed: present });
        // Entries added by command are restored after the port is recreated.
        await this.setTables(this.tables.staying(held, model.config));
        return null;
      } catch (error) {
        if (error instanceof DeviceError) return reasonOf(error);
        throw error;
      }
    });
    return this.unlessEnded(renewed, null);
  }

  /** Host addresses have changed: own addresses in lists of remotes are excluded, former ones included again. */
  refresh(): Promise<void> {
    const refreshed = this.exclusively(async () => {
      const { config: before } = this.parts.reconciler.model;
      if (!hasAnyLocal(before)) return;
      const { document, config } = this.check(this.document);
      if (ownRemotes(before) !== ownRemotes(config)) await this.become(document, config, deltaOfEdit(before, config));
    });
    return this.unlessEnded(refreshed, undefined);
  }

  /** Carries out operations of the switch itself, such as those of multicast timers, between two requests. */
  own(operations: () => Transition): Promise<void> {
    return this.unlessEnded(
      this.exclusively(() => this.carryOut(operations())),
      undefined,
    );
  }

  /** A change of the switch's own is not missed once the switch is another process's. */
  private unlessEnded<T>(change: Promise<T>, otherwise: T): Promise<T> {
    return change.catch((error: unknown) => {
      if (this.ended === null) throw error;
      return otherwise;
    });
  }

  private get host(): HostFacts {
    return this.parts.host ?? NO_FACTS;
  }

  /** What a source of peers says of the address holds again. */
  private freeBinding({ bridge, vid, address }: { bridge: number; vid: number; address: number[] }): void {
    const name = this.parts.reconciler.model.bridgeAt[bridge]?.name;
    const [a0, a1, a2, a3] = address;
    if (name !== undefined) this.parts.peers?.bindingFreed(name, vid, formatAddress(a0, a1, a2, a3));
  }

  // ---- One change ----

  /** Replaces the configured bindings and groups. @throws ChangeRefused */
  private async setTables(wanted: TableConfig): Promise<void> {
    const change = this.tables.become(wanted);
    if (!change.isEmpty) await this.carryOut(change);
  }

  /** Records moves and ageing of configured entries. */
  private settle(): void {
    const { fdb, model, entries } = this.parts.tables;
    // Not the numbers of entries and of learned ones: they change with each command, and checking all entries then would make a
    // thousand commands cost a million checks.
    const { moved, aged, refused, evicted } = fdb.counters();
    const seen = `${moved} ${aged} ${refused} ${evicted}`;
    if (seen === this.settled) return;
    this.settled = seen;
    for (const { entry, now } of strayedEntries(model, fdb)) entries.stray(entry, now);
  }

  /** @param delta entries to add and to remove; absent: those that the documents differ by */
  private edit(change: (document: Document) => Document, delta?: EntryDelta, how?: How): Promise<void> {
    return this.exclusively(async () => {
      this.settle();
      const { document, config } = this.check(change(this.document));
      await this.become(document, config, delta ?? deltaOfEdit(this.parts.reconciler.model.config, config), how);
    });
  }

  /** A file, and beside it what the keeper keeps. */
  private checkWithKept(value: unknown): CheckedDocument {
    const given = this.check(value);
    const document = this.keepers.reduce((out, keeper) => keeper.keep(out, this.document), given.document);
    return document === given.document ? given : this.check(document);
  }

  /** The namespace of a present port may be gone: not a fault of this change. */
  private check(value: unknown): CheckedDocument {
    const present = new Set(
      [...this.parts.reconciler.model.ports.values()].flatMap((port) =>
        'netns' in port.config && port.config.netns !== undefined ? [port.config.netns] : [],
      ),
    );
    const { name } = this.parts.reconciler.model.config;
    return checkDocument(value, {
      hostname: () => name,
      netnsExists: (netns) => present.has(netns) || netnsExists(netns),
      host: this.host,
    });
  }

  /** Settings read at start may be repeated, but not changed. */
  private keepFixed(next: SwitchConfig): SwitchConfig {
    const now = this.parts.reconciler.model.config;
    for (const key of FIXED) {
      if (JSON.stringify(now[key]) !== JSON.stringify(next[key]))
        throw new ChangeRefused(
          `${key} cannot be changed while the switch runs; stop it and start it again`,
          'unavailable',
        );
    }
    // The socket path may come from the command line.
    return { ...next, control: now.control };
  }

  /** @returns why new ports of this change wait for their devices, by name */
  private async become(
    document: Document,
    config: SwitchConfig,
    delta: EntryDelta,
    how: How = {},
  ): Promise<ReadonlyMap<string, string>> {
    const { reconciler, feed } = this.parts;
    const before = reconciler.model.config;
    const absent = await this.reconcile(config, delta, how);
    this.document = document;
    for (const event of linkChanges(before, config)) feed.tell(event);
    return absent;
  }

  private async reconcile(config: SwitchConfig, delta: EntryDelta, how: How): Promise<ReadonlyMap<string, string>> {
    const { reconciler, neigh, multicast, states, trees } = this.parts;
    const prepared = reconciler.prepare(config, delta, how);
    const change = reconciler.commit(prepared);
    states.follow();
    trees.follow();
    this.parts.peers?.follow();
    const operations = multicast.follow();
    // Removed groups may have held the last references to a VTEP.
    reconciler.finishEntries(change);
    change.entries.push(...operations, ...neigh.follow());
    await this.carryOut(change);
    this.parts.evpn?.follow();
    return prepared.opened.absent;
  }

  private async carryOut(change: Transition): Promise<void> {
    const { engines, feed, broken, multicast, observation, renumbered } = this.parts;
    const { slots } = engines.fdb;
    let gone: Departure[] = [];
    try {
      for (const list of change.lists(slots)) if (list.length > 0) await engines.apply(list);
      gone = this.departed(change);
      if (gone.length > 0) {
        const left = multicast.forgetRemotes(new Map(gone.map(({ remote, heir }) => [remote, heir ?? 0])));
        for (const list of partings(gone, left, slots)) await engines.apply(list);
      }
    } catch (error) {
      broken(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    for (const operation of change.entries) if (operation.op === 'remote') renumbered(operation.remote);
    for (const { remote } of gone) renumbered(remote);
    feed.drain(); // before indexes are reused
    observation.drain();
    for (const step of change.afterwards) step();
  }

  /**
   * Remotes that are no longer found by source address. Includes learned ones, where the port stops accepting unknown VTEPs or
   * the VTEP is now configured: its new index replaces the learned one.
   */
  private departed({ departures, retiring, entries }: Transition): Departure[] {
    const { remotes } = this.parts.engines;
    const met = retiring.flatMap((port) => [...remotes.learned(port)].map((remote) => ({ port, remote })));
    const gone = new Set([...departures, ...met].map(({ remote }) => remote));
    const replaced = entries.flatMap((o): Departure[] => {
      if (o.op !== 'remote' || !o.known) return [];
      const remote = remotes.behind(o.remote);
      return remote === 0 || gone.has(remote) ? [] : [{ port: o.port, remote, heir: o.remote }];
    });
    return [...departures, ...met, ...replaced];
  }

  /** Serializes changes; refusals by rules and devices are converted to ChangeRefused. */
  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last
      .then(() => {
        if (this.ended !== null) throw new ChangeRefused(this.ended, 'unavailable');
        return work();
      })
      .catch((error: unknown) => {
        throw explain(error);
      });
    this.last = turn.catch(() => undefined);
    return turn;
  }
}

/** Settings that differ and that no command changes. */
function withoutCommand(before: SwitchConfig, after: SwitchConfig): string[] {
  const isSame = JSON.stringify(before.evpn) === JSON.stringify(after.evpn);
  return isSame ? [] : ['evpn: the BGP speaker follows the file; no command does that'];
}

const warningsOf = (warnings: string[]): Pick<ApplyAnswer, 'warnings'> => (warnings.length === 0 ? {} : { warnings });
