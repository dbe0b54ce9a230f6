/**
 * What a change of the configuration comes to, as commands of this program: what `apply` prints, and what an operator could
 * have typed instead. Pure.
 *
 * Links come first. Their commands are carried out on a copy of the document, so that the VLANs and entries that they
 * bring along by themselves are not told twice.
 */
import { addLink, deleteLink, type Document, EditRefused, setLink } from '../config/edit.js';
import { entriesOf } from '../config/entries-of.js';
import { ConfigError, checkDocument } from '../config/load.js';
import { commandText, formatLinkAdd, formatLinkSet, type Options } from '../config/option-words.js';
import type { PortConfig, SwitchConfig, VlanMembership } from '../config/types.js';
import { type Entry, type EntryTable, isFloodRow, keyOf } from './entries.js';
import { identityOf } from './wanted.js';

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
  /** All that is said of a port, its VLANs and entries among it. */
  whole: string;
}

const LISTED_APART = ['type', 'ports', 'vlans', 'fdb'];
/** Changed by entries where the port is there already. */
const BY_ENTRIES = ['remotes'];

/** The commands that lead from one state to the other. @param entries those that are there */
export function commandsBetween(from: Stated, to: Stated, entries: EntryTable): string[] {
  try {
    return plan(from, to, entries, (link, wanted) => wanted?.identity === link.identity);
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof EditRefused)) throw error;
    // Half-way it would be unsound, such as VNIs that two ports exchange: every port that differs is made anew.
    return plan(from, to, entries, (link, wanted) => wanted?.whole === link.whole);
  }
}

/** @param stays whether a port of before is changed in place, if at all */
type Stays = (link: Link, wanted: Link | undefined) => boolean;

function plan(from: Stated, to: Stated, entries: EntryTable, stays: Stays): string[] {
  const simulation = new Simulation(from.document);
  const remade = changeLinks(linksOf(from), linksOf(to), simulation, stays);
  const middle = check(simulation.document);
  return [
    ...simulation.commands,
    ...vlanCommands(middle, to.config),
    ...entryCommands(entriesBetween(from.config, middle, entries, remade), entriesOf(to.config), to.config),
    ...simulation.last,
  ];
}

/** Carries link commands out on a document as they are found. */
class Simulation {
  readonly commands: string[] = [];
  /** Said at the end: a bridge goes when its ports have gone elsewhere. */
  readonly last: string[] = [];

  constructor(public document: Document) {}

  add({ name, type, master, options }: Link): void {
    this.document = addLink(this.document, { name, type, options, ...(master === null ? {} : { master }) });
    this.commands.push(commandText(formatLinkAdd(name, type, { options, ...(master === null ? {} : { master }) })));
  }

  set({ name, type }: Link, change: { master?: string | null; options?: Options }): void {
    this.document = setLink(this.document, name, change);
    this.commands.push(commandText(formatLinkSet(name, type, change)));
  }

  /** The options that a port has by now. */
  optionsOf({ name, master }: Link): Options {
    const bridges = (this.document.bridges ?? {}) as Record<string, Options | null>;
    const home = master === null ? this.document : (bridges[master] ?? {});
    return optionsOf(((home.ports ?? {}) as Record<string, unknown>)[name]);
  }

  delete(name: string, list: string[]): void {
    this.document = deleteLink(this.document, name);
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
  if (moves) simulation.set(after, { master: after.master });
  else if (before.facts === after.facts) return;
  // What a port had of its bridge it has lost with it.
  const options = difference(moves ? simulation.optionsOf(after) : before.options, after.options);
  if (Object.keys(options).length > 0) simulation.set(after, { options });
}

function difference(before: Options, after: Options): Options {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !BY_ENTRIES.includes(key));
  return Object.fromEntries(
    keys
      .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
      .map((key) => [key, after[key] ?? null]),
  );
}

