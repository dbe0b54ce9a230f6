/**
 * Changes of the VNIs that VLANs of a port are mapped to: their multicast groups and single remotes, as `bridge vni` on the kernel's
 * vxlan device (drivers/net/vxlan/vxlan_vnifilter.c). A VNI is there as long as a VLAN is mapped to it.
 */
import type { VniAddRequest, VniDelRequest } from '../../api/api.js';
import { isTunnelType } from '../options/kinds.js';
import { defaultPvidOf, formatVlans, type Membership, readVlans, withoutEntriesOf } from './memberships.js';
import { type Document, EditRefused, getBridge, getLink, type Mapping, withBody, withKey } from './tree.js';

interface Target {
  link: ReturnType<typeof getLink>;
  members: Map<number, Membership>;
  /** The VLANs of the VNIs of the request. */
  vids: number[];
}

/** Sets the group of VNIs, or their flood list to one remote. Without either, they have the group of the port. @throws EditRefused */
export function setVnis(doc: Document, request: Omit<VniAddRequest, 'op'>): Document {
  const { group, remote } = request;
  if (group !== undefined && remote !== undefined)
    throw new EditRefused('a VNI is given a group or a remote; give one of them, and more remotes by "fdb append"');
  const { link, members, vids } = targetOf(doc, request);
  for (const vid of vids) {
    const { group: _, ...rest } = members.get(vid) as Membership;
    const flood = remote === undefined ? {} : { remotes: [remote] };
    members.set(vid, { ...rest, ...(group === undefined ? {} : { group }), ...flood });
  }
  return withBody(doc, link, withKey(link.body, 'vlans', formatVlans(members)));
}

/** Removes VNIs with their mappings, groups, flood lists and entries; the VLANs stay. @throws EditRefused */
export function deleteVnis(doc: Document, request: Omit<VniDelRequest, 'op'>): Document {
  const { link, members, vids } = targetOf(doc, request);
  const gone = new Map<number, Membership>();
  for (const vid of vids) {
    const { vni, group: _group, remotes: _remotes, ...rest } = members.get(vid) as Membership;
    gone.set(vid, { ...rest, ...(vni === undefined ? {} : { vni }) });
    members.set(vid, rest);
  }
  const body = withKey(link.body, 'vlans', formatVlans(members));
  return withBody(doc, link, withoutEntriesOf(body, gone));
}

function targetOf(doc: Document, { dev, vni, vniEnd = vni }: Omit<VniDelRequest, 'op'>): Target {
  const link = getLink(doc, dev);
  if (link.kind === 'bridge' || !isTunnelType(link.body.type))
    throw new EditRefused(`${dev} is no vxlan port, and only that has VNIs`);
  if (link.body.vlan_tunnel !== true) throw new EditRefused(oneVni(dev, link.body));
  if (link.bridge === undefined)
    throw new EditRefused(`port ${dev} belongs to no bridge; make it a port of one first, with master`);
  if (vniEnd < vni) throw new EditRefused(`the range ${vni}-${vniEnd} is reversed; give ${vniEnd}-${vni}`);
  const members = readVlans(link.body, defaultPvidOf(getBridge(doc, link.bridge)), dev);
  const isAsked = (one: number | undefined): boolean => one !== undefined && one >= vni && one <= vniEnd;
  const vids = [...members].flatMap(([vid, member]) => (isAsked(member.vni) ? [vid] : []));
  if (vids.length < vniEnd - vni + 1) {
    const there = new Set(vids.map((vid) => members.get(vid)?.vni));
    let missing = vni;
    while (there.has(missing)) missing++;
    const command = `overtap vlan add dev ${dev} vid VLAN tunnel_info id ${missing}`;
    throw new EditRefused(`no VLAN of ${dev} is mapped to VNI ${missing}; map one first: ${command}`, 'not_found');
  }
  return { link, members, vids };
}

function oneVni(dev: string, { id, type }: Mapping): string {
  const remedy = `set its group or remotes with "link set ${dev} type ${String(type)}"`;
  return `port ${dev} carries VNI ${String(id)} only; ${remedy}, or give it vlan_tunnel: true`;
}
