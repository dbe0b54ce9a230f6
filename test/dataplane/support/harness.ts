/**
 * A switch without devices, for tests: built from a compact description by the operations of the control thread, over a
 * MemoryPacketIo, with a clock moved by the test.
 *
 * Every turn is audited: counters must equal input and output, port by port, in packets and bytes, and must balance; each counted
 * drop must have been offered to the ring of dropped frames. The switch's tables are never inspected.
 */
import { expect } from 'vitest';
import { Engine } from '../../../src/dataplane/engine.js';
import { applyOperations, type Operation } from '../../../src/dataplane/operations/operations.js';
import { Context } from '../../../src/dataplane/state/context.js';
import { CounterReader, Counters } from '../../../src/dataplane/state/counters.js';
import { DROP_REASONS } from '../../../src/dataplane/state/drop-reasons.js';
import { Observer, observerMemory } from '../../../src/dataplane/state/observer.js';
import { type FrameRecord, ObserverReader } from '../../../src/dataplane/state/observer-reader.js';
import { createRemotes } from '../../../src/encap/remotes.js';
import { createFdb } from '../../../src/fdb/table.js';
import { createNeighbours } from '../../../src/neigh/table.js';
import { type Arrival, type Departure, MemoryPacketIo, type MemoryPacketIoOptions } from '../../../src/port/memory.js';
import { KIND_FRAME, KIND_UDP } from '../../../src/port/packet-io.js';
import { concatBytes } from '../../../src/wire/bytes.js';
import { encodeGeneve } from '../../../src/wire/geneve.js';
import { formatAddress, parseAddress } from '../../../src/wire/ip-address.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { type BridgeSpec, Topology } from './control-model.js';
import { departuresOf } from './departures.js';
import { innerLength } from './inner-length.js';

export type { BridgeSpec, TapSpec, VxlanSpec } from './control-model.js';

export interface SwitchOptions extends MemoryPacketIoOptions {
  /** Most FDB entries. Default 64, so that one second of ageing visits all of them. */
  fdbCapacity?: number;
  /** Sending sockets of each vxlan port. Default 1. */
  senders?: number;
  /** Whether the observer's records are audited. Default: those of every fourth switch, since that takes time. */
  observed?: boolean;
}

/** What came out in a turn. */
export interface Out {
  /** `tap` for a TAP, `vxlan>address` for a datagram. */
  to: string;
  port: string;
  /** The frame as the TAP gets it; of a datagram the inner frame. */
  frame: Uint8Array;
  /** VXLAN header of a datagram. */
  header: Uint8Array;
  vnet: number;
  gso: number;
  csum: number;
  tos: number;
  /** Most bytes of a frame, where it is sent as fragments; 0: whole. */
  most: number;
  /** Number of the sending socket, and the UDP port that it sends to. */
  sender: number;
  udpPort: number;
}

export interface Turn {
  out: Out[];
  /** Where the copies went, sorted. */
  to: string[];
  /** `port reason` of each drop in this turn, sorted. */
  drops: string[];
}

/** Words of the descriptor of a frame from a local port. */
type Offload = Pick<Arrival, 'vnet' | 'gso' | 'csum' | 'stranger'>;
type Outer = Pick<Arrival, 'tos' | 'sourcePort' | 'segment' | 'train'>;

interface Traffic {
  rx_packets: number;
  rx_bytes: number;
  tx_packets: number;
  tx_bytes: number;
}

/** In place of a port's name: the accounts of the ports that are no more. */
export const RETIRED = 'retired';

const WORDS = ['rx_packets', 'rx_bytes', 'tx_packets', 'tx_bytes'] as const;
const nothing = (): Traffic => ({ rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0 });

/** Room for the records of a turn. */
const OBSERVED_WORDS = 2 ** 19;
const EBADF = 9;
/** Switches made so far. */
let made = 0;
/** Beside KIND_FRAME and KIND_UDP, which are what frames go to. */
const SOCKETS = 3;

/** As the addon: an index is attached once, and what is not attached cannot be written to. */
class AttachingNic extends MemoryPacketIo {
  private readonly attached = new Set<number>();

  private attach(kind: string, at: number): void {
    if (this.attached.has(at)) throw new Error(`${kind} ${at & 0xffff} is in use`);
    this.attached.add(at);
    this.faults.delete(at);
  }

  private detach(at: number): void {
    if (this.attached.delete(at)) this.faults.set(at, EBADF);
  }

  override attachTap(index: number): void {
    this.attach('TAP', (KIND_FRAME << 16) | index);
  }

