/**
 * The difference of two configurations as commands of this program: the output of `apply`, equivalent to typing them. Pure.
 *
 * Links come first, then VLANs. Link commands are carried out on a copy of the document, so that their side effects are not
 * printed again.
 */
import type { VlansRequest } from '../../api/api.js';
import { addLink, deleteLink, setLink } from '../../config/edit/links.js';
import { type Document, EditRefused } from '../../config/edit/tree.js';
import { ConfigError, checkDocument } from '../../config/load.js';
import type { LinkType } from '../../config/options/kinds.js';
import { KEYS_WITHOUT_WORDS } from '../../config/options/table.js';
import { commandText, formatLinkAdd, formatLinkSet, type Options } from '../../config/options/words.js';
import { type HostFacts, NO_FACTS } from '../../config/read/host-facts.js';
import type { PortConfig, SwitchConfig } from '../../config/types.js';
import type { EntryTable } from '../model/entries.js';
import { identityOf } from '../ports/registry.js';
import { entriesBetween, entryCommands } from './commands-entries.js';
import { nexthopCommands } from './commands-nexthops.js';
import { editVlans, vlanChanges, vlanText } from './commands-vlans.js';

/** A configuration with its document. */
export interface Stated {
  document: Document;
  config: SwitchConfig;
}

interface Link {
  type: LinkType;
  name: string;
  master: string | null;
  /** Raw keys and values, without keys that have commands of their own. */
  options: Options;
  /** Identity of a link: equal for the same link before and after. */
  identity: string;
  /** Resolved values: equal values need no command, whatever their spelling. */
  facts: string;
  /** Whether the document sets suppression by VLAN explicitly for the port; and whether any VLAN sets it. */
  isSaid: boolean;
  speaks: boolean;
  /** Its memberships. */
  members: string;
  /** The DNS names among its remotes. */
  names: string;
  /** All that the document contains about a port, including VLANs and entries. */
  whole: string;
}

const BY_VLAN = 'neigh_vlan_suppress';
/** For an existing port, changed by entry commands instead, unless its names change: they have no entries. */
const BY_ENTRIES = ['remotes'];

/** Budget, in links, for validating intermediate configurations (about 0.3 s). */
const LINKS_LOOKED_AT = 5000;

/**
 * The commands that lead from one state to the other.
 * @param entries the present entries
 * @param host the facts that both states were resolved with
 */
export function commandsBetween(from: Stated, to: Stated, entries: EntryTable, host: HostFacts = NO_FACTS): string[] {
  const addresses = host.addresses();
  const check: Check = (document) =>
    checkDocument(document, { netnsExists: () => true, host: { ...NO_FACTS, addresses: () => addresses } }).config;
  try {
    return plan(
      from,
      to,
      entries,
      (link, wanted) => wanted?.identity === link.identity,
      new Simulation(from.document, check, LINKS_LOOKED_AT),
    );
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof EditRefused)) throw error;
    // An intermediate state would be invalid, as when two ports exchange VNIs: every changed port is recreated. Each
    // intermediate state is then a subset of a valid configuration.
    return plan(
      from,
      to,
      entries,
      (link, wanted) => wanted?.whole === link.whole,
      new Simulation(from.document, check, 0),
    );
  }
}

/** Whether a present port is changed in place. */
type Stays = (link: Link, wanted: Link | undefined) => boolean;

/** @throws ConfigError or EditRefused when an intermediate state would be invalid */
function plan(from: Stated, to: Stated, entries: EntryTable, stays: Stays, simulation: Simulation): string[] {
  const remade = changeLinks(linksOf(from), linksOf(to), simulation, stays);
  const changes = vlanChanges(simulation.config, to.config);
  for (const change of changes) simulation.vlan(change);
  const nexthops = nexthopCommands(from.config.nexthops ?? [], to.config.nexthops ?? []);
  const there = entriesBetween(from.config, simulation.config, entries, remade, changes).filter(
    ({ nhid }) => nhid === undefined || !nexthops.remade.has(nhid),
  );
  return [
    ...nexthops.first,
    ...simulation.commands,
    ...entryCommands(there, to.config),
    ...nexthops.last,
    ...simulation.last,
  ];
}

/** @throws ConfigError */
type Check = (document: Document) => SwitchConfig;

/** Collects commands and carries them out on a document. @throws ConfigError when one is refused */
class Simulation {
  readonly commands: string[] = [];
  /** Printed last: a bridge is deleted after its ports were moved. */
  readonly last: string[] = [];

  /** @param lookAt budget of links for validation */
  constructor(
    private document: Document,
    private readonly check: Check,
    private lookAt: number,
  ) {}

  /** The resolved document. @throws ConfigError */
  get config(): SwitchConfig {
    return this.check(this.document);
  }

  private become(document: Document): void {
    this.document = document;
    if (this.lookAt <= 0) return;
    const { bridges, ports } = this.check(document);
    this.lookAt -= bridges.reduce((sum, bridge) => sum + 1 + bridge.ports.length, ports.length + 1);
  }

  add({ name, type, master, options }: Link): void {
    this.become(addLink(this.document, { name, type, options, ...(master === null ? {} : { master }) }));
    this.commands.push(commandText(formatLinkAdd(name, type, { options, ...(master === null ? {} : { master }) })));
  }

