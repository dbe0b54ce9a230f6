/**
 * The words of `bridge vlan add`, `del` and `set` as requests. Pure.
 */
import type { VlanGlobalRequest, VlanRequest, VlanSetRequest } from '../../api/api.js';
import { bridgeVlanOptions } from '../../config/options/mcast.js';
import type { Row } from '../../config/options/option.js';
import { type IdRange, rangeLength } from '../../values/id-range.js';
import { PORT_STATES, type PortStateName } from '../../values/port-state.js';
import { UsageError } from '../errors.js';
import { given, ids, VLAN_ID, VNI } from '../values.js';
import { type Grammars, integer, one, parseWords, required, type WordRule } from '../words.js';

const EXAMPLE = 'dev PORT vid VID[-VID] [pvid] [untagged] [tunnel_info id VNI[-VNI]]';

/** What the switch takes at most, it says itself. */
const MAX_COUNT = 2_147_483_647;

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

const GLOBAL_OPTIONS = Object.entries<Row>(bridgeVlanOptions);

/** The words of each subcommand. */
export const VLAN_GRAMMARS = {
  show: { command: 'vlan show', rules: WHERE },
  tunnelshow: { command: 'vlan tunnelshow', rules: WHERE },
  add: { command: 'vlan add', rules: RULES },
  del: { command: 'vlan del', rules: RULES },
  set: {
    command: 'vlan set',
    rules: [
      ...WHERE,
      { word: 'neigh_suppress', key: 'neigh_suppress', value: 'on|off' },
      { word: 'isolated', key: 'isolated', value: 'on|off' },
      { word: 'state', key: 'state', value: PORT_STATES.join('|') },
      { word: 'mcast_router', key: 'mcast_router', value: '0|1|2' },
      { word: 'mcast_max_groups', key: 'mcast_max_groups', value: 'N' },
    ],
  },
  global: {
    command: 'vlan global',
    rules: [
      { word: 'show', key: 'verb' },
      { word: 'set', key: 'verb' },
      { word: 'dev', key: 'dev', value: 'BR' },
      { word: 'vid', key: 'vid', value: 'VID' },
      ...GLOBAL_OPTIONS.map(([key, { words }]) => ({ word: key, key, value: words[0]?.value ?? 'N' })),
    ],
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
  const example =
    'vlan set dev PORT vid VID[-VID] [neigh_suppress on|off] [isolated on|off] [state STATE] [mcast_router 0|1|2] [mcast_max_groups N]';
  const found = parseWords(VLAN_GRAMMARS.set, words);
  const dev = required(VLAN_GRAMMARS.set, found, 'dev', 'a port', example);
  const vids = ids('"vid"', required(VLAN_GRAMMARS.set, found, 'vid', 'a VLAN', example), VLAN_ID);
  const flag = (word: string): boolean | undefined => {
    const text = one(found, word);
    if (text !== undefined && text !== 'on' && text !== 'off')
      throw new UsageError(`"${word}" takes on or off, not "${text}"`);
    return text === undefined ? undefined : text === 'on';
  };
  const state = one(found, 'state');
  const settings = {
    neigh_suppress: flag('neigh_suppress'),
    isolated: flag('isolated'),
    state: state === undefined ? undefined : portState(state),
    mcast_router: integer(found, 'mcast_router', 0, 2) as 0 | 1 | 2 | undefined,
    mcast_max_groups: integer(found, 'mcast_max_groups', 0, MAX_COUNT),
  };
  if (Object.values(settings).every((value) => value === undefined))
    throw new UsageError(`"vlan set" needs what to set: ${example}`);
  return given({ op: 'set' as const, dev, ...ends('vid', 'vidEnd', vids), ...settings });
}

/** The word of iproute2, or the number of the kernel (BR_STATE_*). @throws UsageError */
export function portState(text: string): PortStateName {
  const state = PORT_STATES.find((name, number) => text === name || text === String(number));
  if (state === undefined) throw new UsageError(`"state" takes one of ${PORT_STATES.join(', ')}, not "${text}"`);
  return state;
}

/** The words behind `vlan global set`. @throws UsageError */
export function vlanGlobal(words: readonly string[]): VlanGlobalRequest {
  const example = 'vlan global set dev BR vid VID[-VID] mcast_querier 1';
  const found = parseWords(VLAN_GRAMMARS.global, words);
  const dev = required(VLAN_GRAMMARS.global, found, 'dev', 'a bridge', example);
  const vids = ids('"vid"', required(VLAN_GRAMMARS.global, found, 'vid', 'a VLAN', example), VLAN_ID);
  const options = GLOBAL_OPTIONS.flatMap(
    ([
      key,
      {
        words: [word],
      },
    ]): [string, boolean | number][] => {
      const number = integer(found, key, 0, word?.kind.form === 'bit' ? 1 : MAX_COUNT);
      if (number === undefined) return [];
      return [[key, word?.kind.form === 'bit' ? number === 1 : number]];
    },
  );
  if (options.length === 0) throw new UsageError(`"vlan global set" needs what to set: ${example}`);
  return {
    op: 'global',
    dev,
    ...given(ends('vid', 'vidEnd', vids)),
    options: Object.fromEntries(options) as VlanGlobalRequest['options'],
  };
}

function ends<F extends string, L extends string>(first: F, last: L, range: IdRange) {
  const end = range.last === range.first ? undefined : range.last;
  return { [first]: range.first, [last]: end } as Record<F, number> & Partial<Record<L, number>>;
}
