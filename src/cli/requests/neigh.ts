/**
 * The words of `ip neigh` as requests, with `vlan` and `vni` for the VLAN that a binding belongs to. Pure.
 */
import type { NeighRequest, NeighState } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, mac, vlanOf, vniOf } from '../values.js';
import { type Grammar, type Grammars, one, parseWords, required, type WordRule, type Words } from '../words.js';

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

/** The words of each subcommand. */
export const NEIGH_GRAMMARS = {
  show: { command: 'neigh show', rules: [...KEY, ...BINDING.filter((rule) => rule.key === 'state')], rest: REST },
  add: { command: 'neigh add', rules: [...KEY, ...BINDING], rest: REST },
  replace: { command: 'neigh replace', rules: [...KEY, ...BINDING], rest: REST },
  del: { command: 'neigh del', rules: [...KEY, ...BINDING], rest: REST },
} as const satisfies Grammars;

/** @throws UsageError */
export function neighChange(op: 'add' | 'replace', words: readonly string[]): NeighRequest {
  const grammar = NEIGH_GRAMMARS[op];
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
  const grammar = NEIGH_GRAMMARS.del;
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
  const found = parseWords(NEIGH_GRAMMARS.show, words);
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
