/**
 * Adds, deletes and changes links in the live document, with the effects on their ports, as `ip link` does for kernel devices.
 *
 * Options are keys and values of the configuration file, copied into the document unchecked; schema and rules validate the
 * result.
 */

import { Refusal, ZERO_MAC } from '../../values/address.js';
import { readDeviceName } from '../../values/value.js';
import { isTunnelType, type LinkType } from '../options/kinds.js';
import { portOptions } from '../options/port.js';
import { NIC_KEYS } from '../options/table.js';
import { withDefaultPvid } from './default-pvid.js';
import {
  asMapping,
  type Document,
  EditRefused,
  type FoundLink,
  findLink,
  getBridge,
  getLink,
  type Mapping,
  portsOf,
  withBody,
  withBridge,
  withKey,
  withoutBridge,
  withoutKey,
  withoutPort,
  withPort,
} from './tree.js';

/** Keys and values of the configuration file. Null resets a key to its default; undefined leaves it unchanged. */
export type LinkOptions = { readonly [key: string]: unknown };

export interface LinkAddition {
  name: string;
  type: LinkType;
  /** The bridge of the new port; absent: none. */
  master?: string;
  options?: LinkOptions;
}

export interface LinkChange {
  /** Null removes a port from its bridge. */
  master?: string | null;
  options?: LinkOptions;
}

/** Adds a link. @throws EditRefused */
export function addLink(doc: Document, { name, type, master, options = {} }: LinkAddition): Document {
  const read = readDeviceName(name);
  if (read instanceof Refusal) throw new EditRefused(read.message);
  if (name === '__proto__') throw new EditRefused('this word cannot name a link; choose another name');
  if (findLink(doc, name) !== undefined) {
    throw new EditRefused(`there is a link ${name} already; delete it first, or choose another name`, 'exists');
  }
  if (type === 'bridge') {
    if (master !== undefined) throw new EditRefused('a bridge cannot be the port of another bridge; remove the master');
    return withBridge(doc, name, merged({}, ownOptions(options)));
  }
  if (master !== undefined) getBridge(doc, master);
  return withPort(doc, master, name, merged({ type }, ownOptions(options)));
}

/** Deletes a link. The ports of a deleted bridge remain, without a bridge. @throws EditRefused */
export function deleteLink(doc: Document, name: string): Document {
  const link = getLink(doc, name);
  if (link.kind === 'port') return withoutPort(doc, link.bridge, name);
  let out = withoutBridge(doc, name);
  for (const [port, body] of Object.entries(portsOf(link.body))) {
    out = withPort(out, undefined, port, outOfBridge(asMapping(body)));
  }
  return out;
}

/** Moves a port to another bridge, then sets options. @throws EditRefused */
export function setLink(doc: Document, name: string, { master, options = {} }: LinkChange): Document {
  const own = ownOptions(options);
  const moved = master === undefined ? doc : moveTo(doc, getLink(doc, name), master);
  const link = getLink(moved, name);
  let body = merged(link.body, own);
  if (Object.hasOwn(own, 'host_port') && body.host_port !== true) body = withoutHostPort(body, link, own);
  if (link.kind === 'bridge') body = withDefaultPvid(link.body, withoutInstances(withoutVlanSnooping(body, own)));
  return withBody(moved, link, body);
}

function moveTo(doc: Document, link: FoundLink, master: string | null): Document {
  if (link.kind === 'bridge') {
    if (master === null) return doc;
    throw new EditRefused(`${link.name} is a bridge and cannot be the port of another; give a port`);
  }
  if (master !== null) getBridge(doc, master);
  if ((link.bridge ?? null) === master) return doc;
  const body = link.bridge === undefined ? link.body : outOfBridge(link.body);
  return withPort(withoutPort(doc, link.bridge, link.name), master ?? undefined, link.name, body);
}

/**
 * A port's options after leaving its bridge: bridge-port options are dropped. Learning and flood list of a vxlan port belong to
 * the device and stay. So does `vlan_tunnel`, which the kernel drops, because here it determines the kind of vxlan port.
 */
function outOfBridge(body: Mapping): Mapping {
  const isTunnel = isTunnelType(body.type);
  const gone = Object.keys(portOptions).filter((key) => !(isTunnel && key === 'learning'));
  const rest = withoutKey(body, 'vlans', 'mst', ...gone);
  if (!Object.hasOwn(rest, 'fdb')) return rest;
  const entries = Array.isArray(rest.fdb) ? rest.fdb : [];
  const kept = isTunnel ? entries.filter((entry) => isFloodRow(asMapping(entry), rest)) : [];
  return kept.length > 0 ? withKey(rest, 'fdb', kept) : withoutKey(rest, 'fdb');
}

/** A flood-list destination that does not depend on a VLAN of the port. */
function isFloodRow(entry: Mapping, port: Mapping): boolean {
  return entry.mac === ZERO_MAC && entry.vlan === undefined && (entry.vni === undefined || entry.vni === port.id);
}

/** Snooping by VLAN ends with VLAN filtering, as in the kernel, unless the same request sets it: the rules then refuse that. */
function withoutVlanSnooping(body: Mapping, own: LinkOptions): Mapping {
  const ends = Object.hasOwn(own, 'vlan_filtering') && body.vlan_filtering !== true;
  return ends && !Object.hasOwn(own, 'mcast_vlan_snooping') ? withoutKey(body, 'mcast_vlan_snooping') : body;
}

/** The states of ports in instances of the spanning tree go with the instances. */
function withoutInstances(body: Mapping): Mapping {
  if (body.mst_enabled === true || !isMapping(body.ports)) return body;
  const ports = Object.entries(body.ports);
  if (!ports.some(([, port]) => isMapping(port) && Object.hasOwn(port, 'mst'))) return body;
  const rest = ports.map(([name, port]) => [name, isMapping(port) ? withoutKey(port, 'mst') : port]);
  return withKey(body, 'ports', Object.fromEntries(rest));
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Host-port settings are dropped with the host port, unless the same request sets them: the rules then refuse that. */
function withoutHostPort(body: Mapping, link: FoundLink, own: LinkOptions): Mapping {
  const gone = link.kind === 'bridge' ? [...NIC_KEYS, 'vlans'] : isTunnelType(link.body.type) ? NIC_KEYS : [];
  return withoutKey(body, ...gone.filter((key) => !Object.hasOwn(own, key)));
}

function merged(body: Mapping, options: LinkOptions): Mapping {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const changed = given.map(([key]) => key);
  const kept = Object.entries(body).filter(([key]) => !changed.includes(key) || options[key] !== null);
  const set = given.filter(([, value]) => value !== null);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(set) };
}

/** Link keys that are no options, with the command to use instead. */
const NO_OPTIONS = {
  type: 'delete the link and add one of the other type',
  ports: 'add ports one by one',
  neigh: 'use "neigh add" and "neigh del"',
  mdb: 'use "mdb add" and "mdb del"',
};

/** Refuses keys that are no options: structural keys and tables. */
function ownOptions(options: LinkOptions): LinkOptions {
  for (const [key, remedy] of Object.entries(NO_OPTIONS)) {
    if (!Object.hasOwn(options, key)) continue;
    throw new EditRefused(`${key} is no option that can be set; ${remedy}`);
  }
  return options;
}
