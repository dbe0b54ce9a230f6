/**
 * Converts plain values to typed ones, and collects all faults.
 *
 * Each mapping and list item is checked by its own schema. An invalid value is reported, omitted and marked as rejected, so
 * that the rules can judge the remaining values without taking it for absent. No rules here.
 */
import type { z } from 'zod';
import { nearest } from '../../values/did-you-mean.js';
import { quote } from '../../values/show.js';
import { isDnsName } from '../../values/dns-name.js';
import { value } from '../../values/value.js';
import { isTunnelType, PORT_TYPES, type PortType, type TunnelType } from '../options/kinds.js';
import {
  BRIDGE,
  CNI,
  DOCKER,
  ETCD,
  EVPN,
  EVPN_DUPLICATES,
  EVPN_NEIGHBOR,
  EVPN_VNI,
  FDB_ENTRY,
  INSTANCE,
  MDB_ENTRY,
  NEIGH_ENTRY,
  TUNNEL_MDB_ENTRY,
  NEXTHOP,
  OFFLOADS,
  POLICE,
  PORT,
  PORT_TYPE,
  PORTS,
  STORM_LIMIT,
  SWITCH,
  VLAN,
  VLAN_GLOBAL,
} from '../options/schema.js';
import type {
  Decoded,
  DecodedBridge,
  DecodedEntry,
  DecodedEvpn,
  DecodedLists,
  DecodedLocal,
  DecodedPort,
  DecodedSwitch,
  DecodedVlan,
  DecodedVxlan,
  Item,
} from './decoded.js';
import type { FaultList, Path } from './faults.js';
import { takeZones } from './zones.js';

/** Decodes the value of the whole file; undefined when it is no mapping. */
export function decodeSwitch(raw: unknown, faults: FaultList): DecodedSwitch | undefined {
  const decoded = decodeObject(SWITCH, raw, [], faults);
  if (decoded === undefined) return undefined;
  const bridgeList: DecodedBridge[] = [];
  for (const [name, body] of Object.entries(decoded.given.bridges ?? {})) {
    // "br1:" without a value is a bridge with all defaults.
    const bridge = decodeBridge(name, body ?? {}, ['bridges', name], faults);
    if (bridge !== undefined) bridgeList.push(bridge);
  }
  const offloads = decodeObject(OFFLOADS, decoded.given.offloads ?? {}, ['offloads'], faults)?.given ?? {};
  const docker = decoded.given.docker && decodeObject(DOCKER, decoded.given.docker, ['docker'], faults)?.given;
  const cni = decoded.given.cni && decodeObject(CNI, decoded.given.cni, ['cni'], faults)?.given;
  const etcd = decodeObject(ETCD, decoded.given.etcd ?? {}, ['etcd'], faults)?.given ?? {};
  const nexthopList = decodeObjects(NEXTHOP, decoded, 'nexthops', decoded.given.nexthops, faults);
  const portList = decodePorts(decoded, [], faults);
  const evpn = decoded.given.evpn && decodeEvpn(decoded.given.evpn, faults);
  return { ...decoded, bridgeList, portList, offloads, etcd, docker, cni, nexthopList, evpn };
}

function decodeEvpn(raw: unknown, faults: FaultList): DecodedEvpn | undefined {
  const decoded = decodeObject(EVPN, raw, ['evpn'], faults);
  if (decoded === undefined) return undefined;
  const { neighbors, vnis, duplicates } = decoded.given;
  return {
    ...decoded,
    neighborList: decodeObjects(EVPN_NEIGHBOR, decoded, 'neighbors', neighbors, faults),
    vniList: decodeObjects(EVPN_VNI, decoded, 'vnis', vnis, faults),
    duplicates: decodeObject(EVPN_DUPLICATES, duplicates ?? {}, ['evpn', 'duplicates'], faults)?.given ?? {},
  };
}

function decodeBridge(name: string, raw: unknown, path: Path, faults: FaultList): DecodedBridge | undefined {
  const decoded = decodeObject(BRIDGE, raw, path, faults);
  if (decoded === undefined) return undefined;
  const { vlans } = decoded.given;
  return {
    ...decoded,
    name,
    portList: decodePorts(decoded, path, faults),
    addressList: decodeList(value.nicAddress, decoded, 'addresses', decoded.given.addresses, faults),
    vlanList: vlans === undefined ? undefined : decodeVlans(decoded, vlans, faults),
    groupList: decodeObjects(MDB_ENTRY, decoded, 'mdb', decoded.given.mdb, faults),
    globalList: decodeObjects(VLAN_GLOBAL, decoded, 'vlan_global', decoded.given.vlan_global, faults),
    entryList: decodeEntries(decoded, faults),
  };
}

