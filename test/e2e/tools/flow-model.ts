/**
 * Random sequences of changes and frames through an engine over real veth pairs, each twice: with its known flows carried by the kernel,
 * and without. Both have to deliver the same bytes, and to end with the same counters and entries.
 *
 *   node flow-model.js FIRST_SEED COUNT    in a namespace with cables g1-p1 to g4-p4, and u1-u0 to a remote: u0 has 192.0.2.1, and a
 *                                          static neighbour 192.0.2.2
 *
 * Prints one JSON line: {"sequences", "carried": frames, "into", "outOf": those of them into and out of the tunnel, "fault"?: {seed, ...}}
 */
import { openSync, readSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { ORIGINATED_ROOM } from '../../../src/dataplane/egress/originate.js';
import { Engine, TICK_MS } from '../../../src/dataplane/engine.js';
import { watchFdb, withdrawFlows } from '../../../src/dataplane/flow/mirror.js';
import { applyOperations, type Operation } from '../../../src/dataplane/operations/operations.js';
import { Context } from '../../../src/dataplane/state/context.js';
import { CounterReader, Counters, MAX_PORTS } from '../../../src/dataplane/state/counters.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { Flows } from '../../../src/dataplane/state/flows.js';
import {
  BCAST_FLOOD,
  FLOOD,
  HAIRPIN,
  ISOLATED,
  LEARNING,
  LOCKED,
  MAX_BRIDGES,
  MCAST_FLOOD,
  UP,
  VLAN_TUNNEL,
} from '../../../src/dataplane/state/forwarding.js';
import { createRemotes } from '../../../src/encap/remotes.js';
import { createFdb, FdbReader } from '../../../src/fdb/table.js';
import { type Capture, openCapture } from '../../../src/port/capture.js';
import { type FlowDevice, flowTable, openFlowDevice, openFlowMaps } from '../../../src/port/native-flow-table.js';
import { createNativePacketIo } from '../../../src/port/native-packet-io.js';
import { type NetdevHandle, openNetdev } from '../../../src/port/netdev.js';
import { type PacketIo, STATUS_NOW } from '../../../src/port/packet-io.js';
import { openReceiver, openSenders, type Receiver, type Sender } from '../../../src/port/underlay.js';
import { internetChecksum } from '../../../src/wire/checksum.js';

const PORTS = [1, 2, 3, 4];
/** The tunnel port, and the number of what is behind it among the guests. */
const TUNNEL = 5;
const ENDS = [...PORTS, TUNNEL];
const REMOTE = 1;
const VNIS = [42, 43];
const LOCAL = [0, 0, 0xffff, 0xc0000201];
const ADDRESS = [0, 0, 0xffff, 0xc0000202];
const SENDERS = 16;
const UDP_PORT = 4789;
const BRIDGE = 1;
const VIDS = [10, 20];
const OPEN = UP | LEARNING | FLOOD | MCAST_FLOOD | BCAST_FLOOD;
const STEPS = 24;
const MTU = 1500;

type Draw = (below: number) => number;

function drawer(seed: number): Draw {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Burst {
  guest: number;
  frames: Uint8Array[];
}
type Step = { bursts: Burst[] } | { operations: Operation[] } | { ticks: number };

const macOf = (guest: number, number: number): number[] => [2, 0, 0, 0, guest, number];
const BROADCAST = [255, 255, 255, 255, 255, 255];
const UNKNOWN = [2, 0, 0, 0, 9, 9];

let serial = 0;
let underlayMac = new Uint8Array(6);
const SOURCES = 40_000;

/** IPv4, IPv6 or of the experimental type; numbered, so that each frame is told from all others. */
function frame(to: number[], from: number[], tag: number[], type: number[], length: number, draw: Draw): Uint8Array {
  const bytes = new Uint8Array(12 + tag.length + 2 + length);
  bytes.set([...to, ...from, ...tag, ...type]);
  const at = 14 + tag.length;
  // With congestion marks, options, fragments, protocols, and a datagram that is like one of the switch's own.
  bytes[at] = type[0] === 8 ? (draw(12) === 0 ? 0x46 : 0x45) : 0x60;
  bytes[at + 1] = [0, 0, 0, 0xb8, 1, 2, 3, 0x20][draw(8)];
  if (type[0] === 8) {
    if (draw(12) === 0) bytes[at + 6] = 0x20;
    bytes[at + 9] = [1, 1, 6, 6, 17, 17, 89][draw(7)];
  } else bytes[at + 6] = [58, 6, 6, 17, 17, 44][draw(6)];
  const transport = at + (type[0] === 8 ? 20 : 40);
  if (transport + 4 <= bytes.length && draw(4) === 0) new DataView(bytes.buffer).setUint16(transport + 2, UDP_PORT);
  if (length >= SHORTEST) new DataView(bytes.buffer).setUint32(at + 42, serial++);
  return bytes;
}

const TAGS = [
  [],
  [],
  [],
  [0x81, 0, 0, 10],
  [0x81, 0, 0xa0, 10],
  [0x81, 0, 0, 20],
  [0x81, 0, 0xe0, 0],
  [0x88, 0xa8, 0, 10],
];
const TYPES = [
  [8, 0],
  [8, 0],
  [8, 0],
  [8, 0],
  [0x86, 0xdd],
  [0x86, 0xdd],
  [0x88, 0xb5],
];
/**
 * Of what is behind the type. Short ones have no room for a number, or for the header of a packet; with a tag the receiving kernel takes
 * none below 2.
 */
const LENGTHS = [46, 46, 46, 46, 200, 200, 1496, 1500, 1504, 1508, 3000, 2, 3, 19, 20, 30, 39, 40];
const SHORTEST = 46;

/** A datagram to the switch, as its remote sends it. */
function datagram(inner: Uint8Array, mac: Uint8Array, draw: Draw): Uint8Array {
  const bytes = new Uint8Array(50 + inner.length);
  const view = new DataView(bytes.buffer);
  const vni = [42, 42, 42, 42, 42, 43, 44][draw(7)];
  bytes.set([...mac, 2, 0, 0, 0, 9, 1, 8, 0, 0x45, [0, 0, 0, 0, 2, 1, 3][draw(7)]]);
  view.setUint16(16, bytes.length - 14);
  view.setUint16(20, draw(8) === 0 ? 0x4000 : 0);
  bytes.set([64, 17], 22);
  bytes.set([192, 0, 2, draw(24) === 0 ? 3 : 2, 192, 0, 2, 1], 26);
  view.setUint16(24, internetChecksum(view, 14, 20) ^ (draw(20) === 0 ? 1 : 0));
  view.setUint16(34, 50_000 + draw(3));
  view.setUint16(36, UDP_PORT);
  // Now and then with a wrong checksum, less in it than its packet has, or of somebody else.
  view.setUint16(38, bytes.length - 34 - (draw(24) === 0 ? 2 : 0));
  if (draw(24) === 0) view.setUint16(40, 1);
  view.setUint32(42, draw(20) === 0 ? 0x0c000000 : 0x08000000);
  view.setUint32(46, vni << 8);
  bytes.set(inner, 50);
  // What a card pads with is behind the packet.
  return draw(24) === 0 ? new Uint8Array([...bytes, 0, 0, 0]) : bytes;
}

/** What the switch sends to its remote, without what may differ: source port and ID, and a checksum that is right. */
function masked(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 50 || bytes[12] !== 8 || bytes[13] !== 0 || bytes[23] !== 17) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (internetChecksum(view, 14, 20) !== 0)
    throw new Error(`a wrong IPv4 checksum: ${Buffer.from(bytes).toString('hex')}`);
  const port = view.getUint16(34);
  if (port < SOURCES || port >= SOURCES + 1000) throw new Error(`a wrong source port: ${port}`);
  const copy = bytes.slice();
  copy.fill(0, 18, 20);
  copy.fill(0, 24, 26);
  copy.fill(0, 34, 36);
  return copy;
}

interface Flow {
  guest: number;
  to: number[];
  from: number[];
  tag: number[];
}

function flowOf(draw: Draw): Flow {
  const guest = ENDS[draw(5)];
  const other = ENDS[draw(5)];
  const to = draw(12) === 0 ? BROADCAST : draw(12) === 0 ? UNKNOWN : macOf(other, draw(2));
  // Now and then the MAC of another guest, which moves.
  const from = macOf(draw(25) === 0 ? ENDS[draw(5)] : guest, draw(2));
  return { guest, to, from, tag: guest === TUNNEL && draw(8) > 0 ? [] : TAGS[draw(TAGS.length)] };
}

function burst({ guest, to, from, tag }: Flow, draw: Draw): Burst {
  const type = TYPES[draw(TYPES.length)];
  const length = LENGTHS[draw(LENGTHS.length)];
  const frames = Array.from({ length: 1 + draw(9) }, () => frame(to, from, tag, type, length, draw));
  return { guest, frames: guest === TUNNEL ? frames.map((inner) => datagram(inner, underlayMac, draw)) : frames };
}

/** What may change while frames flow. */
function change(draw: Draw): Operation[] {
  const port = PORTS[draw(4)];
  const vid = VIDS[draw(2)];
  const [high, low] = [0x0200, (PORTS[draw(4)] << 8) | draw(2)];
  const fid = fidOf(BRIDGE, [0, 1, 10, 20][draw(4)]);
  const changes: (() => Operation[])[] = [
    () => [{ op: 'vlan-del', port, vid }],
    () => [{ op: 'vlan', port, vid, untagged: draw(2) === 0, counter: port * 8 + draw(2) + 1 }],
    () => [{ op: 'vlan', port, vid, untagged: draw(2) === 0, counter: 0 }],
    () => [{ op: 'pvid', port, vid: [0, 1, 10, 20][draw(4)] }],
    () => [{ op: 'port', port, bridge: BRIDGE, flags: OPEN | (draw(2) === 0 ? ISOLATED : 0), mtu: MTU }],
    () => [{ op: 'port', port, bridge: BRIDGE, flags: OPEN & ~[LEARNING, FLOOD, UP][draw(3)], mtu: MTU }],
    () => [{ op: 'port', port, bridge: BRIDGE, flags: OPEN | [LOCKED, HAIRPIN][draw(2)], mtu: MTU }],
    () => [{ op: 'port', port, bridge: BRIDGE, flags: OPEN, mtu: [100, 1400, 1496, MTU][draw(4)] }],
    () => [
      { op: 'fdb', high, low, fid, destination: destinationOf(port, 0), owner: port, flags: [0, 1, 2, 4][draw(4)] },
    ],
    () => [{ op: 'fdb-del', high, low, fid }],
    () => [bridgeOp(draw(3) > 0, 20 + draw(30))],
    () => [{ op: 'storm', port, broadcast: 0, unknownUnicast: 0, multicast: 0 }],
    () => [{ op: 'remote-mtu', remote: REMOTE, mtu: [0, 1450, 1550, 1550][draw(4)] }],
    () => [{ op: 'vlan-del', port: TUNNEL, vid }],
    () => [{ op: 'vlan', port: TUNNEL, vid, untagged: false, counter: 40 }, vniOp(vid)],
    () => [{ op: 'fdb', high, low, fid, destination: destinationOf(TUNNEL, REMOTE), owner: TUNNEL, flags: 0 }],
    () => [tunnelOp(draw(2) === 0)],
    () => [{ op: 'mss', port, mss: draw(2) === 0 ? 0 : 1000 }],
  ];
  return changes[draw(changes.length)]();
}

function vniOp(vid: number): Operation {
  const at = VIDS.indexOf(vid);
  return { op: 'vni', port: TUNNEL, vid, vni: VNIS[at], header: at, counter: at + 1 };
}

function tunnelOp(inherits: boolean): Operation {
  const senders = Array.from({ length: SENDERS }, (_, i) => i);
  return {
    op: 'tunnel',
    port: TUNNEL,
    senders,
    dfSenders: [],
    tos: inherits ? -1 : 0x40,
    ageingTicks: 0,
    maxLearned: 0,
  };
}

function bridgeOp(filtering: boolean, ageingTicks: number): Operation {
  return { op: 'bridge', bridge: BRIDGE, filtering, ageingTicks, maxLearned: 0, groupFwdMask: 0, snooping: false };
}

function plan(seed: number): Step[] {
  const draw = drawer(seed);
  serial = 0;
  const favourites = Array.from({ length: 4 }, () => flowOf(draw));
  // Their other ways.
  for (const { from, tag, to } of [...favourites])
    if (to[0] === 2 && to[4] <= 5) favourites.push({ guest: to[4], to: from, from: to, tag });
  const steps: Step[] = [{ operations: [bridgeOp(draw(3) > 0, 3000), tunnelOp(draw(2) === 0)] }];
  for (let i = 0; i < STEPS; i++) {
    const kind = draw(10);
    if (kind === 0) steps.push({ ticks: 1 + draw(draw(4) === 0 ? 60 : 5) });
    else if (kind <= 2) steps.push({ operations: change(draw) });
    else {
      const flow = (): Flow => (draw(12) === 0 ? flowOf(draw) : favourites[draw(favourites.length)]);
      steps.push({ bursts: Array.from({ length: 1 + draw(4) }, () => burst(flow(), draw)) });
    }
  }
  steps.push({ ticks: 3 });
  return steps;
}

const backlogs = openSync('/proc/net/softnet_stat', 'r');
const BACKLOG = 11;
const text = Buffer.alloc(65_536);

/** A frame crosses a cable while it is sent, or it waits in the backlog of a CPU, whose length the kernel tells. */
function nothingIsUnderWay(): boolean {
  const lines = text
    .toString('latin1', 0, readSync(backlogs, text, 0, text.length, 0))
    .trim()
    .split('\n');
  return lines.every((line) => Number.parseInt(line.split(' ')[BACKLOG], 16) === 0);
}

interface Site {
  receiver: Receiver;
  senders: Sender[];
  guests: Capture[];
  netdevs: NetdevHandle[];
  devices: FlowDevice[];
  maps: ReturnType<typeof openFlowMaps>;
}

interface Ended {
  outcome: unknown;
  carried: number;
  into: number;
  outOf: number;
}

/** An engine whose clock stands still until it is moved. */
class Run {
  private now = 1_000_000;
  readonly sw: Context;
  private readonly engine: Engine;
  private readonly io: ReturnType<typeof createNativePacketIo>;
  readonly delivered: Record<string, string[]>[] = [];

  constructor(
    private readonly site: Site,
    isCarried: boolean,
  ) {
    this.io = createNativePacketIo({
      spinMicroseconds: 0,
      maxFrames: 256,
      udpSegment: false,
      headerBytes: 65_536 * 8 + ORIGINATED_ROOM,
    });
    const { io } = this;
    const slow: PacketIo = {
      ...io,
      receive: (timeoutMs) => {
        const frames = io.receive(timeoutMs);
        io.status[STATUS_NOW] = this.now;
        return frames;
      },
    };
    const fdb = createFdb({ capacity: 256, owners: MAX_PORTS, groups: MAX_BRIDGES, seed: 1 });
    this.sw = new Context(slow, fdb, createRemotes(1), new Counters());
    if (isCarried) {
      this.sw.flows = new Flows(flowTable(site.maps, 0), 0);
      watchFdb(this.sw, this.sw.flows);
    }
    this.engine = new Engine(this.sw, {
      rung: () => undefined,
      portLost: (port) => {
        throw new Error(`port ${port} was lost`);
      },
      offloadLost: (offload) => {
        throw new Error(`${offload} was lost`);
      },
      punted: () => undefined,
      tooBig: () => undefined,
    });
    applyOperations(this.sw, [
      bridgeOp(true, 3000),
      ...this.tunnelOps(),
      ...PORTS.flatMap((port) => this.portOps(port)),
    ]);
    this.engine.turn(0);
  }

  private tunnelOps(): Operation[] {
    const { receiver, senders } = this.site;
    return [
      { op: 'socket', socket: 0, fds: [receiver.fd], owner: TUNNEL },
      ...senders.map(({ fd, port }, sender): Operation => ({ op: 'sender', sender, fds: [fd], udpPort: port })),
      {
        ...(tunnelOp(true) as Extract<Operation, { op: 'tunnel' }>),
        ...{
          op: 'tunnel-port',
          bridge: BRIDGE,
          flags: OPEN | VLAN_TUNNEL,
          socket: 0,
          udpPort: UDP_PORT,
          local: LOCAL,
          mac: null,
        },
      },
      { op: 'remote', remote: REMOTE, port: TUNNEL, address: ADDRESS, udpPort: UDP_PORT, known: true },
      { op: 'remote-mtu', remote: REMOTE, mtu: 1550 },
      ...VIDS.flatMap((vid, at): Operation[] => [
        { op: 'vlan', port: TUNNEL, vid, untagged: false, counter: 40 + at },
        vniOp(vid),
        { op: 'flood', port: TUNNEL, vid, remotes: [REMOTE] },
      ]),
    ];
  }

  private portOps(port: number): Operation[] {
    const { devices, netdevs } = this.site;
    const { device, filter, index } = devices[port - 1];
    const flow = { device, filter, index, place: 1, isHome: true };
    return [
      {
        op: 'local-port',
        port,
        bridge: BRIDGE,
        fds: [netdevs[port - 1].fds[0]],
        vnetHeaderSize: netdevs[port - 1].vnetHeaderSize,
        flags: OPEN,
        mtu: MTU,
        ...(this.sw.flows === null ? {} : { flow }),
      },
      { op: 'vlan', port, vid: 1, untagged: true, counter: port * 8 },
      { op: 'vlan', port, vid: 10, untagged: port === 2, counter: port * 8 + 1 },
      { op: 'vlan', port, vid: 20, untagged: port === 3, counter: 0 },
      { op: 'pvid', port, vid: port === 2 ? 10 : 1 },
    ];
  }

  take(step: Step): void {
    if ('operations' in step) applyOperations(this.sw, step.operations);
    else if ('ticks' in step) for (let i = 0; i < step.ticks; i++) this.tick();
    else for (const { guest, frames } of step.bursts) this.send(guest, frames);
  }

  private tick(): void {
    this.now += TICK_MS;
    this.engine.turn(0);
  }

  private send(guest: number, frames: readonly Uint8Array[]): void {
    for (const bytes of frames) this.site.guests[guest - 1].write(bytes);
    const got: Record<string, string[]> = {};
    for (let quiet = 0; quiet < 2; )
      quiet = this.engine.turn(0) + this.read(got) === 0 && nothingIsUnderWay() ? quiet + 1 : 0;
    // A frame that is not plain may be overtaken by carried ones; through a tunnel those of one burst differ.
    for (const [key, frames] of Object.entries(got))
      if (guest === TUNNEL || key.startsWith(`${TUNNEL} `)) frames.sort();
    this.delivered.push(got);
  }

  /** By guest and flow: those of different flows may overtake each other. */
  private read(got: Record<string, string[]>): number {
    let frames = 0;
    for (const [at, guest] of this.site.guests.entries()) {
      for (let bytes = guest.read(); bytes !== null; bytes = guest.read()) {
        const hex = Buffer.from(at + 1 === TUNNEL ? masked(bytes) : bytes).toString('hex');
        const key = `${at + 1} ${at + 1 === TUNNEL ? hex.slice(92, 124) : hex.slice(0, 24)}`;
        got[key] = [...(got[key] ?? []), hex];
        frames++;
      }
    }
    return frames;
  }

  end(): Ended {
    const { fdb, counters, flows } = this.sw;
    const reader = new CounterReader([counters.memory]);
    const accounts = ENDS.map((port) => {
      const { offloaded: _, ...account } = reader.account(port);
      return account;
    });
    const carried = PORTS.reduce((sum, port) => sum + reader.offloaded(port).rx_packets, 0);
    const vlans = PORTS.flatMap((port) => [0, 1, 2].map((at) => reader.vlan(port * 8 + at)));
    const rows: unknown[] = [];
    new FdbReader(fdb.memory).forEach(({ high, low, fid, destination, flags, stamp, moves }) => {
      rows.push([fid, high, low, destination, flags, stamp, moves].join(' '));
    });
    applyOperations(
      this.sw,
      PORTS.map((port): Operation => ({ op: 'port-del', port })),
    );
    if (flows !== null) withdrawFlows(this.sw);
    this.io.close();
    const far = { remote: reader.remote(REMOTE), vnis: [1, 2].map((vni) => [reader.vni(vni), reader.losses(vni)]) };
    const outcome = {
      delivered: this.delivered,
      accounts,
      far,
      vlans,
      replicated: reader.replicated,
      rows: rows.sort(),
    };
    const { rx_packets: outOf, tx_packets: into } = reader.offloaded(TUNNEL);
    return { outcome, carried: carried + outOf, into, outOf };
  }
}

function run(site: Site, seed: number, isCarried: boolean): Ended {
  const sequence = new Run(site, isCarried);
  for (const step of plan(seed)) sequence.take(step);
  return sequence.end();
}

function firstDifference(one: unknown, other: unknown, way: string): unknown {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return { way, on: one, off: other };
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  for (const key of keys) {
    const [a, b] = [(one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]];
    if (!isDeepStrictEqual(a, b)) return firstDifference(a, b, `${way}.${key}`);
  }
  return { way };
}

function main(first: number, count: number): void {
  const { mac } = networkInterfaces().u0?.[0] ?? { mac: '' };
  underlayMac = Uint8Array.from(mac.split(':'), (part) => Number.parseInt(part, 16));
  const maps = openFlowMaps(1);
  const place = (name: string) => ({ ifname: name, queues: 1, ring: true, host: false, force: false });
  const site: Site = {
    maps,
    guests: [...PORTS.map((port) => openCapture({ ifname: `g${port}` })), openCapture({ ifname: 'u1' })],
    receiver: openReceiver({ local: '192.0.2.1', port: UDP_PORT }),
    senders: openSenders({
      ...{ local: '192.0.2.1', range: [SOURCES, SOURCES + 999], count: SENDERS, seed: 0 },
      ...{ checksum: false, ttl: 64 },
    }),
    netdevs: PORTS.map((port) => openNetdev(place(`p${port}`))),
    devices: PORTS.map((port) => openFlowDevice(maps, port, { ifname: `p${port}` })),
  };
  const sums = { carried: 0, into: 0, outOf: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const on = run(site, seed, true);
    const off = run(site, seed, false);
    for (const sum of ['carried', 'into', 'outOf'] as const) sums[sum] += on[sum];
    if (isDeepStrictEqual(on.outcome, off.outcome)) continue;
    const fault = { seed, steps: plan(seed).map(shown), ...(firstDifference(on.outcome, off.outcome, '') as object) };
    console.log(JSON.stringify({ sequences: seed - first, ...sums, fault }));
    process.exit(1);
  }
  console.log(JSON.stringify({ sequences: count, ...sums }));
}

function shown(step: Step): unknown {
  if (!('bursts' in step)) return step;
  return step.bursts.map(
    ({ guest, frames }) =>
      `${guest}: ${frames.length} x ${Buffer.from(frames[0]).toString('hex', 0, 20)} ${frames[0].length}`,
  );
}

const [first, count] = process.argv.slice(2).map(Number);
main(first, count);
