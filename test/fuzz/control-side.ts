/**
 * The control side of a fuzzed switch: reads the punt rings with the control thread's readers, and returns the operations of
 * the multicast database.
 */
import { bridgeOptions } from '../../src/config/options/bridge.js';
import { defaultsOf } from '../../src/config/options/option.js';
import type { BridgeConfig } from '../../src/config/types.js';
import { querierIdentity, snoopSettings } from '../../src/control/tables/mdb-settings.js';
import { type Departure, partings } from '../../src/control/model/transition.js';
import { Mdb } from '../../src/control/tables/mdb.js';
import { hearPunt } from '../../src/control/tables/mdb-feed.js';
import {
  PUNT_IGMP,
  PUNT_MLD,
  PUNT_PIM,
  PUNT_BPDU,
  PUNT_PROBE,
  type Punt,
  PuntReader,
  subjectOf,
} from '../../src/dataplane/state/punt-ring.js';
import { FdbEvents } from '../../src/fdb/events.js';
import { FdbReader } from '../../src/fdb/snapshot.js';
import { NeighReader } from '../../src/neigh/table.js';
import { STATUS_NOW } from '../../src/port/packet-io.js';
import { formatAddress } from '../../src/wire/ip-address.js';
import { decodeBpdu } from '../../src/wire/bpdu.js';
import { decodeProbe } from '../../src/wire/loop-probe.js';
import type { FuzzedSwitch } from './fuzzed-switch.js';
import { GUARDED } from './layout.js';

/** Looks between two at the MDB, which is so full that its listing takes long. */
const MDB_LOOK = 32;

const SETTINGS = snoopSettings({ ...defaultsOf(bridgeOptions), mcast_igmp_version: 3, mcast_mld_version: 2 });
const IDENTITY = querierIdentity(
  { mac: undefined, host_port: false, mcast_query_use_ifaddr: false, addresses: [] } as unknown as BridgeConfig,
  '02:00:00:00:00:99',
);
const KINDS = ['', 'igmp', 'mld', 'pim', 'l2miss', 'l3miss', 'neigh conflict', 'own tunnel', 'probe', 'bpdu', 'mrd'];

export class ControlSide {
  /** What was read, by kind, and how often. */
  readonly seen = new Map<string, number>();
  /** Port numbers below this one have been given at some time. */
  private known = 0;
  private looks = 0;
  private readonly mdb: Mdb;
  private readonly punts: PuntReader;
  private readonly events: FdbEvents;
  private readonly entries: FdbReader;
  private readonly bindings: NeighReader;

  constructor(private readonly sw: FuzzedSwitch) {
    this.mdb = new Mdb({
      bridge: (bridge) => `bridge ${bridge}`,
      port: (port) => sw.facts.names[port] ?? '',
      remote: (remote) => formatAddress(...sw.remotes.address(remote)),
    });
    this.punts = new PuntReader(sw.contexts.map(({ punts }) => punts.memory));
    this.events = FdbEvents.attach(sw.fdbMemory);
    this.entries = new FdbReader(sw.fdbMemory);
    this.bindings = new NeighReader(sw.neighMemory);
    this.follow([]);
  }

  /** Takes note of the ports that there are now. @param forgetful those that have forgotten the VTEPs they had met */
  follow(forgetful: readonly number[]): void {
    const { facts, topology } = this.sw;
    for (let port = 0; port < this.known; port++) if (facts.names[port] === undefined) this.mdb.forgetPort(port);
    this.known = Math.max(this.known, facts.names.length);
    for (const { name, number, bridge } of topology.ports.values()) {
      const router = name === 'left' ? 2 : 1;
      this.mdb.setPort(number, { bridge: topology.bridgeNumber(bridge), router, fastLeave: name === 'right' });
    }
    // Sources are read and kept too.
    for (const bridge of new Set([...topology.ports.values()].map((port) => topology.bridgeNumber(port.bridge)))) {
      this.mdb.setBridge(bridge, { settings: SETTINGS, identity: IDENTITY, vids: new Set() }, 0);
    }
    this.publish();
    this.part(forgetful.flatMap((port) => [...this.sw.remotes.learned(port)].map((remote) => ({ port, remote }))));
  }

  /** VTEPs that were met go. */
  private part(gone: readonly Departure[]): void {
    if (gone.length === 0) return;
    this.mdb.forgetRemotes(new Map(gone.map(({ remote }) => [remote, 0])));
    const { operations, events } = this.mdb.take();
    for (const { event } of events) this.count(event);
    for (const list of partings(gone, operations, this.entries.slots)) this.sw.carryOut(list);
  }

  /** Reads everything, and has the engines do what follows. */
  work(): void {
    const now = this.sw.ios[0].status[STATUS_NOW];
    this.punts.drain((punt) => this.hear(punt, now));
    const lost = this.events.read(({ kind }) => this.count(`fdb event ${kind}`));
    if (lost > 0) this.count('fdb events lost', lost);
    if (now >= this.mdb.due) this.mdb.tick(now);
    this.publish();
  }

  private publish(): void {
    const { operations, events } = this.mdb.take();
    for (const { event } of events) this.count(event);
    if (operations.length > 0) this.sw.carryOut(operations);
  }

  private hear(punt: Punt, now: number): void {
    const name = this.sw.facts.names[punt.port];
    if (name === undefined || GUARDED.includes(name)) throw new Error(`a punt of port ${punt.port}, ${name ?? 'none'}`);
    this.count(KINDS[punt.kind]);
    if (punt.kind === PUNT_BPDU) {
      decodeBpdu(punt.bytes);
      return;
    }
    if (punt.kind === PUNT_PROBE) {
      decodeProbe(punt.bytes);
      return;
    }
    if (hearPunt(this.mdb, punt, now)) return;
    if (punt.kind === PUNT_IGMP || punt.kind === PUNT_MLD || punt.kind === PUNT_PIM) {
      throw new Error(`a message that cannot be read: ${Buffer.from(punt.bytes).toString('hex')}`);
    }
    const { address, mac } = subjectOf(punt);
    formatAddress(...address);
    if (mac.high < 0 || mac.high > 0xffff) throw new Error(`a punt about the MAC ${mac.high}, ${mac.low}`);
  }

  /** Reads the listings. @returns what is wrong with them */
  look(): string[] {
    const faults: string[] = [];
    const { facts } = this.sw;
    let rows = 0;
    const unreadable = this.entries.forEach(({ owner }) => {
      rows++;
      if (facts.kind[owner] === 0) faults.push(`an FDB entry of port ${owner}, which there is not`);
    });
    if (unreadable > 0) faults.push(`${unreadable} FDB rows cannot be read`);
    if (rows !== this.entries.counters().entries)
      faults.push(`${rows} FDB rows, counted as ${this.entries.counters().entries}`);
    this.bindings.forEach(({ port }) => {
      if (facts.kind[port] === 0) faults.push(`a binding of port ${port}, which there is not`);
    });
    if (this.looks++ % MDB_LOOK === 0) this.mdb.rows(this.sw.ios[0].status[STATUS_NOW]);
    return faults;
  }

  private count(what: string, times = 1): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + times);
  }
}
