/**
 * The `vlans` list of a link in the live document: expanded to a map by VID, and written back as the shortest list.
 *
 * Handles the form of the list only. Whether a VLAN may be added or deleted is decided by the edits.
 */

import { Refusal } from '../../values/address.js';
import { formatRange, type IdRange, rangeLength, readRange, VLAN_ID, VNI } from '../../values/id-range.js';
import { bridgeOptions } from '../options/bridge.js';
import { asMapping, EditRefused, type Mapping, withKey, withoutKey } from './tree.js';

export interface Membership {
  pvid: boolean;
  untagged: boolean;
  /** As written in the document; absent: not given for this VLAN. */
  neigh_suppress?: boolean;
  isolated?: boolean;
  state?: string;
  mcast_router?: number;
  mcast_max_groups?: number;
  vni?: number;
  /** The multicast group of the VNI, likewise. */
  group?: string;
  /** The flood list of the VNI, as written in the document. */
  remotes?: unknown;
}

/** Options of a membership that `vlan set` sets. */
export const VLAN_SETTINGS = ['neigh_suppress', 'isolated', 'state', 'mcast_router', 'mcast_max_groups'] as const;

/** By VID. */
export type Memberships = Map<number, Membership>;

/** Default VID of the ports of a bridge; 0: none. */
export function defaultPvidOf(bridge: Mapping): number {
  const pvid = bridge.vlan_default_pvid;
  return typeof pvid === 'number' ? pvid : bridgeOptions.vlan_default_pvid.default;
}

/**
 * Memberships of a link: the given ones, else the default. The default applies without VLAN filtering too, as in the kernel,
 * since filtering can be switched on later.
 * @throws EditRefused when the list is invalid
 */
export function readVlans(link: Mapping, defaultPvid: number, name: string): Memberships {
  const members: Memberships = new Map();
  if (link.vlans === undefined) {
    if (defaultPvid !== 0) members.set(defaultPvid, { pvid: true, untagged: true });
    return members;
  }
  for (const item of Array.isArray(link.vlans) ? link.vlans.map(asMapping) : [{}]) {
    const vids = range(item.vid, VLAN_ID);
    const vnis = item.tunnel_info === undefined ? undefined : range(item.tunnel_info, VNI);
    const fits = vids !== undefined && (vnis === undefined || rangeLength(vids) === rangeLength(vnis));
    if (!fits) throw new EditRefused(`the vlans of ${name} are unsound; set vlans to a sound list first`);
    for (let i = 0; i < rangeLength(vids); i++) {
      members.set(vids.first + i, {
        pvid: item.pvid === true,
        untagged: item.untagged === true,
        ...settingsOf(item),
        ...(vnis === undefined ? {} : { vni: vnis.first + i }),
        ...(typeof item.group === 'string' ? { group: item.group } : {}),
        ...(item.remotes === undefined ? {} : { remotes: item.remotes }),
      });
    }
  }
  return members;
}

function settingsOf({ neigh_suppress, isolated, state, mcast_router, mcast_max_groups }: Mapping): Partial<Membership> {
  return {
    ...(typeof neigh_suppress === 'boolean' ? { neigh_suppress } : {}),
    ...(typeof isolated === 'boolean' ? { isolated } : {}),
    ...(typeof state === 'string' ? { state } : {}),
    ...(typeof mcast_router === 'number' ? { mcast_router } : {}),
    ...(typeof mcast_max_groups === 'number' ? { mcast_max_groups } : {}),
  };
}

/** The shortest list: adjacent memberships with equal settings become one range. */
export function formatVlans(members: Memberships): Mapping[] {
  const out: Mapping[] = [];
  let run: { vids: IdRange; first: Membership } | undefined;
  const flush = (): void => {
    if (run !== undefined) out.push(formatItem(run.vids, run.first));
  };
  for (const [vid, member] of [...members].sort(([a], [b]) => a - b)) {
    if (run !== undefined && continues(run.vids, run.first, vid, member)) {
      run.vids.last = vid;
    } else {
      flush();
      run = { vids: { first: vid, last: vid }, first: member };
    }
  }
  flush();
  return out;
}

/** A link without the FDB entries of deleted memberships, and of deleted mappings of remaining VLANs. */
export function withoutEntriesOf(link: Mapping, gone: Memberships): Mapping {
  if (!Array.isArray(link.fdb)) return link;
  const vnis = new Set([...gone.values()].map((member) => member.vni));
  const kept = link.fdb.filter((item) => {
    const { vlan, vni } = asMapping(item);
    return !(typeof vlan === 'number' && gone.has(vlan)) && !(typeof vni === 'number' && vnis.has(vni));
  });
  if (kept.length === link.fdb.length) return link;
  return kept.length > 0 ? withKey(link, 'fdb', kept) : withoutKey(link, 'fdb');
}

function range(value: unknown, kind: typeof VLAN_ID): IdRange | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const read = readRange(value, kind);
  return read instanceof Refusal ? undefined : read;
}

function continues(vids: IdRange, first: Membership, vid: number, member: Membership): boolean {
  if (vid !== vids.last + 1 || first.pvid || member.pvid || first.untagged !== member.untagged) return false;
  if (first.group !== member.group || VLAN_SETTINGS.some((key) => first[key] !== member[key])) return false;
  const vni = first.vni === undefined ? undefined : first.vni + vid - vids.first;
  return member.vni === vni && JSON.stringify(member.remotes) === JSON.stringify(first.remotes);
}

function formatItem(vids: IdRange, member: Membership): Mapping {
  const { pvid, untagged, vni, group, remotes } = member;
  const length = rangeLength(vids);
  const written = (range: IdRange): number | string => (length === 1 ? range.first : formatRange(range));
  return {
    vid: written(vids),
    ...(pvid ? { pvid } : {}),
    ...(untagged ? { untagged } : {}),
    ...Object.fromEntries(VLAN_SETTINGS.flatMap((key) => (member[key] === undefined ? [] : [[key, member[key]]]))),
    ...(vni === undefined ? {} : { tunnel_info: written({ first: vni, last: vni + length - 1 }) }),
    ...(group === undefined ? {} : { group }),
    ...(remotes === undefined ? {} : { remotes }),
  };
}
