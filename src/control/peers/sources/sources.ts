/**
 * The sources of peers of all ports: starts, changes and ends them as the configuration says, which they follow by themselves. A change of one
 * touches no other.
 */
import type { PeerSourceRow } from '../../../api/api.js';
import { isTunnelPort } from '../../../config/options/kinds.js';
import { type HostFacts, isOfHost } from '../../../config/read/host-facts.js';
import type { PortConfig, SwitchConfig, VxlanConfig } from '../../../config/types.js';
import { every, forget, guarded } from '../../guard.js';
import type { PeerTables } from '../contract.js';
import { DnsClient } from './dns/client.js';
import { NameSource } from './dns/name-source.js';
import { EtcdSource } from './etcd/etcd-source.js';
import { FileSource } from './file/file-source.js';
import type { PeerSource, SourcePort, SourceSite, SourceStatus } from './source.js';

/** Milliseconds between two looks at the configuration. */
const LOOK_MS = 100;
/** Milliseconds until a source that was replaced takes its record from etcd: by then the new one has its own. */
const LEAVE_MS = 2000;

export interface SourcesSite {
  tables: PeerTables;
  /** The configuration in force. */
  config(): SwitchConfig;
  host: Pick<HostFacts, 'addresses'>;
  /** As of SourceSite. */
  say(port: string, source: string, reason: string | null, heldBack: number): void;
}

/** Milliseconds that the addresses of the host are remembered. */
const OWN_MS = 1000;

interface Running {
  source: PeerSource;
  port: string;
  /** What it was made of: with other settings it is another source. */
  settings: string;
  /** What it was told last of its port. */
  told: string;
}

/** A source that the configuration asks for. */
interface Wanted {
  key: string;
  settings: string;
  port: SourcePort;
  start(): PeerSource;
}

export class PeerSources {
  private readonly running = new Map<string, Running>();
  private readonly timer: NodeJS.Timeout;
  private readonly site: SourceSite;
  private seen: SwitchConfig | null = null;
  private own: { at: number; addresses: ReadonlySet<string> } = { at: Number.NEGATIVE_INFINITY, addresses: new Set() };
  private isStarted = false;

  constructor(private readonly parts: SourcesSite) {
    this.site = {
      tables: parts.tables,
      say: parts.say,
      isOwn: (address, dev) => isOfHost(address, dev, this.ownAddresses()),
      dns: new DnsClient(() => parts.config().dns_servers),
      switchName: () => parts.config().name,
      etcd: () => parts.config().etcd,
      graceMs: () => parts.config().peers_grace * 1000,
      random: Math.random,
    };
    this.timer = every('peers', LOOK_MS, () => this.look());
  }

  /** From now on sources run: the switch forwards. */
  start(): void {
    this.isStarted = true;
    this.look();
  }

  /** The sources of one port, for listings. */
  rowsOf(port: string): PeerSourceRow[] {
    return [...this.running.values()].filter((one) => one.port === port).map(({ source }) => rowOf(source.status()));
  }

  /** Ends all sources. Their rows stay as they are. */
  stop(): void {
    clearInterval(this.timer);
    this.isStarted = false;
    for (const { source } of this.running.values()) source.stop();
  }

  /** The switch ends, and no other process goes on with it: others need not wait to notice. Never rejects. After `stop`. */
  async leave(): Promise<void> {
    await Promise.all([...this.running.values()].map(({ source }) => source.leave?.()));
  }

  /** The kernel lists all addresses of the host for it, so not for each of a thousand remotes. */
  private ownAddresses(): ReadonlySet<string> {
    const now = performance.now();
    if (now - this.own.at > OWN_MS) this.own = { at: now, addresses: this.parts.host.addresses() ?? new Set() };
    return this.own.addresses;
  }

  private look(): void {
    const config = this.parts.config();
    if (!this.isStarted || config === this.seen) return;
    this.seen = config;
    this.follow(config);
  }

  private follow(config: SwitchConfig): void {
    const wanted = new Map(
      tunnelsOf(config).flatMap((port) => this.wantedBy(port, config).map((one) => [one.key, one])),
    );
    for (const [key, running] of this.running) {
      const now = wanted.get(key);
      if (now?.settings === running.settings) continue;
      this.running.delete(key);
      this.end(running, now !== undefined);
    }
    for (const one of wanted.values()) this.begin(one);
  }

  /** @param isReplaced another source goes on with its rows */
  private end({ source }: Running, isReplaced: boolean): void {
    source.stop();
    if (!isReplaced) forget('peers', source.clear());
    const leave = guarded('peers', () => source.leave?.());
    if (isReplaced) setTimeout(leave, LEAVE_MS).unref();
    else leave();
  }

  private begin({ key, settings, port, start }: Wanted): void {
    const running = this.running.get(key);
    const told = JSON.stringify(port);
    if (running === undefined) this.running.set(key, { source: start(), port: port.name, settings, told });
    else if (running.told !== told) {
      running.told = told;
      running.source.follow(port);
    }
  }

  private wantedBy(config: VxlanConfig, { dns_servers, etcd }: SwitchConfig): Wanted[] {
    const port = sourcePort(config);
    const { type, family, local, dev, dstport } = port;
    const wanted: Wanted[] = [];
    const want = (name: string, own: unknown, start: () => PeerSource): void => {
      const settings = JSON.stringify([own, type, family, local, dev, dstport]);
      wanted.push({ key: `${name} for ${port.name}`, settings, port, start });
    };
    const { peers_file: file, peers_etcd: endpoints, peers_prefix: prefix } = config;
    for (const name of config.names ?? [])
      want(`dns ${name}`, dns_servers, () => new NameSource(name, port, this.site));
    if (file !== undefined) want(`file ${file}`, null, () => new FileSource(file, port, this.site));
    if (endpoints.length > 0)
      want(`etcd ${prefix}`, [endpoints, etcd], () => new EtcdSource(endpoints, prefix, port, this.site));
    return wanted;
  }
}

function rowOf({ spokeAt, fault, ...facts }: SourceStatus): PeerSourceRow {
  return {
    ...facts,
    ...(spokeAt === null ? {} : { spoke: new Date(spokeAt).toISOString() }),
    ...(fault === null ? {} : { fault }),
  };
}

function tunnelsOf({ bridges, ports }: SwitchConfig): VxlanConfig[] {
  const all: PortConfig[] = [...bridges.flatMap((bridge) => bridge.ports), ...ports];
  return all.filter((port) => isTunnelPort(port));
}

function sourcePort(config: VxlanConfig): SourcePort {
  const { name, type, family, local, dev, dstport, id, vlan_tunnel, vlans } = config;
  const mapped = vlans.flatMap(({ vni }) => vni ?? []);
  const vnis = vlan_tunnel ? [...new Set(mapped)].sort((one, other) => one - other) : id === undefined ? [] : [id];
  return { name, type, family, local, dev, dstport, vnis };
}