function linksOf({ document, config }: Stated): Link[] {
  const bridges = (document.bridges ?? {}) as Record<string, Options | null>;
  const links: Link[] = [];
  const addPort = (raw: unknown, port: PortConfig, master: string | null): void => {
    const { options: _, vlans: _vlans, fdb: _fdb, ...rest } = port;
    const facts = JSON.stringify('remotes' in rest ? { ...rest, remotes: [] } : rest);
    const identity = identityOf({ role: 'guest', config: port });
    const whole = JSON.stringify([port, raw, master]);
    links.push({ type: port.type, name: port.name, master, options: optionsOf(raw), identity, facts, whole });
  };
  for (const bridge of config.bridges) {
    const { ports, options: _, vlans: _vlans, ...rest } = bridge;
    const raw = bridges[bridge.name] ?? {};
    const facts = JSON.stringify(rest);
    const place = { name: bridge.name, master: null, identity: 'bridge', whole: '' };
    links.push({ type: 'bridge', ...place, options: optionsOf(raw), facts });
  }
  for (const bridge of config.bridges) {
    const bodies = (bridges[bridge.name]?.ports ?? {}) as Record<string, unknown>;
    for (const port of bridge.ports) addPort(bodies[port.name], port, bridge.name);
  }
  for (const port of config.ports) addPort(((document.ports ?? {}) as Record<string, unknown>)[port.name], port, null);
  return links;
}

function optionsOf(raw: unknown): Options {
  return Object.fromEntries(Object.entries((raw ?? {}) as Options).filter(([key]) => !LISTED_APART.includes(key)));
}

/** @throws ConfigError */
function check(document: Document): SwitchConfig {
  return checkDocument(document, { netnsExists: () => true }).config;
}

// ---- VLANs ----

function vlanCommands(before: SwitchConfig, after: SwitchConfig): string[] {
  const had = membershipsByLink(before);
  const commands: string[] = [];
  for (const [dev, vlans] of membershipsByLink(after)) {
    const old = had.get(dev) ?? [];
    const gone = old.filter(({ vid }) => !vlans.some((vlan) => vlan.vid === vid));
    const unmapped = vlans.filter(
      (vlan) => vlan.vni === undefined && old.some(({ vid, vni }) => vid === vlan.vid && vni !== undefined),
    );
    const isSame = (vlan: VlanMembership): boolean => old.some((one) => textOf(one) === textOf(vlan));
    for (const run of runsOf(gone))
      commands.push(commandText(['vlan', 'del', 'dev', dev, 'vid', rangeText(run, 'vid')]));
    for (const run of runsOf([...unmapped, ...remapped(old, vlans)]))
      commands.push(commandText(['vlan', 'del', 'dev', dev, 'vid', rangeText(run, 'vid')]));
    const come = vlans.filter((vlan) => !isSame(vlan) || unmapped.includes(vlan));
    for (const run of runsOf(come)) commands.push(vlanAdd(dev, run));
  }
  return commands;
}

/** Memberships whose VNI another one has, or that have another one: they go before they come. */
function remapped(before: readonly VlanMembership[], after: readonly VlanMembership[]): VlanMembership[] {
  return after.filter((vlan) =>
    before.some(
      (old) => old.vid === vlan.vid && old.vni !== undefined && vlan.vni !== undefined && old.vni !== vlan.vni,
    ),
  );
}

function vlanAdd(dev: string, run: VlanMembership[]): string {
  const [first] = run;
  const flags = [...(first.pvid ? ['pvid'] : []), ...(first.untagged ? ['untagged'] : [])];
  const tunnel = first.vni === undefined ? [] : ['tunnel_info', 'id', rangeText(run, 'vni')];
  return commandText(['vlan', 'add', 'dev', dev, 'vid', rangeText(run, 'vid'), ...flags, ...tunnel]);
}

function membershipsByLink(config: SwitchConfig): Map<string, VlanMembership[]> {
  const found = new Map<string, VlanMembership[]>();
  for (const bridge of config.bridges) {
    if (bridge.hostPort) found.set(bridge.name, bridge.vlans);
    for (const port of bridge.ports) found.set(port.name, port.vlans);
  }
  for (const port of config.ports) found.set(port.name, port.vlans);
  return found;
}

