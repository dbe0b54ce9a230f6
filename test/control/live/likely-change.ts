/**
 * Adapts a random change to the present state: existing links, their VLANs, possible entries. Otherwise most changes would be
 * refused. The result may still be refused.
 */
import type { FdbRequest, LinkRequest, VlanRequest, VlanSetRequest } from '../../../src/api/api.js';
import { defaultPvid, isFiltering, membersOf, type PortState, type Raw } from './live-config.js';
import { BRIDGES, TAPS, VXLANS } from './live-documents.js';
import { vnisOf } from './live-entries.js';
import type { Change, Model } from './live-model.js';
import { isMany } from './live-rules.js';

const NIC_KEYS = ['mac', 'addresses', 'mtu', 'persist'];
const ZERO = '00:00:00:00:00:00';

/** @param aim which of several, where there are several; 0 leaves the change as it is */
export function aimed(change: Change, aim: number, model: Model): Change {
  if (aim === 0) return change;
  switch (change.kind) {
    case 'link':
      return { kind: 'link', request: aimLink(change.request, aim, model) };
    case 'vlan':
      return { kind: 'vlan', request: aimVlan(change.request, aim, model) };
    case 'fdb':
      return { kind: 'fdb', request: aimFdb(change.request, aim, model) };
    case 'apply':
      return change;
  }
}

function kindOf(name: string): string[] {
  return [BRIDGES, TAPS, VXLANS].find((names) => names.includes(name)) ?? [];
}

function isThere({ config }: Model, name: string): boolean {
  return config.bridges.has(name) || config.ports.has(name);
}

/** One of the names, by number; none: the one that was given. */
function pick(names: readonly string[], aim: number, otherwise: string): string {
  return names.length === 0 ? otherwise : names[aim % names.length];
}

function aimLink(request: LinkRequest, aim: number, model: Model): LinkRequest {
  const names = kindOf(request.name);
  const wanted =
    request.op === 'add' ? (name: string) => !isThere(model, name) : (name: string) => isThere(model, name);
  const name = wanted(request.name) ? request.name : pick(names.filter(wanted), aim, request.name);
  if (request.op === 'del') return { ...request, name };
  const { master } = request;
  const { config } = model;
  const bridges = [...config.bridges.keys()];
  const home = typeof master === 'string' && !config.bridges.has(master) ? { master: pick(bridges, aim, master) } : {};
  const link = config.ports.get(name) ?? config.bridges.get(name);
  const options = aimOptions(names, request.options ?? {}, link?.options ?? {}, request.op === 'add');
  const out = { ...request, name, ...home, options } as LinkRequest & { master?: string | null };
  const target = config.bridges.get(out.master ?? '');
  const tunnels = { ...link?.options, ...options }.vlan_tunnel === true;
  if (target === undefined || !tunnels || isFiltering(target)) return out;
  if (request.op === 'add')
    return { ...out, options: { ...withoutKeys(options, ['vlan_tunnel']), id: 50 + (aim % 3) } } as LinkRequest;
  delete out.master;
  return out;
}

/** Options that go together: a port carries either one VNI or many, and a NIC's options need the NIC. */
function aimOptions(names: string[], options: Raw, before: Raw, isNew: boolean): Raw {
  let out = options;
  const after = { ...before, ...options };
  if (names !== TAPS && after.host_port !== true) out = withoutKeys(out, NIC_KEYS);
  if (names !== VXLANS || isNew) return out;
  if (out.vlan_tunnel === true) return { ...out, id: null };
  if (typeof out.id === 'number') return { ...out, vlan_tunnel: null };
  return withoutKeys(out, ['id', 'vlan_tunnel']);
}

function withoutKeys(options: Raw, keys: string[]): Raw {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !keys.includes(key)));
}

