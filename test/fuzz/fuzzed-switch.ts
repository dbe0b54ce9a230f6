/**
 * The switch of `layout.ts` with one or several engines over PacketIos for fuzzing, its clock, and its counters: expected
 * counts of each port are summed separately, and compared by `audit`.
 *
 * It never inspects frames, and knows only that bystanders are being watched.
 */

import { Engine } from '../../src/dataplane/engine.js';
import { applyOperations, type Operation } from '../../src/dataplane/operations/operations.js';
import { Context } from '../../src/dataplane/state/context.js';
import { CounterReader, Counters, MAX_PORTS } from '../../src/dataplane/state/counters.js';
import { Policers } from '../../src/dataplane/state/policers.js';
import { StormControl } from '../../src/dataplane/state/storm.js';
import { createRemotes, RemoteTable } from '../../src/encap/remotes.js';
import { createFdb, Fdb } from '../../src/fdb/table.js';
import { createNeighbours, Neighbours } from '../../src/neigh/table.js';
import { STATUS_NOW } from '../../src/port/packet-io.js';
import { Topology } from '../dataplane/support/control-model.js';
import { innerLength } from '../dataplane/support/inner-length.js';
import { flagsOf, mac as macOf } from '../dataplane/support/specs.js';
import { wordsOf } from '../../src/control/model/routes.js';
import { ROUTED } from './bystanders.js';
import { NOISY_ROUTES, noisyRoute } from './noisy-routes.js';
import { FuzzPacketIo, type Watch } from './fuzz-packet-io.js';
import { BRIDGES, FURTHER_FLAGS } from './layout.js';
import { HOSTS4, HOSTS6 } from './samples.js';
import { Facts, NONE } from './switch-tables.js';

/** Few, so that they are always full. */
const FDB_CAPACITY = 1024;
const BINDINGS = 48;
/** Neighbours that noise is routed to from the beginning. */
const KNOWN = [...HOSTS4.slice(0, 3), ...HOSTS6.slice(0, 3)];

export class FuzzedSwitch {
  readonly topology = new Topology(4);
  readonly facts = new Facts();
  readonly ios: FuzzPacketIo[];
  readonly contexts: Context[];
  readonly engines: Engine[];
  readonly counters: CounterReader;
  readonly fdbMemory: SharedArrayBuffer;
  readonly neighMemory: SharedArrayBuffer;
  readonly remotes = createRemotes();
  /** What the ports must have received, and at MAX_PORTS those that are no more. */
  private readonly frames = new Float64Array(MAX_PORTS + 1);
  /** The same of all vxlan ports together: which of them a datagram belongs to is theirs to say. */
  datagrams = 0;
  datagramBytes = 0;
  private readonly bytes = new Float64Array(MAX_PORTS + 1);
  /** Of ports that are no more. */
  private retiredFrames = 0;
  private retiredBytes = 0;
  private retiredSent = 0;
  private retiredSentBytes = 0;
  /** Names of the engines' events, and how often. */
  readonly events = new Map<string, number>();

  constructor(engines: number, watch: Watch) {
    const { memory: fdb } = createFdb({ capacity: FDB_CAPACITY, seed: 1, events: 4096, groups: 1024 });
    const { memory: neigh } = createNeighbours({ capacity: BINDINGS, ageing: 100, seed: 1 });
    this.fdbMemory = fdb;
    this.neighMemory = neigh;
    const storm = new StormControl();
    const policers = new Policers();
    const counters = Array.from({ length: engines }, () => new Counters());
    this.counters = new CounterReader(counters.map(({ memory }) => memory));
    this.ios = counters.map(() => new FuzzPacketIo(this.facts, this.remotes, watch));
    this.contexts = this.ios.map((io, engine) => {
      const remotes = new RemoteTable(this.remotes.memory);
      const buckets = new StormControl(storm.memory);
      const bindings = Neighbours.attach(neigh);
      const context = new Context(
        io,
        Fdb.attach(fdb),
        remotes,
        counters[engine],
        engine,
        buckets,
        undefined,
        bindings,
        undefined,
        undefined,
        undefined,
        undefined,
        new Policers(policers.memory),
      );
      return context;
    });
    this.engines = this.contexts.map((context) => new Engine(context, this.eventsOf()));
    for (const engine of this.engines) engine.turn(0);
    for (const [name, spec] of Object.entries(BRIDGES)) this.apply(this.topology.addBridge(name, spec));
    for (const [name, flags] of Object.entries(FURTHER_FLAGS)) this.apply([this.withFlags(name, flags)]);
    this.apply(this.routes());
  }

  private eventsOf(): ConstructorParameters<typeof Engine>[1] {
    const count = (name: string) => (): void => void this.events.set(name, (this.events.get(name) ?? 0) + 1);
    return {
      rung: count('rung'),
      portLost: count('port lost'),
      offloadLost: count('offload lost'),
      punted: count('punted'),
      tooBig: count('too big'),
    };
  }

  /** Neighbours of the bystanders that are routed, and routes for noise: by two routers, to nowhere, by a MAC. */
  private routes(): Operation[] {
    const { topology } = this;
    const neighbours = Object.entries(ROUTED).flatMap(([name, { subnet, mac }]) => {
      const { bridge, number: port } = topology.port(name);
      const place = { op: 'neigh' as const, bridge: topology.bridgeNumber(bridge), vid: 0, ...macOf(mac), port };
      return [`10.9.${subnet}.2`, `fd00:${subnet}::2`].map((text) => ({
        ...place,
        address: wordsOf(text),
        router: false,
      }));
    });
    const { bridge, number: port } = topology.port('trunk');
    const known = { op: 'neigh' as const, bridge: topology.bridgeNumber(bridge), vid: 3, port, router: false };
    const others = KNOWN.map((text, at) => ({ ...known, address: wordsOf(text), high: 0x0200, low: 0x00010000 | at }));
    return [...neighbours, ...others, ...NOISY_ROUTES.map((route) => noisyRoute(topology, route))];
  }

