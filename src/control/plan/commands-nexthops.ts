/**
 * Differences of nexthops as commands. Pure.
 */
import { commandText } from '../../config/options/words.js';
import { nexthopsById } from '../../config/entries/nexthops.js';
import type { NexthopConfig } from '../../config/types.js';
import { familyOf } from '../../values/address.js';

interface GroupMember {
  id: number;
  weight?: number | undefined;
}

export interface NexthopCommands {
  /** Before entries are changed. */
  first: string[];
  /** After that: nothing names these any more. */
  last: string[];
  /** IDs whose entries go, since the nexthop is made anew. */
  remade: ReadonlySet<number>;
}

export function nexthopCommands(before: readonly NexthopConfig[], after: readonly NexthopConfig[]): NexthopCommands {
  const had = nexthopsById(before);
  const wanted = nexthopsById(after);
  const remade = remadeIds(before, wanted);
  const isNew = (one: NexthopConfig): boolean =>
    remade.has(one.id) || JSON.stringify(had.get(one.id)) !== JSON.stringify(one);
  const gone = before.filter(({ id }) => !wanted.has(id));
  return {
    first: [
      ...groupsFirst(before.filter(({ id }) => remade.has(id))).map(deletion),
      ...groupsFirst(after.filter(isNew)).reverse().map(replacement),
    ],
    last: groupsFirst(gone).map(deletion),
    remade,
  };
}

/** Those that change their kind or family, and groups with them: `replace` cannot. */
function remadeIds(before: readonly NexthopConfig[], wanted: ReadonlyMap<number, NexthopConfig>): Set<number> {
  const changed = before.filter((one) => {
    const next = wanted.get(one.id);
    return next !== undefined && kindText(next) !== kindText(one);
  });
  const ids = new Set(changed.map(({ id }) => id));
  for (const { id, group } of before) if (wanted.has(id) && group?.some((member) => ids.has(member.id))) ids.add(id);
  return ids;
}

const kindText = ({ via }: NexthopConfig): string => (via === undefined ? 'group' : `IPv${familyOf(via)}`);

function groupsFirst(nexthops: readonly NexthopConfig[]): NexthopConfig[] {
  return [...nexthops.filter(({ group }) => group !== undefined), ...nexthops.filter(({ via }) => via !== undefined)];
}

function deletion({ id }: NexthopConfig): string {
  return commandText(['nexthop', 'del', 'id', `${id}`]);
}

function replacement(one: NexthopConfig): string {
  return commandText(['nexthop', 'replace', ...nexthopWords(one)]);
}

/** The words of `nexthop add` for a nexthop. */
export function nexthopWords({
  id,
  via,
  group,
  protocol = 'unspec',
}: {
  id: number;
  via?: string;
  group?: readonly GroupMember[];
  protocol?: string;
}): string[] {
  const place = via === undefined ? ['group', groupText(group ?? [])] : ['via', via];
  return ['id', `${id}`, ...place, 'fdb', ...(protocol === 'unspec' ? [] : ['protocol', protocol])];
}

/** `1/2,3`: members, with a weight where it is not 1. */
export function groupText(group: readonly GroupMember[]): string {
  return group.map(({ id, weight = 1 }) => (weight === 1 ? `${id}` : `${id},${weight}`)).join('/');
}
