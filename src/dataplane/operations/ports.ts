/**
 * Operations that create, change and delete bridges, ports and sockets. Deleting a port clears all state under its index, so
 * the index can be reused. Its counters are added to the RETIRED row.
 *
 * VLANs and VNIs are in `operations/vlans.ts`; here they are only cleared with their port.
 */
import { LABEL_BITS, Tunnel } from '../../encap/tunnel.js';
import { AGEING_DEFAULT } from '../../fdb/table.js';
import { STATUS_NOW } from '../../port/packet-io.js';
import { attachFlows } from '../flow/mirror.js';
import { forget as forgetHost } from '../layer3/speak.js';
import type { Context } from '../state/context.js';
import { RETIRED } from '../state/counters.js';
import { LAST_FID } from '../state/fid.js';
import {
  ANY_VTEP,
  GUARDED,
  HAS_PINS,
  NO_BRIDGE,
  NO_FLAG,
  POLICED_IN,
  POLICED_OUT,
  PORT_GATEWAY,
  PORT_LOCAL,
  PORT_TUNNEL,
} from '../state/forwarding.js';
import type { FlowPort } from '../state/flows.js';
import { Layer3Port } from '../state/layer3.js';
import { NO_POLICE, POLICE_IN, POLICE_OUT, type PoliceLimits } from '../state/policers.js';
import { STORM_BROADCAST, STORM_MULTICAST, STORM_UNKNOWN_UNICAST } from '../state/storm.js';
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN } from '../../wire/ethernet.js';
import { RESERVED_HIGH, RESERVED_LOW, VNI_FLAG_BYTE } from '../../wire/vxlan.js';
import { flushNeighbours } from './neigh.js';
import { clearVlans, clearVnis } from './vlans.js';

/** Placeholder for a descriptor: the engine has none. */
const NO_FD = -1;

// ---- Bridges ----

interface BridgeSettings {
  bridge: number;
  filtering: boolean;
  /** Tags of 802.1ad in place of those of 802.1Q. */
  serviceTags?: boolean;
  ageingTicks: number;
  maxLearned: number;
  groupFwdMask: number;
  snooping: boolean;
  /** MACs of the host have the VID 0, for all VLANs. Default false. */
  localVlan0?: boolean;
  /** Random number of the bridge in its loop probes, two words; absent: no loop guard. */
  guard?: readonly [number, number];
  /** BPDUs are for the bridge itself. Default false. */
  stp?: boolean;
}

export function setBridge(sw: Context, o: BridgeSettings): void {
  const { forwarding, fdb } = sw;
  if (o.bridge === NO_BRIDGE) throw new RangeError('bridge 0 is none: bridges have numbers from 1 on');
  forwarding.bridgeTpid[o.bridge] = !o.filtering ? 0 : o.serviceTags === true ? ETHERTYPE_QINQ : ETHERTYPE_VLAN;
  forwarding.bridgeGroupFwdMask[o.bridge] = o.groupFwdMask;
  forwarding.bridgeSnooping[o.bridge] = o.snooping ? 1 : 0;
  [forwarding.bridgeGuard0[o.bridge], forwarding.bridgeGuard1[o.bridge]] = o.guard ?? [0, 0];
  forwarding.bridgeLocalVlan0[o.bridge] = o.filtering && o.localVlan0 === true ? 1 : 0;
  forwarding.bridgeStp[o.bridge] = o.stp === true ? 1 : 0;
  if (sw.engine !== 0) return;
  fdb.ageingOfGroup[o.bridge] = o.ageingTicks;
  fdb.groupLimit[o.bridge] = o.maxLearned;
}

export function removeBridge(sw: Context, bridge: number): void {
  const { forwarding, fdb } = sw;
  if (forwarding.bridgePorts[bridge].length > 0) {
    throw new RangeError(`bridge ${bridge} has ports: end them, or put them elsewhere, before it`);
  }
  forwarding.bridgeTpid[bridge] = 0;
  forwarding.bridgeGroupFwdMask[bridge] = 0;
  forwarding.bridgeSnooping[bridge] = 0;
  forwarding.bridgeLocalVlan0[bridge] = 0;
  forwarding.setBridgeMac(bridge, 0, 0);
  forwarding.bridgeGuard0[bridge] = forwarding.bridgeGuard1[bridge] = forwarding.bridgeStp[bridge] = 0;
  forwarding.groups.dropBridge(bridge);
  if (sw.engine !== 0) return;
  fdb.ageingOfGroup[bridge] = AGEING_DEFAULT;
  fdb.groupLimit[bridge] = 0;
}

