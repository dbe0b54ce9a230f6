/**
 * What may stand where in a command line, for completion: made from the commands, their grammars and the table of options.
 * The scripts for the shells are printed from it; nothing here knows a shell.
 *
 * A context is the words that choose what may follow: `` (the program), `fdb`, `fdb add`, `link type tap`.
 */
import { LINK_TYPES } from '../../config/options/kinds.js';
import { OPTION_ROWS, type OptionRow, type OptionScope } from '../../config/options/table.js';
import { allWordsOf } from '../../config/options/words.js';
import { type CommandFacts, GLOBAL_OPTIONS, HELP_OPTION, type OptionSpec, VERSION_OPTION } from '../command-facts.js';
import { FAMILY as CONFIG } from '../commands/config.js';
import { FAMILY as EVPN } from '../commands/evpn.js';
import { FAMILY as FDB } from '../commands/fdb.js';
import { EXERCISE_FAMILY as EXERCISE, EXERCISE_VERBS } from '../commands/exercise.js';
import { FAMILY as LAB, LAB_VERBS } from '../commands/lab.js';
import { FAMILY as LINK, SHOW as LINK_SHOW } from '../commands/link.js';
import { FAMILY as MDB } from '../commands/mdb.js';
import { FAMILY as NEXTHOP } from '../commands/nexthop.js';
import { WORDS as EVENT_WORDS } from '../commands/monitor.js';
import { FAMILY as NEIGH } from '../commands/neigh.js';
import { FAMILY as ROUTE, ROUTE_GRAMMARS } from '../commands/route.js';
import { GRAMMAR as STATS } from '../commands/stats.js';
import { FAMILY as MST } from '../commands/mst.js';
import { FAMILY as VLAN } from '../commands/vlan.js';
import { FAMILY as VNI } from '../commands/vni.js';
import { EVPN_GRAMMARS } from '../requests/evpn.js';
import { FDB_GRAMMARS, FDB_STATES } from '../requests/fdb.js';
import { MDB_GRAMMARS } from '../requests/mdb.js';
import { NEXTHOP_GRAMMARS } from '../requests/nexthop.js';
import { NEIGH_GRAMMARS, NEIGH_STATES } from '../requests/neigh.js';
import { MST_GRAMMARS } from '../requests/mst.js';
import { VLAN_GRAMMARS } from '../requests/vlan.js';
import { VNI_GRAMMARS } from '../requests/vni.js';
import type { Grammar, Grammars, Subcommands, WordRule } from '../words.js';

/** Names that `overtap completion NAMES` asks the running switch for. */
export const NAME_KINDS = ['links', 'bridges', 'ports'] as const;
export type NameKind = (typeof NAME_KINDS)[number];

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * The value after a word: a kind of names, files, network devices or namespaces of this host, the options of the context, one of
 * these words, or `any`: a value that nothing is offered for.
 */
export type Value =
  | NameKind
  | 'files'
  | 'devices'
  | 'netns'
  | 'options'
  | 'any'
  | { readonly words: readonly string[] };

export interface Candidate {
  readonly word: string;
  /** Shown beside it; may be empty. */
  readonly about: string;
}

export interface Table {
  /** Words by context. */
  readonly words: ReadonlyMap<string, readonly Candidate[]>;
  /** Options of a command, and those of every command under ``. */
  readonly options: ReadonlyMap<string, readonly Candidate[]>;
  /** By `CONTEXT WORD`, and by `COMMAND OPTION`; options of every command without a command. */
  readonly values: ReadonlyMap<string, Value>;
  /** What may stand in a context beside its words. */
  readonly rests: ReadonlyMap<string, Value>;
  /** Contexts with another spelling: `fdb delete` is `fdb del`. */
  readonly aliases: ReadonlyMap<string, string>;
}