  override attachSocket(index: number): void {
    this.attach('socket', (SOCKETS << 16) | index);
  }

  override attachSender(index: number): void {
    this.attach('sender', (KIND_UDP << 16) | index);
  }

  override detachTap(index: number): void {
    this.detach((KIND_FRAME << 16) | index);
  }

  override detachSocket(index: number): void {
    this.detach((SOCKETS << 16) | index);
  }

  override detachSender(index: number): void {
    this.detach((KIND_UDP << 16) | index);
  }
}

export class TestSwitch {
  readonly io: MemoryPacketIo;
  readonly context: Context;
  readonly engine: Engine;
  /** `port errno` of each loss that the engine told of. */
  readonly lost: string[] = [];
  rung = 0;
  /** How often the engine told that the ring of punts was empty and is not any more. */
  punted = 0;
  /** Addresses of the remotes that the engine told of: the kernel finds datagrams to them too long. */
  readonly tooBig: string[] = [];
  /** Makes the operations for changes; they are carried out by `apply`. */
  readonly topology: Topology;
  readonly counters: CounterReader;
  private readonly expected = new Map<string, Traffic>();
  /** What the ports that are no more had counted. */
  private readonly retired = nothing();
  private seenDrops = new Map<string, number>();
  private readonly observations: ObserverReader;
  private readonly isObserved: boolean;
  /** What the observer has told of: copies that were sent, and drops by reason. */
  private readonly observed = { sent: 0, drops: new Map<string, number>() };

  constructor(bridges: Record<string, BridgeSpec>, options: SwitchOptions = {}) {
    this.io = new AttachingNic(options);
    const fdb = createFdb({ capacity: options.fdbCapacity ?? 64, seed: 1 });
    const neigh = createNeighbours({ capacity: 256, seed: 1 });
    const own = new Counters();
    this.counters = new CounterReader([own.memory]);
    this.context = new Context(this.io, fdb, createRemotes(), own, 0, undefined, undefined, neigh);
    this.engine = new Engine(this.context, {
      rung: () => {
        this.rung++;
      },
      offloadLost: () => undefined,
      punted: () => {
        this.punted++;
      },
      tooBig: (remote) => this.tooBig.push(formatAddress(...this.context.remotes.address(remote))),
      portLost: (port, errno) => this.lost.push(`${this.nameOf(port)} ${errno}`),
    });
    const memory = observerMemory(OBSERVED_WORDS);
    this.isObserved = options.observed ?? made++ % 4 === 0;
    if (this.isObserved)
      this.context.observer = new Observer(
        memory,
        { ports: null, snaplen: 0 },
        this.context.batch.port.length,
        Date.now,
      );
    this.observations = new ObserverReader([memory]);
    this.topology = new Topology(options.senders ?? 1);
    for (const [name, spec] of Object.entries(bridges)) this.apply(this.topology.addBridge(name, spec));
    this.engine.turn(0); // the clock starts with the first turn
  }

  /** Carries operations out, and audits the accounts after each of them. */
  apply(operations: readonly Operation[]): void {
    this.carryOut(operations);
    this.carryOut(departuresOf(operations, this.context.remotes, this.context.fdb.slots));
    for (const name of this.topology.ports.keys()) {
      if (!this.expected.has(name)) this.expected.set(name, nothing());
    }
    this.seenDrops = this.drops();
  }

