/**
 * The two hosts of the kernel's snooping tests (`bridge_igmp.sh`, `bridge_mld.sh`) behind a switch in memory: t1 reports, t2 sends. The
 * switch is the querier, its clock is moved by the test, and every frame that leaves is counted.
 */
import { bridgeOptions } from '../../../src/config/options/bridge.js';
import { defaultsOf } from '../../../src/config/options/option.js';
import type { MdbRow } from '../../../src/api/api.js';
import type { BridgeConfig } from '../../../src/config/types.js';
import { Mdb } from '../../../src/control/tables/mdb.js';
import { hearPunt } from '../../../src/control/tables/mdb-feed.js';
import { type QuerierIdentity, snoopSettings } from '../../../src/control/tables/mdb-settings.js';
import { PuntReader } from '../../../src/dataplane/state/punt-ring.js';
import type { Operation } from '../../../src/dataplane/operations/operations.js';
import type { GroupAddress } from '../../../src/wire/group-message.js';
import { parseAddress } from '../../../src/wire/ip-address.js';
import { igmpV3Frame, mldV2Frame } from '../../dataplane/support/group-traffic.js';
import { groupMac } from '../../dataplane/support/group-traffic.js';
import { packet } from '../../dataplane/support/frames.js';
import { TestSwitch } from '../../dataplane/support/harness.js';

export type Query = Extract<Operation, { op: 'query' }>;
type Options = Partial<Pick<BridgeConfig, Extract<keyof BridgeConfig, `mcast_${string}`>>>;

export const words = (text: string): GroupAddress => parseAddress(text)?.words as GroupAddress;

export const IDENTITY: QuerierIdentity = {
  mac: '02:00:00:00:00:99',
  addresses: { 4: [0, 0, 0xffff, 0], 6: words('fe80::99') },
};

const HOSTS = ['t1', 't2', 't3'];

export class SnoopingSwitch {
  readonly sw: TestSwitch;
  readonly mdb: Mdb;
  /** Queries of the switch since they were last taken. */
  queries: Query[] = [];
  now = 1_000_000;
  private readonly reader: PuntReader;
  private options: Options;

  constructor(options: Options = {}) {
    const ports = Object.fromEntries(HOSTS.map((name) => [name, { type: 'tap' as const }]));
    this.sw = new TestSwitch({ br0: { filtering: false, snooping: true, ports } });
    this.reader = new PuntReader([this.sw.context.punts.memory]);
    this.mdb = new Mdb({
      bridge: () => 'br0',
      port: (port) => HOSTS.find((name) => this.sw.port(name) === port) as string,
      remote: () => '',
    });
    this.options = { mcast_querier: true, mcast_igmp_version: 3, mcast_mld_version: 2, ...options };
    for (const name of HOSTS) this.port(name, {});
    this.set({});
    // The answers to the first query are complete.
    this.wait(10_000);
    this.takeQueries();
  }

  get bridge(): number {
    return this.sw.topology.bridges.get('br0') as number;
  }

  port(name: string, settings: { fastLeave?: boolean; toUnicast?: boolean; router?: 0 | 1 | 2 }): void {
    this.mdb.setPort(this.sw.port(name), { bridge: this.bridge, router: 1, fastLeave: false, ...settings });
  }

  /** Changes options of the bridge. */
  set(options: Options): void {
    this.options = { ...this.options, ...options };
    const settings = snoopSettings({ ...defaultsOf(bridgeOptions), ...this.options });
    this.mdb.setBridge(this.bridge, { settings, identity: IDENTITY, vids: new Set([0]) }, this.now);
    this.settle();
  }

  settle(): void {
    this.reader.drain((punt) => hearPunt(this.mdb, punt, this.now));
    this.mdb.tick(this.now);
    const { operations } = this.mdb.take();
    this.queries.push(...operations.filter((one): one is Query => one.op === 'query'));
    this.sw.apply(operations.filter(({ op }) => op !== 'query'));
  }

  takeQueries(): Query[] {
    const { queries } = this;
    this.queries = [];
    return queries;
  }

  wait(ms: number): void {
    // As often as the control thread looks.
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, this.now + 250);
      this.settle();
    }
  }

  send(port: string, frame: Uint8Array): void {
    this.sw.send(port, frame);
    this.settle();
  }

  /** A report of one record of t1. */
  report(type: number, group: string, sources: readonly string[], port = 't1'): void {
    const records = [{ type, group, sources: [...sources] }];
    this.send(port, group.includes(':') ? mldV2Frame(records) : igmpV3Frame(records));
  }

  /** Where a datagram from a source goes that t2 sends. */
  reaches(group: string, source: string): string[] {
    const version = group.includes(':') ? 6 : 4;
    const fields = { destination: groupMac(group), destinationAddress: group, sourceAddress: source };
    return this.sw.send('t2', packet({ ...fields, version, protocol: 'udp' })).to;
  }

  rows(group: string): MdbRow[] {
    return this.mdb.rows(this.now).mdb.filter(({ grp }) => grp === group);
  }
}