// ---- Ports ----

interface PortSettings {
  port: number;
  bridge: number;
  flags: number;
}

/** How frames go through a socket: every engine sends by it, and one receives. */
export type FrameSocket =
  | { form: 'stream'; tail: number; reader: number }
  | { form: 'datagrams'; remote?: string; reader: number };

interface LocalDevice {
  port: number;
  fds: readonly number[];
  vnetHeaderSize: number;
  socket?: FrameSocket;
  layer3?: boolean;
  flow?: FlowPort;
}

export function addLocalPort(sw: Context, o: PortSettings & LocalDevice & { mtu: number }): void {
  beginPort(sw, o, PORT_LOCAL);
  sw.forwarding.portMtu[o.port] = o.mtu;
  // Without a device, frames to the port are dropped as port_down.
  if (o.fds[sw.engine] === NO_FD) return;
  attachLocal(sw, o);
  if (o.flow !== undefined) attachFlows(sw, o.port, o.fds[sw.engine], o.flow);
}

function attachLocal({ engine, io }: Context, { port, fds, vnetHeaderSize, socket, layer3 }: LocalDevice): void {
  const fd = fds[engine];
  if (socket === undefined) io.attachTap(port, fd, vnetHeaderSize, layer3 === true);
  else if (socket.form === 'stream') io.attachStream(port, fd, socket.tail, engine === socket.reader);
  else io.attachDatagrams(port, fd, engine === socket.reader, socket.remote);
}

/** The host of a layer-3 port, as its neighbours are to see it. */
export interface Layer3Settings {
  port: number;
  mac: { high: number; low: number };
  /** Four words each, IPv4 mapped, and their prefix lengths of 128 bits. */
  addresses: readonly { words: readonly number[]; prefix: number }[];
  /** Next hops for other destinations, one of each family at most. */
  gateways: readonly (readonly number[])[];
}

export function setLayer3(sw: Context, o: Layer3Settings): void {
  sw.forwarding.needPort(o.port, PORT_LOCAL);
  setHost(sw, o);
}

function setHost(sw: Context, { port, mac, addresses, gateways }: Layer3Settings): void {
  const own = Int32Array.from(addresses.flatMap(({ words }) => words));
  const prefixes = Int32Array.from(addresses, ({ prefix }) => prefix);
  // What the host had announced before may not hold any more.
  flushNeighbours(sw, { port, learnedOnly: true });
  sw.layer3.set(port, new Layer3Port(mac.high, mac.low, own, prefixes, Int32Array.from(gateways.flat())));
}

export function addGatewayPort(sw: Context, o: PortSettings & { mtu: number }): void {
  beginPort(sw, o, PORT_GATEWAY);
  sw.forwarding.portMtu[o.port] = o.mtu;
}

export interface GatewaySettings extends Omit<Layer3Settings, 'gateways'> {
  /** Number of its VRF. */
  vrf: number;
}

export function setGateway(sw: Context, o: GatewaySettings): void {
  sw.forwarding.needPort(o.port, PORT_GATEWAY);
  sw.gateways.vrf[o.port] = o.vrf;
  setHost(sw, { ...o, gateways: [] });
}

interface TunnelSettings {
  port: number;
  senders: readonly number[];
  dfSenders: readonly number[];
  tos: number;
  inheritsLabel?: boolean;
  /** Both words of the VXLAN header; absent: all 39 reserved bits. */
  reserved?: { high: number; low: number };
  ageingTicks: number;
  maxLearned: number;
}

export function addTunnelPort(
  sw: Context,
  o: PortSettings &
    TunnelSettings & {
      socket: number;
      udpPort: number;
      local?: readonly number[] | null;
      mac: { high: number; low: number } | null;
      mtu?: number;
      geneve?: boolean;
      policy?: number;
    },
): void {
  const { forwarding } = sw;
  beginPort(sw, o, PORT_TUNNEL);
  forwarding.portMtu[o.port] = o.mtu ?? 0;
  const local = o.local == null ? null : Int32Array.from(o.local);
  forwarding.socketFlag[o.socket] = o.geneve === true ? NO_FLAG : VNI_FLAG_BYTE;
  forwarding.setTunnel(o.port, new Tunnel(o.socket, o.senders, o.udpPort, o.tos, o.dfSenders, local, o.geneve));
  forwarding.tunnels[o.port].policy = o.policy ?? 0;
  setLabels(sw, o);
  setReserved(sw, o);
  forwarding.portMacHigh[o.port] = o.mac?.high ?? 0;
  forwarding.portMacLow[o.port] = o.mac?.low ?? 0;
  limitLearning(sw, o);
}