  private carryOut(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const retired = this.retiredAfter(operation);
      applyOperations(this.context, [operation]);
      expect(this.counters.retired).toEqual(retired);
      for (const word of WORDS) this.retired[word] = retired[word];
      this.balance();
    }
  }

  /** What the ports that are no more will have counted after an operation: one that ends a port adds to it. */
  private retiredAfter(operation: Operation): CounterReader['retired'] {
    const { counters } = this;
    const { retired } = counters;
    if (operation.op !== 'port-del') return retired;
    const own = { ...counters.port(operation.port), ...counters.portDrops(operation.port) };
    for (const word of [...WORDS, 'rx_dropped', 'tx_dropped'] as const) retired[word] += own[word];
    for (const reason of DROP_REASONS) {
      const count = own.drops[reason];
      if (count !== undefined) retired.drops[reason] = (retired.drops[reason] ?? 0) + count;
    }
    for (const name of this.expected.keys()) if (!this.topology.ports.has(name)) this.expected.delete(name);
    return retired;
  }

  /** Carries out one operation that sends frames, and audits the accounts. */
  say(operation: Operation): Turn {
    applyOperations(this.context, [operation]);
    return this.turn();
  }

  /** Number of a port. */
  port(name: string): number {
    return this.topology.port(name).number;
  }

  private nameOf(port: number): string {
    for (const { name, number } of this.topology.ports.values()) if (number === port) return name;
    throw new Error(`no port has number ${port}`);
  }

  /** What a membership has counted. */
  vlan(port: string, vid: number): Traffic {
    const counter = this.topology.port(port).counters.get(vid);
    if (counter === undefined) throw new Error(`${port} is not in VLAN ${vid}`);
    return this.counters.vlan(counter);
  }

  // ---- Putting in ----

  /** Puts a frame into a TAP. */
  inject(port: string, frame: Uint8Array, offload: Offload = {}): void {
    this.arrived(port, frame.length);
    this.io.arrive({ kind: KIND_FRAME, index: this.port(port), bytes: frame, ...offload });
  }

  /** Puts a datagram into the socket of a vxlan port; `account` is the port that is to count it. */
  injectDatagram(port: string, from: string, payload: Uint8Array, outer: Outer = {}, account = port): void {
    const { socket, spec } = this.topology.port(port);
    const address = parseAddress(from);
    if (socket < 0 || address === null) throw new Error(`no vxlan port ${port}, or no address ${from}`);
    this.arrived(account, innerLength(payload, spec.type === 'vxlan' && spec.geneve === true));
    this.io.arrive({ kind: KIND_UDP, index: socket, bytes: payload, address: address.words, ...outer });
  }

  private arrived(port: string, length: number): void {
    const traffic = port === RETIRED ? this.retired : this.expected.get(port);
    if (traffic === undefined) throw new Error(`no port ${port} in this switch`);
    traffic.rx_packets++;
    traffic.rx_bytes += length;
  }

  /** Puts a packet into a layer-3 port: it comes behind an Ethernet header of zeros. */
  injectPacket(port: string, packet: Uint8Array, offload: Offload = {}): void {
    this.inject(port, concatBytes(new Uint8Array(14), packet), offload);
  }

  /** One packet into a layer-3 port, one turn. */
  sendPacket(port: string, packet: Uint8Array, offload?: Offload): Turn {
    this.injectPacket(port, packet, offload);
    return this.turn();
  }

  /** Corrects the accounts: packets of a port begin (-1) or end (1) to wait; those that wait are not counted. */
  waits(port: string, packets: number, bytes: number): void {
    const traffic = this.expected.get(port) as Traffic;
    traffic.rx_packets += packets;
    traffic.rx_bytes += bytes;
  }

  /** One frame into a TAP, one turn. */
  send(port: string, frame: Uint8Array, offload?: Offload): Turn {
    this.inject(port, frame, offload);
    return this.turn();
  }

  /** One datagram, its bytes as given, one turn. */
  receive(port: string, from: string, payload: Uint8Array, outer?: Outer, account?: string): Turn {
    this.injectDatagram(port, from, payload, outer, account);
    return this.turn();
  }

  /** One frame in a VNI from a remote, one turn. */
  tunnel(port: string, from: string, vni: number, frame: Uint8Array, outer?: Outer): Turn {
    const { spec } = this.topology.port(port);
    const isGeneve = spec.type === 'vxlan' && spec.geneve === true;
    return this.receive(port, from, isGeneve ? encodeGeneve(vni, frame) : encodeVxlan(vni, frame), outer);
  }

  // ---- Time ----

  /** Lets seconds pass, in steps of one, so that every step of ageing is taken. */
  wait(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.io.advance(1000);
      this.turn();
    }
  }

  // ---- Taking out ----

  /** Turns the engine until everything that was put in is through, and audits the accounts after each turn. */
  turn(): Turn {
    const out: Out[] = [];
    const before = this.seenDrops;
    do {
      const taken = this.engine.turn(0);
      if (this.isObserved) this.observations.drain(OBSERVED_WORDS, (frame) => this.observe(frame));
      for (const departure of this.io.take()) out.push(this.name(departure));
      if (taken === 0) break;
    } while (this.io.waiting > 0);
    for (const { port, frame } of out) {
      const traffic = this.expected.get(port) as Traffic;
      traffic.tx_packets++;
      traffic.tx_bytes += frame.length;
    }
    this.balance();
    this.seenDrops = this.drops();
    return { out, to: out.map(({ to }) => to).sort(), drops: difference(before, this.seenDrops) };
  }

  private observe({ reason, copies }: FrameRecord): void {
    const { drops } = this.observed;
    const count = (index: number): void => {
      const name = DROP_REASONS[index];
      drops.set(name, (drops.get(name) ?? 0) + 1);
    };
    if (reason >= 0) count(reason);
    for (const copy of copies) {
      if (copy.reason >= 0) count(copy.reason);
      else this.observed.sent++;
    }
  }

  private name({ bytes, ...departure }: Departure): Out {
    const rest = {
      vnet: departure.vnet,
      gso: departure.gso,
      csum: departure.csum,
      tos: departure.tos,
      most: departure.most,
    };
    if (departure.kind === KIND_FRAME) {
      const port = this.nameOf(departure.index);
      return { to: port, port, frame: bytes, header: new Uint8Array(0), ...rest, sender: -1, udpPort: 0 };
    }
    const port = this.topology.senders.get(departure.index);
    const remote = this.io.remotes.get(departure.remote);
    if (port === undefined || remote === undefined) throw new Error(`to remote ${departure.remote}, which nobody set`);
    const [a0, a1, a2, a3] = remote.address;
    const to = `${port}>${formatAddress(a0, a1, a2, a3)}`;
    const frame = bytes.slice(8);
    return { to, port, frame, header: bytes.slice(0, 8), ...rest, sender: departure.index, udpPort: remote.port };
  }

  // ---- Accounts ----

  /** `port reason` -> how often, of drops in either direction. */
  drops(): Map<string, number> {
    const { counters } = this;
    const drops = new Map<string, number>();
    const add = (name: string, of: CounterReader['retired']['drops']): void => {
      for (const [reason, count] of Object.entries(of)) drops.set(`${name} ${reason}`, count);
    };
    for (const { name, number } of this.topology.ports.values()) add(name, counters.portDrops(number).drops);
    add(RETIRED, counters.retired.drops);
    return drops;
  }

  /** Whether a port's drops of a reason are on its receiving or its transmitting side: [rx, tx]. */
  dropsOf(port: string, reason: (typeof DROP_REASONS)[number]): [number, number] {
    const { counters } = this;
    const index = DROP_REASONS.indexOf(reason);
    return [counters.rxDrops(this.port(port), index), counters.txDrops(this.port(port), index)];
  }

  /** Asserts that each port counted what went through it, and that the accounts balance. */
  balance(): void {
    const { counters } = this;
    const { retired } = counters;
    let received = counters.replicated + retired.rx_packets;
    let accounted = retired.tx_packets;
    if (!isSame(retired, this.retired)) expect({ ...retired }).toMatchObject(this.retired);
    let transmitted = retired.tx_packets;
    for (const { name, number: port } of this.topology.ports.values()) {
      const traffic = counters.port(port);
      transmitted += traffic.tx_packets;
      const expected = this.expected.get(name) ?? nothing();
      // What a gateway takes and gives nobody outside sees; the sums below do.
      const { spec } = this.topology.port(name);
      const isInside = spec.type === 'tap' && spec.gateway !== undefined;
      if (!isInside && !isSame(traffic, expected))
        expect({ port: name, ...traffic }).toEqual({ port: name, ...expected });
      received += traffic.rx_packets;
      accounted += traffic.tx_packets;
    }
    const offered = new Map<string, number>();
    if (this.isObserved && this.observed.sent !== transmitted)
      expect.fail(`${this.observed.sent} copies observed, ${transmitted} counted`);
    for (const [drop, count] of this.drops()) {
      accounted += count;
      const reason = drop.slice(drop.indexOf(' ') + 1);
      offered.set(reason, (offered.get(reason) ?? 0) + count);
    }
    for (const [index, reason] of DROP_REASONS.entries()) {
      const count = this.context.drops.count(index);
      const observed = this.observed.drops.get(reason) ?? 0;
      if (this.isObserved && observed !== count) expect.fail(`${reason}: ${observed} observed, ${count} counted`);
      if (count !== (offered.get(reason) ?? 0))
        expect.fail(`${reason}: offered ${count} frames, not ${offered.get(reason) ?? 0}`);
    }
    if (accounted === received) return;
    expect.fail(`sum(tx_packets) + sum(drops) is ${accounted}, sum(rx_packets) + replicated is ${received}`);
  }
}

function isSame(one: Traffic, other: Traffic): boolean {
  return (
    one.rx_packets === other.rx_packets &&
    one.rx_bytes === other.rx_bytes &&
    one.tx_packets === other.tx_packets &&
    one.tx_bytes === other.tx_bytes
  );
}

function difference(before: Map<string, number>, after: Map<string, number>): string[] {
  const drops: string[] = [];
  for (const [name, count] of after) {
    for (let left = count - (before.get(name) ?? 0); left > 0; left--) drops.push(name);
  }
  return drops.sort();
}
