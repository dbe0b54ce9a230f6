/** Rules for EVPN: the speaker, its neighbours, and the ports that take part. */
import { familyOf } from '../../values/address.js';
import { isTunnelPort } from '../options/kinds.js';
import { allPorts, type DecodedEvpn, type DecodedSwitch, type DecodedVxlan, type Item } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

const MOST_NEIGHBORS = 64;

/** Vxlan ports that take part. */
export function evpnPorts(config: DecodedSwitch): DecodedVxlan[] {
  return allPorts(config).filter((port) => isTunnelPort(port) && port.given.evpn === true) as DecodedVxlan[];
}

/** The identifier of the speaker; undefined: nothing says one. */
export function routerIdOf(config: DecodedSwitch): string | undefined {
  const locals = evpnPorts(config).flatMap(({ given }) => given.local ?? []);
  return config.evpn?.given.router_id ?? locals.find((local) => familyOf(local) === 4);
}

export function checkEvpn(config: DecodedSwitch, faults: FaultList): void {
  const { evpn } = config;
  for (const port of evpnPorts(config)) checkPort(port, config, faults);
  if (evpn === undefined) return;
  const isKnown = !evpn.rejected.has('router_id') && routerIdOf(config) === undefined;
  if (isKnown) faults.atKey(['evpn'], 'needs an identifier; give "router_id: 192.0.2.1", an IPv4 address of this host');
  checkNeighbors(evpn, faults);
  checkVnis(config, evpn, faults);
}

function checkPort({ path, given, rejected, type }: DecodedVxlan, config: DecodedSwitch, faults: FaultList): void {
  const at = [...path, 'evpn'];
  if (type !== 'vxlan') faults.at(at, 'is for vxlan ports: other hosts send VXLAN');
  if (config.evpn === undefined && config.given.evpn === undefined)
    faults.at(
      at,
      'needs a speaker; give "evpn: { asn: 65000, neighbors: [{ address: 192.0.2.254 }] }" at the top of the file',
    );
  if (given.local === undefined && !rejected.has('local'))
    faults.at(at, 'tells other hosts the address of the port; give it as "local"');
}

function checkNeighbors({ neighborList }: DecodedEvpn, faults: FaultList): void {
  const known = new Map<string, Item<unknown>>();
  for (const [at, item] of neighborList.entries()) {
    const { path, value } = item;
    if (at >= MOST_NEIGHBORS)
      faults.at(path, `a switch has at most ${MOST_NEIGHBORS} neighbours; a route reflector serves for many`);
    if (known.has(value.address))
      faults.at([...path, 'address'], `${value.address} is a neighbour already; remove one of the two`);
    known.set(value.address, item);
    if (value.local !== undefined && familyOf(value.local) !== familyOf(value.address))
      faults.at([...path, 'local'], `is not of the family of ${value.address}; give an address of the same family`);
  }
}

function checkVnis(config: DecodedSwitch, { vniList }: DecodedEvpn, faults: FaultList): void {
  const carried = new Set(evpnPorts(config).flatMap(vnisOfPort));
  const known = new Set<number>();
  for (const { path, value } of vniList) {
    if (known.has(value.vni))
      faults.at([...path, 'vni'], `VNI ${value.vni} is in the list already; remove one of the two`);
    known.add(value.vni);
    if (!carried.has(value.vni))
      faults.at(
        [...path, 'vni'],
        `no vxlan port with "evpn: true" carries VNI ${value.vni}; add it there, or remove it here`,
      );
  }
}

function vnisOfPort({ given, vlanList }: DecodedVxlan): number[] {
  if (given.vlan_tunnel !== true) return given.id === undefined ? [] : [given.id];
  return (vlanList ?? []).flatMap(({ given: { tunnel_info: vnis } }) =>
    vnis === undefined ? [] : Array.from({ length: vnis.last - vnis.first + 1 }, (_, at) => vnis.first + at),
  );
}
