/**
 * One host in a fabric of any size: the real codec, RIB and FDB, without a session. All that its reflector sends is made up beforehand.
 */
import { createRib } from '../../evpn/rib/rib.js';
import { HEADER } from '../../wire/bgp/framer.js';
import type { EvpnRoute, PathAttributes } from '../../wire/bgp/route.js';
import { decodeUpdate } from '../../wire/bgp/update.js';
import { UpdateEncoder } from '../../wire/bgp/update-encode.js';
import {
  attributesOf,
  configOf,
  type Fabric,
  floodRoute,
  hostsOf,
  macRoute,
  placeOf,
  REFLECTOR,
  SESSION,
  vnisOf,
  vtepOf,
} from './fabric.js';
import { heapUsed, processorTime } from './measure.js';
import { HostTables } from './tables.js';

export interface EdgeResult extends Fabric {
  /** VNIs of the host. */
  own: number;
  routes: number;
  messages: number;
  megabytes: number;
  /** Processor time from the first byte to the last row. */
  coldSeconds: number;
  /** The reflector restarts gracefully: everything again, and nothing changes. */
  gracefulSeconds: number;
  gracefulChanges: number;
  /** ... or not: everything goes and comes. */
  hardSeconds: number;
  bytes: number;
  bytesPerRoute: number;
  entries: number;
  floodRows: number;
}

class Edge {
  readonly rib = createRib();
  readonly vnis: readonly number[];
  readonly tables: HostTables;

  constructor(fabric: Fabric, index: number) {
    this.vnis = vnisOf(fabric, index);
    this.tables = new HostTables(fabric, this.vnis.length);
    this.rib.configure(configOf(this.vnis, index));
  }

  up(): void {
    this.rib.up(REFLECTOR, REFLECTOR);
  }

  /** @throws Error when a message is malformed: none is, here */
  receive(message: Uint8Array): void {
    const result = decodeUpdate(message.subarray(HEADER), SESSION);
    if (result.verdict !== 'fine') throw new Error(`an UPDATE is ${result.verdict}`);
    this.rib.receive(REFLECTOR, result.update);
  }

  settle(): void {
    for (let message = this.rib.deltas(); message !== null; message = this.rib.deltas()) this.tables.take(message);
  }
}

export function measureEdge(fabric: Fabric): EdgeResult {
  const messages = streamTo(fabric, 0);
  const before = heapUsed();
  const host = new Edge(fabric, 0);
  host.up();
  const cold = time(() => feed(host, messages));
  const bytes = heapUsed() - before;
  const routes = host.rib.counts(REFLECTOR).accepted;
  const entries = host.tables.entries;
  const { changes } = host.tables;
  const graceful = time(() => {
    host.rib.lost(REFLECTOR, 'stale');
    host.up();
    feed(host, messages);
    host.rib.endOfRib(REFLECTOR);
    host.settle();
  });
  const gracefulChanges = host.tables.changes - changes;
  const hard = time(() => {
    host.rib.lost(REFLECTOR, 'none');
    host.settle();
    host.up();
    feed(host, messages);
  });
  if (host.tables.entries !== entries) throw new Error('the FDB is another one after the restart');
  const length = messages.reduce((sum, one) => sum + one.length, 0);
  return {
    ...fabric,
    own: host.vnis.length,
    routes,
    messages: messages.length,
    megabytes: length / 1e6,
    coldSeconds: cold,
    gracefulSeconds: graceful,
    gracefulChanges,
    hardSeconds: hard,
    bytes,
    bytesPerRoute: bytes / routes,
    entries,
    floodRows: host.tables.floodRows,
  };
}

function feed(host: Edge, messages: readonly Uint8Array[]): void {
  let count = 0;
  for (const message of messages) {
    host.receive(message);
    // As the speaker does: the control thread gets batches while more comes in.
    if (++count % 64 === 0) host.settle();
  }
  host.settle();
}

/** All routes of all other hosts as one host gets them. */
function streamTo(fabric: Fabric, to: number): Uint8Array[] {
  const encoder = new UpdateEncoder(SESSION);
  const macs = new Map<string, { host: number; vni: number; macs: number[] }>();
  for (let mac = 0; mac < fabric.macs; mac++) {
    const { vni, host } = placeOf(fabric, mac);
    if (host === to) continue;
    const key = `${host} ${vni}`;
    const list = macs.get(key);
    if (list === undefined) macs.set(key, { host, vni, macs: [mac] });
    else list.macs.push(mac);
  }
  const messages: Uint8Array[] = [];
  for (let vni = 1; vni <= fabric.vnis; vni++) {
    for (const host of hostsOf(fabric, vni)) {
      if (host !== to) messages.push(...encoder.announce([floodRoute(host, vni)], passedOn(host, vni, true)));
    }
  }
  for (const { host, vni, macs: list } of macs.values()) {
    const routes: EvpnRoute[] = list.map((mac) => macRoute(host, vni, mac));
    messages.push(...encoder.announce(routes, passedOn(host, vni, false)));
  }
  return messages;
}

function passedOn(host: number, vni: number, isFlood: boolean): PathAttributes {
  return { ...attributesOf(host, vni, isFlood), originatorId: vtepOf(host), clusterList: [REFLECTOR] };
}

function time(work: () => void): number {
  const start = processorTime();
  work();
  return processorTime() - start;
}
