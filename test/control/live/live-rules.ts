/**
 * The model's rules: whether a configuration is valid. The reason is a word or two, for the reader of a failed test; the switch
 * has its own messages.
 *
 * Single values are not checked: the tests give valid ones, or mark them as invalid.
 */
import {
  type BridgeState,
  type Config,
  type Given,
  isFiltering,
  type Members,
  membersOf,
  type PortState,
} from './live-config.js';

const ZERO = '00:00:00:00:00:00';
const NIC_KEYS = ['mac', 'addresses', 'mtu', 'persist'];

export const isMany = (mac: string): boolean => mac === ZERO || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;

/** Why the configuration is refused; null: it is not. */
export function faultOf(config: Config): string | null {
  for (const fault of faults(config)) return fault;
  return null;
}

function* faults(config: Config): Generator<string> {
  for (const bridge of config.bridges.values()) {
    if (config.ports.has(bridge.name)) yield 'a name is used twice';
    if (bridge.options.mcast_vlan_snooping === true && !isFiltering(bridge)) yield 'snooping by VLAN without VLANs';
    if (bridge.options.host_port === true) continue;
    if (bridge.vlans !== null || NIC_KEYS.some((key) => key in bridge.options)) yield 'no host port';
  }
  for (const port of config.ports.values()) yield* portFaults(config, port);
  yield* nicFaults(config);
  yield* vniFaults(config);
  yield* twiceFaults(config);
}

function* portFaults(config: Config, port: PortState): Generator<string> {
  const { options, type, vlans } = port;
  const bridge = port.bridge === null ? undefined : config.bridges.get(port.bridge);
  const tunnels = options.vlan_tunnel === true;
  if (type === 'vxlan') {
    if (tunnels === (options.id !== undefined)) yield 'either id or vlan_tunnel';
    if (tunnels && bridge !== undefined && !isFiltering(bridge)) yield 'vlan_tunnel without filtering';
    if (options.host_port !== true && NIC_KEYS.some((key) => key in options)) yield 'no host port';
    const own = [...(vlans ?? [])].flatMap(([, { remotes }]) => remotes);
    const others = [options.remotes, options.peers].flatMap((list) => (list ?? []) as string[]);
    const named = port.fdb.flatMap(({ dst }) => (dst === undefined ? [] : [dst]));
    if ([...own, ...others, ...named].includes(options.local as string)) yield 'a remote is the local address';
  }
  if (options.mab === true && (options.locked !== true || options.learning === false)) yield 'nobody asks to be let in';
  const members = [...(vlans ?? (new Map() as Members)).values()];
  const closed = [options, ...members].some(({ state }) => (state ?? 'forwarding') !== 'forwarding');
  if (closed && bridge?.options.stp_state === true) yield 'a spanning tree, and states beside it';
  if (members.filter(({ pvid }) => pvid).length > 1) yield 'two PVIDs';
  const vnis = members.flatMap(({ vni }) => (vni === undefined ? [] : [vni]));
  if (vnis.length > 0 && !tunnels) yield 'tunnel_info without vlan_tunnel';
  if (new Set(vnis).size < vnis.length) yield 'a VNI for two VLANs';
  if (members.some(({ vni, remotes }) => vni === undefined && remotes.length > 0)) yield 'remotes of no VNI';
  for (const entry of port.fdb) {
    const fault = entryFault(config, port, entry);
    if (fault !== null) yield fault;
  }
}

