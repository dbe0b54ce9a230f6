/**
 * The words of `bridge mdb` as requests, with `dst` for a remote behind a vxlan port. Pure.
 */
import type { MdbRequest } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, vlanOf } from '../values.js';
import { type Grammars, one, parseWords, required, type WordRule } from '../words.js';

const RULES: readonly WordRule[] = [
  { word: 'dev', key: 'dev', value: 'BR' },
  { word: 'port', key: 'port', value: 'PORT' },
  { word: 'grp', key: 'grp', value: 'GROUP' },
  { word: 'vid', key: 'vid', value: 'VID' },
  { word: 'dst', key: 'dst', value: 'ADDRESS' },
];

const STATES: readonly WordRule[] = ['permanent', 'temp'].map((word) => ({ word, key: word }));

/** The words of each subcommand. */
export const MDB_GRAMMARS = {
  show: { command: 'mdb show', rules: RULES.filter((rule) => rule.key !== 'dst') },
  add: { command: 'mdb add', rules: [...RULES, ...STATES] },
  del: { command: 'mdb del', rules: [...RULES, ...STATES] },
} as const satisfies Grammars;

/** @throws UsageError */
export function mdbChange(op: 'add' | 'del', words: readonly string[]): MdbRequest {
  const grammar = MDB_GRAMMARS[op];
  const example = `mdb ${op} dev BR port PORT grp GROUP [vid VID] [dst ADDRESS]`;
  const found = parseWords(grammar, words);
  if (op === 'add' && found.has('temp')) {
    throw new UsageError('"mdb add": "temp" entries come from reports alone; one put in by hand is permanent');
  }
  const dev = required(grammar, found, 'dev', 'a bridge', example);
  const port = required(grammar, found, 'port', 'a port', example);
  const grp = address('"grp"', required(grammar, found, 'grp', 'a group', example));
  const dst = one(found, 'dst');
  return given({
    op,
    dev,
    port,
    grp,
    vid: vlanOf(found, 'vid'),
    dst: dst === undefined ? undefined : address('"dst"', dst),
  });
}

/** Selects the entries of a listing. */
export interface MdbFilter {
  readonly dev?: string;
  readonly port?: string;
  readonly grp?: string;
  readonly vid?: number;
}

/** @throws UsageError */
export function mdbShow(words: readonly string[]): MdbFilter {
  const found = parseWords(MDB_GRAMMARS.show, words);
  const grp = one(found, 'grp');
  return given({
    dev: one(found, 'dev'),
    port: one(found, 'port'),
    grp: grp === undefined ? undefined : address('"grp"', grp),
    vid: vlanOf(found, 'vid'),
  });
}
