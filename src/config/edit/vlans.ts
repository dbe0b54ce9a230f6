/**
 * Adding and deleting VLANs of a port or of a bridge's host port, with ranges and the VLAN to VNI table: as `bridge vlan`
 * on the kernel's bridge (net/bridge/br_vlan.c, br_vlan_tunnel.c).
 */
import type { VlanRequest, VlanSetRequest } from '../../api/api.js';
import { formatRange, type IdKind, type IdRange, rangeLength, VLAN_ID, VNI } from '../../values/id-range.js';
import { isTunnelType } from '../options/kinds.js';
import {
  defaultPvidOf,
  formatVlans,
  type Membership,
  type Memberships,
  readVlans,
  VLAN_SETTINGS,
  withoutEntriesOf,
} from './memberships.js';
import { type Document, EditRefused, getBridge, getLink, type Mapping, withBody, withKey } from './tree.js';

/** A request whose verb is implied by the function it is passed to. */
type Change = Omit<VlanRequest, 'op'>;

/**
 * Adds VLANs, or sets the flags of existing ones. With `tunid` and without flags, existing flags are kept.
 * @throws EditRefused
 */
export function addVlans(doc: Document, request: Change): Document {
  const target = targetOf(doc, request);
  const { vids, vnis, members, link } = target;
  if (request.pvid === true && rangeLength(vids) > 1) {
    throw new EditRefused(
      `a port has one PVID, and this is the range ${formatRange(vids)}; give the PVID in a request of its own`,
    );
  }
  if (vnis !== undefined) checkMapping(target, vnis);
  const setFlags = vnis === undefined || request.pvid !== undefined || request.untagged !== undefined;
  for (let i = 0; i < rangeLength(vids); i++) {
    const vid = vids.first + i;
    const old = members.get(vid) ?? { pvid: false, untagged: false };
    const flags = setFlags ? { pvid: request.pvid ?? false, untagged: request.untagged ?? false } : {};
    if (request.pvid === true) takePvid(members);
    members.set(vid, { ...old, ...flags, ...(vnis === undefined ? {} : { vni: vnis.first + i }) });
  }
  return withBody(doc, link, withKey(link.body, 'vlans', formatVlans(members)));
}

/**
 * Deletes VLANs with their mappings, flood lists and entries; with `tunid`, only mappings. Missing VLANs of a range are
 * ignored.
 * @throws EditRefused also when no VLAN of the range exists
 */
export function deleteVlans(doc: Document, request: Change): Document {
  const { vids, vnis, members, link } = targetOf(doc, request);
  const gone: Memberships = new Map();
  for (let vid = vids.first; vid <= vids.last; vid++) {
    const old = members.get(vid);
    if (old === undefined || (vnis !== undefined && old.vni === undefined)) continue;
    gone.set(vid, old);
    if (vnis === undefined) members.delete(vid);
    else members.set(vid, withoutMapping(old));
  }
  if (gone.size === 0) throw new EditRefused(nothingThere(request, vids, vnis), 'not_found');
  const body = withKey(link.body, 'vlans', formatVlans(members));
  return withBody(doc, link, withoutEntriesOf(body, gone));
}

function withoutMapping({ vni: _vni, group: _group, remotes: _remotes, ...rest }: Membership): Membership {
  return rest;
}

/** Sets options of existing VLANs, as `bridge vlan set`. @throws EditRefused also when a VLAN of the range does not exist */
export function setVlans(doc: Document, request: Omit<VlanSetRequest, 'op'>): Document {
  const { vids, members, link } = targetOf(doc, request);
  const settings = Object.fromEntries(
    VLAN_SETTINGS.flatMap((key) => (request[key] === undefined ? [] : [[key, request[key]]])),
  );
  const keys = Object.keys(settings);
  if (keys.length === 0) throw new EditRefused(`nothing is to be set; give one of ${VLAN_SETTINGS.join(', ')}`);
  if (link.kind === 'bridge')
    throw new EditRefused(`a host port has no ${keys[0]}; set it on the ports of bridge ${link.name}`);
  for (let vid = vids.first; vid <= vids.last; vid++) {
    const old = members.get(vid);
    if (old === undefined)
      throw new EditRefused(nothingThere(request, { first: vid, last: vid }, undefined), 'not_found');
    members.set(vid, { ...old, ...settings });
  }
  return withBody(doc, link, withKey(link.body, 'vlans', formatVlans(members)));
}

