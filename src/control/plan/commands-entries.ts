/**
 * Differences of FDB entries as commands. Pure.
 */
import type { VlansRequest } from '../../api/api.js';
import { attributeWords, factsText } from '../../config/entries/attributes.js';
import { entriesOf } from '../../config/entries/list.js';
import { commandText } from '../../config/options/words.js';
import type { PortConfig, SwitchConfig } from '../../config/types.js';
import { isTunnelConfig, vnisOf } from '../model/desired.js';
import { type Entry, type EntryTable, fullKey, isForMany, keyOf } from '../model/entries.js';
import { identityOf } from '../ports/registry.js';
import { membershipsByLink } from './commands-vlans.js';
import { deltaOfEdit, namedBy, placed } from './delta.js';

/**
 * The entries after links and VLANs were changed: those of remaining ports, without those of removed VLANs, and those of new
 * ports and VLANs.
 * @param remade ports that were recreated
 * @param changes VLAN changes
 */
export function entriesBetween(
  before: SwitchConfig,
  middle: SwitchConfig,
  table: EntryTable,
  remade: ReadonlySet<string>,
  changes: readonly VlansRequest[],
): Entry[] {
  const was = placesOf(before);
  const is = placesOf(middle);
  const stays = (port: string): boolean =>
    !remade.has(port) && was.get(port) !== undefined && was.get(port) === is.get(port);
  const edit = deltaOfEdit(before, middle);
  const removed = new Set(edit.remove.map(fullKey));
  const isLeft = leftBehind(before, middle, changes);
  return oneForEachKey(middle, [
    ...[...table.all()].filter((entry) => stays(entry.port) && !removed.has(fullKey(entry)) && !isLeft(entry)),
    ...entriesOf(middle).filter(({ port }) => !stays(port) && is.has(port)),
    ...edit.add.filter(({ port }) => stays(port)),
  ]);
}

/** For each bridge and port, its place as text: the bridge, and the identity of the port. */
function placesOf(config: SwitchConfig): Map<string, string> {
  return new Map(
    config.bridges.flatMap(({ name, ports }) => [
      [name, name] as const,
      ...ports.map((port) => [port.name, placeText(name, port)] as const),
    ]),
  );
}

/** Selects entries in VLANs and VNIs that their port has left. */
function leftBehind(
  before: SwitchConfig,
  middle: SwitchConfig,
  changes: readonly VlansRequest[],
): (entry: Entry) => boolean {
  const left = leftVlans(before, middle, changes);
  const carried = carriedVnis(middle);
  // A bridge's own entries remain when its host port is deleted, though the VLANs were the host port's.
  const alone = new Set(middle.bridges.flatMap(({ name, host_port }) => (host_port ? [] : [name])));
  const had = new Set(before.bridges.flatMap(({ name, host_port }) => (host_port ? [name] : [])));
  return ({ port, vlan, vni, state }) =>
    (alone.has(port) && had.has(port) && state !== 'permanent') ||
    (left.has(`${port} ${vlan}`) && !alone.has(port)) ||
    (typeof vni === 'number' && !carried.has(`${port} ${vni}`));
}

/** A unicast MAC has one location in a VLAN: a later entry replaces an earlier one. */
function oneForEachKey(config: SwitchConfig, entries: readonly Entry[]): Entry[] {
  const bridgeOf = new Map(
    config.bridges.flatMap(({ name, ports }) => [name, ...ports.map((port) => port.name)].map((link) => [link, name])),
  );
  const keyIn = (entry: Entry): string =>
    isForMany(entry.mac) ? fullKey(entry) : `${bridgeOf.get(entry.port)} ${keyOf(entry)}`;
  return [...new Map(entries.map((entry) => [keyIn(entry), entry])).values()];
}

/** As `port vni`. */
function carriedVnis(config: SwitchConfig): Set<string> {
  const vxlans = config.bridges.flatMap(({ ports }) => ports.filter(isTunnelConfig));
  return new Set(vxlans.flatMap((port) => vnisOf(port).map(({ vni }) => `${port.name} ${vni}`)));
}

/** VLANs that a port has left, even temporarily, as `port vid`. */
function leftVlans(before: SwitchConfig, middle: SwitchConfig, changes: readonly VlansRequest[]): Set<string> {
  const has = membershipsByLink(middle);
  const left = new Set<string>();
  for (const [dev, vlans] of membershipsByLink(before)) {
    for (const { vid } of vlans) if (has.get(dev)?.some((vlan) => vlan.vid === vid) !== true) left.add(`${dev} ${vid}`);
  }
  for (const request of changes) {
    if (request.op !== 'del') continue;
    const { dev, vid, vidEnd = vid } = request;
    for (let one = vid; one <= vidEnd; one++) left.add(`${dev} ${one}`);
  }
  return left;
}

function placeText(bridge: string, port: PortConfig): string {
  return `${bridge} ${identityOf({ role: 'guest', config: port })}`;
}

/** Commands that lead from these entries to those of a configuration. Entries of a control program are not touched. */
export function entryCommands(before: readonly Entry[], config: SwitchConfig): string[] {
  const after = placed(config);
  const had = new Map(before.map((entry) => [fullKey(entry), entry]));
  const wanted = new Set(after.map(fullKey));
  const tunnels = new Set(config.bridges.flatMap(({ ports }) => ports.filter(isTunnel).map(({ name }) => name)));
  const isNamed = namedBy(after);
  const isGone = (entry: Entry): boolean => !wanted.has(fullKey(entry)) && (!entry.extern_learn || isNamed(entry));
  const isNew = (entry: Entry): boolean => {
    const before = had.get(fullKey(entry));
    return before === undefined || factsText({ ...before, vni: null }) !== factsText({ ...entry, vni: null });
  };
  const place = (entry: Entry): string[] => placeWords(entry, tunnels.has(entry.port));
  const come = after.filter(isNew);
  // Appending an existing destination does not change its attributes; it must be deleted first.
  const other = come.filter((entry) => isForMany(entry.mac) && had.has(fullKey(entry)));
  return [
    ...[...before.filter(isGone), ...other].map((entry) => commandText(['fdb', 'del', ...place(entry)])),
    ...come.map((entry) => {
      const verb = isForMany(entry.mac) ? 'append' : 'replace';
      return commandText(['fdb', verb, ...place(entry), ...stateWords(entry)]);
    }),
  ];
}

function isTunnel(port: PortConfig): boolean {
  return isTunnelConfig(port) && port.vlan_tunnel;
}

/** On a port that maps VLANs the VNI selects, on every other port the VLAN. */
function placeWords({ mac, port, vlan, vni, dst, udpPort, sentVni, nhid }: Entry, isTunnelled: boolean): string[] {
  return [
    mac,
    'dev',
    port,
    ...(dst === undefined ? [] : ['dst', dst]),
    ...(udpPort === undefined ? [] : ['port', `${udpPort}`]),
    ...(sentVni === undefined ? [] : ['vni', `${sentVni}`]),
    ...(nhid === undefined ? [] : ['nhid', `${nhid}`]),
    ...(isTunnelled && typeof vni === 'number' ? ['src_vni', `${vni}`] : vlan === 0 ? [] : ['vlan', `${vlan}`]),
  ];
}

function stateWords(entry: Entry): string[] {
  return [...(entry.state === 'permanent' ? [] : ['master', entry.state]), ...attributeWords(entry)];
}
