/**
 * vxlan ports, and geneve ports, which differ in their header only: sockets on the underlay, and the engines' settings of the tunnel.
 */
import { z } from 'zod';
import { keysThat } from '../../config/options/option.js';
import { vxlanOptions } from '../../config/options/vxlan.js';
import type { VxlanConfig } from '../../config/types.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { TOS_INHERIT } from '../../encap/tunnel.js';
import { AGEING_NEVER } from '../../fdb/table.js';
import { adoptSocket } from '../../port/underlay.js';
import { parseAddress } from '../../wire/ip-address.js';
import { GBP_BITS, RESERVED_HIGH, RESERVED_LOW } from '../../wire/vxlan.js';
import { DEFAULT_MTU, type DeviceSource, receivingVrf, type Released } from '../devices/devices.js';
import { groupsOf, type Opened, sendsByReceiver } from '../devices/underlay-sockets.js';
import { vnisOf } from '../model/desired.js';
import { DeviceError } from '../model/device-error.js';
import {
  isHostPort,
  isTunnel,
  type OpenUnderlay,
  type SenderPools,
  type SwitchModel,
  type TapPort,
  type VxlanPort,
} from '../model/model.js';
import { macOf } from '../model/naming.js';
import type { Transition } from '../model/transition.js';
import { readFacts } from './facts.js';
import { portFlags, vxlanFlags } from './port-flags.js';
import type { Look, PortKind, Surroundings } from './port-kind.js';

const TICKS_PER_SECOND = 1000 / TICK_MS;
/** Remotes of a port whose routes are queried in one pass: a port is faulty only when none has a route. */
const ASKED = 32;

const PORTS = z.array(z.int().min(0).max(65_535));
/** Numbers of descriptors, in this order, and the source ports of sending sockets. */
const FACTS = z.object({
  receivers: z.int().min(0),
  /** Multicast groups; a process of an older version gives the number of that of the port: 0 or 1. */
  groups: z.array(z.string()).exactOptional(),
  group: z.int().min(0).max(1).exactOptional(),
  senders: PORTS,
  dfSenders: PORTS,
});

/** New sockets of a port, in place of present ones. */
interface Renewal {
  pools?: SenderPools;
  groups?: Map<string, number>;
}