/** What is wrong with one entry of a port, in a document or by hand. */
export function entryFault(config: Config, port: PortState, given: Given): string | null {
  const { mac, vlan, dst, port: udp } = given;
  const id = port.options.vlan_tunnel === true ? undefined : (port.options.id as number | undefined);
  const vni = given.src_vni ?? id ?? given.vni;
  const bridge = port.bridge === null ? undefined : config.bridges.get(port.bridge);
  const members = membersOf(port, bridge);
  if (port.type === 'tap') {
    if (dst !== undefined || given.vni !== undefined || given.src_vni !== undefined || udp !== undefined)
      return 'a remote of a tap';
    if (isMany(mac)) return 'no unicast MAC';
  } else {
    const isSentApart = given.vni !== undefined && given.vni !== vni;
    if (dst === undefined && (isMany(mac) || udp !== undefined || isSentApart)) return 'no dst';
    if (dst !== undefined && dst === port.options.local) return 'the local address';
    if (port.options.vlan_tunnel !== true) {
      if (vni !== port.options.id) return 'another VNI';
    } else if (vni === undefined) {
      if (vlan !== undefined && members.get(vlan)?.vni === undefined) return 'a VLAN without a VNI';
    } else {
      const vid = [...members].find(([, member]) => member.vni === vni)?.[0];
      if (vid === undefined || (vlan !== undefined && vlan !== vid)) return 'no such VNI';
    }
  }
  if (bridge === undefined) return mac !== ZERO || port.type === 'tap' || vlan !== undefined ? 'of no bridge' : null;
  if (vlan === undefined) return null;
  return isFiltering(bridge) && members.has(vlan) ? null : 'not a member';
}

/** The same of an entry of a bridge itself: without a host port it is the host's own MAC, and permanent. */
export function ownEntryFault(
  bridge: BridgeState,
  { mac, vlan, vni, src_vni, dst, port, state }: Given,
): string | null {
  if ([vni, src_vni, dst, port].some((one) => one !== undefined)) return 'a remote of a bridge';
  if (isMany(mac)) return 'no unicast MAC';
  if (bridge.options.host_port !== true && (state ?? 'permanent') !== 'permanent') return 'not permanent';
  if (vlan === undefined) return null;
  if (!isFiltering(bridge)) return 'no VLANs';
  return bridge.options.host_port !== true || membersOf(bridge, bridge).has(vlan) ? null : 'not a member';
}

/** No two NICs of a namespace have one name. */
function* nicFaults(config: Config): Generator<string> {
  const seen = new Set<string>();
  const links = [...config.bridges.values(), ...config.ports.values()];
  const hosts = links.filter(({ options }) => options.host_port === true).map(({ name }) => ` ${name}`);
  const taps = [...config.ports.values()]
    .filter(({ type }) => type === 'tap')
    .map(({ name, options }) => `${options.netns ?? ''} ${options.ifname ?? name}`);
  for (const key of [...hosts, ...taps]) {
    if (seen.has(key)) yield 'a NIC name is used twice';
    seen.add(key);
  }
}

/** A datagram is told by local address, UDP port and VNI. */
function* vniFaults(config: Config): Generator<string> {
  const seen = new Set<string>();
  for (const { type, options, vlans } of config.ports.values()) {
    if (type !== 'vxlan') continue;
    const mapped = [...(vlans ?? [])].flatMap(([, { vni }]) => (vni === undefined ? [] : [vni]));
    for (const vni of options.vlan_tunnel === true ? mapped : [options.id]) {
      const key = `${options.local ?? 'any'} ${options.dstport ?? 4789} ${vni}`;
      if (seen.has(key)) yield 'a VNI of two ports';
      seen.add(key);
    }
  }
}

/** A unicast MAC is in one place of a VLAN of a bridge; others have each destination once. */
function* twiceFaults(config: Config): Generator<string> {
  const seen = new Map<string, (number | 'all')[]>();
  for (const port of config.ports.values()) {
    const bridge = port.bridge === null ? undefined : config.bridges.get(port.bridge);
    const members = membersOf(port, bridge);
    for (const { mac, vlan, vni: given, src_vni, dst, port: udp } of port.fdb) {
      const vni = src_vni ?? (port.options.vlan_tunnel === true ? given : (port.options.id as number | undefined));
      const sent = given === vni ? undefined : given;
      const ofVni = [...members].find(([, member]) => vni !== undefined && member.vni === vni)?.[0];
      const scope = vlan ?? ofVni ?? 'all';
      const many = port.type === 'vxlan' && isMany(mac);
      const place = many ? `${port.name} ${dst} ${udp ?? port.options.dstport ?? 4789} ${sent}` : (port.bridge ?? '');
      const scopes = seen.get(`${mac} ${place}`) ?? [];
      if (scopes.includes(scope) || scopes.includes('all') || (scope === 'all' && scopes.length > 0))
        yield 'an entry twice';
      seen.set(`${mac} ${place}`, [...scopes, scope]);
    }
  }
}