function decodePorts(
  parent: Decoded<typeof SWITCH> | Decoded<typeof BRIDGE>,
  path: Path,
  faults: FaultList,
): DecodedPort[] {
  const out: DecodedPort[] = [];
  for (const [name, body] of Object.entries(parent.given.ports ?? {})) {
    const port = decodePort(name, body, [...path, 'ports', name], faults);
    if (port !== undefined) out.push(port);
  }
  return out;
}

function decodePort(name: string, raw: unknown, path: Path, faults: FaultList): DecodedPort | undefined {
  const mapping = PORT.safeParse(raw);
  if (!mapping.success) {
    faults.at(path, mapping.error.issues[0]?.message ?? '');
    return undefined;
  }
  const type = PORT_TYPE.safeParse(mapping.data.type);
  if (!type.success) {
    faults.at([...path, 'type'], type.error.issues[0]?.message ?? '');
    return undefined;
  }
  return isTunnelType(type.data)
    ? decodeTunnel(type.data, name, raw, path, faults)
    : decodeLocal(type.data, name, raw, path, faults);
}

function decodeLocal(
  type: DecodedLocal['type'],
  name: string,
  raw: unknown,
  path: Path,
  faults: FaultList,
): DecodedLocal | undefined {
  const decoded = decodeObject(PORTS[type], raw, path, faults, type);
  return decoded && ({ ...decoded, type, name, ...decodeLists(decoded, faults) } as DecodedLocal);
}

/** The keys of every kind of tunnel are among those of a vxlan port. */
function decodeTunnel(
  type: TunnelType,
  name: string,
  raw: unknown,
  path: Path,
  faults: FaultList,
): DecodedVxlan | undefined {
  const decoded: Decoded<typeof PORTS.vxlan> | undefined = decodeObject(PORTS[type], raw, path, faults, type);
  if (decoded === undefined) return undefined;
  const remotes = decodeList(value.vtepOrName, decoded, 'remotes', decoded.given.remotes, faults);
  const port: DecodedVxlan = {
    ...decoded,
    type,
    name,
    ...decodeLists(decoded, faults),
    remoteList: remotes.filter((item) => !isDnsName(item.value)),
    nameList: remotes.filter((item) => isDnsName(item.value)),
    endpointList: decodeList(value.etcdEndpoint, decoded, 'peers_etcd', decoded.given.peers_etcd, faults),
    peerList: decodeList(value.vtepIp, decoded, 'peers', decoded.given.peers, faults),
    groupList: decodeObjects(TUNNEL_MDB_ENTRY, decoded, 'mdb', decoded.given.mdb, faults),
  };
  takeZones(port, faults);
  return port;
}

function decodeLists(port: Decoded<(typeof PORTS)[PortType]>, faults: FaultList): Omit<DecodedLists, 'name'> {
  const { vlans, storm_limit, arp_guard, allowed_macs, police_in, police_out } = port.given;
  const policed = (key: string, given: unknown) =>
    decodeObject(POLICE, given ?? {}, [...port.path, key], faults)?.given ?? {};
  const storm = decodeObject(STORM_LIMIT, storm_limit ?? {}, [...port.path, 'storm_limit'], faults);
  return {
    vlanList: vlans === undefined ? undefined : decodeVlans(port, vlans, faults),
    entryList: decodeEntries(port, faults),
    instanceList: decodeObjects(INSTANCE, port, 'mst', listOf(port.given, 'mst'), faults),
    stormLimits: storm?.given ?? {},
    policed: { police_in: policed('police_in', police_in), police_out: policed('police_out', police_out) },
    addressList: decodeList(value.nicAddress, port, 'addresses', listOf(port.given, 'addresses'), faults),
    claimList: decodeList(value.addressOrPrefix, port, 'arp_guard', arp_guard, faults),
    macList: decodeList(value.nicMac, port, 'allowed_macs', allowed_macs, faults),
    bindingList: decodeObjects(NEIGH_ENTRY, port, 'neigh', listOf(port.given, 'neigh'), faults),
  };
}

/** None for a kind of port without the key. */
function listOf(given: object, key: 'addresses' | 'mst' | 'neigh'): readonly unknown[] | undefined {
  return (given as Partial<Record<typeof key, unknown[]>>)[key];
}

function decodeVlans(port: Parent, items: readonly unknown[], faults: FaultList): DecodedVlan[] {
  const out: DecodedVlan[] = [];
  for (const [i, item] of items.entries()) {
    const decoded = decodeObject(VLAN, item, [...port.path, 'vlans', i], faults);
    if (decoded === undefined || decoded.rejected.size > 0) markRejected(port, 'vlans');
    if (decoded === undefined) continue;
    const remoteList = decodeList(value.vtepIp, decoded, 'remotes', decoded.given.remotes, faults);
    if (decoded.given.vid !== undefined) out.push({ ...decoded, vid: decoded.given.vid, remoteList });
  }
  return out;
}