export const VXLAN: PortKind<VxlanConfig, VxlanPort, OpenUnderlay> = {
  /** The receiving address; and whether there is a host port, whose MAC the port must know. */
  identity(config) {
    const own = keysThat('new port', vxlanOptions).map((key) => config[key]);
    return JSON.stringify([config.type, ...own, config.family, config.mac]);
  },

  room: (config) => ({ vnis: vnisOf(config).length, vteps: config.peers.length }),

  open({ name, config }, { model, devices, renewed, orAbsent }) {
    const present = renewed.includes(name) ? model.ports.get(name) : undefined;
    const deaf = isTunnel(present) ? present.underlay : undefined;
    return orAbsent(
      () => devices.underlay(config, deaf),
      () => devices.absentUnderlay(),
    );
  },

  bequeath({ config, underlay: { socket, groups: joined, pools } }, devices) {
    const byReceiver = sendsByReceiver(config);
    const pool = (senders: readonly number[]): number[] =>
      byReceiver ? [] : senders.map((one) => devices.senderFds(one)[0]);
    const receivers = devices.receiverFds(socket);
    const groups = [...joined.values()].map((group) => devices.receiverFds(group)[0]);
    const [senders, dfSenders] = [pool(pools.senders), pool(pools.dfSenders)];
    const portsOf = (numbers: readonly number[]): number[] =>
      byReceiver ? [] : numbers.map((one) => devices.senderPort(one));
    return {
      facts: {
        receivers: receivers.length,
        groups: [...joined.keys()],
        senders: portsOf(pools.senders),
        dfSenders: portsOf(pools.dfSenders),
      },
      fds: [...receivers, ...groups, ...senders, ...dfSenders],
    };
  },

  inherit({ name, config }, bequest, _custody, { devices }) {
    const { receivers, groups: named, group = 0, senders, dfSenders } = readFacts(name, FACTS, bequest);
    const groups = named ?? (group === 0 || config.group === undefined ? [] : [config.group]);
    if (
      bequest.fds.length !== receivers + groups.length + senders.length + dfSenders.length ||
      receivers !== devices.workers
    )
      throw new DeviceError(`${name}: the sockets that the other process gives are not those that it names`);
    const fds = [...bequest.fds];
    const take = (ports: readonly number[]): Opened[] => ports.map((port) => adoptSocket(fds.shift() as number, port));
    const at = (count: number): number[] => new Array<number>(count).fill(config.dstport);
    const given = { receivers: take(at(receivers)), groups: new Map(groups.map((one) => [one, take(at(1))[0]])) };
    return devices.adoptUnderlay(config, { ...given, senders: take(senders), dfSenders: take(dfSenders) });
  },

  reopen({ name, config: before }, config, { devices, opened }) {
    const renewal: Renewal = {};
    const [joined, wanted] = [groupsOf(before), groupsOf(config)];
    const added = wanted.filter((group) => !joined.includes(group));
    const isSame = poolOf(before) === poolOf(config);
    if (isSame && added.length === 0) return;
    opened.renewals.set(name, renewal);
    if (added.length > 0) renewal.groups = devices.groupsOf(config, added);
    if (!isSame) renewal.pools = devices.poolsOf(config);
  },

  discard(underlay, renewal, devices) {
    if (underlay !== undefined) {
      const { socket, groups } = underlay;
      devices.release({ sockets: [socket, ...groups.values()], senders: allSenders(underlay.pools) }).close();
    }
    if (renewal === undefined) return;
    const { pools, groups } = renewal as Renewal;
    const senders = pools === undefined ? [] : allSenders(pools);
    devices.release({ sockets: [...(groups?.values() ?? [])], senders }).close();
  },

  create(base, { config, name }, underlay, model) {
    return {
      ...base,
      kind: 'vxlan',
      config,
      underlay,
      mtu: DEFAULT_MTU,
      host: hostOf(model, name),
      vnis: [],
      vteps: new Map(),
      sentVnis: new Map(),
      nexthops: new Map(),
      pins: new Map(),
    };
  },

  attach(port, around, change) {
    const { config, underlay, host } = port;
    for (const socket of socketsOf(port)) attachSocket(port, socket, around, change);
    attachSenders(config, allSenders(underlay.pools), around.devices, change);
    change.structure.push({
      op: 'tunnel-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      flags: portFlags(port.bridge?.config ?? null, config) | vxlanFlags(config),
      socket: underlay.socket,
      ...underlay.pools,
      udpPort: config.dstport,
      local: localOf(config),
      ...(config.type === 'geneve' ? { geneve: true } : {}),
      ...(config.gbp_id === 0 ? {} : { policy: config.gbp_id }),
      ...tunnelOptions(config),
      mac: host === null || host.ownMac === '' ? null : macOf(host.ownMac),
      mtu: port.mtu,
    });
    around.note(port, tunnelOperation(port));
  },

  update(port, before, around, change, renewal) {
    if (before !== null) updateTunnel(port, before, around, change, renewal as Renewal | undefined);
    around.setVnis(port, change);
    around.setPeers(port, before?.peers ?? [], port.config.peers);
  },

  moved: () => undefined,

  end(port, _inherited, around, change) {
    around.endVteps(port, change);
    const sockets = socketsOf(port);
    const released = around.devices.release({ sockets, senders: allSenders(port.underlay.pools) });
    letGo(released, sockets, change);
  },

  flags: ({ config }) => vxlanFlags(config),
  sockets: socketsOf,
  /** Frames to remotes have limits of their own; this one is for unsegmented frames that come out of the tunnel. */
  frameMtu: ({ mtu }) => mtu,

  wayMtu: (config, devices, port) => devices.vxlanMtu(config, port?.vteps.keys() ?? remotesOf(config)),

  setMtu(port, way) {
    const before = port.mtu;
    port.mtu = way ?? before;
    return port.mtu !== before;
  },

  view({ host, mtu, fault }) {
    const address = host === null ? {} : { address: host.tap.mac };
    return { operstate: fault === null ? 'UP' : 'DOWN', mtu, ...address };
  },

  summary({ config: { local, dstport }, vnis, mtu }) {
    return { local, dstport, vnis: vnis.length, mtu };
  },

  watch(port, look) {
    const { local, dev } = port.config;
    const nic = dev === undefined ? undefined : look.machine.nic(dev);
    let fault: string | null = null;
    if (nic === null) fault = `there is no device ${dev}`;
    else if (nic?.up === false) fault = `the device ${dev} is down`;
    else if (local !== undefined && !isHere(local, look.addresses()))
      fault = `no device that is up has the address ${local}`;
    else if (!isRouted(port, look)) fault = 'there is no route to any of its remotes';
    // Sockets bound to a deleted device receive nothing from a new device with the same name.
    const memory = look.memory(port);
    const isOther = nic != null && memory.device !== undefined && memory.device !== nic.index;
    if (nic != null && !isOther) memory.device = nic.index;
    if (nic === null) memory.device = 0;
    // The receiving socket is bound to the VRF that `dev` was in.
    const { machine } = look;
    const isMoved =
      nic != null &&
      machine.vrf !== undefined &&
      receivingVrf(port.config, machine.vrf) !== (port.underlay.vrf ?? null);
    if (isOther || isMoved) look.renew(port);
    look.setFault(port, fault);
  },

  lossFault: () => 'its device is gone',

  mayReturn({ config: { dev, local } }, machine) {
    return (
      (dev === undefined || machine.nic(dev) !== null) && (local === undefined || isHere(local, machine.addresses()))
    );
  },
};