interface Building {
  readonly words: Map<string, Candidate[]>;
  readonly options: Map<string, Candidate[]>;
  readonly values: Map<string, Value>;
  readonly rests: Map<string, Value>;
  readonly aliases: Map<string, string>;
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'];
const FAMILIES: readonly Subcommands[] = [
  LINK,
  FDB,
  VLAN,
  MST,
  VNI,
  NEIGH,
  MDB,
  NEXTHOP,
  ROUTE,
  EVPN,
  CONFIG,
  LAB,
  EXERCISE,
];
const GRAMMARS: readonly Grammars[] = [
  FDB_GRAMMARS,
  VLAN_GRAMMARS,
  MST_GRAMMARS,
  VNI_GRAMMARS,
  NEIGH_GRAMMARS,
  MDB_GRAMMARS,
  NEXTHOP_GRAMMARS,
  EVPN_GRAMMARS,
  ROUTE_GRAMMARS,
];
/** Words of `link add` and `link set` beside the options. */
const LINK_RULES: readonly WordRule[] = [
  { word: 'master', key: 'master', value: 'BR' },
  { word: 'nomaster', key: 'master' },
  { word: 'default', key: 'default', value: 'OPTION' },
];
/** After the type, `dev` is the option of a vxlan port. */
const NAME_AND_TYPE: readonly WordRule[] = [
  { word: 'dev', key: 'name', value: 'LINK' },
  { word: 'type', key: 'type', value: 'TYPE' },
];

/** @param labs names of the labs @param exercises names of the exercises */
export function completionTable(
  commands: readonly CommandFacts[],
  labs: readonly string[],
  exercises: readonly string[],
): Table {
  const table: Building = {
    words: new Map(),
    options: new Map(),
    values: new Map(),
    rests: new Map(),
    aliases: new Map(),
  };
  addCommands(table, commands);
  for (const family of FAMILIES) addFamily(table, family);
  for (const grammars of GRAMMARS) for (const grammar of Object.values(grammars)) addGrammar(table, grammar);
  addGrammar(table, STATS);
  addGrammar(table, LINK_SHOW);
  addLinkChanges(table);
  table.words.set('evpn clear', plain(['duplicates', 'neighbor']));
  table.words.set('monitor', plain(EVENT_WORDS));
  table.rests.set('log-level', { words: LEVELS });
  table.rests.set('help', { words: commands.map(({ name }) => name) });
  table.rests.set('completion', { words: SHELLS });
  for (const verb of LAB_VERBS) table.rests.set(`lab ${verb}`, { words: labs });
  for (const verb of EXERCISE_VERBS) table.rests.set(`exercise ${verb}`, { words: exercises });
  return table;
}

function addCommands(table: Building, commands: readonly CommandFacts[]): void {
  const help = { name: 'help', summary: 'show the help of a command' };
  table.words.set(
    '',
    [...commands, help].map(({ name, summary }) => ({ word: name, about: summary })),
  );
  addOptions(table, '', [...GLOBAL_OPTIONS, HELP_OPTION, VERSION_OPTION]);
  for (const { name, options = [] } of commands) {
    table.words.set(name, []);
    addOptions(table, name, options);
  }
  table.words.set('help', []);
}

function addOptions(table: Building, command: string, options: readonly OptionSpec[]): void {
  const candidates = options.flatMap(({ flags, text, choices }) => {
    const { spellings, argument } = flagsOf(flags);
    if (argument !== undefined)
      for (const spelling of spellings) {
        const value: Value =
          choices !== undefined ? { words: choices } : ['FILE', 'SOCK'].includes(argument) ? 'files' : 'any';
        table.values.set(`${command} ${spelling}`.trim(), value);
      }
    return spellings.map((word) => ({ word, about: text }));
  });
  table.options.set(command, candidates);
}

/** `-c, --config <FILE>`. */
function flagsOf(flags: string): { spellings: string[]; argument?: string } {
  const argument = /<(.+)>/.exec(flags)?.[1];
  const spellings = flags.replace(/ *<.*/, '').split(', ');
  return argument === undefined ? { spellings } : { spellings, argument };
}

function addFamily(table: Building, { command, here, aliases = {} }: Subcommands): void {
  table.words.set(command, plain(here));
  for (const name of here) table.words.set(`${command} ${name}`, []);
  for (const [alias, name] of Object.entries(aliases)) table.aliases.set(`${command} ${alias}`, `${command} ${name}`);
}

function addGrammar(table: Building, { command, rules, rest }: Grammar): void {
  table.words.set(
    command,
    rules.map(({ word, value }) => ({ word, about: value ?? '' })),
  );
  for (const { word, value } of rules) {
    if (value !== undefined) table.values.set(`${command} ${word}`, valueNamed(value, command, word));
  }
  if (rest?.value === 'LINK') table.rests.set(command, 'links');
}

/** The value that help calls by this name. */
function valueNamed(name: string, command = '', word = ''): Value {
  if (name === 'BR') return 'bridges';
  if (name === 'LINK') return 'links';
  // A bridge has VLANs and entries of its own, as its host port.
  if (name === 'PORT') return word === 'dev' ? 'links' : 'ports';
  if (name === 'DEV') return 'devices';
  if (name === 'NS') return 'netns';
  if (name === 'TYPE') return { words: LINK_TYPES };
  if (name === 'OPTION') return 'options';
  if (name === 'STATE') return { words: command.startsWith('fdb') ? [...FDB_STATES, 'all'] : NEIGH_STATES };
  const choices = name.split('|').filter((choice) => /^[a-z0-9]+([-_][a-z0-9]+)*$/.test(choice));
  return choices.length > 0 ? { words: choices } : 'any';
}

function addLinkChanges(table: Building): void {
  const types: readonly OptionScope[] = [...LINK_TYPES, 'bridge_slave'];
  addScope(table, 'link add', 'link', LINK_TYPES);
  addScope(table, 'link set', 'link', types);
  for (const type of types) addScope(table, `link type ${type}`, type);
  for (const verb of ['set', 'del']) table.rests.set(`link ${verb}`, 'links');
}

/** @param types what may follow `type`, where it may be given */
function addScope(table: Building, context: string, scope: OptionScope, types?: readonly string[]): void {
  const rules = types === undefined ? LINK_RULES : [...LINK_RULES, ...NAME_AND_TYPE];
  addGrammar(table, { command: context, rules });
  if (types !== undefined) table.values.set(`${context} type`, { words: types });
  const seen = new Set<string>();
  for (const row of OPTION_ROWS[scope]) {
    if (seen.has(row.word)) continue; // the first row of a word is the one that is read
    seen.add(row.word);
    addOption(table, context, row);
  }
}

function addOption(table: Building, context: string, row: OptionRow): void {
  const { kind, value } = row;
  table.words.get(context)?.push(...allWordsOf(row).map((word) => ({ word, about: value })));
  if (kind.form === 'flag' || kind.form === 'state') return;
  for (const word of allWordsOf(row)) table.values.set(`${context} ${word}`, optionValue(row));
  if (kind.form !== 'numbers') return;
  for (const part of kind.parts) addPart(table, context, part, `${row.word} ${part} N`);
}

/** A part of an option's value, which may follow another part of it. Several options may have parts of one name. */
function addPart(table: Building, context: string, part: string, about: string): void {
  const words = table.words.get(context);
  const at = words?.findIndex(({ word }) => word === part) ?? -1;
  if (words !== undefined && at >= 0) words[at] = { word: part, about: `${words[at].about}, ${about}` };
  else words?.push({ word: part, about });
  table.values.set(`${context} ${part}`, 'any');
}

function optionValue({ kind, value }: OptionRow): Value {
  if (kind.form === 'numbers') return { words: ['off', ...kind.parts] };
  if (kind.form === 'number') {
    const names = valueNamed(value);
    return kind.names === undefined && !/^[0-9|]+$/.test(value) ? 'any' : names;
  }
  return kind.form === 'list' || kind.form === 'pair' ? 'any' : valueNamed(value);
}

const plain = (words: readonly string[]): Candidate[] => words.map((word) => ({ word, about: '' }));
