/** Two engines over one neighbour table: bindings snooped by one are used by the other, and only engine 0 carries out changes. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/dataplane/engine.js';
import { applyOperations, type Operation } from '../../../src/dataplane/operations/operations.js';
import { Context } from '../../../src/dataplane/state/context.js';
import { CounterReader, Counters } from '../../../src/dataplane/state/counters.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { PUNT_NEIGH_CONFLICT, PuntReader } from '../../../src/dataplane/state/punt-ring.js';
import { createRemotes, RemoteTable } from '../../../src/encap/remotes.js';
import { createFdb, Fdb } from '../../../src/fdb/table.js';
import { createNeighbours, Neighbours, NeighReader } from '../../../src/neigh/table.js';
import { MemoryPacketIo } from '../../../src/port/memory.js';
import { KIND_FRAME, KIND_UDP } from '../../../src/port/packet-io.js';
import { toHex } from '../../../src/wire/bytes.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { Topology, type VxlanSpec } from '../support/control-model.js';
import { A, B } from '../support/frames.js';
import { arpReply, arpRequest, gratuitous, PEER, words } from '../support/neigh-frames.js';
import { mac } from '../support/specs.js';

const A4 = '198.18.0.1';
const B4 = '198.18.0.2';

class Pair {
  readonly topology = new Topology(1);
  readonly ios = [new MemoryPacketIo(), new MemoryPacketIo()];
  readonly contexts: Context[];
  readonly counters: CounterReader;
  readonly neigh: NeighReader;
  readonly punts: PuntReader;
  private readonly engines: Engine[];

  constructor() {
    const fdb = createFdb({ capacity: 64, seed: 1 }).memory;
    const neigh = createNeighbours({ capacity: 64, seed: 1 }).memory;
    const remotes = createRemotes().memory;
    const counters = this.ios.map(() => new Counters());
    this.counters = new CounterReader(counters.map(({ memory }) => memory));
    this.contexts = this.ios.map(
      (io, engine) =>
        new Context(
          io,
          Fdb.attach(fdb),
          new RemoteTable(remotes),
          counters[engine],
          engine,
          undefined,
          undefined,
          Neighbours.attach(neigh),
        ),
    );
    this.neigh = new NeighReader(neigh);
    this.punts = new PuntReader(this.contexts.map(({ punts }) => punts.memory));
    const events = { rung() {}, punted() {}, offloadLost() {}, portLost() {}, tooBig() {} };
    this.engines = this.contexts.map((context) => new Engine(context, events));
    for (const engine of this.engines) engine.turn(0);
    const tap = { type: 'tap' } as const;
    const vx: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER], neighSuppress: true };
    this.apply(this.topology.addBridge('br0', { ports: { t1: tap, t2: tap, vx } }));
  }

  apply(operations: readonly Operation[], engines = [1, 0]): void {
    const own = operations.map((one) => ('fds' in one ? { ...one, fds: [-1, -1] } : one));
    for (const engine of engines) applyOperations(this.contexts[engine], own);
  }

  /** What came out, as `port hex`; a vxlan port without what it sent. */
  send(engine: number, port: string, bytes: Uint8Array): string[] {
    this.ios[engine].arrive({ kind: KIND_FRAME, index: this.topology.port(port).number, bytes });
    this.engines[engine].turn(0);
    return this.ios[engine]
      .take()
      .map(({ kind, index, bytes: sent }) => (kind === KIND_UDP ? 'vx' : `${index} ${toHex(sent)}`));
  }

  receive(engine: number, bytes: Uint8Array): void {
    const { socket } = this.topology.port('vx');
    this.ios[engine].arrive({ kind: KIND_UDP, index: socket, bytes: encodeVxlan(42, bytes), address: words(PEER) });
    this.engines[engine].turn(0);
    this.ios[engine].take();
  }

  advance(ms: number): void {
    for (const engine of [1, 0]) {
      this.ios[engine].advance(ms);
      this.engines[engine].turn(0);
    }
  }

  lladdr(address: string): number | undefined {
    return this.neigh.find(fidOf(this.topology.bridgeNumber('br0'), 0), words(address))?.low;
  }
}

let sw: Pair;

beforeEach(() => {
  sw = new Pair();
});

describe('two engines', () => {
  it('answer from what either of them has heard', () => {
    sw.receive(0, gratuitous(B, B4));
    const request = arpRequest(A, A4, B4);
    const { number } = sw.topology.port('t1');
    for (const engine of [1, 0]) {
      const out = sw.send(engine, 't1', request);
      expect(out).toHaveLength(2);
      expect(out).toContain(`${number} ${toHex(arpReply(B, B4, A, A4))}`);
    }
    expect(sw.counters.portDrops(sw.topology.port('vx').number).drops).toEqual({ suppressed: 2 });
  });

  it('find a dispute together, and one of them tells', () => {
    for (let round = 0; round < 10; round++) {
      sw.send(1, 't1', gratuitous(A, A4));
      sw.receive(0, gratuitous(B, A4));
    }
    const kinds: number[] = [];
    sw.punts.drain(({ kind }) => kinds.push(kind));
    expect(kinds).toEqual([PUNT_NEIGH_CONFLICT]);
  });

  it('let the first of them write what control has told, and age', () => {
    const operation: Operation = {
      op: 'neigh',
      bridge: sw.topology.bridgeNumber('br0'),
      vid: 0,
      address: words(B4),
      ...mac(B),
      router: false,
      port: sw.topology.port('vx').number,
    };
    sw.apply([operation], [1]);
    expect(sw.lladdr(B4)).toBeUndefined();
    sw.apply([operation], [0]);
    expect(sw.lladdr(B4)).toBe(mac(B).low);
    sw.send(1, 't1', gratuitous(A, A4));
    for (let second = 0; second < 302; second++) sw.advance(1000);
    expect([sw.lladdr(A4), sw.lladdr(B4)]).toEqual([undefined, mac(B).low]);
    sw.apply(sw.topology.removePort('vx'));
    expect(sw.lladdr(B4)).toBeUndefined();
  });
});
