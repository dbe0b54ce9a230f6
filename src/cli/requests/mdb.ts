/**
 * The words of `bridge mdb` as requests, with `dst` for a remote behind a vxlan port. Pure.
 */
import type { MdbRequest } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, udpPortOf, VNI, vlanOf } from '../values.js';
import { type Grammars, integer, one, parseWords, required, type WordRule, type Words } from '../words.js';

const RULES: readonly WordRule[] = [
  { word: 'dev', key: 'dev', value: 'BR' },
  { word: 'port', key: 'port', value: 'PORT' },
  { word: 'grp', key: 'grp', value: 'GROUP' },
  { word: 'src', key: 'src', value: 'ADDRESS' },
  { word: 'vid', key: 'vid', value: 'VID' },
  { word: 'dst', key: 'dst', value: 'ADDRESS' },
  { word: 'dst_port', key: 'dst_port', value: 'PORT' },
  { word: 'vni', key: 'vni', value: 'VNI' },
  { word: 'src_vni', key: 'src_vni', value: 'VNI' },
  { word: 'via', key: 'via', value: 'DEV' },
];

const STATES: readonly WordRule[] = ['permanent', 'temp'].map((word) => ({ word, key: 'state' }));
/** Each with its negation, which is the other one. */
const FLUSHED: readonly WordRule[] = ['permanent', 'nopermanent', 'temp', 'notemp'].map((word) => ({
  word,
  key: 'state',
}));
const PROTO: WordRule = { word: 'proto', key: 'proto', value: 'PROTOCOL' };
const PUT: readonly WordRule[] = [
  ...RULES,
  ...STATES,
  { word: 'filter_mode', key: 'filter_mode', value: 'include|exclude' },
  { word: 'source_list', key: 'source_list', value: 'ADDRESS,...' },
  PROTO,
];
const rulesOf = (...keys: string[]): WordRule[] => RULES.filter(({ key }) => keys.includes(key));

/** The words of each subcommand. */
export const MDB_GRAMMARS = {
  show: { command: 'mdb show', rules: rulesOf('dev', 'port', 'grp', 'src', 'vid', 'src_vni') },
  get: { command: 'mdb get', rules: rulesOf('dev', 'grp', 'src', 'vid', 'src_vni') },
  add: { command: 'mdb add', rules: PUT },
  replace: { command: 'mdb replace', rules: PUT },
  del: { command: 'mdb del', rules: [...RULES, ...STATES] },
  flush: {
    command: 'mdb flush',
    rules: [...rulesOf('dev', 'port', 'vid', 'dst', 'dst_port', 'vni', 'src_vni'), ...FLUSHED, PROTO],
  },
} as const satisfies Grammars;

/** An IP address, or a MAC where there are colons at every second digit. */
function group(text: string): string {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? text.toLowerCase() : address('"grp"', text);
}

/** @throws UsageError */
export function mdbChange(op: 'add' | 'replace' | 'del', words: readonly string[]): MdbRequest {
  const grammar = MDB_GRAMMARS[op];
  const example = `mdb ${op} dev BR port PORT grp GROUP [vid VID] [dst ADDRESS]`;
  const found = parseWords(grammar, words);
  const dev = required(grammar, found, 'dev', 'a bridge', example);
  const port = required(grammar, found, 'port', 'a port', example);
  const grp = group(required(grammar, found, 'grp', 'a group', example));
  const [dst, src] = [one(found, 'dst'), one(found, 'src')];
  const place = {
    dev,
    port,
    grp,
    vid: vlanOf(found, 'vid'),
    dst: dst === undefined ? undefined : address('"dst"', dst),
    src: src === undefined ? undefined : address('"src"', src),
    ...tunnelOf(found),
    via: one(found, 'via'),
  };
  if (op === 'del') return given({ op, ...place });
  const state = one(found, 'state');
  return given({
    op,
    ...place,
    // Permanent is what an entry is that does not say.
    state: state === 'temp' ? state : undefined,
    filter_mode: modeOf(one(found, 'filter_mode')),
    source_list: one(found, 'source_list')
      ?.split(',')
      .map((source) => address('"source_list"', source)),
    proto: one(found, 'proto'),
  });
}

/** Words for entries of a tunnel. */
function tunnelOf(found: Words): { dst_port?: number; vni?: number; src_vni?: number } {
  return given({
    dst_port: udpPortOf(found, 'dst_port'),
    vni: integer(found, 'vni', 1, VNI.max),
    src_vni: integer(found, 'src_vni', 1, VNI.max),
  });
}

function modeOf(text: string | undefined): 'include' | 'exclude' | undefined {
  if (text === undefined || text === 'include' || text === 'exclude') return text;
  throw new UsageError(`"filter_mode" takes include or exclude, not "${text.slice(0, 60)}"`);
}

/** @throws UsageError */
export function mdbFlush(words: readonly string[]): MdbRequest {
  const grammar = MDB_GRAMMARS.flush;
  const found = parseWords(grammar, words);
  const dst = one(found, 'dst');
  return given({
    op: 'flush',
    dev: required(grammar, found, 'dev', 'a bridge', 'mdb flush dev BR [port PORT] [vid VID] [permanent|temp]'),
    port: one(found, 'port'),
    vid: vlanOf(found, 'vid'),
    dst: dst === undefined ? undefined : address('"dst"', dst),
    state: flushedState(one(found, 'state')),
    proto: one(found, 'proto'),
    ...tunnelOf(found),
  });
}

function flushedState(word: string | undefined): 'permanent' | 'temp' | undefined {
  if (word === undefined) return undefined;
  return word === 'permanent' || word === 'notemp' ? 'permanent' : 'temp';
}

/** The one entry of `mdb get`. */
export interface MdbKey {
  readonly dev: string;
  readonly grp: string;
  readonly src?: string;
  readonly vid?: number;
  readonly src_vni?: number;
}

/** @throws UsageError */
export function mdbGet(words: readonly string[]): MdbKey {
  const grammar = MDB_GRAMMARS.get;
  const example = 'mdb get dev BR|VXLAN grp GROUP [src ADDRESS] [vid VID|src_vni VNI]';
  const found = parseWords(grammar, words);
  const src = one(found, 'src');
  return given({
    dev: required(grammar, found, 'dev', 'a bridge', example),
    grp: group(required(grammar, found, 'grp', 'a group', example)),
    src: src === undefined ? undefined : address('"src"', src),
    vid: vlanOf(found, 'vid'),
    src_vni: integer(found, 'src_vni', 1, VNI.max),
  });
}

/** Selects the entries of a listing. */
export interface MdbFilter {
  readonly dev?: string;
  readonly port?: string;
  readonly grp?: string;
  readonly src?: string;
  readonly vid?: number;
  readonly src_vni?: number;
}

/** @throws UsageError */
export function mdbShow(words: readonly string[]): MdbFilter {
  const found = parseWords(MDB_GRAMMARS.show, words);
  const [grp, src] = [one(found, 'grp'), one(found, 'src')];
  return given({
    dev: one(found, 'dev'),
    port: one(found, 'port'),
    grp: grp === undefined ? undefined : group(grp),
    src: src === undefined ? undefined : address('"src"', src),
    vid: vlanOf(found, 'vid'),
    src_vni: integer(found, 'src_vni', 1, VNI.max),
  });
}
