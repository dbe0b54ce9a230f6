/**
 * The words of `bridge vlan add`, `del` and `set` as requests. Pure.
 */
import type { VlanRequest, VlanSetRequest } from '../../api/api.js';
import { type IdRange, rangeLength } from '../../values/id-range.js';
import { UsageError } from '../errors.js';
import { given, ids, VLAN_ID, VNI } from '../values.js';
import { type Grammars, one, parseWords, required, type WordRule } from '../words.js';

const EXAMPLE = 'dev PORT vid VID[-VID] [pvid] [untagged] [tunnel_info id VNI[-VNI]]';

const WHERE: readonly WordRule[] = [
  { word: 'dev', key: 'dev', value: 'PORT' },
  { word: 'vid', key: 'vid', value: 'VID' },
];
const RULES: readonly WordRule[] = [
  ...WHERE,
  { word: 'pvid', key: 'pvid' },
  { word: 'untagged', key: 'untagged' },
  // One table stands for both the bridge's and the port's own.
  { word: 'self', key: 'self' },
  { word: 'master', key: 'master' },
  { word: 'tunnel_info', key: 'tunnel_info' },
  { word: 'id', key: 'tunid', value: 'VNI' },
];

/** The words of each subcommand. */
export const VLAN_GRAMMARS = {
  show: { command: 'vlan show', rules: WHERE },
  tunnelshow: { command: 'vlan tunnelshow', rules: WHERE },
  add: { command: 'vlan add', rules: RULES },
  del: { command: 'vlan del', rules: RULES },
  set: {
    command: 'vlan set',
    rules: [...WHERE, { word: 'neigh_suppress', key: 'neigh_suppress', value: 'on|off' }],
  },
} as const satisfies Grammars;

/** @throws UsageError */
export function vlanChange(op: 'add' | 'del', words: readonly string[]): VlanRequest {
  const grammar = VLAN_GRAMMARS[op];
  const example = `vlan ${op} ${EXAMPLE}`;
  const found = parseWords(grammar, words);
  const dev = required(grammar, found, 'dev', 'a port, or a bridge for its host port', example);
  const vids = ids('"vid"', required(grammar, found, 'vid', 'a VLAN', example), VLAN_ID);
  const tunid = one(found, 'tunid');
  if (found.has('tunnel_info') !== (tunid !== undefined)) {
    throw new UsageError(`"${grammar.command}" takes a VNI as two words and a number: tunnel_info id VNI`);
  }
  const vnis = tunid === undefined ? undefined : ids('"tunnel_info id"', tunid, VNI);
  if (vnis !== undefined && rangeLength(vnis) !== rangeLength(vids)) {
    throw new UsageError(
      `"${grammar.command}": ${rangeLength(vids)} VLANs cannot be mapped to ${rangeLength(vnis)} VNIs; give ranges of one length`,
    );
  }
  if (op === 'add' && found.has('pvid') && rangeLength(vids) > 1) {
    throw new UsageError(`"${grammar.command}": a port has one PVID; give "pvid" with a single VLAN`);
  }
  return given({
    op,
    dev,
    ...ends('vid', 'vidEnd', vids),
    pvid: found.has('pvid') || undefined,
    untagged: found.has('untagged') || undefined,
    ...(vnis === undefined ? {} : ends('tunid', 'tunidEnd', vnis)),
  });
}

/** @throws UsageError */
export function vlanSetting(words: readonly string[]): VlanSetRequest {
  const example = 'vlan set dev PORT vid VID[-VID] neigh_suppress on|off';
  const found = parseWords(VLAN_GRAMMARS.set, words);
  const dev = required(VLAN_GRAMMARS.set, found, 'dev', 'a port', example);
  const vids = ids('"vid"', required(VLAN_GRAMMARS.set, found, 'vid', 'a VLAN', example), VLAN_ID);
  const text = required(VLAN_GRAMMARS.set, found, 'neigh_suppress', 'what to set', example);
  if (text !== 'on' && text !== 'off') throw new UsageError(`"neigh_suppress" takes on or off, not "${text}"`);
  return given({ op: 'set' as const, dev, ...ends('vid', 'vidEnd', vids), neigh_suppress: text === 'on' });
}

function ends<F extends string, L extends string>(first: F, last: L, range: IdRange) {
  const end = range.last === range.first ? undefined : range.last;
  return { [first]: range.first, [last]: end } as Record<F, number> & Partial<Record<L, number>>;
}