/** Runs of consecutive VIDs that one command says. */
function runsOf(vlans: readonly VlanMembership[]): VlanMembership[][] {
  const runs: VlanMembership[][] = [];
  for (const vlan of [...vlans].sort((a, b) => a.vid - b.vid)) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const joins =
      last !== undefined &&
      last.vid + 1 === vlan.vid &&
      !last.pvid &&
      !vlan.pvid &&
      last.untagged === vlan.untagged &&
      (last.vni === undefined ? vlan.vni === undefined : last.vni + 1 === vlan.vni);
    if (joins) run?.push(vlan);
    else runs.push([vlan]);
  }
  return runs;
}

function rangeText(run: readonly VlanMembership[], key: 'vid' | 'vni'): string {
  const first = run[0][key];
  const last = run[run.length - 1][key];
  return first === last ? `${first}` : `${first}-${last}`;
}

function textOf({ vid, pvid, untagged, vni }: VlanMembership): string {
  return `${vid} ${pvid} ${untagged} ${vni ?? ''}`;
}

// ---- Entries ----

/** What is there when the links have been changed: entries of ports that stay, and those that new ports bring along. */
function entriesBetween(
  before: SwitchConfig,
  middle: SwitchConfig,
  table: EntryTable,
  remade: ReadonlySet<string>,
): Entry[] {
  const placeOf = (config: SwitchConfig): Map<string, string> =>
    new Map(config.bridges.flatMap(({ name, ports }) => ports.map((port) => [port.name, placeText(name, port)])));
  const was = placeOf(before);
  const is = placeOf(middle);
  const stays = (port: string): boolean =>
    !remade.has(port) && was.get(port) !== undefined && was.get(port) === is.get(port);
  return [
    ...[...table.all()].filter((entry) => stays(entry.port)),
    ...entriesOf(middle).filter(({ port }) => !stays(port) && is.has(port)),
  ];
}

function placeText(bridge: string, port: PortConfig): string {
  return `${bridge} ${identityOf({ role: 'guest', config: port })}`;
}

function entryCommands(before: readonly Entry[], after: readonly Entry[], config: SwitchConfig): string[] {
  const vids = new Set(
    [...membershipsByLink(config)].flatMap(([dev, vlans]) => vlans.map(({ vid }) => `${dev} ${vid}`)),
  );
  const had = new Map(before.map((entry) => [fullKey(entry), entry]));
  const wanted = new Set(after.map(fullKey));
  // What is in a VLAN that goes, goes with it; entries of a control program are its own business.
  const isGone = (entry: Entry): boolean =>
    !entry.externLearn &&
    !wanted.has(fullKey(entry)) && (entry.vlan === 0 || vids.has(`${entry.port} ${entry.vlan}`));
  const isNew = (entry: Entry): boolean =>
    JSON.stringify(facts(had.get(fullKey(entry)))) !== JSON.stringify(facts(entry));
  return [
    ...before.filter(isGone).map((entry) => commandText(['fdb', 'del', ...placeWords(entry)])),
    ...after
      .filter(isNew)
      .map((entry) => commandText(['fdb', verbOf(entry), ...placeWords(entry), ...stateWords(entry)])),
  ];
}

function facts(entry: Entry | undefined): unknown {
  return entry && [entry.dst, entry.udpPort, entry.state, entry.sticky, entry.externLearn];
}

function verbOf(entry: Entry): string {
  const isForMany = isFloodRow(entry) || (Number.parseInt(entry.mac.slice(0, 2), 16) & 1) === 1;
  return isForMany ? 'append' : 'replace';
}

function placeWords({ mac, port, vlan, vni, dst, udpPort }: Entry): string[] {
  return [
    mac,
    'dev',
    port,
    ...(dst === undefined ? [] : ['dst', dst]),
    ...(udpPort === undefined ? [] : ['port', `${udpPort}`]),
    ...(typeof vni === 'number' ? ['src_vni', `${vni}`] : vlan === 0 ? [] : ['vlan', `${vlan}`]),
  ];
}

function stateWords({ state, sticky, externLearn }: Entry): string[] {
  return [
    ...(state === 'permanent' ? [] : ['master', state]),
    ...(sticky ? ['sticky'] : []),
    ...(externLearn ? ['extern_learn'] : []),
  ];
}

function fullKey(entry: Entry): string {
  return `${entry.port} ${keyOf(entry)}`;
}
