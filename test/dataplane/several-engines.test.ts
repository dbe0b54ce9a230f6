/** Several engines of one switch in one thread: each carries out the same operations, engine 0 last, as under control. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../src/dataplane/engine.js';
import { applyOperations, type Operation } from '../../src/dataplane/operations/operations.js';
import { Context } from '../../src/dataplane/state/context.js';
import { CounterReader, Counters } from '../../src/dataplane/state/counters.js';
import { REASON } from '../../src/dataplane/state/drop-reasons.js';
import { StormControl } from '../../src/dataplane/state/storm.js';
import { createRemotes, RemoteTable, STATIC_REMOTES } from '../../src/encap/remotes.js';
import { createFdb, Fdb } from '../../src/fdb/table.js';
import { MemoryPacketIo } from '../../src/port/memory.js';
import { KIND_FRAME, KIND_UDP } from '../../src/port/packet-io.js';
import { formatAddress, parseAddress } from '../../src/wire/ip-address.js';
import { encodeVxlan } from '../../src/wire/vxlan.js';
import { type BridgeSpec, Topology, type VxlanSpec } from './support/control-model.js';
import { departuresOf } from './support/departures.js';
import { A, B, BROADCAST, frame } from './support/frames.js';

const PEER = '192.0.2.2';
const OTHER = '192.0.2.3';
const ANY: VxlanSpec = { type: 'vxlan', vni: 42, acceptAny: true };
const tap = { type: 'tap' } as const;
const hello = (source: string): Uint8Array => frame({ source, destination: BROADCAST });

class Engines {
  readonly topology = new Topology(1);
  readonly ios = [new MemoryPacketIo(), new MemoryPacketIo()];
  readonly contexts: Context[];
  readonly counters: CounterReader;
  private readonly engines: Engine[];

  constructor(bridges: Record<string, BridgeSpec>) {
    const { memory } = createFdb({ capacity: 64, seed: 1 });
    const remotes = createRemotes();
    const storm = new StormControl();
    const counters = this.ios.map(() => new Counters());
    this.counters = new CounterReader(counters.map((own) => own.memory));
    this.contexts = this.ios.map((io, engine) => {
      const shared = { remotes: new RemoteTable(remotes.memory), storm: new StormControl(storm.memory) };
      return new Context(io, Fdb.attach(memory), shared.remotes, counters[engine], engine, shared.storm);
    });
    const events = { rung() {}, punted() {}, offloadLost() {}, portLost() {}, tooBig() {} };
    this.engines = this.contexts.map((context) => new Engine(context, events));
    for (const engine of this.engines) engine.turn(0);
    for (const [name, spec] of Object.entries(bridges)) this.apply(this.topology.addBridge(name, spec));
  }

  /** As many descriptors as engines, whatever the topology gives. */
  private of(operation: Operation): Operation {
    return 'fds' in operation ? { ...operation, fds: [-1, -1] } : operation;
  }

  /** In one engine alone: what the other one meanwhile meets is half a change. */
  applyIn(engine: number, operations: readonly Operation[]): void {
    applyOperations(
      this.contexts[engine],
      operations.map((operation) => this.of(operation)),
    );
  }

  apply(operations: readonly Operation[]): void {
    for (const engine of [1, 0]) this.applyIn(engine, operations);
  }

  departures(operations: readonly Operation[]): Operation[] {
    const { fdb, remotes } = this.contexts[0];
    return departuresOf(operations, remotes, fdb.slots);
  }

  set(port: string, spec: VxlanSpec, bridge = 'br0'): Operation[] {
    return this.topology.setPort(port, bridge, spec);
  }

  private turn(engine: number): string[] {
    this.engines[engine].turn(0);
    return this.ios[engine].take().map(({ kind, index, remote }) => {
      if (kind === KIND_FRAME) return this.nameOf(index);
      const [a0, a1, a2, a3] = this.ios[engine].remotes.get(remote)?.address ?? [0, 0, 0, 0];
      return `${this.topology.senders.get(index)}>${formatAddress(a0, a1, a2, a3)}`;
    });
  }

  private nameOf(port: number): string {
    return [...this.topology.ports.values()].find(({ number }) => number === port)?.name ?? `port ${port}`;
  }

  send(engine: number, port: string, bytes: Uint8Array): string[] {
    this.ios[engine].arrive({ kind: KIND_FRAME, index: this.topology.port(port).number, bytes });
    return this.turn(engine);
  }

  tunnel(engine: number, port: string, from: string, bytes: Uint8Array, vni = 42): string[] {
    const address = parseAddress(from)?.words ?? [];
    const { socket } = this.topology.port(port);
    this.ios[engine].arrive({ kind: KIND_UDP, index: socket, bytes: encodeVxlan(vni, bytes), address });
    return this.turn(engine);
  }

  advance(ms: number): void {
    for (const io of this.ios) io.advance(ms);
    for (const engine of [1, 0]) this.turn(engine);
  }
}

let sw: Engines;