function decodeEntries(port: Parent & { given: { fdb?: unknown[] | undefined } }, faults: FaultList): DecodedEntry[] {
  const out: DecodedEntry[] = [];
  for (const [i, item] of (port.given.fdb ?? []).entries()) {
    const decoded = decodeObject(FDB_ENTRY, item, [...port.path, 'fdb', i], faults);
    if (decoded?.given.mac !== undefined) out.push({ ...decoded, mac: decoded.given.mac });
  }
  return out;
}

/** Decodes a list of mappings; an item with any fault is omitted. */
function decodeObjects<S extends z.ZodObject>(
  schema: S,
  parent: Parent,
  key: string,
  items: readonly unknown[] | undefined,
  faults: FaultList,
): Item<z.output<S>>[] {
  const out: Item<z.output<S>>[] = [];
  for (const [i, item] of (items ?? []).entries()) {
    const path = [...parent.path, key, i];
    decodeObject(schema, item, path, faults);
    const result = schema.safeParse(item);
    if (result.success) out.push({ path, value: result.data });
    else markRejected(parent, key);
  }
  return out;
}

interface Parent {
  path: Path;
  rejected: ReadonlySet<string>;
}

/** Decodes the items of a list one by one; `items` is the list, if present. */
function decodeList<T>(
  schema: z.ZodType<T>,
  parent: Parent,
  key: string,
  items: readonly unknown[] | undefined,
  faults: FaultList,
): Item<T>[] {
  const out: Item<T>[] = [];
  for (const [i, item] of (items ?? []).entries()) {
    const path = [...parent.path, key, i];
    const result = schema.safeParse(item);
    if (result.success) {
      out.push({ path, value: result.data });
    } else {
      faults.at(path, result.error.issues[0]?.message ?? '');
      markRejected(parent, key);
    }
  }
  return out;
}

function markRejected(parent: Parent, key: string): void {
  (parent.rejected as Set<string>).add(key);
}

const partials = new WeakMap<z.ZodObject, z.ZodObject>();

/** Cached for each schema: building one costs more than decoding a port with it. */
function partialOf(schema: z.ZodObject): z.ZodObject {
  const partial = partials.get(schema) ?? schema.partial();
  partials.set(schema, partial);
  return partial;
}

/** Decodes one mapping; its own nested values stay as they are. @returns undefined when it is no mapping */
export function decodeObject<S extends z.ZodObject>(
  schema: S,
  raw: unknown,
  path: Path,
  faults: FaultList,
  type?: PortType,
): Decoded<S> | undefined {
  const rejected = new Set<string>();
  const unknown = new Set<string>();
  // A value may fail several checks of its schema; only the first is reported.
  const reported = new Set<string>();
  const source = raw as Record<string, unknown>;
  const whole = schema.safeParse(raw);
  if (whole.success) return { path, given: whole.data as Partial<z.output<S>>, rejected, raw: source };
  for (const issue of whole.error.issues) {
    const key = issue.path[0];
    if (issue.code === 'unrecognized_keys') {
      for (const name of issue.keys) {
        unknown.add(name);
        faults.atKey([...path, name], unknownKey(name, schema, type));
      }
    } else if (key === undefined) {
      faults.at(path, issue.message);
      return undefined;
    } else if (!reported.has(issue.path.join('.'))) {
      reported.add(issue.path.join('.'));
      rejected.add(String(key));
      faults.at([...path, ...(issue.path as (string | number)[])], issue.message);
    }
  }
  const sound = Object.entries(source).filter(([key]) => !rejected.has(key) && !unknown.has(key));
  // The remaining keys are valid; the partial schema tolerates the missing ones.
  const given = partialOf(schema).parse(Object.fromEntries(sound)) as Partial<z.output<S>>;
  return { path, given, rejected, raw: source };
}

/** @param type of the port; undefined: it is not a port */
function unknownKey(name: string, schema: z.ZodObject, type: PortType | undefined): string {
  const plural = `${name}s`;
  if (plural in schema.shape) return `unknown key ${quote(name)}; did you mean ${quote(plural)}?`;
  const other = type === undefined ? undefined : PORT_TYPES.find((one) => Object.hasOwn(PORTS[one].shape, name));
  if (other !== undefined) return `is an option of ${other} ports, and this is a ${type} port; remove it`;
  // The word "address" of "ip link" means the MAC address.
  if (name === 'address' && 'addresses' in schema.shape)
    return `unknown key "address"; "addresses" are the IP addresses of the NIC, "mac" is its MAC address`;
  const near = nearest(name, Object.keys(schema.shape));
  const remedy = near === undefined ? 'remove it' : `did you mean ${quote(near)}?`;
  return `unknown key ${quote(name)}; ${remedy}`;
}