  set({ name, type }: Link, change: { master?: string | null; options?: Options }): void {
    this.become(setLink(this.document, name, change));
    this.commands.push(commandText(formatLinkSet(name, type, change)));
  }

  /** The options that a port keeps when it moves to its new bridge. */
  optionsAfterMove({ name, master }: Link): Options {
    const document = setLink(this.document, name, { master });
    const bridges = (document.bridges ?? {}) as Record<string, Options | null>;
    const home = master === null ? document : (bridges[master] ?? {});
    return optionsOf(((home.ports ?? {}) as Record<string, unknown>)[name]);
  }

  vlan(change: VlansRequest): void {
    this.become(editVlans(this.document, change));
    this.commands.push(vlanText(change));
  }

  delete(name: string, list: string[]): void {
    this.become(deleteLink(this.document, name));
    list.push(commandText(['link', 'del', name]));
  }
}

/** @returns the names of deleted ports, even if a new port takes the name */
function changeLinks(before: Link[], after: Link[], simulation: Simulation, stays: Stays): Set<string> {
  const had = new Map(before.map((link) => [link.name, link]));
  const wanted = new Map(after.map((link) => [link.name, link]));
  const ends = (link: Link): boolean =>
    link.type === 'bridge' ? wanted.get(link.name)?.identity !== link.identity : !stays(link, wanted.get(link.name));
  for (const link of before)
    if (link.type !== 'bridge' && ends(link)) simulation.delete(link.name, simulation.commands);
  for (const link of after) {
    const present = had.get(link.name);
    if (present === undefined || ends(present)) simulation.add(link);
    else changeLink(present, link, simulation);
  }
  for (const link of before) if (link.type === 'bridge' && ends(link)) simulation.delete(link.name, simulation.last);
  return new Set(before.filter(ends).map(({ name }) => name));
}

function changeLink(before: Link, after: Link, simulation: Simulation): void {
  const moves = before.master !== after.master;
  // Suppression by VLAN is implied while any VLAN sets it; a change of this is printed explicitly.
  const settles = !before.isSaid && before.members !== after.members && (before.speaks || after.speaks);
  if (!moves && !settles && before.facts === after.facts) return;
  const apart = after.master === null || before.names !== after.names ? [] : BY_ENTRIES;
  const options = difference(moves ? simulation.optionsAfterMove(after) : before.options, after.options, apart);
  if (settles) options[BY_VLAN] = after.options[BY_VLAN] ?? false;
  if (!moves && Object.keys(options).length === 0) return;
  simulation.set(after, { ...(moves ? { master: after.master } : {}), options });
}

function difference(before: Options, after: Options, apart: readonly string[]): Options {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !apart.includes(key));
  return Object.fromEntries(
    keys
      .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
      // Without the word, the VLANs' own settings would still count.
      .map((key) => [key, after[key] ?? (key === BY_VLAN ? false : null)]),
  );
}

function linksOf({ document, config }: Stated): Link[] {
  const bridges = (document.bridges ?? {}) as Record<string, Options | null>;
  const links: Link[] = [];
  const addPort = (raw: unknown, port: PortConfig, master: string | null): void => {
    const { options: _, vlans: _vlans, fdb: _fdb, mst: _mst, ...rest } = port;
    // Without a bridge there are no entries, so the flood list is changed as an option.
    const facts = JSON.stringify('remotes' in rest && master !== null ? { ...rest, remotes: [] } : rest);
    const identity = identityOf({ role: 'guest', config: port });
    const whole = JSON.stringify([port, raw, master]);
    // With VLANs that set suppression themselves this is implied in a document, but explicit in commands.
    const options = { ...optionsOf(raw), ...(port.neigh_vlan_suppress ? { [BY_VLAN]: true } : {}) };
    const isSaid = optionsOf(raw)[BY_VLAN] !== undefined;
    const speaks = port.neigh_vlan_suppress || port.vlans.some(({ neigh_suppress }) => neigh_suppress);
    const members = JSON.stringify(port.vlans);
    const names = JSON.stringify('names' in port ? port.names : []);
    const suppression = { isSaid, speaks, members };
    links.push({ type: port.type, name: port.name, master, options, identity, facts, whole, names, ...suppression });
  };
  for (const bridge of config.bridges) {
    const { ports, options: _, vlans: _vlans, fdb: _fdb, vlan_global: _globals, ...rest } = bridge;
    const raw = bridges[bridge.name] ?? {};
    const facts = JSON.stringify(rest);
    const place = { name: bridge.name, master: null, identity: 'bridge', whole: '' };
    links.push({
      type: 'bridge',
      ...place,
      options: optionsOf(raw),
      facts,
      isSaid: true,
      speaks: false,
      members: '',
      names: '',
    });
  }
  for (const bridge of config.bridges) {
    const bodies = (bridges[bridge.name]?.ports ?? {}) as Record<string, unknown>;
    for (const port of bridge.ports) addPort(bodies[port.name], port, bridge.name);
  }
  for (const port of config.ports) addPort(((document.ports ?? {}) as Record<string, unknown>)[port.name], port, null);
  return links;
}

function optionsOf(raw: unknown): Options {
  return Object.fromEntries(
    Object.entries((raw ?? {}) as Options).filter(([key]) => !KEYS_WITHOUT_WORDS.includes(key)),
  );
}