interface Target {
  link: ReturnType<typeof getLink>;
  vids: IdRange;
  vnis: IdRange | undefined;
  /** A mutable copy. */
  members: Memberships;
}

/** The link, its memberships and the ranges of a request. */
function targetOf(doc: Document, request: Change): Target {
  const link = getLink(doc, request.dev);
  const vids = rangeOf(request.vid, request.vidEnd, VLAN_ID);
  const vnis = request.tunid === undefined ? undefined : rangeOf(request.tunid, request.tunidEnd, VNI);
  if (vnis === undefined && request.tunidEnd !== undefined) {
    throw new EditRefused(`the range of VNIs has an end, ${request.tunidEnd}, and no beginning; give both`);
  }
  if (vnis !== undefined) checkTunnel(link.body, request.dev, vids, vnis);
  let bridge: Mapping;
  if (link.kind === 'bridge') {
    bridge = link.body;
    if (bridge.host_port !== true) {
      throw new EditRefused(`bridge ${link.name} has no host port that could be a member; set host_port: true first`);
    }
  } else if (link.bridge === undefined) {
    throw new EditRefused(`port ${link.name} belongs to no bridge; make it a port of one first, with master`);
  } else {
    bridge = getBridge(doc, link.bridge);
  }
  return { link, vids, vnis, members: readVlans(link.body, defaultPvidOf(bridge), link.name) };
}

function rangeOf(first: number, last: number | undefined, kind: IdKind): IdRange {
  const range = { first, last: last ?? first };
  for (const id of [range.first, range.last]) {
    if (Number.isInteger(id) && id >= 1 && id <= kind.max) continue;
    throw new EditRefused(`expected ${kind.what} from 1 to ${kind.max}, found ${String(id)}`);
  }
  if (range.first > range.last) {
    throw new EditRefused(`the range ${range.first}-${range.last} is reversed; give ${range.last}-${range.first}`);
  }
  return range;
}

function checkTunnel(body: Mapping, dev: string, vids: IdRange, vnis: IdRange): void {
  if (!isTunnelType(body.type)) {
    throw new EditRefused(`${dev} is no vxlan port, and only that can map a VLAN to a VNI; remove tunnel_info`);
  }
  if (body.vlan_tunnel !== true) {
    throw new EditRefused(`port ${dev} carries VNI ${String(body.id)} only; tunnel_info needs vlan_tunnel: true on it`);
  }
  if (rangeLength(vids) === rangeLength(vnis)) return;
  const counts = `vid ${formatRange(vids)} has ${rangeLength(vids)} and tunnel_info ${formatRange(vnis)} has ${rangeLength(vnis)}`;
  throw new EditRefused(`${counts}; give ranges of equal length`);
}

/** As in the kernel, VLANs and VNIs map one to one, and an existing mapping is never replaced silently. */
function checkMapping({ link, vids, members }: Target, vnis: IdRange): void {
  for (const [vid, { vni }] of members) {
    if (vni === undefined) continue;
    const inVids = vid >= vids.first && vid <= vids.last;
    const inVnis = vni >= vnis.first && vni <= vnis.last;
    if (!inVids && !inVnis) continue;
    if (inVids && vni - vnis.first === vid - vids.first) continue;
    const what = `VLAN ${vid} is mapped to VNI ${vni} on port ${link.name}`;
    throw new EditRefused(`${what} already; delete that mapping first`, 'exists');
  }
}

function takePvid(members: Memberships): void {
  for (const [vid, member] of members) {
    if (member.pvid) members.set(vid, { ...member, pvid: false } satisfies Membership);
  }
}

function nothingThere(request: { dev: string }, vids: IdRange, vnis: IdRange | undefined): string {
  const which = rangeLength(vids) === 1 ? `VLAN ${vids.first}` : `any VLAN of ${formatRange(vids)}`;
  if (vnis === undefined) return `${request.dev} is not a member of ${which}; "vlan show" lists its VLANs`;
  return `${request.dev} has no VNI for ${which}; "vlan tunnelshow" lists what is mapped`;
}
