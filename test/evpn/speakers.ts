/** Speakers of this process on the loopback, with sockets and RIBs of their own. */
import type {
  FromSpeaker,
  LocalMac,
  NeighborAnswer,
  NeighborConfig,
  RemoteMac,
  SpeakerConfig,
  VniConfig,
} from '../../src/evpn/contract.js';
import type { Rib } from '../../src/evpn/rib/contract.js';
import { createRib } from '../../src/evpn/rib/rib.js';
import { Speaker, type SpeakerHost } from '../../src/evpn/speaker.js';

const LIMIT_MS = 20_000;

export function neighbor(change: Partial<NeighborConfig> = {}): NeighborConfig {
  return {
    address: '127.0.0.2',
    port: 17_902,
    asn: 65001,
    local: '127.0.0.1',
    passive: false,
    hold_time: 9,
    connect_retry: 1,
    max_routes: 100_000,
    graceful_restart: 0,
    long_lived_stale: 0,
    ...change,
  };
}

/** Several keys at once. */
export function vni(number: number, local: string): VniConfig {
  return {
    vni: number,
    kind: 'l2',
    owner: `vx${number}`,
    local,
    rd: `${local}:${number}`,
    imports: [`65001:${number}`],
    exports: [`65001:${number}`],
    floods: true,
  };
}

export function mac(number: number, of = 100): LocalMac {
  const bytes = [2, 0, number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255];
  const text = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  return { vni: of, mac: text, sticky: false, isGateway: false, isRouter: false };
}

/** A speaker, and what it has told: what a control thread would have of it. */
export class TestSpeaker {
  readonly told: FromSpeaker[] = [];
  readonly macs = new Map<string, RemoteMac>();
  readonly floods = new Set<string>();
  readonly speaker: Speaker;
  /** Takes batches at once; false: keeps them until `take`. */
  takes = true;
  private untaken = 0;
  private questions = 0;

  /** @param around other clocks, chance and connections */
  constructor(config: Partial<SpeakerConfig> = {}, rib: Rib = createRib(), around: Partial<SpeakerHost> = {}) {
    this.speaker = new Speaker({
      tell: (message) => this.hear(message),
      now: () => performance.now(),
      random: Math.random,
      rib,
      ...around,
    });
    this.configure(config);
  }

  configure(config: Partial<SpeakerConfig>): void {
    const duplicates = { moves: 5, seconds: 180, hold: 0 };
    const whole = { asn: 65001, routerId: '10.0.0.1', listen: 0, neighbors: [], vnis: [], duplicates, ...config };
    this.speaker.hear({ do: 'configure', config: whole });
  }

  announce(macs: readonly LocalMac[]): void {
    this.speaker.hear({ do: 'announce', macs });
  }

  withdraw(macs: readonly LocalMac[]): void {
    this.speaker.hear({ do: 'withdraw', macs });
  }

  neighbors(): NeighborAnswer[] {
    const id = ++this.questions;
    this.speaker.hear({ do: 'ask', id, question: { ask: 'neighbors' } });
    const answer = this.told.find((one) => one.tell === 'answer' && one.id === id);
    return (answer as Extract<FromSpeaker, { tell: 'answer' }>).neighbors ?? [];
  }

  state(at = 0): string {
    return this.neighbors()[at]?.state ?? 'none';
  }

  faults(): string[] {
    return this.told.flatMap((one) => (one.tell === 'fault' ? [one.text] : []));
  }

  take(): void {
    for (; this.untaken > 0; this.untaken--) this.speaker.hear({ do: 'taken' });
  }

  stop(restarts = false): void {
    this.speaker.hear({ do: 'stop', restarts });
  }

  private hear(message: FromSpeaker): void {
    if (message.tell !== 'routes') {
      this.told.push(message);
      return;
    }
    const key = ({ vni: of, mac: address, ip = '' }: RemoteMac): string => `${of} ${address} ${ip}`;
    for (const one of message.macs.remove) this.macs.delete(key(one));
    for (const one of message.macs.add) this.macs.set(key(one), one);
    for (const one of message.floods.remove) this.floods.delete(`${one.vni} ${one.remote}`);
    for (const one of message.floods.add) this.floods.add(`${one.vni} ${one.remote}`);
    this.untaken++;
    if (this.takes) setImmediate(() => this.take());
  }
}

export async function until(what: string, holds: () => boolean, limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
