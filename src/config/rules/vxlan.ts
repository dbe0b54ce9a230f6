/**
 * Rules of one vxlan port: what it carries, and its underlay addresses.
 *
 * Its VLAN to VNI table is in `vlan.ts`, its FDB entries are in `fdb.ts`.
 */

import { canonicalIp, familyOf, isMulticastIp } from '../../values/address.js';
import { quote } from '../../values/show.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import { vxlanOptions } from '../options/vxlan.js';
import type { DecodedVxlan, Item } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

/** Checks one vxlan port. */
export function checkVxlan(port: DecodedVxlan, faults: FaultList): void {
  checkCarried(port, faults);
  checkGroup(port, faults);
  checkSourcePorts(port, faults);
  checkUnderlay(port, faults);
}

/** The outer family of a port: that of its local address, or else of the first address that it names. */
export function familyOfPort(port: DecodedVxlan): 4 | 6 {
  const { local, group } = port.given;
  const first =
    local ?? (group === undefined ? undefined : canonicalIp(group)?.text) ?? underlayAddresses(port)[0]?.value;
  return first === undefined ? 4 : familyOf(first);
}

function checkCarried(port: DecodedVxlan, faults: FaultList): void {
  if (port.rejected.has('id') || port.rejected.has('vlan_tunnel')) return;
  const tunnels = port.given.vlan_tunnel === true;
  if (tunnels && port.given.id !== undefined) {
    faults.at(
      [...port.path, 'id'],
      'the port has vlan_tunnel: true, so its VNIs come from vlans; remove id or vlan_tunnel',
    );
  }
  if (!tunnels && port.given.id === undefined) {
    faults.atKey(
      port.path,
      'a vxlan port needs a VNI; give "id: VNI", or "vlan_tunnel: true" with tunnel_info in vlans',
    );
  }
}

function checkGroup(port: DecodedVxlan, faults: FaultList): void {
  const { group, dev } = port.given;
  if (group === undefined) return;
  const at = [...port.path, 'group'];
  const ip = canonicalIp(group);
  if (ip === undefined || !isMulticastIp(ip.text)) {
    faults.at(
      at,
      `${quote(group)} is not a multicast address; give one such as 239.1.1.1, or use remotes for single hosts`,
    );
  } else if (port.given.local !== undefined && familyOf(port.given.local) !== ip.family) {
    faults.at(at, `is an IPv${ip.family} address, and local is IPv${familyOf(port.given.local)}; use one family`);
  }
  if (dev === undefined && !port.rejected.has('dev')) {
    faults.at(at, 'needs dev: the device of the underlay on which the group is joined');
  }
}

function checkSourcePorts(port: DecodedVxlan, faults: FaultList): void {
  const [low, high] = port.given.srcport ?? vxlanOptions.srcport.default;
  const at = [...port.path, 'srcport'];
  if (low > high) faults.at(at, `the range is reversed; write [${high}, ${low}]`);
  // Over IPv6 nothing is ever fragmented on the way: frames of either kind leave alike.
  const two = port.given.df === 'inherit' && familyOfPort(port) === 4;
  if (low === high && two) {
    faults.at(at, 'df: inherit sends frames of either kind from a port of its own; give a range of two ports or more');
  }
}

function checkUnderlay(port: DecodedVxlan, faults: FaultList): void {
  const { local } = port.given;
  const family = familyOfPort(port);
  const reference = local === undefined ? 'the first address of the port' : 'local';
  // One list may serve all hosts: the port's own address in it is left out.
  for (const { path, value } of remoteLists(port)) {
    const fault = addressFault(value, family, undefined, reference);
    if (fault !== undefined) faults.at(path, fault);
  }
  for (const { path, value } of destinations(port)) {
    const fault = addressFault(value, family, local, reference);
    if (fault !== undefined) faults.at(path, fault);
  }
}

/** Why an address cannot be another VTEP of a port; `reference` says what its family comes from. */
export function addressFault(
  address: string,
  family: 4 | 6,
  local: string | undefined,
  reference: string,
): string | undefined {
  const own = familyOf(address);
  if (own !== family) {
    return `${address} is IPv${own}, and ${reference} is IPv${family}; a port carries one family: use a port for each`;
  }
  return address === local ? `${address} is the port's own local address; remove it` : undefined;
}

/** What two ports cannot both receive on, with one dstport: a link-local address is another one on another link. */
export function localOf(port: DecodedVxlan): string {
  const { local, dev } = port.given;
  if (local === undefined) return `any IPv${familyOfPort(port)}`;
  return isLinkLocal(local) ? `${local}%${dev}` : local;
}

/** Every address of a VTEP that the port names. */
function underlayAddresses(port: DecodedVxlan): Item<string>[] {
  return [...remoteLists(port), ...destinations(port)];
}

/** Those of its lists. */
export function remoteLists(port: DecodedVxlan): Item<string>[] {
  const ofVlans = (port.vlanList ?? []).flatMap((vlan) => vlan.remoteList);
  return [...port.remoteList, ...ofVlans, ...port.peerList];
}

/** Those of its FDB entries. */
function destinations(port: DecodedVxlan): Item<string>[] {
  return port.entryList.flatMap(({ path, given }) =>
    given.dst === undefined ? [] : [{ path: [...path, 'dst'], value: given.dst }],
  );
}

/**
 * A port whose only source port is the one that it receives on sends by its receiving socket; ports of one local address and
 * dstport share that, so they have to send alike.
 */
export function checkSharedSending(ports: readonly DecodedVxlan[], faults: FaultList): void {
  const senders = new Map<string, DecodedVxlan>();
  for (const port of ports) {
    const dstport = port.given.dstport ?? vxlanOptions.dstport.default;
    const [low, high] = port.given.srcport ?? vxlanOptions.srcport.default;
    if (low !== dstport || high !== dstport || port.rejected.has('local')) continue;
    const endpoint = `${localOf(port)} ${dstport}`;
    const other = senders.get(endpoint);
    if (other === undefined) senders.set(endpoint, port);
    const key = other === undefined ? undefined : SENDING.find((one) => sendingOf(port, one) !== sendingOf(other, one));
    if (key === undefined || other === undefined) continue;
    faults.at(
      [...port.path, 'srcport'],
      `sends by the socket that receives on ${dstport}, as port ${other.name} does; give both the same ${key}, or another srcport`,
    );
  }
}

/** Options of how datagrams leave. */
const SENDING = ['ttl', 'df', 'udpcsum', 'dev'] as const;

function sendingOf({ given }: DecodedVxlan, key: (typeof SENDING)[number]): unknown {
  // With a group, `dev` is for its datagrams alone.
  if (key === 'dev') return JSON.stringify([given.dev ?? null, given.dev !== undefined && given.group !== undefined]);
  return given[key] ?? vxlanOptions[key].default;
}
