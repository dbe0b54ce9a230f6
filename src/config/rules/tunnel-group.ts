/**
 * Rules of one entry of the multicast database of a tunnel port, the same for a file and for `mdb add` (Linux
 * `vxlan_mdb_config_init`, `vxlan_mdb_config_attrs_init`). Pure.
 */
import { familyOf, isMulticastIp, readMac, Refusal } from '../../values/address.js';
import { routingProtocol } from '../../values/routing-protocol.js';
import { quote } from '../../values/show.js';
import type { EntryFault as GroupEntryFault } from './group-entry.js';

/** Sources of one entry. */
const MAX_SOURCES = 64;

export interface TunnelGroupEntry {
  grp: string;
  src?: string | undefined;
  dst?: string | undefined;
  src_vni?: number | undefined;
  via?: string | undefined;
  filter_mode?: 'include' | 'exclude' | undefined;
  source_list?: readonly string[] | undefined;
  proto?: string | undefined;
}

/** What an entry must fit. */
export interface TunnelGroupPort {
  name: string;
  /** The one VNI of the port; absent: VLANs are mapped to VNIs. */
  id?: number | undefined;
  dev?: string | undefined;
}

export interface TunnelGroupFault {
  key: GroupEntryFault['key'] | 'dst' | 'src_vni' | 'via';
  message: string;
}

/** The group that stands for all of its family without an entry. */
export function isAllGroups(grp: string): boolean {
  return grp === '0.0.0.0' || grp === '::';
}

/** What is wrong with an entry; its addresses are canonical. Undefined: nothing. */
export function tunnelGroupFault(entry: TunnelGroupEntry, port: TunnelGroupPort): TunnelGroupFault | undefined {
  return keyFault(entry, port) ?? filterFault(entry) ?? destinationFault(entry, port);
}

/** What is wrong with the part that names an entry. */
function keyFault(
  { grp, src, src_vni }: TunnelGroupEntry,
  { name, id }: TunnelGroupPort,
): TunnelGroupFault | undefined {
  if (!(readMac(grp) instanceof Refusal))
    return { key: 'grp', message: `${grp} is a MAC; give a group of IP, or pin the MAC with "fdb append"` };
  if (!isAllGroups(grp) && !isMulticastIp(grp))
    return { key: 'grp', message: `${quote(grp)} is no multicast address; give a group such as 239.1.1.1, or 0.0.0.0` };
  if (src !== undefined && isAllGroups(grp))
    return { key: 'src', message: `${grp} is for all groups without an entry, and has no source; remove src` };
  const unfit = src === undefined ? undefined : sourceFault(src, grp);
  if (unfit !== undefined) return { key: 'src', message: unfit };
  if (id === undefined && src_vni === undefined)
    return { key: 'src_vni', message: `say with src_vni which VNI of port ${name} the entry is of` };
  if (id === undefined || src_vni === undefined || src_vni === id) return undefined;
  return { key: 'src_vni', message: `port ${name} carries VNI ${id} only; remove src_vni` };
}

function filterFault({
  grp,
  src,
  filter_mode: mode,
  source_list: sources,
}: TunnelGroupEntry): TunnelGroupFault | undefined {
  const what = src !== undefined ? 'is for groups; remove it, or src' : `is not for ${grp}; remove it`;
  if (src !== undefined || isAllGroups(grp)) {
    if (mode !== undefined) return { key: 'filter_mode', message: what };
    return sources === undefined ? undefined : { key: 'source_list', message: what };
  }
  const fault = (message: string): TunnelGroupFault => ({ key: 'source_list', message });
  if (sources !== undefined && mode === undefined)
    return fault('needs filter_mode include or exclude, which says what the sources mean');
  if (mode === 'include' && (sources === undefined || sources.length === 0))
    return fault('is missing: filter_mode include without a source lets nothing through');
  if ((sources?.length ?? 0) > MAX_SOURCES)
    return fault(`has ${sources?.length} sources; an entry has at most ${MAX_SOURCES}`);
  if (new Set(sources).size !== (sources?.length ?? 0)) return fault('has a source twice; remove one');
  const unfit = sources?.map((source) => sourceFault(source, grp)).find((message) => message !== undefined);
  return unfit === undefined ? undefined : fault(unfit);
}

function destinationFault(
  { dst, via, proto }: TunnelGroupEntry,
  { name, dev }: TunnelGroupPort,
): TunnelGroupFault | undefined {
  if (proto !== undefined && routingProtocol(proto) === null)
    return {
      key: 'proto',
      message: `${quote(proto)} is no protocol; give "static", "bgp", another such name, or a number from 4 to 255`,
    };
  if (dst === undefined) return { key: 'dst', message: 'is missing; give the remote that gets the frames' };
  if (via !== undefined && via !== dev) {
    const how = dev === undefined ? 'the routes to the remotes' : `dev ${dev}`;
    return { key: 'via', message: `what ${name} sends leaves by ${how}; remove via, or set dev of ${name}` };
  }
  if (isMulticastIp(dst) && dev === undefined)
    return { key: 'dst', message: `${dst} is a group, and port ${name} has no dev to send to it by; set dev first` };
  return undefined;
}

function sourceFault(source: string, group: string): string | undefined {
  if (isMulticastIp(source) || isAllGroups(source)) return `${source} is the address of no host`;
  return familyOf(source) === familyOf(group) ? undefined : `${source} is of another family than ${group}`;
}
