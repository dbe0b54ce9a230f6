/**
 * Finds links by name in a listing of the switch.
 */
import type { LinkRow } from '../api/api.js';
import { unknownBridge, unknownLink } from '../values/unknown-link.js';
import { NotFoundError } from './errors.js';

/** The link called `name`. @throws NotFoundError */
export function findLink(links: readonly LinkRow[], name: string): LinkRow {
  const link = links.find((row) => row.ifname === name);
  if (link === undefined) throw new NotFoundError(unknownLink(name));
  return link;
}

/** The bridge called `name`. @throws NotFoundError when there is no such link, or it is not a bridge */
export function findBridge(links: readonly LinkRow[], name: string): LinkRow {
  const link = links.find((row) => row.ifname === name);
  if (link === undefined) throw new NotFoundError(unknownBridge(name));
  if (link.type !== 'bridge') throw new NotFoundError(`"${name}" is a ${link.type} link, not a bridge`);
  return link;
}
