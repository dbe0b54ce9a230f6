/**
 * The words of `overtap evpn` as requests and as queries. Pure.
 */
import type { EvpnRequest } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, mac, VNI } from '../values.js';
import { type Grammars, integer, one, parseWords, type WordRule, type Words } from '../words.js';

/** Route types by the words of FRR, and by number (RFC 7432 section 7, RFC 9136). */
const TYPES: Readonly<Record<string, number>> = { macip: 2, multicast: 3, prefix: 5, 2: 2, 3: 3, 5: 5 };

const VNI_RULE: WordRule = { word: 'vni', key: 'vni', value: 'VNI' };
const MAC_RULE: WordRule = { word: 'mac', key: 'mac', value: 'MAC' };

/** The words of each subcommand. */
export const EVPN_GRAMMARS = {
  show: { command: 'evpn show', rules: [] },
  routes: {
    command: 'evpn routes',
    rules: [
      { word: 'type', key: 'type', value: 'macip|multicast|prefix' },
      VNI_RULE,
      { word: 'rd', key: 'rd', value: 'RD' },
      MAC_RULE,
      { word: 'neighbor', key: 'neighbor', value: 'ADDRESS|self' },
    ],
  },
  neighbors: { command: 'evpn neighbors', rules: [], rest: { key: 'address', value: 'ADDRESS' } },
  vni: { command: 'evpn vni', rules: [], rest: { key: 'vni', value: 'VNI' } },
  duplicates: { command: 'evpn clear duplicates', rules: [VNI_RULE, MAC_RULE] },
  neighbor: { command: 'evpn clear neighbor', rules: [], rest: { key: 'address', value: 'ADDRESS|all' } },
  refresh: { command: 'evpn refresh', rules: [], rest: { key: 'address', value: 'ADDRESS|all' } },
} as const satisfies Grammars;

export interface RouteQuery {
  /** The query of `/v1/evpn/routes`, without its page. */
  readonly query: URLSearchParams;
  /** Only what this switch announces itself. */
  readonly isOwn: boolean;
}

/** @throws UsageError */
export function routeQuery(words: readonly string[]): RouteQuery {
  const found = parseWords(EVPN_GRAMMARS.routes, words);
  const query = new URLSearchParams();
  const type = one(found, 'type');
  if (type !== undefined) query.set('type', String(typeOf(type)));
  const { vni, mac: wanted } = vniAndMac(found);
  if (vni !== undefined) query.set('vni', String(vni));
  if (wanted !== undefined) query.set('mac', wanted);
  const rd = one(found, 'rd');
  if (rd !== undefined) query.set('rd', rd);
  const neighbor = one(found, 'neighbor');
  if (neighbor === 'self') return { query, isOwn: true };
  if (neighbor !== undefined) query.set('neighbor', address('"neighbor"', neighbor));
  return { query, isOwn: false };
}

/** The neighbour that is to be shown; undefined: all of them. @throws UsageError */
export function neighborShow(words: readonly string[]): string | undefined {
  const text = one(parseWords(EVPN_GRAMMARS.neighbors, words), 'address');
  return text === undefined ? undefined : address('"evpn neighbors"', text);
}

/** The VNI that is to be shown; undefined: all of them. @throws UsageError */
export function vniShow(words: readonly string[]): number | undefined {
  return integer(parseWords(EVPN_GRAMMARS.vni, words), 'vni', 1, VNI.max);
}

/** @throws UsageError */
export function evpnClear(words: readonly string[]): EvpnRequest {
  const [what = '', ...rest] = words;
  if (what !== '' && 'duplicates'.startsWith(what)) {
    return given({ op: 'clear_duplicates', ...vniAndMac(parseWords(EVPN_GRAMMARS.duplicates, rest)) });
  }
  if (what === '' || !'neighbors'.startsWith(what)) {
    throw new UsageError(
      `"evpn clear" takes duplicates [vni VNI] [mac MAC] or neighbor ADDRESS|all${what === '' ? '' : `, not "${what.slice(0, 40)}"`}`,
    );
  }
  const neighbor = one(parseWords(EVPN_GRAMMARS.neighbor, rest), 'address');
  // A session is lost by it: what is meant has to be said.
  if (neighbor === undefined) throw new UsageError('"evpn clear neighbor" needs the address of a neighbour, or all');
  return given({ op: 'clear_neighbor', neighbor: neighborOrAll(neighbor) });
}

/** @throws UsageError */
export function evpnRefresh(words: readonly string[]): EvpnRequest {
  const neighbor = one(parseWords(EVPN_GRAMMARS.refresh, words), 'address');
  return given({ op: 'refresh', neighbor: neighborOrAll(neighbor) });
}

function neighborOrAll(text: string | undefined): string | undefined {
  return text === undefined || text === 'all' ? undefined : address('the neighbour', text);
}

function vniAndMac(found: Words): { vni: number | undefined; mac: string | undefined } {
  const text = one(found, 'mac');
  return { vni: integer(found, 'vni', 1, VNI.max), mac: text === undefined ? undefined : mac('"mac"', text) };
}

function typeOf(text: string): number {
  const type = Object.hasOwn(TYPES, text) ? TYPES[text] : undefined;
  if (type !== undefined) return type;
  throw new UsageError(`"type" takes macip (2), multicast (3) or prefix (5), not "${text.slice(0, 40)}"`);
}
