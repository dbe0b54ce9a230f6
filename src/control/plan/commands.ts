/**
 * What a change of the configuration comes to, as commands of this program: what `apply` prints, and what an operator could
 * have typed instead. Pure.
 *
 * Links come first, then VLANs. Their commands are carried out on a copy of the document, so that what they bring along or
 * take away by themselves is not told twice.
 */
import type { VlansRequest } from '../../api/api.js';
import { addLink, deleteLink, setLink } from '../../config/edit/links.js';
import { type Document, EditRefused } from '../../config/edit/tree.js';
import { ConfigError, checkDocument } from '../../config/load.js';
import { KEYS_WITHOUT_WORDS } from '../../config/options/table.js';
import { commandText, formatLinkAdd, formatLinkSet, type Options } from '../../config/options/words.js';
import { type HostFacts, NO_FACTS } from '../../config/read/host-facts.js';
import type { PortConfig, SwitchConfig } from '../../config/types.js';
import type { EntryTable } from '../model/entries.js';
import { identityOf } from '../ports/registry.js';
import { entriesBetween, entryCommands } from './commands-entries.js';
import { editVlans, vlanChanges, vlanText } from './commands-vlans.js';

/** A configuration with the document that says it. */
export interface Stated {
  document: Document;
  config: SwitchConfig;
}

type LinkType = 'bridge' | 'tap' | 'vxlan';

interface Link {
  type: LinkType;
  name: string;
  master: string | null;
  /** Raw keys and values, without those that have commands of their own. */
  options: Options;
  /** Equal for links that are one and the same all the time. */
  identity: string;
  /** Resolved facts: what is equal here needs no command, however it is written. */
  facts: string;
  /** The document says of the port whether its VLANs say which of them suppress; and whether some VLAN does. */
  isSaid: boolean;
  speaks: boolean;
  /** Its memberships. */
  members: string;
  /** All that is said of a port, its VLANs and entries among it. */
  whole: string;
}

const BY_VLAN = 'neigh_vlan_suppress';
/** Changed by entries where the port is there already. */
const BY_ENTRIES = ['remotes'];

/** Links that are looked at, all in all, to see that each command could be carried out: some tenths of a second. */
const LINKS_LOOKED_AT = 5000;

/** The commands that lead from one state to the other. @param entries those that are there; @param host as the states were read beside */
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
    // Half-way it would be unsound, such as VNIs that two ports exchange: every port that differs is made anew. Then what
    // is there at any time is a part of a sound configuration.
    return plan(
      from,
      to,
      entries,
      (link, wanted) => wanted?.whole === link.whole,
      new Simulation(from.document, check, 0),
    );
  }
}

/** Whether a port of before is changed in place, if at all. */
type Stays = (link: Link, wanted: Link | undefined) => boolean;

/** @throws ConfigError or EditRefused when it would be unsound half-way */
function plan(from: Stated, to: Stated, entries: EntryTable, stays: Stays, simulation: Simulation): string[] {
  const remade = changeLinks(linksOf(from), linksOf(to), simulation, stays);
  const changes = vlanChanges(simulation.config, to.config);
  for (const change of changes) simulation.vlan(change);
  const there = entriesBetween(from.config, simulation.config, entries, remade, changes);
  return [...simulation.commands, ...entryCommands(there, to.config), ...simulation.last];
}

/** @throws ConfigError */
type Check = (document: Document) => SwitchConfig;

/** Carries commands out on a document as they are found. @throws ConfigError when one could not be */
class Simulation {
  readonly commands: string[] = [];
  /** Said at the end: a bridge goes when its ports have gone elsewhere. */
  readonly last: string[] = [];

  /** @param lookAt how many links may be looked at for it */
  constructor(
    private document: Document,
    private readonly check: Check,
    private lookAt: number,
  ) {}

  /** What the document means. @throws ConfigError */
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

  /** The options that a port keeps when it goes where it shall be. */
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

/** @returns the names of ports that end, though there may be another one of the name */
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
  // Whether VLANs say which of them suppress goes without saying as long as some do; where these change, it is said.
  const settles = !before.isSaid && before.members !== after.members && (before.speaks || after.speaks);
  if (!moves && !settles && before.facts === after.facts) return;
  const apart = after.master === null ? [] : BY_ENTRIES;
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
      // Without the word, VLANs that say so themselves would still count.
      .map((key) => [key, after[key] ?? (key === BY_VLAN ? false : null)]),
  );
}

function linksOf({ document, config }: Stated): Link[] {
  const bridges = (document.bridges ?? {}) as Record<string, Options | null>;
  const links: Link[] = [];
  const addPort = (raw: unknown, port: PortConfig, master: string | null): void => {
    const { options: _, vlans: _vlans, fdb: _fdb, ...rest } = port;
    // Outside of a bridge there are no entries, so the flood list is changed as the option that it is.
    const facts = JSON.stringify('remotes' in rest && master !== null ? { ...rest, remotes: [] } : rest);
    const identity = identityOf({ role: 'guest', config: port });
    const whole = JSON.stringify([port, raw, master]);
    // Where VLANs say so themselves, this goes without saying in a document, and is said as a command.
    const options = { ...optionsOf(raw), ...(port.neigh_vlan_suppress ? { [BY_VLAN]: true } : {}) };
    const isSaid = optionsOf(raw)[BY_VLAN] !== undefined;
    const speaks = port.neigh_vlan_suppress || port.vlans.some(({ neigh_suppress }) => neigh_suppress);
    const members = JSON.stringify(port.vlans);
    links.push({ type: port.type, name: port.name, master, options, identity, facts, whole, isSaid, speaks, members });
  };
  for (const bridge of config.bridges) {
    const { ports, options: _, vlans: _vlans, fdb: _fdb, ...rest } = bridge;
    const raw = bridges[bridge.name] ?? {};
    const facts = JSON.stringify(rest);
    const place = { name: bridge.name, master: null, identity: 'bridge', whole: '' };
    links.push({ type: 'bridge', ...place, options: optionsOf(raw), facts, isSaid: true, speaks: false, members: '' });
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
