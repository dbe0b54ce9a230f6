/**
 * A small switch for measuring: one local port in VLAN 2, one vxlan port with VNI 2 and one remote. By default half of a
 * batch goes from the guest to the remote, and half in the other direction.
 */

import { Engine } from '../../dataplane/engine.js';
import { applyOperations, type Operation } from '../../dataplane/operations/operations.js';
import { Context } from '../../dataplane/state/context.js';
import { Counters } from '../../dataplane/state/counters.js';
import { BCAST_FLOOD, FLOOD, LEARNING, UP, VLAN_TUNNEL } from '../../dataplane/state/forwarding.js';
import { createRemotes } from '../../encap/remotes.js';
import { createFdb } from '../../fdb/table.js';
import { KIND_FRAME, KIND_UDP } from '../../port/packet-io.js';
import { encodeEthernet } from '../../wire/ethernet.js';
import { encodeIpv4 } from '../../wire/ipv4.js';
import { encodeTcp } from '../../wire/tcp.js';
import { encodeUdp } from '../../wire/udp.js';
import { encodeVxlan } from '../../wire/vxlan.js';
import { NullPacketIo } from './null-packet-io.js';

type Address = [number, number, number, number];

const REMOTE: Address = [0, 0, 0xffff, 0xc0000202 | 0];
const VNI = 2;
/** Bytes of payload in a full-sized TCP segment, and datagrams in a train of them. */
const SEGMENT = 1400;
const TRAIN = 44;

/** A MAC behind the local port (side 1) or the remote (side 2). */
function mac(side: 1 | 2, host: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `02:00:00:0${side}:${hex(host >> 8)}:${hex(host & 255)}`;
}

function frame(from: 1 | 2, to: 1 | 2, host: number, size: number): Uint8Array {
  const path = { source: `10.0.${from}.1`, destination: `10.0.${to}.1` };
  const payload = new Uint8Array(size - 14 - 20 - 8);
  const udp = encodeUdp({ sourcePort: 1000 + host, destinationPort: 7, payload }, path);
  return encodeEthernet({
    source: mac(from, host),
    destination: mac(to, host),
    etherType: 0x0800,
    payload: encodeIpv4({ ...path, protocol: 17, payload: udp }),
  });
}

/** A full-sized TCP segment from side 2 to side 1, with its number in the flow. */
function segment(number: number): Uint8Array {
  const path = { source: '10.0.2.1', destination: '10.0.1.1' };
  const payload = new Uint8Array(SEGMENT);
  const tcp = encodeTcp({ sourcePort: 1000, destinationPort: 7, sequence: number * SEGMENT, payload }, path);
  return encodeEthernet({
    source: mac(2, 0),
    destination: mac(1, 0),
    etherType: 0x0800,
    payload: encodeIpv4({ ...path, identification: number, protocol: 6, payload: tcp }),
  });
}

/** The operation that adds a remote: the first has the address REMOTE, the others the following addresses. */
function remote(number: number): Operation {
  const address: Address = [REMOTE[0], REMOTE[1], REMOTE[2], (REMOTE[3] + number - 1) | 0];
  return { op: 'remote', remote: number, port: 1, address, udpPort: 4789, known: true };
}

/** The bridge, its two ports and the remotes. */
function bridgeOf(remotes: number): Operation[] {
  const flags = UP | LEARNING | FLOOD | BCAST_FLOOD;
  const senders = Array.from({ length: 16 }, (_, i) => i);
  const numbers = Array.from({ length: remotes }, (_, i) => 1 + i);
  const tunnel = { bridge: 1, flags: flags | VLAN_TUNNEL, socket: 0, senders, dfSenders: [], udpPort: 4789 };
  return [
    { op: 'bridge', bridge: 1, filtering: true, ageingTicks: 3000, maxLearned: 0, groupFwdMask: 0, snooping: false },
    { op: 'local-port', port: 0, bridge: 1, fds: [-1], vnetHeaderSize: 10, flags, mtu: 1450 },
    { op: 'vlan', port: 0, vid: 2, untagged: true, counter: 1 },
    { op: 'pvid', port: 0, vid: 2 },
    { op: 'tunnel-port', port: 1, ...tunnel, tos: 0, ageingTicks: 0, maxLearned: 0, mac: null },
    { op: 'vlan', port: 1, vid: 2, untagged: false, counter: 2 },
    { op: 'vni', port: 1, vid: 2, vni: VNI, header: 0, counter: 0 },
    ...numbers.map(remote),
    { op: 'flood', port: 1, vid: 2, remotes: numbers },
  ];
}

/** Fills the batch with broadcasts from the guest port. @returns the number of frames to count */
function addBroadcasts(io: NullPacketIo, context: Context, count: number, size: number): number {
  // The cost of a copy is measured, so the default storm limit must not apply.
  applyOperations(context, [{ op: 'storm', port: 0, broadcast: 1e9, unknownUnicast: 0, multicast: 0 }]);
  for (let i = 0; i < count; i++) io.add(KIND_FRAME, 0, frame(1, 2, i, size).fill(0xff, 0, 6));
  return count;
}

/** Fills the batch with trains of TCP segments from the remote. @returns the number of frames to count */
function addTrains(io: NullPacketIo, count: number, size: number): number {
  for (let i = 0; i < count * TRAIN; i++) io.add(KIND_UDP, 0, encodeVxlan(VNI, segment(i)), REMOTE, i % TRAIN);
  io.add(KIND_FRAME, 0, frame(1, 2, 0, size)); // so that the destination of the segments is learned
  return count * TRAIN;
}

/** Fills the batch with frames in both directions. @returns the number of frames to count */
function addBothWays(io: NullPacketIo, hosts: number, perSide: number, size: number): number {
  for (let i = 0; i < perSide; i++) io.add(KIND_UDP, 0, encodeVxlan(VNI, frame(2, 1, i % hosts, size)), REMOTE);
  for (let i = 0; i < perSide; i++) io.add(KIND_FRAME, 0, frame(1, 2, i % hosts, size));
  return perSide * 2;
}

/**
 * Creates the switch and the batch that it gets in every turn.
 * @param options.hosts number of MACs on either side
 * @param options.perSide frames of a batch in each direction
 * @param options.size frame length in bytes
 * @param options.remotes length of the flood list
 * @param options.broadcasts a batch of this many broadcasts instead
 * @param options.trains a batch of this many trains of TCP segments from the remote instead
 */
export function makeScene({ hosts = 64, perSide = 128, size = 64, remotes = 1, broadcasts = 0, trains = 0 } = {}) {
  const io = new NullPacketIo();
  const context = new Context(io, createFdb({ capacity: 65_536, seed: 1 }), createRemotes(), new Counters());
  applyOperations(context, bridgeOf(remotes));
  let frames: number;
  if (broadcasts > 0) frames = addBroadcasts(io, context, broadcasts, size);
  else if (trains > 0) frames = addTrains(io, trains, size);
  else frames = addBothWays(io, hosts, perSide, size);
  const engine = new Engine(context, { rung() {}, portLost() {}, offloadLost() {}, punted() {}, tooBig() {} });
  return { io, context, engine, frames };
}
