/**
 * Rules of one entry of the multicast database, the same for a file and for `mdb add` (Linux `br_mdb_config_init`,
 * `br_mdb_add_group`). Pure.
 */
import { canonicalIp, familyOf, isMulticastIp, isMulticastMac, readMac, Refusal } from '../../values/address.js';
import { routingProtocol } from '../../values/routing-protocol.js';
import { quote } from '../../values/show.js';

/** Sources of one entry: the kernel refuses `PG_SRC_ENT_LIMIT`, which is 32. */
const MAX_SOURCES = 31;

export interface GroupEntry {
  grp: string;
  src?: string | undefined;
  filter_mode?: 'include' | 'exclude' | undefined;
  source_list?: readonly string[] | undefined;
  proto?: string | undefined;
  isTemp?: boolean;
}

export interface EntryFault {
  key: 'grp' | 'src' | 'filter_mode' | 'source_list' | 'proto' | 'state';
  message: string;
}

/** The canonical text of a group: an IP address or a MAC; undefined: it is neither. */
export function canonicalGroup(text: string): string | undefined {
  const mac = readMac(text);
  return mac instanceof Refusal ? canonicalIp(text)?.text : mac;
}

/** What is wrong with an entry; its addresses are canonical. Undefined: nothing. */
export function groupEntryFault(entry: GroupEntry): EntryFault | undefined {
  const { grp, src, filter_mode: mode, source_list: sources, proto } = entry;
  const fault = (key: EntryFault['key'], message: string): EntryFault => ({ key, message });
  const isMac = !(readMac(grp) instanceof Refusal);
  const wrong = isMac ? macFault(grp) : ipFault(grp);
  if (wrong !== undefined) return fault('grp', wrong);
  if (proto !== undefined && routingProtocol(proto) === null)
    return fault(
      'proto',
      `${quote(proto)} is no protocol; give "static", "bgp", another such name, or a number from 4 to 255`,
    );
  if (isMac) return macEntryFault(entry);
  if (src !== undefined) {
    const unfit = sourceFault(src, grp);
    if (unfit !== undefined) return fault('src', unfit);
    if (mode !== undefined) return fault('filter_mode', 'is for groups; remove it, or src');
    if (sources !== undefined) return fault('source_list', 'is for groups; remove it, or src');
    return undefined;
  }
  if (sources !== undefined && mode === undefined)
    return fault('source_list', 'needs filter_mode include or exclude, which says what the sources mean');
  if (mode === 'include' && (sources === undefined || sources.length === 0))
    return fault('source_list', 'is missing: filter_mode include without a source lets nothing through');
  if ((sources?.length ?? 0) > MAX_SOURCES)
    return fault('source_list', `has ${sources?.length} sources; an entry has at most ${MAX_SOURCES}`);
  if (new Set(sources).size !== (sources?.length ?? 0)) return fault('source_list', 'has a source twice; remove one');
  for (const source of sources ?? []) {
    const unfit = sourceFault(source, grp);
    if (unfit !== undefined) return fault('source_list', unfit);
  }
  return undefined;
}

function macEntryFault({ src, filter_mode, source_list, isTemp }: GroupEntry): EntryFault | undefined {
  const what = 'is for groups of IP; a group MAC has no sources';
  if (src !== undefined) return { key: 'src', message: what };
  if (filter_mode !== undefined) return { key: 'filter_mode', message: what };
  if (source_list !== undefined) return { key: 'source_list', message: what };
  return isTemp === true ? { key: 'state', message: 'a group MAC is always permanent; leave temp out' } : undefined;
}

function macFault(mac: string): string | undefined {
  if (!isMulticastMac(mac)) return `${mac} is no group MAC; its first byte must be odd, such as 01`;
  if (mac === 'ff:ff:ff:ff:ff:ff') return 'broadcast goes to every port; give a group MAC';
  if (/^(01:00:5e:[0-7]|33:33:)/.test(mac))
    return `${mac} is the MAC of groups of IP, whose frames go by their addresses; give the group's address`;
  return undefined;
}

function ipFault(text: string): string | undefined {
  const group = canonicalIp(text)?.text;
  if (group === undefined || !isMulticastIp(group))
    return `${quote(text)} is no multicast address; give a group such as 239.1.1.1`;
  // RFC 4541 sections 2.1.2 and 3: 224.0.0.0/24 and the all-nodes address.
  const isAlwaysFlooded = group.startsWith('224.0.0.') || group === 'ff02::1';
  return isAlwaysFlooded ? `${group} is always flooded, to members and others; remove it` : undefined;
}

function sourceFault(source: string, group: string): string | undefined {
  if (isMulticastIp(source) || source === '0.0.0.0' || source === '::') return `${source} is the address of no host`;
  return familyOf(source) === familyOf(group) ? undefined : `${source} is of another family than ${group}`;
}
