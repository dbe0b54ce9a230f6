/**
 * How the control thread changes what the engine forwards by: a list of operations, carried out between two batches,
 * so that no frame meets half a change. Operations speak in numbers that the control thread has assigned.
 *
 * Every engine of a switch gets the same list. Where each has a descriptor of its own (its queue of a TAP, its receiving
 * socket), the operation holds all of them. What lies in shared memory is written by engine 0 alone, which gets a list
 * last: by then every engine knows what the entries refer to.
 */
import { Tunnel, VIDS } from '../encap/tunnel.js';
import { VXLAN_HEADER, writeVxlanHeader } from '../wire/vxlan.js';
import type { Context } from './context.js';
import { MEMBER, PORT_TAP, PORT_VXLAN, pinSegmentOf, UNTAGGED } from './forwarding.js';

export type Operation =
  | { op: 'bridge'; bridge: number; filtering: boolean; ageingTicks: number; maxLearned: number }
  | { op: 'tap'; port: number; bridge: number; fds: number[]; vnetHeaderSize: number; flags: number; mtu: number }
  | { op: 'socket'; socket: number; fds: number[]; owner: number }
  | { op: 'sender'; sender: number; fd: number }
  | {
      op: 'vxlan';
      port: number;
      bridge: number;
      flags: number;
      socket: number;
      senders: number[];
      udpPort: number;
      tos: number;
      /** In ticks; 0: the bridge's. */
      ageingTicks: number;
      /** Most learned entries; 0: no limit of the port's own. */
      maxLearned: number;
      /** The MAC of the port's own TAP, if it has one. */
      mac: { high: number; low: number } | null;
    }
  | { op: 'vlan'; port: number; vid: number; untagged: boolean }
  | { op: 'pvid'; port: number; vid: number }
  /** One VNI for a VLAN of the port, or with `vid: null` for all it carries. `header` numbers the VNI's header. */
  | { op: 'vni'; port: number; vid: number | null; vni: number; header: number; counter: number }
  | { op: 'remote'; remote: number; port: number; address: number[]; udpPort: number; known: boolean }
  | { op: 'flood'; port: number; vid: number | null; remotes: number[] }
  | { op: 'pin'; port: number; vid: number; high: number; low: number; remotes: number[]; flags: number }
  | {
      op: 'fdb';
      high: number;
      low: number;
      segment: number;
      destination: number;
      owner: number;
      flags: number;
    };

/** Carries the operations out in order. Throws when one cannot be: the control thread has asked for the impossible. */
export function applyOperations(sw: Context, operations: readonly Operation[]): void {
  for (const operation of operations) applyOperation(sw, operation);
}

function applyOperation(sw: Context, o: Operation): void {
  const { forwarding, fdb, nic } = sw;
  switch (o.op) {
    case 'bridge':
      forwarding.bridgeFiltering[o.bridge] = o.filtering ? 1 : 0;
      fdb.ageingOfGroup[o.bridge] = o.ageingTicks;
      fdb.groupLimit[o.bridge] = o.maxLearned;
      return;
    case 'tap':
      addPort(sw, o.port, o.bridge, PORT_TAP, o.flags);
      forwarding.portMtu[o.port] = o.mtu;
      nic.attachTap(o.port, o.fds[sw.engine], o.vnetHeaderSize);
      return;
    case 'socket':
      forwarding.socketOwner[o.socket] = o.owner;
      nic.attachSocket(o.socket, o.fds[sw.engine]);
      return;
    case 'sender':
      nic.attachSender(o.sender, o.fd);
      return;
    case 'vxlan':
      addVxlan(sw, o);
      return;
    case 'vlan':
      forwarding.vlans[(o.port << 12) | o.vid] = MEMBER | (o.untagged ? UNTAGGED : 0);
      return;
    case 'pvid':
      forwarding.portPvid[o.port] = o.vid;
      return;
    case 'vni':
      mapVni(sw, o);
      return;
    case 'remote':
      sw.remotes.add(o.remote, o.port, o.address, o.udpPort, o.known);
      nic.setRemote(o.remote, o.address[0], o.address[1], o.address[2], o.address[3], o.udpPort);
      return;
    case 'flood':
      for (const vid of vidsOf(o.vid)) forwarding.tunnels[o.port].setFlood(vid, o.remotes);
      return;
    case 'pin': {
      const list = forwarding.pinned.push(Int32Array.from(o.remotes)) - 1;
      setEntry(sw, o.high, o.low, pinSegmentOf(o.port, o.vid), list, o.port, o.flags);
      return;
    }
    case 'fdb':
      setEntry(sw, o.high, o.low, o.segment, o.destination, o.owner, o.flags);
      return;
  }
}

function addPort(sw: Context, port: number, bridge: number, kind: number, flags: number): void {
  const { forwarding, fdb } = sw;
  forwarding.portKind[port] = kind;
  forwarding.portFlags[port] = flags;
  forwarding.addToBridge(port, bridge);
  if (sw.engine === 0) fdb.assignGroup(port, bridge);
}

function addVxlan(sw: Context, o: Operation & { op: 'vxlan' }): void {
  const { forwarding, fdb } = sw;
  addPort(sw, o.port, o.bridge, PORT_VXLAN, o.flags);
  forwarding.tunnels[o.port] = new Tunnel(o.socket, o.senders, o.udpPort, o.tos);
  forwarding.portMacHigh[o.port] = o.mac?.high ?? 0;
  forwarding.portMacLow[o.port] = o.mac?.low ?? 0;
  fdb.ageingOfOwner[o.port] = o.ageingTicks;
  fdb.ownerLimit[o.port] = o.maxLearned;
}

/** Writes the VNI's header into the arena, once, and points the VLAN at it. */
function mapVni(sw: Context, o: Operation & { op: 'vni' }): void {
  const { forwarding, nic } = sw;
  const offset = nic.headerBase + o.header * VXLAN_HEADER;
  if (offset + VXLAN_HEADER > nic.headerBase + nic.headerBytes) throw new RangeError('no room for another VNI');
  writeVxlanHeader(sw.view, offset, o.vni);
  const tunnel = forwarding.tunnels[o.port];
  for (const vid of vidsOf(o.vid)) tunnel.mapVlan(vid, o.vni, offset, o.counter);
  forwarding.vnis.set(tunnel.socket, o.vni, o.port, o.vid ?? 0);
}

function vidsOf(vid: number | null): Iterable<number> {
  return vid === null ? Array(VIDS).keys() : [vid];
}

function setEntry(
  sw: Context,
  high: number,
  low: number,
  segment: number,
  destination: number,
  owner: number,
  flags: number,
): void {
  if (sw.engine !== 0) return;
  if (!sw.fdb.set(high, low, segment, destination, owner, flags, sw.tick)) throw new RangeError('the FDB is full');
}
