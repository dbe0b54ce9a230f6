/**
 * Changes of nexthops in the live document, as `ip nexthop` makes them: a nexthop that is deleted leaves its groups, an empty group is
 * deleted too, and FDB entries are deleted with their group (Linux remove_nexthop, vxlan_fdb_nh_flush).
 */
import type { NexthopRequest } from '../../api/api.js';
import {
  asMapping,
  bridgesOf,
  type Document,
  EditRefused,
  type Mapping,
  portsOf,
  withBody,
  withKey,
  withoutKey,
} from './tree.js';

/** @throws EditRefused */
export function editNexthops(document: Document, request: NexthopRequest): Document {
  if (request.op === 'flush') return withNexthops(document, []);
  const { op, ...given } = request;
  const present = nexthopsOf(document);
  const at = present.findIndex(({ id }) => id === given.id);
  if (op === 'del') {
    if (at < 0)
      throw new EditRefused(`there is no nexthop ${given.id}; "overtap nexthop show" lists them`, 'not_found');
    return withNexthops(document, without(present, given.id));
  }
  const before = present[at];
  if (before === undefined) return withNexthops(document, [...present, given]);
  if (op === 'add')
    throw new EditRefused(`there is a nexthop ${given.id} already; use "nexthop replace", or del first`, 'exists');
  if ('group' in before !== 'group' in given) {
    const [was, is] = 'group' in before ? ['a group', 'an address'] : ['an address', 'a group'];
    throw new EditRefused(`nexthop ${given.id} is ${was}, and cannot become ${is}; delete it, or take another id`);
  }
  return withNexthops(
    document,
    present.map((one, index) => (index === at ? given : one)),
  );
}

function nexthopsOf(document: Document): Mapping[] {
  return Array.isArray(document.nexthops) ? (document.nexthops as unknown[]).map(asMapping) : [];
}

const membersOf = ({ group }: Mapping): Mapping[] => (Array.isArray(group) ? (group as unknown[]).map(asMapping) : []);

/** The nexthops without one of them. */
function without(present: readonly Mapping[], gone: number): Mapping[] {
  return present.flatMap((one) => {
    if (one.id === gone) return [];
    const members = membersOf(one);
    const left = members.filter(({ id }) => id !== gone);
    if (left.length === members.length) return [one];
    return left.length === 0 ? [] : [withKey(one, 'group', left)];
  });
}

/** The document with these nexthops, without entries of others. */
function withNexthops(document: Document, nexthops: readonly Mapping[]): Document {
  const known = new Set(nexthops.map(({ id }) => id));
  let out = nexthops.length === 0 ? (withoutKey(document, 'nexthops') as Document) : { ...document, nexthops };
  const clean = (name: string, body: Mapping, bridge?: string): void => {
    const entries = Array.isArray(body.fdb) ? (body.fdb as unknown[]).map(asMapping) : [];
    const left = entries.filter(({ nhid }) => nhid === undefined || known.has(nhid));
    if (left.length === entries.length) return;
    const rest = left.length === 0 ? withoutKey(body, 'fdb') : withKey(body, 'fdb', left);
    out = withBody(out, { kind: 'port', name, body, ...(bridge === undefined ? {} : { bridge }) }, rest);
  };
  for (const [name, body] of Object.entries(portsOf(document))) clean(name, asMapping(body));
  for (const [bridge, parent] of bridgesOf(document))
    for (const [name, body] of Object.entries(portsOf(parent))) clean(name, asMapping(body), bridge);
  return out;
}
