/**
 * The words of `bridge fdb` as requests and as queries. Pure.
 */
import type { FdbFlush, FdbRequest, FdbState } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, mac, NEXTHOP_MAX, protocolOf, udpPortOf, VNI, vlanOf, vniOf } from '../values.js';
import {
  type Grammar,
  type Grammars,
  integer,
  one,
  parseWords,
  required,
  type WordRule,
  type Words,
} from '../words.js';

export const FDB_STATES: readonly FdbState[] = ['dynamic', 'static', 'permanent'];

/** iproute2's words for a state; `local` and `temp` are the older ones. */
const STATE_WORDS: Readonly<Record<string, FdbState>> = {
  local: 'permanent',
  permanent: 'permanent',
  static: 'static',
  temp: 'static',
  dynamic: 'dynamic',
};

const MAC = { key: 'mac', value: 'MAC' };
const DEV: readonly WordRule[] = [
  { word: 'dev', key: 'dev', value: 'PORT' },
  { word: 'brport', key: 'dev', value: 'PORT' },
];
const BRIDGE: WordRule = { word: 'br', key: 'br', value: 'BR' };
const DST: WordRule = { word: 'dst', key: 'dst', value: 'ADDRESS' };
const PLACE: readonly WordRule[] = [
  { word: 'vlan', key: 'vlan', value: 'VID' },
  { word: 'vni', key: 'vni', value: 'VNI', many: true },
  { word: 'src_vni', key: 'vni', value: 'VNI', many: true },
];
/** The switch has one table, so both name the same entry. */
const TABLE: readonly WordRule[] = ['self', 'master'].map((word) => ({ word, key: word }));
const ONE_STATE: readonly WordRule[] = Object.keys(STATE_WORDS).map((word) => ({ word, key: 'state', many: true }));
const MANY_STATES: readonly WordRule[] = [
  { word: 'state', key: 'state', value: 'STATE', many: true },
  ...FDB_STATES.map((word) => ({ word, key: 'state', many: true })),
];
/** Words of an entry that are true where they stand. */
const ENTRY_FLAGS = ['sticky', 'extern_learn', 'router', 'activity_notify', 'inactive', 'norefresh', 'use'] as const;
/** Words of `flush` that may be negated, beside the states. */
const FLUSH_FLAGS = ['added_by_user', 'extern_learn', 'sticky', 'router', 'offloaded'] as const;
const BRPORT: WordRule = { word: 'brport', key: 'brport', value: 'PORT' };
/** Where an entry is, and what its remote is. */
const VLAN_AND_REMOTE: readonly WordRule[] = [
  { word: 'vlan', key: 'vlan', value: 'VID' },
  { word: 'vni', key: 'vni', value: 'VNI' },
  { word: 'src_vni', key: 'src_vni', value: 'VNI' },
  DST,
  { word: 'port', key: 'port', value: 'UDP-PORT' },
  { word: 'via', key: 'via', value: 'DEV' },
];
const NHID: WordRule = { word: 'nhid', key: 'nhid', value: 'ID' };
const ENTRY: readonly WordRule[] = [
  { word: 'to', key: 'mac', value: 'MAC' },
  DEV[0] as WordRule,
  ...VLAN_AND_REMOTE,
  ...TABLE,
  ...ONE_STATE,
  NHID,
  { word: 'proto', key: 'proto', value: 'PROTO' },
  ...ENTRY_FLAGS.map((word) => ({ word, key: word })),
];

/** The words of each subcommand. */
export const FDB_GRAMMARS = {
  show: { command: 'fdb show', rules: [BRIDGE, ...DEV, ...PLACE, DST, ...MANY_STATES] },
  get: {
    command: 'fdb get',
    rules: [
      { word: 'to', key: 'mac', value: 'MAC' },
      BRIDGE,
      ...DEV,
      ...PLACE,
      ...TABLE,
      { word: 'dynamic', key: 'dynamic' },
    ],
    rest: MAC,
  },
  add: { command: 'fdb add', rules: ENTRY, rest: MAC },
  append: { command: 'fdb append', rules: ENTRY, rest: MAC },
  replace: { command: 'fdb replace', rules: ENTRY, rest: MAC },
  del: { command: 'fdb del', rules: ENTRY, rest: MAC },
  flush: {
    command: 'fdb flush',
    rules: [
      DEV[0] as WordRule,
      BRPORT,
      BRIDGE,
      ...VLAN_AND_REMOTE,
      NHID,
      ...TABLE,
      ...MANY_STATES,
      ...FDB_STATES.map((state) => ({ word: `no${state}`, key: 'nostate', many: true })),
      ...FLUSH_FLAGS.flatMap((word) => [word, `no${word}`].map((one) => ({ word: one, key: word }))),
    ],
  },
} as const satisfies Grammars;

/** @throws UsageError */
export function fdbChange(op: 'add' | 'append' | 'replace', words: readonly string[]): FdbRequest {
  const grammar = FDB_GRAMMARS[op];
  const found = parseWords(grammar, words);
  return given({
    op,
    ...entryKey(grammar, found),
    state: oneState(found),
    proto: protocolOf(found, 'proto'),
    ...Object.fromEntries(ENTRY_FLAGS.flatMap((flag) => (found.has(flag) ? [[flag, true]] : []))),
  });
}

