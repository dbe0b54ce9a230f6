/**
 * Derives the model's tables from a configuration: ports, VNIs, and the rows of entries in documents or commands. Stateless.
 */
import {
  type BridgeState,
  type Config,
  defaultPvid,
  type Given,
  isFiltering,
  type Members,
  membersOf,
} from './live-config.js';
import { isMany } from './live-rules.js';

export const ZERO = '00:00:00:00:00:00';

export type State = 'static' | 'permanent' | 'dynamic';

/** An entry in one place, as a document or a command wants it. */
export interface Entry {
  port: string;
  mac: string;
  vid: number;
  /** Of lists alone; null: of every VNI. */
  vni: number | null;
  dst: string;
  /** Undefined: the port's own. */
  udp: number | undefined;
  /** The VNI that its frames are sent with; undefined: the one that it is of. */
  sent: number | undefined;
  state: State;
  sticky: boolean;
  extern: boolean;
}
/** A port as frames meet it: host ports are ports too. */
export interface Shown {
  name: string;
  kind: 'tap' | 'vxlan';
  isHost: boolean;
  /** The link whose port it is. */
  link: string;
  bridge: string | null;
  members: Members;
  /** Where this differs, it is another port. */
  identity: string;
  /** Namespace and name of its NIC. */
  nic?: string;
}

export function shownPorts(config: Config): Map<string, Shown> {
  const shown = new Map<string, Shown>();
  const put = (port: Shown): void => void shown.set(port.name, port);
  for (const link of config.bridges.values()) {
    if (link.options.host_port !== true) continue;
    const { name } = link;
    put({
      name,
      kind: 'tap',
      isHost: true,
      link: name,
      bridge: name,
      members: membersOf(link, link),
      identity: 'host',
      nic: ` ${name}`,
    });
  }
  for (const port of config.ports.values()) {
    const { name, options, type: kind } = port;
    const bridge = port.bridge === null ? undefined : config.bridges.get(port.bridge);
    const members = membersOf(port, bridge);
    const { local, dev, dstport, host_port, mac, netns, ifname } = options;
    const identity = kind === 'tap' ? [netns, ifname ?? name] : [local, dev, dstport ?? 4789, host_port === true, mac];
    const nic = kind === 'tap' ? { nic: `${netns ?? ''} ${ifname ?? name}` } : {};
    put({
      name,
      kind,
      isHost: false,
      link: name,
      bridge: port.bridge,
      members,
      identity: JSON.stringify(identity),
      ...nic,
    });
    if (kind === 'tap' || host_port !== true) continue;
    const pvid = bridge !== undefined && isFiltering(bridge) ? defaultPvid(bridge) : 0;
    const own: Members = new Map(pvid === 0 ? [] : [[pvid, { pvid: true, untagged: true, remotes: [] }]]);
    const ofPort = options.vlan_tunnel !== true && members.size > 0 ? members : own;
    put({
      name: `${name}@host`,
      kind: 'tap',
      isHost: true,
      link: name,
      bridge: port.bridge,
      members: ofPort,
      identity: 'host',
      nic: ` ${name}`,
    });
  }
  return shown;
}

/** VLANs of a vxlan port with their VNIs; `all`: the one of all that it carries. */
export function vnisOf(config: Config, port: string): Map<number | 'all', number> {
  const state = config.ports.get(port);
  if (state?.type !== 'vxlan') return new Map();
  if (state.options.vlan_tunnel !== true) return new Map([['all', state.options.id as number]]);
  const mapped = [...membersOf(state, config.bridges.get(state.bridge ?? ''))];
  return new Map(mapped.flatMap(([vid, { vni }]) => (vni === undefined ? [] : [[vid, vni] as [number, number]])));
}