/** The settings of a pool of sending sockets. */
function poolOf(port: VxlanConfig): string {
  const { srcport, df, udpcsum, ttl, flowlabel } = port;
  return JSON.stringify([srcport, df, udpcsum, ttl, flowlabel, groupsOf(port).length > 0]);
}

function hostOf(model: SwitchModel, vxlan: string): TapPort | null {
  for (const port of model.ports.values()) {
    if (isHostPort(port) && port.role === 'tunnel' && port.config.ifname === vxlan) return port;
  }
  return null;
}

function attachSocket(port: VxlanPort, socket: number, { model, devices }: Surroundings, change: Transition): void {
  const others = [...model.ports.values()].filter(isTunnel).filter((other) => other !== port);
  const isShared = others.some((other) => socketsOf(other).includes(socket));
  // A port deleted in this change may still use it: the engines then have the socket.
  if (isShared || change.keptSockets.has(socket)) return;
  if (change.structure.some((o) => o.op === 'socket' && o.socket === socket)) return;
  const fds = devices.receiverFds(socket);
  // The VNIs of group datagrams are those of the port's own socket.
  change.structure.push({ op: 'socket', socket, fds, owner: port.index, as: port.underlay.socket });
}

function attachSenders(
  { flowlabel }: VxlanConfig,
  senders: readonly number[],
  devices: DeviceSource,
  change: Transition,
): void {
  const label = flowlabel === 0 || flowlabel === 'inherit' ? {} : { flowLabel: flowlabel };
  for (const sender of senders) {
    const fds = devices.senderFds(sender);
    change.structure.push({ op: 'sender', sender, fds, udpPort: devices.senderPort(sender), ...label });
  }
}

function updateTunnel(
  port: VxlanPort,
  before: VxlanConfig,
  around: Surroundings,
  change: Transition,
  renewal: Renewal | undefined,
): void {
  const old = port.underlay.pools;
  const pools = renewal?.pools;
  updateGroups(port, renewal?.groups, around, change);
  if (pools !== undefined) {
    attachSenders(port.config, allSenders(pools), around.devices, change);
    port.underlay.pools = pools;
  }
  around.tell(port, tunnelOperation(port), change);
  if (pools !== undefined) letGo(around.devices.release({ sockets: [], senders: allSenders(old) }), [], change);
  if (before.accept_vteps === 'any' && port.config.accept_vteps !== 'any') change.retiring.push(port.index);
}