describe('two engines', () => {
  beforeEach(() => {
    sw = new Engines({ br0: { ports: { t1: tap, t2: tap, vx: ANY } } });
  });

  it('know what either of them has met', () => {
    sw.tunnel(0, 'vx', PEER, hello(B));
    expect(sw.send(1, 't1', frame())).toEqual([`vx>${PEER}`]);
    expect(sw.send(0, 't1', frame())).toEqual([`vx>${PEER}`]);
  });

  it('tell their PacketIos a VTEP’s number anew that has become another’s, whenever it happened', () => {
    sw.tunnel(0, 'vx', PEER, hello(B));
    const known: VxlanSpec = { ...ANY, acceptAny: false };
    const strict = sw.set('vx', known);
    sw.applyIn(1, strict);
    // The other engine has not carried it out yet, so its entry still leads there.
    expect(sw.send(1, 't1', frame())).toEqual([`vx>${PEER}`]);
    sw.applyIn(0, strict);
    sw.apply(sw.departures(strict));
    sw.apply(sw.set('vx', ANY));
    sw.tunnel(0, 'vx', OTHER, hello(B));
    expect([...sw.contexts[0].remotes.learned(sw.topology.port('vx').number)]).toHaveLength(1);
    expect(sw.send(1, 't1', frame())).toEqual([`vx>${OTHER}`]);
    expect(sw.send(0, 't1', frame())).toEqual([`vx>${OTHER}`]);
  });

  it('count a frame for a VTEP that has gone meanwhile, and send it nowhere', () => {
    sw.tunnel(0, 'vx', PEER, hello(B));
    expect(sw.send(1, 't1', frame())).toEqual([`vx>${PEER}`]);
    sw.contexts[0].remotes.remove(STATIC_REMOTES);
    // The entry of B still leads there, as when a batch has looked it up before it was flushed.
    for (const engine of [0, 1]) expect(sw.send(engine, 't1', frame())).toEqual([]);
    expect(sw.counters.txDrops(sw.topology.port('vx').number, REASON.no_destination)).toBe(2);
  });

  it('write what they share once: by the first of them, at the end', () => {
    const remote: Operation = {
      op: 'remote',
      remote: 9,
      port: sw.topology.port('vx').number,
      address: parseAddress(OTHER)?.words as number[],
      udpPort: 4789,
      known: true,
    };
    const entry = sw.topology.entry('t1', { mac: A });
    const limits = sw.topology.bridge('br0', { maxLearned: 7, ageingSeconds: 9 });
    sw.applyIn(1, [remote, entry, limits]);
    const { fdb, remotes } = sw.contexts[0];
    const bridge = sw.topology.bridgeNumber('br0');
    expect([fdb.counters[0], remotes.udpPort(9), fdb.groupLimit[bridge]]).toEqual([0, 0, 0]);
    sw.applyIn(0, [remote, entry, limits]);
    expect([fdb.counters[0], remotes.udpPort(9), fdb.groupLimit[bridge]]).toEqual([1, 4789, 7]);
    expect(sw.ios[1].remotes.get(9)).toEqual(sw.ios[0].remotes.get(9));
  });

  it('end a port in both; what it counted in each is the retired ones’', () => {
    sw.send(0, 't1', hello(A));
    sw.send(1, 't1', hello(A));
    sw.send(1, 't2', hello(B));
    const { number } = sw.topology.port('t1');
    sw.apply(sw.topology.removePort('t1'));
    expect(sw.counters.port(number)).toMatchObject({ rx_packets: 0, tx_packets: 0 });
    expect(sw.counters.retired).toMatchObject({ rx_packets: 2, tx_packets: 1, rx_dropped: 0 });
    sw.apply(sw.topology.addPort('br0', 'new', tap));
    expect(sw.topology.port('new').number).toBe(number);
    for (const engine of [0, 1]) expect(sw.send(engine, 't2', frame({ source: B, destination: A }))).toEqual(['new']);
  });

  it('while a port has ended in one of them, entries that lead there lead nowhere', () => {
    sw.send(0, 't1', hello(A));
    const { number } = sw.topology.port('t1');
    sw.applyIn(1, [{ op: 'port-del', port: number }]);
    expect(sw.send(1, 't2', frame({ source: B, destination: A }))).toEqual([]);
    expect(sw.send(0, 't2', frame({ source: B, destination: A }))).toEqual(['t1']);
  });

  it('share what a port may flood', () => {
    sw.apply([{ op: 'storm', port: sw.topology.port('t1').number, broadcast: 40, unknownUnicast: 0, multicast: 0 }]);
    const flooded = (): number => {
      let passed = 0;
      for (let i = 0; i < 20; i++) passed += sw.send(i & 1, 't1', hello(A)).length;
      return passed;
    };
    expect(flooded()).toBe(4);
    let second = 0;
    for (let tick = 0; tick < 10; tick++) {
      sw.advance(100);
      second += flooded();
    }
    expect(second).toBe(40);
  });
});
