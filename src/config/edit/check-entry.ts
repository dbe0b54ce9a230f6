/**
 * Validates one FDB entry for adding at run time, by the rules of the configuration file, against the configuration in force.
 *
 * Duplicates are not detected here; the table that holds the entries does that.
 */
import type { FdbPut } from '../../api/api.js';
import { splitZone } from '../../values/address.js';
import { unknownLink } from '../../values/unknown-link.js';
import { isLinkLocal } from '../../wire/ip-address.js';
import { attributesGiven, PLAIN } from '../entries/attributes.js';
import { type ConfiguredEntry, expandBridgeEntry, expandEntry } from '../entries/expand.js';
import { type EntryPort, type EntryValues, entryFaults, vnisOfEntry } from '../entries/rules.js';
import { isTunnelPort } from '../options/kinds.js';
import { isOnLink } from '../read/zones.js';
import { nexthopsById } from '../entries/nexthops.js';
import { addressFault } from '../rules/vxlan.js';
import type { BridgeConfig, FdbEntryConfig, PortConfig, SwitchConfig, VxlanConfig } from '../types.js';
import { EditRefused } from './tree.js';

/** An entry of a request, already parsed by its schema. Without `vlan` and `vni` it applies to the whole port. */
export type EntryRequest = Omit<FdbPut, 'op' | 'via' | 'use' | 'norefresh'>;

/** The rows of the entry; at least one. @throws EditRefused with the reason */
export function checkEntry(config: SwitchConfig, request: EntryRequest): ConfiguredEntry[] {
  const own = config.bridges.find(({ name }) => name === request.dev);
  if (own !== undefined) return checkBridgeEntry(own, request);
  const { port, bridge } = findPort(config, request.dev);
  const { values, entry } = readEntry(request, port);
  for (const { key, message } of entryFaults(values, entryPort(port, bridge, config))) {
    throw new EditRefused(`${key}: ${message}`);
  }
  if (isTunnelPort(port) && entry.dst !== undefined) entry.dst = checkDestination(entry.dst, port);
  const rows = expandEntry(entry, port, bridge);
  if (rows.length > 0) return rows;
  throw new EditRefused(
    !isTunnelPort(port) || port.id !== undefined
      ? `port ${port.name} is a member of no VLAN, so the entry would be in none; add one to it first`
      : `no VLAN of port ${port.name} is mapped to a VNI, so nothing can be sent there; add a VLAN with tunnel_info first`,
  );
}

function checkBridgeEntry(bridge: BridgeConfig, request: EntryRequest): ConfiguredEntry[] {
  const { name, host_port, vlan_filtering, vlans } = bridge;
  const { values, entry } = readEntry(request, undefined);
  const own = { name, filtering: vlan_filtering };
  const facts: EntryPort = {
    name,
    type: 'bridge',
    bridge: own,
    id: undefined,
    members: host_port ? vlans : undefined,
    hasHost: host_port,
  };
  for (const { key, message } of entryFaults({ ...values, state: request.state }, facts)) {
    throw new EditRefused(`${key}: ${message}`);
  }
  const rows = expandBridgeEntry(entry, bridge);
  if (rows.length > 0) return rows;
  throw new EditRefused(
    `bridge ${name} itself is a member of no VLAN, so the entry would be in none; say with vlan which`,
  );
}

function findPort(config: SwitchConfig, name: string): { port: PortConfig; bridge?: BridgeConfig } {
  for (const bridge of config.bridges) {
    const port = bridge.ports.find((candidate) => candidate.name === name);
    if (port !== undefined) return { port, bridge };
  }
  const port = config.ports.find((candidate) => candidate.name === name);
  if (port !== undefined) return { port };
  throw new EditRefused(unknownLink(String(name)), 'not_found');
}

/** The request in two forms: as the entry rules take it, and as an entry of the configuration. */
function readEntry(request: EntryRequest, of: PortConfig | undefined): { values: EntryValues; entry: FdbEntryConfig } {
  const { mac, vlan, vni, src_vni, dst, port, nhid, state } = request;
  const vnis = isTunnelPort(of) ? vnisOfEntry({ vni, src_vni }, of.id) : {};
  const places = Object.fromEntries(
    Object.entries({ vlan, dst, port, nhid, ...vnis }).filter(([, value]) => value !== undefined),
  );
  const how = { ...PLAIN, ...attributesGiven(request) };
  return {
    values: { ...how, mac, vlan, vni, src_vni, dst, port, nhid, state },
    entry: {
      mac,
      ...(places as Pick<FdbEntryConfig, 'vlan' | 'vni' | 'sentVni' | 'dst' | 'port' | 'nhid'>),
      ...how,
    },
  };
}

function entryPort(port: PortConfig, bridge: BridgeConfig | undefined, { nexthops }: SwitchConfig): EntryPort {
  return {
    name: port.name,
    type: port.type,
    bridge: bridge === undefined ? null : { name: bridge.name, filtering: bridge.vlan_filtering },
    id: isTunnelPort(port) ? (port.id ?? null) : undefined,
    family: isTunnelPort(port) ? port.family : undefined,
    nexthops: nexthopsById(nexthops ?? []),
    members: port.vlans,
  };
}

/** @returns the address without its zone @throws EditRefused when it is not valid as a remote VTEP of the port */
export function checkDestination(dst: string, port: VxlanConfig): string {
  const { address, zone } = splitZone(dst);
  // A port without any configured address is IPv4.
  const reference = port.local === undefined ? 'the port, by its addresses,' : 'local';
  const fault = addressFault(address, port.family, port.local, reference) ?? linkFault(address, zone, port);
  if (fault !== undefined) throw new EditRefused(`dst: ${fault}`);
  return address;
}

function linkFault(address: string, zone: string | undefined, port: VxlanConfig): string | undefined {
  if (!isLinkLocal(address)) return undefined;
  if (port.dev === undefined)
    return `${address} is link-local, and port ${port.name} has no dev; set that to its link first`;
  if (zone !== undefined && zone !== port.dev)
    return `${address}%${zone} is on another link than the port, which is on ${port.dev}; use a port for each`;
  if (port.group === undefined || isOnLink(port)) return undefined;
  return `${address} is link-local, and the port's group ${port.group} is not; use a port with a link-local local`;
}
