/**
 * Finding a link by the name that an operator typed. It asks the switch and changes nothing.
 */
import type { LinkRow } from '../api/api.js';
import { NotFoundError } from './errors.js';

/** The link called `name`. @throws NotFoundError in iproute2's words */
export function findLink(links: readonly LinkRow[], name: string): LinkRow {
  const link = links.find((row) => row.ifname === name);
  if (link === undefined) throw new NotFoundError(`Cannot find link "${name}"`);
  return link;
}

/** The bridge called `name`. @throws NotFoundError when there is no such link, or it is not a bridge */
export function findBridge(links: readonly LinkRow[], name: string): LinkRow {
  const link = findLink(links, name);
  if (link.type !== 'bridge') throw new NotFoundError(`"${name}" is a ${link.type} link, not a bridge`);
  return link;
}