/** Adds a port in a cleared state, whatever was under its index before. */
function beginPort(sw: Context, { port, bridge, flags }: PortSettings, kind: number): void {
  const { forwarding } = sw;
  if (forwarding.portKind[port] !== 0) clearPort(sw, port);
  forwarding.portKind[port] = kind;
  forwarding.moveToBridge(port, bridge);
  forwarding.setFlags(port, flags);
  if (sw.engine === 0) sw.fdb.assignGroup(port, bridge);
}

export function changePort(sw: Context, o: PortSettings & { mtu: number }): void {
  const { forwarding } = sw;
  forwarding.needPort(o.port);
  const before = forwarding.portFlags[o.port];
  if (forwarding.portBridge[o.port] !== o.bridge) {
    forwarding.moveToBridge(o.port, o.bridge);
    removeEntries(sw, o.port);
    flushNeighbours(sw, { port: o.port });
    if (sw.engine === 0) sw.fdb.assignGroup(o.port, o.bridge);
  }
  if ((before & ~o.flags & ANY_VTEP) !== 0 && sw.engine === 0) sw.remotes.withdrawLearnedOf(o.port);
  // Operations of their own set these flags.
  forwarding.setFlags(o.port, o.flags | (before & (HAS_PINS | GUARDED | POLICED_IN | POLICED_OUT)));
  forwarding.portMtu[o.port] = o.mtu;
}

/** Removes the FDB rows of the port. Pinned multicast MACs belong to the port, not to its bridge, and stay. */
function removeEntries({ engine, fdb }: Context, port: number): void {
  if (engine !== 0) return;
  for (let row = 0; row < fdb.slots; row++) {
    const fid = fdb.fidAt(row);
    if (fid > 0 && fid <= LAST_FID && fdb.ownerOf(row) === port) fdb.removeRow(row);
  }
}

export function changeTunnel(sw: Context, o: TunnelSettings): void {
  sw.forwarding.needPort(o.port, PORT_TUNNEL);
  sw.forwarding.tunnels[o.port].setSenders(o.senders, o.tos, o.dfSenders);
  setLabels(sw, o);
  setReserved(sw, o);
  limitLearning(sw, o);
}

function setLabels({ forwarding }: Context, { port, inheritsLabel }: TunnelSettings): void {
  forwarding.tunnels[port].labels = inheritsLabel === true ? LABEL_BITS : 0;
}

function setReserved({ forwarding }: Context, { port, reserved }: TunnelSettings): void {
  const tunnel = forwarding.tunnels[port];
  tunnel.reservedHigh = reserved?.high ?? RESERVED_HIGH;
  tunnel.reservedLow = reserved?.low ?? RESERVED_LOW;
}

export function changeTunnelMac(
  { forwarding }: Context,
  o: { port: number; mac: { high: number; low: number } },
): void {
  forwarding.needPort(o.port, PORT_TUNNEL);
  forwarding.portMacHigh[o.port] = o.mac.high;
  forwarding.portMacLow[o.port] = o.mac.low;
}

function limitLearning({ engine, fdb }: Context, { port, ageingTicks, maxLearned }: TunnelSettings): void {
  if (engine !== 0) return;
  fdb.ageingOfOwner[port] = ageingTicks;
  fdb.ownerLimit[port] = maxLearned;
}

export function removePort(sw: Context, port: number): void {
  const { counters, drops, forwarding } = sw;
  if (forwarding.portKind[port] !== 0) clearPort(sw, port);
  for (let socket = 0; socket < forwarding.socketOwner.length; socket++) {
    if (forwarding.socketOwner[socket] === port) forwarding.socketOwner[socket] = RETIRED;
  }
  setStorm(sw, { port, broadcast: 0, unknownUnicast: 0, multicast: 0 });
  setPolice(sw, { port, input: NO_POLICE, output: NO_POLICE });
  sw.mirrors.set(port, 0, null, null);
  counters.retire(port);
  drops.forget(port);
  counters.unknownVteps.clearPort(port);
}