function aimVlan(request: VlanRequest | VlanSetRequest, aim: number, model: Model): VlanRequest | VlanSetRequest {
  const { config } = model;
  const isMember = (name: string): boolean => config.ports.get(name)?.bridge !== null;
  const ports = [...config.ports.keys()].filter(isMember);
  const dev = config.ports.has(request.dev) && isMember(request.dev) ? request.dev : pick(ports, aim, request.dev);
  const port = config.ports.get(dev);
  if (request.op === 'set') {
    const { vidEnd: _, ...rest } = request;
    const own = port === undefined ? [] : vidsOf(model, port);
    return own.length === 0 ? { ...request, dev } : { ...rest, dev, vid: own[aim % own.length] };
  }
  const { tunid, tunidEnd, ...rest } = { ...request, dev };
  const maps = port?.options.vlan_tunnel === true;
  const mapping = maps && tunid !== undefined ? { tunid, ...(tunidEnd === undefined ? {} : { tunidEnd }) } : {};
  const out: VlanRequest = { ...rest, ...mapping };
  if (out.pvid === true) delete out.vidEnd;
  if (out.pvid === true) delete out.tunidEnd;
  if (request.op === 'add' || port === undefined) return out;
  const vids = vidsOf(model, port);
  return vids.length === 0 || vids.includes(out.vid) ? out : { op: 'del', dev, vid: vids[aim % vids.length] };
}

function vidsOf({ config }: Model, port: PortState): number[] {
  const bridge = config.bridges.get(port.bridge ?? '');
  if (bridge === undefined) return [];
  const members = [...membersOf(port, bridge).keys()];
  return members.length > 0 || isFiltering(bridge) ? members : [defaultPvid(bridge)].filter((vid) => vid > 0);
}

function aimFdb(request: FdbRequest, aim: number, model: Model): FdbRequest {
  if (request.op === 'flush') return aimFlush(request, aim, model);
  const { config, tables } = model;
  if (request.op === 'del' && aim % 4 !== 0) {
    // One of those that are there.
    const entries = [...tables.rows.values(), ...tables.lists.values()];
    if (entries.length === 0) return request;
    const { port: dev, mac, dst, udp, sent, vid, vni } = entries[aim % entries.length];
    const at = udp === undefined || aim % 5 === 0 ? {} : { port: udp };
    const apart = sent === undefined || aim % 7 === 0 ? {} : { vni: sent };
    const remote = dst !== '' && (isMany(mac) || aim % 2 === 0) ? { dst, ...at, ...apart } : {};
    const of = 'vni' in remote ? { src_vni: vni } : { vni };
    const own = typeof vni === 'number' && mac === ZERO ? of : vid !== 0 && aim % 3 !== 0 ? { vlan: vid } : {};
    const placed = 'vni' in remote && !('src_vni' in own) && vnisOf(config, dev).size > 1 ? { src_vni: vni } : {};
    return { op: 'del', dev, mac, ...remote, ...own, ...placed } as FdbRequest;
  }
  const isFit = (name: string): boolean => config.ports.get(name)?.bridge != null;
  const kinds = kindOf(request.dev).filter(isFit);
  const dev = isFit(request.dev) ? request.dev : pick(kinds, aim, request.dev);
  const port = config.ports.get(dev);
  if (port === undefined) return request;
  const { vlan, vni, src_vni, mac, ...rest } = request;
  const vids = vidsOf(model, port);
  const filters = isFiltering(config.bridges.get(port.bridge ?? ''));
  const vnis = [...vnisOf(config, dev)];
  const unicast = port.type === 'tap' && isMany(mac) ? '02:00:00:00:00:0c' : mac;
  const ops = { append: isMany(unicast) ? 'append' : 'replace', replace: isMany(unicast) ? 'append' : 'replace' };
  const op = request.op === 'append' || request.op === 'replace' ? ops[request.op] : request.op;
  const out = { ...rest, op, dev, mac: unicast } as FdbRequest & { vlan?: number; vni?: number };
  if (src_vni !== undefined && vnis.length > 0) {
    const apart = vni === undefined ? {} : { vni };
    return { ...out, src_vni: vnis[aim % vnis.length][1], ...apart } as FdbRequest;
  }
  if (vni !== undefined && vnis.length > 0) return { ...out, vni: vnis[aim % vnis.length][1] };
  if (vlan === undefined || !filters || vids.length === 0) return out;
  const mapped = port.options.vlan_tunnel === true ? vnis.map(([vid]) => vid as number) : vids;
  return mapped.length === 0 ? out : { ...out, vlan: mapped[aim % mapped.length] };
}

function aimFlush(request: Extract<FdbRequest, { op: 'flush' }>, aim: number, { config }: Model): FdbRequest {
  const { dev, br } = request;
  const ports = [...config.ports.keys()];
  return {
    ...request,
    ...(dev === undefined || config.ports.has(dev) ? {} : { dev: pick(ports, aim, dev) }),
    ...(br === undefined || config.bridges.has(br) ? {} : { br: pick([...config.bridges.keys()], aim, br) }),
  };
}