/** The rows that an entry means. */
export function expand(config: Config, name: string, given: Given, state: State): Entry[] {
  const port = config.ports.get(name);
  if (port === undefined) return [];
  const { mac, vlan } = given;
  const id0 = vnisOf(config, name).get('all');
  const vni = given.src_vni ?? (id0 === undefined ? given.vni : id0);
  const sent = given.vni === vni ? undefined : given.vni;
  const udp = given.port === (port.options.dstport ?? 4789) ? undefined : given.port;
  const base = { port: name, mac, dst: given.dst ?? '', udp, sent, state: given.state ?? state };
  const how = { ...base, sticky: given.sticky === true, extern: given.extern_learn === true };
  const bridge = port.bridge === null ? undefined : config.bridges.get(port.bridge);
  const vnis = vnisOf(config, name);
  if (mac === ZERO && (vnis.has('all') || (vlan === undefined && vni === undefined)))
    return [{ ...how, vid: 0, vni: null }];
  if (port.type === 'vxlan' && !vnis.has('all')) {
    return [...vnis].flatMap(([vid, mapped]) =>
      vid !== 'all' && (vlan ?? vid) === vid && (vni ?? mapped) === mapped ? [{ ...how, vid, vni: mapped }] : [],
    );
  }
  if (bridge === undefined) return [];
  const id = vnis.get('all') ?? null;
  if (!isFiltering(bridge)) return [{ ...how, vid: 0, vni: id }];
  const vids = vlan === undefined ? [...membersOf(port, bridge).keys()] : [vlan];
  return vids.map((vid) => ({ ...how, vid, vni: id }));
}

/** The rows of an entry of a bridge itself. */
export function expandOwn(bridge: BridgeState, { mac, vlan, state, sticky, extern_learn }: Given): Entry[] {
  const pvid = defaultPvid(bridge);
  const all = bridge.options.host_port === true ? [...membersOf(bridge, bridge).keys()] : pvid === 0 ? [] : [pvid];
  const vids = !isFiltering(bridge) ? [0] : vlan === undefined ? all : [vlan];
  const none = { vni: null, dst: '', udp: undefined, sent: undefined };
  const how = { state: state ?? ('permanent' as const), sticky: sticky === true, extern: extern_learn === true };
  return vids.map((vid) => ({ port: bridge.name, mac, vid, ...none, ...how }));
}

export function keyOf({ port, mac, vid, vni, dst, udp, sent }: Entry, bridge: string): string {
  return isMany(mac) ? `${port} ${mac} ${vid} ${vni} ${dst} ${udp} ${sent}` : `${bridge} ${mac} ${vid}`;
}

/** What a document says of a port that belongs to a bridge. */
export function entriesOfPort(config: Config, name: string): Entry[] {
  const port = config.ports.get(name);
  if (port === undefined || port.bridge === null) return [];
  const remotes = ((port.options.remotes ?? []) as string[]).map((dst): Given => ({ mac: ZERO, dst }));
  const members = membersOf(port, config.bridges.get(port.bridge));
  const own = [...members].flatMap(([vlan, member]) => member.remotes.map((dst): Given => ({ mac: ZERO, dst, vlan })));
  const lists = [...remotes, ...own].flatMap((given) => expand(config, name, given, 'permanent'));
  const given = port.fdb.flatMap((one) => expand(config, name, one, 'static'));
  const all = [...lists, ...given];
  const everywhere = new Set(
    all.filter(({ vni }) => vni === null).map(({ dst, udp, sent }) => `${dst} ${udp} ${sent}`),
  );
  // An entry is there in its own right, as one that is put in at run time.
  const isCovered = ({ vni, dst, udp, sent }: Entry): boolean =>
    vni !== null && everywhere.has(`${dst} ${udp} ${sent}`);
  const found = new Map<string, Entry>();
  for (const entry of [...lists.filter((one) => !isCovered(one)), ...given]) {
    const key = keyOf(entry, port.bridge);
    if (!found.has(key)) found.set(key, entry);
  }
  return [...found.values()];
}

export function entriesOf(config: Config): Entry[] {
  return [...config.ports.keys()].flatMap((name) => entriesOfPort(config, name));
}

export const wordsOf = ({ port, dst, udp, sent, vni, state, sticky, extern }: Entry): string =>
  `${port} ${dst} ${udp} ${sent} ${vni} ${state} ${sticky} ${extern}`;