/** Joins the groups that were added, and leaves those that the port does not have any more. */
function updateGroups(
  port: VxlanPort,
  added: ReadonlyMap<string, number> | undefined,
  around: Surroundings,
  change: Transition,
): void {
  const { groups } = port.underlay;
  const wanted = groupsOf(port.config);
  const left = [...groups].filter(([group]) => !wanted.includes(group));
  if (added === undefined && left.length === 0) return;
  const kept = [...groups].filter(([group]) => wanted.includes(group));
  for (const socket of added?.values() ?? []) attachSocket(port, socket, around, change);
  port.underlay.groups = new Map([...kept, ...(added ?? [])]);
  const sockets = left.map(([, socket]) => socket);
  letGo(around.devices.release({ sockets, senders: [] }), sockets, change);
}

/** Tunnel settings that may change in place; `tunnel-port` sends the initial ones. */
function tunnelOperation({ index, underlay, config }: VxlanPort): Operation {
  return { op: 'tunnel', port: index, ...underlay.pools, ...tunnelOptions(config) };
}

function letGo(released: Released, sockets: readonly number[], change: Transition): void {
  for (const socket of sockets) if (!released.sockets.includes(socket)) change.keptSockets.add(socket);
  for (const socket of released.sockets) change.structure.push({ op: 'socket-del', socket });
  for (const sender of released.senders) change.structure.push({ op: 'sender-del', sender });
  change.afterwards.push(() => released.close());
}

function tunnelOptions({ tos, flowlabel, ageing, maxaddress, reserved_bits, gbp }: VxlanConfig): {
  tos: number;
  inheritsLabel?: boolean;
  reserved?: { high: number; low: number };
  ageingTicks: number;
  maxLearned: number;
} {
  return {
    tos: tos === 'inherit' ? TOS_INHERIT : tos,
    ...(flowlabel === 'inherit' ? { inheritsLabel: true } : {}),
    ...(reserved_bits === 'ignore' ? {} : { reserved: droppingBits(reserved_bits, gbp) }),
    ageingTicks: ageing === undefined ? 0 : ageing === 0 ? AGEING_NEVER : ageing * TICKS_PER_SECOND,
    maxLearned: maxaddress,
  };
}

/** Both words of the header's bits that drop a datagram. Those of the Group Policy Option are not reserved on a port with it. */
function droppingBits(reserved: string, gbp: boolean): { high: number; low: number } {
  const { high, low } = reserved === 'drop' ? { high: RESERVED_HIGH, low: RESERVED_LOW } : wordsOfMask(reserved);
  return { high: gbp ? high & ~GBP_BITS : high, low };
}

/** Both words of a mask of 64 bits in hexadecimal. */
function wordsOfMask(mask: string): { high: number; low: number } {
  const bits = BigInt(mask);
  return { high: Number(BigInt.asIntN(32, bits >> 32n)), low: Number(BigInt.asIntN(32, bits)) };
}

/** The outer source address as four words; null: chosen by the route. */
function localOf({ local }: VxlanConfig): number[] | null {
  return local === undefined ? null : (parseAddress(local)?.words ?? null);
}

function allSenders({ senders, dfSenders }: SenderPools): number[] {
  return [...senders, ...dfSenders];
}

function socketsOf({ underlay: { socket, groups } }: VxlanPort): number[] {
  return [socket, ...groups.values()];
}

/** All possible destination addresses. */
function remotesOf(port: VxlanConfig): Set<string> {
  const own = port.vlans.flatMap((vlan) => vlan.remotes);
  const entries = port.fdb.flatMap((entry) => (entry.dst === undefined ? [] : [entry.dst]));
  return new Set([...groupsOf(port), ...port.remotes, ...own, ...entries]);
}

/** Whether at least one remote has a route; a port without remotes waits for them. */
function isRouted({ config: { local, dev }, vteps }: VxlanPort, { machine }: Look): boolean {
  const from = { ...(local === undefined ? {} : { local }), ...(dev === undefined ? {} : { dev }) };
  let asked = 0;
  for (const address of vteps.keys()) {
    if (machine.isRouted(from, address)) return true;
    if (++asked === ASKED) break;
  }
  return asked === 0;
}

/** The whole loopback network belongs to the host. */
function isHere(local: string, addresses: ReadonlySet<string> | undefined): boolean {
  return addresses === undefined || addresses.has(local) || local.startsWith('127.');
}
