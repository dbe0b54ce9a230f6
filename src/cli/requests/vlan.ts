/**
 * The words of `bridge vlan add`, `del` and `set` as requests. Pure.
 */
import type { VlanRequest, VlanSetRequest } from '../../api/api.js';
import { type IdRange, rangeLength } from '../../values/id-range.js';
import { UsageError } from '../errors.js';
import { given, ids, VLAN_ID, VNI } from '../values.js';
import { type Grammar, one, parseWords, required } from '../words.js';

const EXAMPLE = 'dev PORT vid VID[-VID] [pvid] [untagged] [tunnel_info id VNI[-VNI]]';

const RULES: Grammar['rules'] = [
  { word: 'dev', key: 'dev', value: 'PORT' },
  { word: 'vid', key: 'vid', value: 'VID' },
  { word: 'pvid', key: 'pvid' },
  { word: 'untagged', key: 'untagged' },
  // One table stands for both the bridge's and the port's own.
  { word: 'self', key: 'self' },
  { word: 'master', key: 'master' },
  { word: 'tunnel_info', key: 'tunnel_info' },
  { word: 'id', key: 'tunid', value: 'VNI' },
];

/** @throws UsageError */
export function vlanChange(op: 'add' | 'del', words: readonly string[]): VlanRequest {
  const grammar: Grammar = { command: `vlan ${op}`, rules: RULES };
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

const SET: Grammar = {
  command: 'vlan set',
  rules: [
    { word: 'dev', key: 'dev', value: 'PORT' },
    { word: 'vid', key: 'vid', value: 'VID' },
    { word: 'neigh_suppress', key: 'neigh_suppress', value: 'on|off' },
  ],
};

/** @throws UsageError */
export function vlanSetting(words: readonly string[]): VlanSetRequest {
  const example = 'vlan set dev PORT vid VID[-VID] neigh_suppress on|off';
  const found = parseWords(SET, words);
  const dev = required(SET, found, 'dev', 'a port', example);
  const vids = ids('"vid"', required(SET, found, 'vid', 'a VLAN', example), VLAN_ID);
  const text = required(SET, found, 'neigh_suppress', 'what to set', example);
  if (text !== 'on' && text !== 'off') throw new UsageError(`"neigh_suppress" takes on or off, not "${text}"`);
  return given({ op: 'set' as const, dev, ...ends('vid', 'vidEnd', vids), neigh_suppress: text === 'on' });
}

function ends<F extends string, L extends string>(first: F, last: L, range: IdRange) {
  const end = range.last === range.first ? undefined : range.last;
  return { [first]: range.first, [last]: end } as Record<F, number> & Partial<Record<L, number>>;
}
