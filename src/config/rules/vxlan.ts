/**
 * Rules for one tunnel port: its options and underlay addresses.
 *
 * Its VLAN to VNI table is checked in `vlan.ts`, its FDB entries in `fdb.ts`.
 */

import { canonicalIp, familyOf, isMulticastIp } from '../../values/address.js';
import { quote } from '../../values/show.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import { geneveOptions } from '../options/geneve.js';
import type { TunnelType } from '../options/kinds.js';
import { vxlanOptions } from '../options/vxlan.js';
import type { DecodedVxlan, Item } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import { checkSources } from './peers.js';

const TUNNEL_OPTIONS: Readonly<Record<TunnelType, { dstport: { default: number } }>> = {
  vxlan: vxlanOptions,
  geneve: geneveOptions,
};

/** Checks one vxlan or geneve port. */
export function checkVxlan(port: DecodedVxlan, faults: FaultList): void {
  checkCarried(port, faults);
  for (const group of groupsOf(port)) checkGroup(port, group, faults);
  checkSourcePorts(port, faults);
  checkUnderlay(port, faults);
  checkFlowLabel(port, faults);
  checkPolicy(port, faults);
  checkSources(port, faults);
}

/** The UDP port that a tunnel port receives on. */
export function dstportOf({ type, given }: DecodedVxlan): number {
  return given.dstport ?? TUNNEL_OPTIONS[type].dstport.default;
}

/** The outer address family of a port: that of `local`, else of the first address it names. */
export function familyOfPort(port: DecodedVxlan): 4 | 6 {
  const group = groupsOf(port).flatMap(({ value }) => canonicalIp(value)?.text ?? [])[0];
  const first = port.given.local ?? group ?? underlayAddresses(port)[0]?.value;
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
      `a ${port.type} port needs a VNI; give "id: VNI", or "vlan_tunnel: true" with tunnel_info in vlans`,
    );
  }
}

/** The multicast groups of a port, and of its VNIs. */
export function groupsOf({ path, given, vlanList }: DecodedVxlan): Item<string>[] {
  const own = given.group === undefined ? [] : [{ path: [...path, 'group'], value: given.group }];
  const ofVnis = (vlanList ?? []).flatMap((vlan) =>
    vlan.given.group === undefined ? [] : [{ path: [...vlan.path, 'group'], value: vlan.given.group }],
  );
  return [...own, ...ofVnis];
}

function checkGroup(port: DecodedVxlan, { path: at, value: group }: Item<string>, faults: FaultList): void {
  const { dev, local } = port.given;
  const ip = canonicalIp(group);
  const family = familyOfPort(port);
  if (ip === undefined || !isMulticastIp(ip.text)) {
    faults.at(
      at,
      `${quote(group)} is not a multicast address; give one such as 239.1.1.1, or use remotes for single hosts`,
    );
  } else if (family !== ip.family) {
    const of = local === undefined ? 'the first address of the port' : 'local';
    faults.at(at, `is an IPv${ip.family} address, and ${of} is IPv${family}; use one family`);
  }
  if (dev === undefined && !port.rejected.has('dev')) {
    faults.at(at, 'needs dev: the device of the underlay on which the group is joined');
  }
}

function checkSourcePorts(port: DecodedVxlan, faults: FaultList): void {
  const [low, high] = port.given.srcport ?? vxlanOptions.srcport.default;
  const at = [...port.path, 'srcport'];
  if (low > high) faults.at(at, `the range is reversed; write [${high}, ${low}]`);
  // IPv6 routers never fragment: `df` makes no difference.
  const two = port.given.df === 'inherit' && familyOfPort(port) === 4;
  if (low === high && two) {
    faults.at(at, 'df: inherit sends frames of either kind from a port of its own; give a range of two ports or more');
  }
}

function checkPolicy({ given, path }: DecodedVxlan, faults: FaultList): void {
  if ((given.gbp_id ?? 0) === 0 || given.gbp === true) return;
  faults.at([...path, 'gbp_id'], 'a policy ID is of the Group Policy Option; give "gbp: true" too, or remove it');
}

function checkFlowLabel(port: DecodedVxlan, faults: FaultList): void {
  if ((port.given.flowlabel ?? 0) === 0 || familyOfPort(port) === 6) return;
  faults.at([...port.path, 'flowlabel'], 'IPv4 has no flow label; remove it, or give the port an IPv6 local');
}

function checkUnderlay(port: DecodedVxlan, faults: FaultList): void {
  const { local } = port.given;
  const family = familyOfPort(port);
  const reference = local === undefined ? 'the first address of the port' : 'local';
  // The same list may be used on all hosts: the port's own address in it is ignored.
  for (const { path, value } of remoteLists(port)) {
    const fault = addressFault(value, family, undefined, reference);
    if (fault !== undefined) faults.at(path, fault);
  }
  for (const { path, value } of destinations(port)) {
    const fault = addressFault(value, family, local, reference);
    if (fault !== undefined) faults.at(path, fault);
  }
}

/** Why an address is invalid as a remote VTEP of a port; `reference` names the origin of the port's family. */
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

/** Receive key: ports with one dstport must differ in it. The same link-local address on another link is a different key. */
export function localOf(port: DecodedVxlan): string {
  const { local, dev } = port.given;
  if (local === undefined) return `any IPv${familyOfPort(port)}`;
  return isLinkLocal(local) ? `${local}%${dev}` : local;
}

/** All VTEP addresses named by the port. */
function underlayAddresses(port: DecodedVxlan): Item<string>[] {
  return [...remoteLists(port), ...destinations(port)];
}

/** Addresses of its lists. */
export function remoteLists(port: DecodedVxlan): Item<string>[] {
  const ofVlans = (port.vlanList ?? []).flatMap((vlan) => vlan.remoteList);
  return [...port.remoteList, ...ofVlans, ...port.peerList];
}

/** Addresses of its FDB entries. */
function destinations(port: DecodedVxlan): Item<string>[] {
  return port.entryList.flatMap(({ path, given }) =>
    given.dst === undefined ? [] : [{ path: [...path, 'dst'], value: given.dst }],
  );
}

/**
 * A port whose only source port is its dstport sends by its receiving socket. Ports with the same local address and dstport
 * share that socket, so their send options must be equal.
 */
export function checkSharedSending(ports: readonly DecodedVxlan[], faults: FaultList): void {
  const senders = new Map<string, DecodedVxlan>();
  for (const port of ports) {
    const dstport = dstportOf(port);
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

/** Options of sent datagrams. */
const SENDING = ['ttl', 'flowlabel', 'df', 'udpcsum', 'dev'] as const;

function sendingOf(port: DecodedVxlan, key: (typeof SENDING)[number]): unknown {
  const { given } = port;
  // With a group, `dev` applies to group datagrams only.
  if (key === 'dev') return JSON.stringify([given.dev ?? null, given.dev !== undefined && groupsOf(port).length > 0]);
  return given[key] ?? vxlanOptions[key].default;
}
