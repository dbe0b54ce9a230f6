/**
 * The words of `ip nexthop` as requests and as queries, for nexthops of the FDB. Pure.
 */
import type { NexthopRequest } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, NEXTHOP_MAX, protocolOf } from '../values.js';
import { type Grammars, integer, one, parseWords, type WordRule, type Words } from '../words.js';

const MOST_WEIGHT = 65_536;

const ID: WordRule = { word: 'id', key: 'id', value: 'ID' };
const PROTOCOL: readonly WordRule[] = ['protocol', 'proto'].map((word) => ({ word, key: 'protocol', value: 'PROTO' }));
const NEXTHOP: readonly WordRule[] = [
  ID,
  { word: 'via', key: 'via', value: 'ADDRESS' },
  { word: 'group', key: 'group', value: 'ID[,WEIGHT]/...' },
  { word: 'fdb', key: 'fdb' },
  { word: 'type', key: 'type', value: 'mpath' },
  ...PROTOCOL,
];

/** The words of each subcommand. */
export const NEXTHOP_GRAMMARS = {
  show: {
    command: 'nexthop show',
    rules: [ID, { word: 'groups', key: 'groups' }, { word: 'fdb', key: 'fdb' }, ...PROTOCOL],
  },
  get: { command: 'nexthop get', rules: [ID] },
  add: { command: 'nexthop add', rules: NEXTHOP },
  replace: { command: 'nexthop replace', rules: NEXTHOP },
  del: { command: 'nexthop del', rules: [ID] },
  flush: { command: 'nexthop flush', rules: [] },
} as const satisfies Grammars;

/** @throws UsageError */
export function nexthopChange(op: 'add' | 'replace', words: readonly string[]): NexthopRequest {
  const found = parseWords(NEXTHOP_GRAMMARS[op], words);
  const via = one(found, 'via');
  const group = one(found, 'group');
  const type = one(found, 'type');
  if ((via === undefined) === (group === undefined))
    throw new UsageError(
      `"nexthop ${op}" needs an address or a group: nexthop ${op} id ID { via ADDRESS | group ID/ID } fdb`,
    );
  if (type !== undefined && type !== 'mpath')
    throw new UsageError(`"type" takes mpath, not "${type}"; a group keeps flows in place without being told to`);
  return given({
    op,
    id: idOf(op, found),
    via: via === undefined ? undefined : address('"via"', via),
    group: group === undefined ? undefined : group.split('/').map(memberOf),
    protocol: protocolOf(found, 'protocol'),
  });
}

/** @throws UsageError */
export function nexthopDel(words: readonly string[]): NexthopRequest {
  return { op: 'del', id: idOf('del', parseWords(NEXTHOP_GRAMMARS.del, words)) };
}

/** @throws UsageError */
export function nexthopFlush(words: readonly string[]): NexthopRequest {
  parseWords(NEXTHOP_GRAMMARS.flush, words);
  return { op: 'flush' };
}

export interface NexthopFilter {
  readonly id?: number;
  readonly groups?: true;
  readonly protocol?: string;
}

/** @throws UsageError */
export function nexthopShow(op: 'show' | 'get', words: readonly string[]): NexthopFilter {
  const found = parseWords(NEXTHOP_GRAMMARS[op], words);
  return given({
    id: op === 'get' ? idOf(op, found) : integer(found, 'id', 1, NEXTHOP_MAX),
    groups: found.has('groups') ? (true as const) : undefined,
    protocol: protocolOf(found, 'protocol'),
  });
}

function idOf(op: string, found: Words): number {
  const id = integer(found, 'id', 1, NEXTHOP_MAX);
  if (id === undefined) throw new UsageError(`"nexthop ${op}" needs an id: nexthop ${op} id ID`);
  return id;
}

function memberOf(text: string): { id: number; weight?: number } {
  const [, id, weight] = /^(\d{1,10})(?:,(\d{1,5}))?$/.exec(text) ?? [];
  const isId = id !== undefined && Number(id) >= 1 && Number(id) <= NEXTHOP_MAX;
  const isWeight = weight === undefined || (Number(weight) >= 1 && Number(weight) <= MOST_WEIGHT);
  if (!isId || !isWeight)
    throw new UsageError(`"group" takes IDs with weights, such as 1/2,3: not "${text.slice(0, 40)}"`);
  return { id: Number(id), ...(weight === undefined ? {} : { weight: Number(weight) }) };
}
