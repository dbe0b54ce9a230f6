/**
 * What engines do with frames, for readers of the control socket: tells the engines to record while somebody looks, reads their
 * rings a hundred times a second, and puts names to indexes. Records are also read before indexes are reused.
 */
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import type { ObserverSettings } from '../../dataplane/state/observer.js';
import type { CopyRecord, FrameRecord, ObserverReader } from '../../dataplane/state/observer-reader.js';
import { MAX_PORTS } from '../../dataplane/state/counters.js';
import { VERDICTS, type Verdict } from '../../values/frame-filter.js';
import { formatAddress } from '../../wire/ip-address.js';
import {
  notFound,
  type ObservedCopy,
  type ObservedFrame,
  type ObservedListener,
  type ObservedPort,
  type ObserveRequest,
} from '../controls.js';
import { attempt, every, soon } from '../guard.js';
import { isTunnel, type SwitchModel } from '../model/model.js';

const POLL_MS = 10;
/** Words of each engine's ring that one pass of the event loop reads: 1 MiB, a millisecond or two. */
const PASS_WORDS = 256 * 1024;
/** In place of the name of a port that is no more. */
const GONE = '?';
/** Room for an engine's numbers in the id of a frame. */
const ENGINE_BITS = 48n;

/** The engines' side. */
export interface ObservedEngines {
  observe(settings: ObserverSettings): ObserverReader;
  observeOther(settings: ObserverSettings): void;
  observeNoMore(): void;
}

interface Subscription {
  request: ObserveRequest;
  listener: ObservedListener;
}

export class Observation {
  private readonly subscriptions = new Set<Subscription>();
  private reader: ObserverReader | null = null;
  private timer: NodeJS.Timeout | undefined;
  /** The next pass of a reading that goes on. One at a time: engines may write faster than this reads, for as long as they like. */
  private going: NodeJS.Immediate | undefined;
  /** The settings that the engines have, as text. */
  private told = '';

  constructor(
    private readonly model: SwitchModel,
    private readonly engines: ObservedEngines,
  ) {}

  /** The ports that there are. */
  ports(): ObservedPort[] {
    return [...this.model.ports.values()].map((port) => ({
      name: port.name,
      description: port.bridge === null ? port.kind : `${port.kind}, bridge ${port.bridge.name}`,
      isTunnel: isTunnel(port),
    }));
  }

  /** @throws ChangeRefused for a port that is not there */
  subscribe(request: ObserveRequest, listener: ObservedListener): () => void {
    for (const name of request.ports ?? []) if (!this.model.ports.has(name)) throw notFound('port', name);
    const subscription = { request, listener };
    this.subscriptions.add(subscription);
    if (this.reader === null) this.begin();
    else this.refresh();
    return () => {
      this.subscriptions.delete(subscription);
      if (this.subscriptions.size === 0) this.stop();
      else this.refresh();
    };
  }

  /** Reads all that there is. Called before indexes are reused. */
  drain(): void {
    for (let more = true; more; ) more = this.read();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    clearImmediate(this.going);
    this.going = undefined;
    if (this.reader !== null) this.engines.observeNoMore();
    this.reader = null;
  }

  private begin(): void {
    const settings = this.settings();
    this.told = textOf(settings);
    this.reader = this.engines.observe(settings);
    this.timer = every('observation', POLL_MS, () => this.poll());
  }

  private poll(): void {
    if (this.going === undefined) this.readOn();
    this.refresh();
    this.reader?.takeLost((port, count) => {
      const name = this.nameOf(port);
      for (const { listener } of this.subscriptions) attempt('observer', () => listener.lost(name, count));
    });
  }

  /** Reads until there is nothing more, a part in each pass of the event loop. */
  private readOn(): void {
    this.going = undefined;
    if (this.read()) this.going = soon('observation', () => this.readOn());
  }

  /** @returns true when there is more */
  private read(): boolean {
    const reader = this.reader;
    if (reader === null) return false;
    return reader.drain(PASS_WORDS, (record) => {
      const frame = this.named(record);
      for (const { listener } of this.subscriptions) attempt('observer', () => listener.frame(frame));
    });
  }

  /** Tells the engines when other ports or more bytes are wanted, or the ports have other indexes by now. */
  private refresh(): void {
    if (this.reader === null) return;
    const settings = this.settings();
    const text = textOf(settings);
    if (text === this.told) return;
    this.told = text;
    this.engines.observeOther(settings);
  }

  private settings(): ObserverSettings {
    const requests = [...this.subscriptions].map(({ request }) => request);
    const snaplen = Math.max(0, ...requests.map((request) => request.snaplen));
    if (requests.some(({ ports }) => ports === null)) return { ports: null, snaplen };
    const ports = new Uint8Array(MAX_PORTS);
    for (const name of requests.flatMap((request) => request.ports ?? [])) {
      const port = this.model.ports.get(name);
      if (port !== undefined) ports[port.index] = 1;
    }
    return { ports, snaplen };
  }

  private nameOf(port: number): string {
    return this.model.portAt[port]?.name ?? GONE;
  }

  private named(record: FrameRecord): ObservedFrame {
    const { engine, number, time, port, vid, vni, remote, length, bytes, verdict, reason, copies } = record;
    return {
      id: (BigInt(engine) << ENGINE_BITS) | BigInt(number),
      time,
      port: this.nameOf(port),
      ...(remote === null ? {} : { remote: formatAddress(...remote) }),
      ...(vid === 0 ? {} : { vlan: vid }),
      ...(vni === 0 ? {} : { vni }),
      length,
      bytes,
      verdict: verdictOf(verdict, reason),
      ...(reason < 0 ? {} : { reason: DROP_REASONS[reason] }),
      copies: copies.map((copy) => this.namedCopy(copy)),
    };
  }

  private namedCopy({ port, remote, vni, tag, reason }: CopyRecord): ObservedCopy {
    return {
      port: this.nameOf(port),
      ...(remote === null ? {} : { remote: formatAddress(...remote) }),
      ...(vni === 0 ? {} : { vni }),
      tag,
      ...(reason < 0 ? {} : { reason: DROP_REASONS[reason] }),
    };
  }
}

/** A flood that was dropped as a whole is a drop; a request that was answered is not. */
function verdictOf(verdict: number, reason: number): Verdict {
  const name = VERDICTS[verdict];
  return reason >= 0 && name !== 'answered' ? 'dropped' : name;
}

const textOf = ({ ports, snaplen }: ObserverSettings): string =>
  `${snaplen} ${ports === null ? 'all' : ports.join('')}`;
