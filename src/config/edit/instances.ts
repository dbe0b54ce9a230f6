/** States of a port in instances of the spanning tree, in the live document: as `bridge mst set` (net/bridge/br_mst.c). */
import type { MstRequest } from '../../api/api.js';
import { setLink } from './links.js';
import {
  asMapping,
  type Document,
  EditRefused,
  getBridge,
  getLink,
  type Mapping,
  withBody,
  withKey,
  withoutKey,
} from './tree.js';

/** The state of instance 0 is that of the port. @throws EditRefused */
export function setInstance(doc: Document, { dev, msti, state }: Omit<MstRequest, 'op'>): Document {
  const link = getLink(doc, dev);
  if (link.kind === 'bridge')
    throw new EditRefused(`${dev} is a bridge, and states are those of its ports; give a port`);
  if (link.bridge === undefined)
    throw new EditRefused(`port ${dev} belongs to no bridge; make it a port of one first, with master`);
  if (getBridge(doc, link.bridge).mst_enabled !== true) {
    const remedy = `link set ${link.bridge} type bridge mst_enabled 1`;
    throw new EditRefused(`bridge ${link.bridge} has no instances of a spanning tree; switch them on first: ${remedy}`);
  }
  if (msti === 0) return setLink(doc, dev, { options: { state } });
  const states = statesOf(link.body).filter((item) => item.msti !== msti);
  // As in Linux a port is disabled in an instance until somebody says otherwise.
  if (state !== 'disabled') states.push({ msti, state });
  states.sort((one, other) => Number(one.msti) - Number(other.msti));
  const body = states.length === 0 ? withoutKey(link.body, 'mst') : withKey(link.body, 'mst', states);
  return withBody(doc, link, body);
}

function statesOf({ mst }: Mapping): Mapping[] {
  return Array.isArray(mst) ? mst.map(asMapping) : [];
}
