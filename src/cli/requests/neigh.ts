/**
 * The words of `ip neigh` as requests, with `vlan` and `vni` for the VLAN that a binding belongs to. Pure.
 */
import type { NeighRequest, NeighState } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, mac, vlanOf, vniOf } from '../values.js';
import { type Grammar, one, parseWords, required, type WordRule, type Words } from '../words.js';

export const NEIGH_STATES: readonly NeighState[] = ['permanent', 'reachable', 'stale', 'noarp'];

const KEY: readonly WordRule[] = [
  { word: 'to', key: 'dst', value: 'ADDRESS' },
  { word: 'dev', key: 'dev', value: 'PORT' },
  { word: 'vlan', key: 'vlan', value: 'VID' },
  { word: 'vni', key: 'vni', value: 'VNI', many: true },
  { word: 'src_vni', key: 'vni', value: 'VNI', many: true },
];
const BINDING: readonly WordRule[] = [
  { word: 'lladdr', key: 'lladdr', value: 'MAC' },
  { word: 'router', key: 'router' },
  { word: 'nud', key: 'state', value: 'STATE' },
  ...NEIGH_STATES.map((word) => ({ word, key: 'state' })),
];
const REST = { key: 'dst', value: 'ADDRESS' };

/** @throws UsageError */
export function neighChange(op: 'add' | 'replace', words: readonly string[]): NeighRequest {
  const grammar: Grammar = { command: `neigh ${op}`, rules: [...KEY, ...BINDING], rest: REST };
  const found = parseWords(grammar, words);
  const example = `neigh ${op} ADDRESS lladdr MAC dev PORT [vlan VID]`;
  const lladdr = required(grammar, found, 'lladdr', 'a MAC address', example);
  return given({
    op,
    ...bindingKey(grammar, found, example),
    lladdr: mac('"lladdr"', lladdr),
    router: found.has('router') || undefined,
    state: stateOf(found),
  });
}

/** Accepts and ignores properties of the binding, like `ip neigh`. @throws UsageError */
export function neighDel(words: readonly string[]): NeighRequest {
  const grammar: Grammar = { command: 'neigh del', rules: [...KEY, ...BINDING], rest: REST };
  const found = parseWords(grammar, words);
  return given({ op: 'del', ...bindingKey(grammar, found, 'neigh del ADDRESS dev PORT [vlan VID]') });
}

function bindingKey(grammar: Grammar, found: Words, example: string) {
  const dst = required(grammar, found, 'dst', 'an address', example);
  return {
    dst: address(`"${grammar.command}"`, dst),
    dev: required(grammar, found, 'dev', 'a port', example),
    vlan: vlanOf(found, 'vlan'),
    vni: vniOf(found),
  };
}

/** Selects the bindings of a listing. */
export interface NeighFilter {
  readonly dst?: string;
  readonly dev?: string;
  readonly vlan?: number;
  readonly vni?: number;
  readonly state?: NeighState;
}

/** @throws UsageError */
export function neighShow(words: readonly string[]): NeighFilter {
  const rules = [...KEY, ...BINDING.filter((rule) => rule.key === 'state')];
  const found = parseWords({ command: 'neigh show', rules, rest: REST }, words);
  const dst = one(found, 'dst');
  return given({
    dst: dst === undefined ? undefined : address('"neigh show"', dst),
    dev: one(found, 'dev'),
    vlan: vlanOf(found, 'vlan'),
    vni: vniOf(found),
    state: stateOf(found),
  });
}

function stateOf(found: Words): NeighState | undefined {
  const word = one(found, 'state');
  const state = NEIGH_STATES.find((candidate) => candidate === word);
  if (word !== undefined && state === undefined) {
    throw new UsageError(`"nud" takes ${NEIGH_STATES.join(', ')}, not "${word}"`);
  }
  return state;
}
