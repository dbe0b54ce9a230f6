/**
 * A small switch for measuring: one guest port in VLAN 2, one vxlan port with VNI 2 and one remote; half of a batch
 * goes out through the tunnel, the other half comes in.
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

/** A MAC of the guests behind `side` (1: here, 2: there). */
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

/** A full-sized TCP segment of guest 2 to guest 1, the `number`th of its flow. */
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

function makeEngine(context: Context): Engine {
  return new Engine(context, { rung() {}, portLost() {}, offloadLost() {}, punted() {}, tooBig() {} });
}

/** Remote `number`: the first is at REMOTE, the others at the addresses behind it. */
function remote(number: number): Operation {
  const address: Address = [REMOTE[0], REMOTE[1], REMOTE[2], (REMOTE[3] + number - 1) | 0];
  return { op: 'remote', remote: number, port: 1, address, udpPort: 4789, known: true };
}

/**
 * @param hosts MACs on either side
 * @param perSide frames of a batch in each direction
 * @param size of a frame in bytes
 * @param remotes of the flood list
 * @param broadcasts instead of all that: so many broadcasts a batch
 * @param trains instead of all that: so many trains of TCP segments from the remote
 */
export function makeScene({ hosts = 64, perSide = 128, size = 64, remotes = 1, broadcasts = 0, trains = 0 } = {}) {
  const io = new NullPacketIo();
  const fdb = createFdb({ capacity: 65_536 });
  const context = new Context(io, fdb, createRemotes(), new Counters());
  const flags = UP | LEARNING | FLOOD | BCAST_FLOOD;
  applyOperations(context, [
    { op: 'bridge', bridge: 1, filtering: true, ageingTicks: 3000, maxLearned: 0, groupFwdMask: 0, snooping: false },
    { op: 'local-port', port: 0, bridge: 1, fds: [-1], vnetHeaderSize: 10, flags, mtu: 1450 },
    { op: 'vlan', port: 0, vid: 2, untagged: true, counter: 1 },
    { op: 'pvid', port: 0, vid: 2 },
    {
      op: 'tunnel-port',
      port: 1,
      bridge: 1,
      flags: flags | VLAN_TUNNEL,
      socket: 0,
      senders: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
      dfSenders: [],
      udpPort: 4789,
      tos: 0,
      ageingTicks: 0,
      maxLearned: 0,
      mac: null,
    },
    { op: 'vlan', port: 1, vid: 2, untagged: false, counter: 2 },
    { op: 'vni', port: 1, vid: 2, vni: VNI, header: 0, counter: 0 },
    remote(1),
    ...Array.from({ length: remotes - 1 }, (_, i) => remote(2 + i)),
    { op: 'flood', port: 1, vid: 2, remotes: Array.from({ length: remotes }, (_, i) => 1 + i) },
  ]);
  if (broadcasts > 0) {
    // What a copy costs is looked for: without a limit of its own the port would have the default one.
    applyOperations(context, [{ op: 'storm', port: 0, broadcast: 1e9, unknownUnicast: 0, multicast: 0 }]);
    for (let i = 0; i < broadcasts; i++) io.add(KIND_FRAME, 0, frame(1, 2, i, size).fill(0xff, 0, 6));
    return { io, context, engine: makeEngine(context), frames: broadcasts };
  }
  if (trains > 0) {
    for (let i = 0; i < trains * TRAIN; i++) io.add(KIND_UDP, 0, encodeVxlan(VNI, segment(i)), REMOTE, i % TRAIN);
    io.add(KIND_FRAME, 0, frame(1, 2, 0, size)); // so that the segments' destination is known
    return { io, context, engine: makeEngine(context), frames: trains * TRAIN };
  }
  for (let i = 0; i < perSide; i++) io.add(KIND_UDP, 0, encodeVxlan(VNI, frame(2, 1, i % hosts, size)), REMOTE);
  for (let i = 0; i < perSide; i++) io.add(KIND_FRAME, 0, frame(1, 2, i % hosts, size));
  const engine = makeEngine(context);
  return { io, context, engine, frames: perSide * 2 };
}