function clearPort(sw: Context, port: number): void {
  const { fdb, forwarding, io } = sw;
  forgetHost(sw, port);
  if (sw.flows !== null) sw.flows.ports[port] = undefined;
  clearVlans(sw, port);
  if (forwarding.portKind[port] === PORT_TUNNEL) {
    clearVnis(sw, port);
    clearLearnedRemotes(sw, port);
  } else if (forwarding.portKind[port] === PORT_LOCAL) {
    io.detachTap(port);
  }
  forwarding.clearPort(port);
  flushNeighbours(sw, { port });
  if (sw.engine !== 0) return;
  fdb.assignGroup(port, NO_BRIDGE);
  fdb.ownerLimit[port] = 0;
  fdb.ageingOfOwner[port] = 0;
}

/** Removes the port's learned VTEPs. Every engine clears its counters of them; engine 0, last, removes them from the table. */
function clearLearnedRemotes({ counters, engine, remotes }: Context, port: number): void {
  for (const remote of remotes.learned(port)) counters.clearRemote(remote);
  if (engine === 0) remotes.removeLearnedOf(port);
}

interface StormLimits {
  port: number;
  broadcast: number;
  unknownUnicast: number;
  multicast: number;
}

export function changeStorm(sw: Context, o: StormLimits): void {
  sw.forwarding.needPort(o.port);
  setStorm(sw, o);
}

function setStorm({ engine, storm }: Context, o: StormLimits): void {
  storm.setLimit(o.port, STORM_BROADCAST, o.broadcast, engine === 0);
  storm.setLimit(o.port, STORM_UNKNOWN_UNICAST, o.unknownUnicast, engine === 0);
  storm.setLimit(o.port, STORM_MULTICAST, o.multicast, engine === 0);
}

export function changePolice(sw: Context, o: { port: number; input: PoliceLimits; output: PoliceLimits }): void {
  sw.forwarding.needPort(o.port);
  setPolice(sw, o);
}

function setPolice(
  { engine, forwarding, io, policers }: Context,
  { port, input, output }: { port: number; input: PoliceLimits; output: PoliceLimits },
): void {
  const now = io.status[STATUS_NOW];
  policers.setLimits(port, POLICE_IN, input, engine === 0, now);
  policers.setLimits(port, POLICE_OUT, output, engine === 0, now);
  const flagOf = (direction: number, flag: number): number =>
    policers.limitsOf(port, direction) === undefined ? 0 : flag;
  const flags = flagOf(POLICE_IN, POLICED_IN) | flagOf(POLICE_OUT, POLICED_OUT);
  forwarding.portFlags[port] = (forwarding.portFlags[port] & ~(POLICED_IN | POLICED_OUT)) | flags;
}

// ---- Sockets ----

export function addSocket(
  sw: Context,
  o: { socket: number; fds: readonly number[]; owner: number; as?: number },
): void {
  sw.forwarding.socketOwner[o.socket] = o.owner;
  sw.forwarding.socketOf[o.socket] = o.as ?? o.socket;
  sw.io.detachSocket(o.socket);
  if (o.fds[sw.engine] !== NO_FD) sw.io.attachSocket(o.socket, o.fds[sw.engine]);
}

export function removeSocket(sw: Context, socket: number): void {
  sw.forwarding.socketOwner[socket] = RETIRED;
  sw.forwarding.socketFlag[socket] = VNI_FLAG_BYTE;
  sw.forwarding.managementVni[socket] = -1;
  sw.io.detachSocket(socket);
}

export function addSender(
  { engine, flows, forwarding, io }: Context,
  o: { sender: number; fds: readonly number[]; udpPort?: number; flowLabel?: number },
): void {
  io.detachSender(o.sender);
  if (o.fds[engine] !== NO_FD) io.attachSender(o.sender, o.fds[engine], o.flowLabel);
  forwarding.endpoints.addSender(o.sender, o.udpPort);
  if (flows !== null && o.flowLabel === undefined)
    flows.senders.set(o.sender, { fd: o.fds[engine], port: o.udpPort ?? 0 });
}

export function removeSender({ flows, forwarding, io }: Context, { sender }: { sender: number }): void {
  io.detachSender(sender);
  flows?.senders.delete(sender);
  forwarding.endpoints.removeSender(sender);
}