/** Accepts and ignores properties of the entry (`static`, `sticky`), like iproute2. @throws UsageError */
export function fdbDel(words: readonly string[]): FdbRequest {
  const grammar = FDB_GRAMMARS.del;
  return given({ op: 'del', ...entryKey(grammar, parseWords(grammar, words)) });
}

function entryKey(grammar: Grammar, found: Words) {
  const example = `${grammar.command} MAC dev PORT [vlan VID] [dst ADDRESS]`;
  const lladdr = required(grammar, found, 'mac', 'a MAC address', example);
  const dev = required(grammar, found, 'dev', 'a port', example);
  return {
    mac: mac(`"${grammar.command}"`, lladdr),
    dev,
    ...placeOf(found),
    src_vni: integer(found, 'src_vni', 1, VNI.max),
    dst: addressOf(found),
    port: udpPortOf(found, 'port'),
    nhid: integer(found, 'nhid', 1, NEXTHOP_MAX),
    via: one(found, 'via'),
  };
}

const placeOf = (found: Words) => ({ vlan: vlanOf(found, 'vlan'), vni: vniOf(found) });

function addressOf(found: Words): string | undefined {
  const dst = one(found, 'dst');
  return dst === undefined ? undefined : address('"dst"', dst);
}

function oneState(found: Words): FdbState | undefined {
  const states = new Set((found.get('state') ?? []).map((word) => STATE_WORDS[word]));
  if (states.size > 1) throw new UsageError(`an entry has one state, not ${[...states].join(' and ')}`);
  return [...states][0];
}

/** @throws UsageError */
export function fdbFlush(words: readonly string[]): FdbFlush {
  const found = parseWords(FDB_GRAMMARS.flush, words);
  const dev = one(found, 'dev');
  const brport = one(found, 'brport');
  const flags = FLUSH_FLAGS.flatMap((flag) => (found.has(flag) ? [[flag, one(found, flag) === flag]] : []));
  return given({
    op: 'flush',
    // `dev BR brport PORT`, as in iproute2.
    dev: brport ?? dev,
    br: one(found, 'br') ?? (brport === undefined ? undefined : dev),
    vlan: vlanOf(found, 'vlan'),
    vni: integer(found, 'vni', 1, VNI.max),
    src_vni: integer(found, 'src_vni', 1, VNI.max),
    dst: addressOf(found),
    port: udpPortOf(found, 'port'),
    via: one(found, 'via'),
    nhid: integer(found, 'nhid', 1, NEXTHOP_MAX),
    state: flushStates(found),
    ...(Object.fromEntries(flags) as { [F in (typeof FLUSH_FLAGS)[number]]?: boolean }),
  });
}

/** The states that are named, without those with `no` before them. @throws UsageError */
function flushStates(found: Words): 'all' | FdbState[] | undefined {
  const named = statesOf(found.get('state'));
  const not = found.get('nostate');
  if (not === undefined) return named;
  if (named === 'all') throw new UsageError(`"state all" excludes nothing; leave it or "${not[0]}" out`);
  // A permanent entry is static too (NUD_NOARP), so `nostatic` is dynamic ones.
  const excluded = not.includes('nostatic') ? [...not, 'nopermanent'] : not;
  const left = (named ?? FDB_STATES).filter((state) => !excluded.includes(`no${state}`));
  if (left.length === 0) throw new UsageError(`no entry is of no state; leave one of ${not.join(', ')} out`);
  return left;
}

/** Selects the entries of a listing. */
export interface FdbQuery {
  readonly dev?: string;
  readonly br?: string;
  /** The filter in the request, as `?mac=...&dev=...`; empty: all entries. */
  readonly query: '' | `?${string}`;
}

/** @throws UsageError */
export function fdbShow(words: readonly string[]): FdbQuery {
  const found = parseWords(FDB_GRAMMARS.show, words);
  const states = statesOf(found.get('state'));
  return queryOf(found, { state: states === 'all' ? undefined : states?.join(',') });
}

/** @throws UsageError */
export function fdbGet(words: readonly string[]): FdbQuery & { readonly mac: string } {
  const grammar = FDB_GRAMMARS.get;
  const found = parseWords(grammar, words);
  const example = 'fdb get MAC [br BR] [dev PORT] [vlan VID] [vni VNI]';
  const lladdr = mac('"fdb get"', required(grammar, found, 'mac', 'a MAC address', example));
  const state = found.has('dynamic') ? 'dynamic' : undefined;
  return { ...queryOf(found, { mac: lladdr, state }), mac: lladdr };
}

function queryOf(found: Words, more: { mac?: string; state: string | undefined }): FdbQuery {
  const dev = one(found, 'dev');
  const br = one(found, 'br');
  const asked = given({ ...more, dev, br, ...placeOf(found), dst: addressOf(found) });
  const text = new URLSearchParams(
    Object.entries(asked).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();
  return given({ dev, br, query: text === '' ? ('' as const) : (`?${text}` as const) });
}

/** The states asked for; undefined when none is named. */
function statesOf(words: readonly string[] | undefined): 'all' | FdbState[] | undefined {
  if (words === undefined) return undefined;
  const wrong = words.find((word) => word !== 'all' && !FDB_STATES.some((state) => state === word));
  if (wrong !== undefined) throw new UsageError(`"state" takes ${FDB_STATES.join(', ')} or all, not "${wrong}"`);
  return words.includes('all') ? 'all' : FDB_STATES.filter((state) => words.includes(state));
}