  /** The operation that gives a port the flags of its description but for those in `changed`, which are the other way round. */
  withFlags(name: string, changed: number): Extract<Operation, { op: 'port' }> {
    const { number, bridge, spec } = this.topology.port(name);
    const mtu = spec.type === 'tap' ? (spec.mtu ?? 1450) : 0;
    const flags = flagsOf(spec) ^ changed;
    return { op: 'port', port: number, bridge: this.topology.bridgeNumber(bridge), flags, mtu };
  }

  /** Each engine carries the operations out, the first one last, as the control thread has it done. */
  apply(operations: readonly Operation[]): void {
    this.carryOut(operations);
    this.facts.read(this.topology);
  }

  /** The same for operations that leave ports, VLANs and VNIs as they are. */
  carryOut(operations: readonly Operation[]): void {
    for (const operation of operations) if (operation.op === 'port-del') this.retire(operation.port);
    const all = this.engines.map(() => -1);
    const given = operations.map((operation) => ('fds' in operation ? { ...operation, fds: all } : operation));
    for (const context of [...this.contexts].reverse()) applyOperations(context, given);
  }

  /** Lets time pass. */
  advance(ms: number): void {
    for (const { status } of this.ios) status[STATUS_NOW] = (status[STATUS_NOW] + ms) & 0x7fffffff;
  }

  /** Has one engine process the batch that its PacketIo holds. */
  turn(engine: number): void {
    this.engines[engine].turn(0);
    this.ios[engine].begin();
  }

  // ---- Accounts ----

  countTap(port: number, length: number): void {
    this.frames[port]++;
    this.bytes[port] += length;
  }

  countDatagram(socket: number, payload: Uint8Array): void {
    this.datagrams++;
    this.datagramBytes += innerLength(payload, this.facts.geneve[socket] === 1);
  }

  /** A port is about to end: what it counted goes over to those that are no more. */
  private retire(port: number): void {
    if (this.facts.kind[port] === NONE) return;
    this.retiredFrames += this.frames[port];
    this.retiredBytes += this.bytes[port];
    this.frames[port] = 0;
    this.bytes[port] = 0;
    for (const { sentFrames, sentBytes } of this.ios) {
      this.retiredSent += sentFrames[port];
      this.retiredSentBytes += sentBytes[port];
      sentFrames[port] = 0;
      sentBytes[port] = 0;
    }
  }

  /** Compares all accounts with what was put in and what went out. @returns what is wrong; empty: nothing is */
  audit(): string[] {
    const { counters } = this;
    const faults: string[] = [];
    const check = (what: string, counted: number, expected: number): void => {
      if (counted !== expected) faults.push(`${what}: counted ${counted}, in truth ${expected}`);
    };
    const { retired } = counters;
    const vxlan = {
      rx_packets: retired.rx_packets - this.retiredFrames,
      rx_bytes: retired.rx_bytes - this.retiredBytes,
    };
    let received = counters.replicated + retired.rx_packets;
    let accounted = retired.tx_packets + retired.rx_dropped + retired.tx_dropped;
    check('tx_packets of ports that are no more', retired.tx_packets, this.retiredSent);
    check('tx_bytes of ports that are no more', retired.tx_bytes, this.retiredSentBytes);
    for (const { name, number, spec } of this.topology.ports.values()) {
      const { rx_packets, rx_bytes, tx_packets, tx_bytes } = counters.port(number);
      const { rx_dropped, tx_dropped } = counters.portDrops(number);
      received += rx_packets;
      accounted += tx_packets + rx_dropped + tx_dropped;
      // What a gateway takes and gives nobody outside sees; the sum does.
      if (spec.type === 'tap' && spec.gateway !== undefined) continue;
      check(`tx_packets of ${name}`, tx_packets, this.sent(number, 'sentFrames'));
      check(`tx_bytes of ${name}`, tx_bytes, this.sent(number, 'sentBytes'));
      if (spec.type === 'tap') {
        check(`rx_packets of ${name}`, rx_packets, this.frames[number]);
        check(`rx_bytes of ${name}`, rx_bytes, this.bytes[number]);
      } else {
        vxlan.rx_packets += rx_packets;
        vxlan.rx_bytes += rx_bytes;
      }
    }
    check('rx_packets of all vxlan ports', vxlan.rx_packets, this.datagrams);
    check('rx_bytes of all vxlan ports', vxlan.rx_bytes, this.datagramBytes);
    check('rx_packets + replicated = tx_packets + drops', accounted, received);
    return faults;
  }

  private sent(port: number, word: 'sentFrames' | 'sentBytes'): number {
    return this.ios.reduce((total, io) => total + io[word][port], 0);
  }

  /** Drops by reason, of all ports that there are and were. */
  drops(): Map<string, number> {
    const drops = new Map<string, number>();
    const add = (of: Partial<Record<string, number>>): void => {
      for (const [reason, count = 0] of Object.entries(of)) drops.set(reason, (drops.get(reason) ?? 0) + count);
    };
    for (const { number } of this.topology.ports.values()) add(this.counters.portDrops(number).drops);
    add(this.counters.retired.drops);
    return new Map([...drops].sort(([, one], [, other]) => other - one));
  }
}
