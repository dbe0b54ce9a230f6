/**
 * sFlow and IPFIX: has the engines record samples while there is a collector, reads them ten times a second, a bounded number each time,
 * and sends what becomes of them. Follows the configuration by itself.
 */
import type { SwitchConfig } from '../../config/types.js';
import { type CounterReader, MAX_PORTS } from '../../dataplane/state/counters.js';
import type { ObserverReader } from '../../dataplane/state/observer-reader.js';
import { VERDICT_ORIGINATED } from '../../dataplane/state/observer.js';
import { parseAddress } from '../../wire/ip-address.js';
import { every } from '../guard.js';
import { isTunnel, type SwitchModel } from '../model/model.js';
import { FlowCache } from './flows.js';
import { IpfixExporter } from './ipfix.js';
import { addressBytes } from './sampled.js';
import { Sender } from './sender.js';
import { SflowAgent } from './sflow.js';

const POLL_MS = 100;
/** Words of each engine's ring that one poll reads: about 1,000 samples. */
const POLL_WORDS = 48 * 1024;
const NOBODY = [0, 0, 0, 0] as const;
const VXLAN_PORT = 4789;

type Words = readonly [number, number, number, number];

/** The engines' side. */
export interface SampledEngines {
  sample(interval: number): ObserverReader;
  sampleNoMore(): void;
  readonly counters: Pick<CounterReader, 'account'>;
}

export interface ExporterSite {
  model: SwitchModel;
  engines: SampledEngines;
  /** Whether a port forwards. */
  isUp(port: number): boolean;
  /** Milliseconds since 1970. */
  now(): number;
}

interface Sflow {
  sender: Sender;
  agent: SflowAgent;
  polledAt: number;
}

interface Ipfix {
  sender: Sender;
  exporter: IpfixExporter;
  flows: FlowCache;
  toldAt: number;
}

export class Exporter {
  private readonly timer: NodeJS.Timeout;
  private readonly began: number;
  private reader: ObserverReader | null = null;
  private told = '';
  private interval = 0;
  private sflow: Sflow | null = null;
  private ipfix: Ipfix | null = null;
  /** Frames that samples stand for, and samples that were lost. */
  private pool = 0;
  private lost = 0;

  constructor(private readonly site: ExporterSite) {
    this.began = site.now();
    this.timer = every('export', POLL_MS, () => this.poll());
  }

  /** What was sent and what failed, by protocol; for tests. */
  get counts(): Record<'sflow' | 'ipfix', { sent: number; failed: number }> {
    const of = (sender?: Sender): { sent: number; failed: number } => ({
      sent: sender?.sent ?? 0,
      failed: sender?.failed ?? 0,
    });
    return { sflow: of(this.sflow?.sender), ipfix: of(this.ipfix?.sender) };
  }

  /** Reads samples, sends what is due. Called by the timer. */
  poll(): void {
    this.follow(this.site.model.config);
    if (this.reader === null) return;
    this.drain();
    this.reader.takeLost((_, count) => {
      this.lost += count;
    });
    this.pollSflow();
    this.pollIpfix();
  }

  /** Reads samples. Called before indexes are reused. */
  drain(): void {
    this.reader?.drain(POLL_WORDS, (record) => {
      if (record.verdict === VERDICT_ORIGINATED) return;
      this.pool += this.interval;
      this.sflow?.agent.flow(record, this.interval, this.pool, this.lost);
      this.ipfix?.flows.add(record, this.interval);
    });
  }

  stop(): void {
    clearInterval(this.timer);
    this.drain();
    this.end();
  }

  private end(): void {
    this.ipfix?.flows.clear();
    this.ipfix?.exporter.flush();
    this.sflow?.agent.flush();
    for (const part of [this.sflow, this.ipfix]) part?.sender.close();
    if (this.reader !== null) this.site.engines.sampleNoMore();
    this.reader = null;
    this.sflow = null;
    this.ipfix = null;
  }

  /** Begins anew when the settings have changed. */
  private follow(config: SwitchConfig): void {
    const { sflow, sflow_agent, sflow_sampling, ipfix, ipfix_sampling, ipfix_domain, ipfix_cache } = config;
    const timeouts = [config.ipfix_active_timeout, config.ipfix_inactive_timeout];
    const parts = [sflow, sflow_agent, sflow_sampling, ipfix, ipfix_sampling, ipfix_domain, ipfix_cache, timeouts];
    const told = JSON.stringify(parts);
    if (told === this.told) return;
    this.told = told;
    this.end();
    const intervals = [...(sflow.length > 0 ? [sflow_sampling] : []), ...(ipfix.length > 0 ? [ipfix_sampling] : [])];
    if (intervals.length === 0) return;
    this.interval = Math.min(...intervals);
    if (sflow.length > 0) this.sflow = this.beginSflow(config);
    if (ipfix.length > 0) this.ipfix = this.beginIpfix(config);
    this.reader = this.site.engines.sample(this.interval);
  }

  private beginSflow({ sflow, sflow_agent }: SwitchConfig): Sflow {
    const sender = new Sender(sflow);
    const words = sflow_agent === undefined ? this.anyLocal() : (parseAddress(sflow_agent)?.words ?? NOBODY);
    const site = {
      agent: addressBytes([...words].some((word) => word !== 0) ? words : [0, 0, 0xffff, 0]),
      uptime: () => this.site.now() - this.began,
      local: (port: number) => this.local(port),
    };
    return { sender, agent: new SflowAgent(site, (datagram) => sender.send(datagram)), polledAt: 0 };
  }

  private beginIpfix(config: SwitchConfig): Ipfix {
    const sender = new Sender(config.ipfix);
    const site = {
      domain: () => config.ipfix_domain,
      now: () => this.site.now(),
      local: (port: number) => this.local(port).words,
    };
    const exporter = new IpfixExporter(site, (datagram) => sender.send(datagram));
    const limits = {
      cache: config.ipfix_cache,
      active: config.ipfix_active_timeout * 1000,
      inactive: config.ipfix_inactive_timeout * 1000,
    };
    return { sender, exporter, flows: new FlowCache(limits, (flow, why) => exporter.add(flow, why)), toldAt: 0 };
  }

  private pollSflow(): void {
    if (this.sflow === null) return;
    const now = this.site.now();
    if (now - this.sflow.polledAt >= this.site.model.config.sflow_polling * 1000) {
      this.sflow.polledAt = now;
      for (const { index } of this.site.model.ports.values()) {
        if (index < MAX_PORTS)
          this.sflow.agent.counters(index, this.site.isUp(index), this.site.engines.counters.account(index));
      }
    }
    this.sflow.agent.flush();
  }

  private pollIpfix(): void {
    if (this.ipfix === null) return;
    const now = this.site.now();
    if (now - this.ipfix.toldAt >= this.site.model.config.ipfix_template_interval * 1000) {
      this.ipfix.toldAt = now;
      this.ipfix.exporter.templates();
    }
    this.ipfix.flows.expire(now);
    this.ipfix.exporter.flush();
  }

  private local(port: number): { words: Words; udpPort: number } {
    const found = this.site.model.portAt[port];
    if (!isTunnel(found)) return { words: NOBODY, udpPort: VXLAN_PORT };
    const words = found.config.local === undefined ? undefined : parseAddress(found.config.local)?.words;
    return { words: words ?? [0, 0, 0xffff, 0], udpPort: found.config.dstport };
  }

  private anyLocal(): Words {
    for (const { index } of this.site.model.ports.values()) {
      const { words } = this.local(index);
      if (words[3] !== 0) return words;
    }
    return NOBODY;
  }
}
