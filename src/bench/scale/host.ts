/** One host of a whole fabric: the real speaker with its RIB and a TCP session, and the real FDB. */
import { connect } from 'node:net';
import type { FromSpeaker, LocalMac } from '../../evpn/contract.js';
import type { Rib } from '../../evpn/rib/contract.js';
import { createRib } from '../../evpn/rib/rib.js';
import { Speaker } from '../../evpn/speaker.js';
import { configOf, type Fabric, REFLECTOR, vnisOf } from './fabric.js';
import { HostTables } from './tables.js';

/** Timers of all hosts are looked at this often a second, however many there are: ten times a second each would be most of the work. */
const TICKS_A_SECOND = 1000;
const LEAST_TICK_MS = 100;
/** Own MACs in one message of the control thread. */
const BATCH_MACS = 1024;

export class Host {
  readonly vnis: readonly number[];
  readonly tables: HostTables;
  isUp = false;
  readonly #rib: Rib = createRib();
  readonly #speaker: Speaker;

  /** @param port of the reflector, on the loopback address */
  constructor(
    fabric: Fabric,
    readonly index: number,
    port: number,
  ) {
    this.vnis = vnisOf(fabric, index);
    this.tables = new HostTables(fabric, this.vnis.length);
    this.#speaker = new Speaker({
      tell: (message) => this.#told(message),
      now: () => performance.now(),
      random: Math.random,
      rib: this.#rib,
      tickMs: Math.max(LEAST_TICK_MS, (fabric.hosts * 1000) / TICKS_A_SECOND),
      dial: () => connect(port, '127.0.0.1'),
    });
    this.#speaker.hear({ do: 'configure', config: configOf(this.vnis, index) });
  }

  get counts(): ReturnType<Rib['counts']> {
    return this.#rib.counts(REFLECTOR);
  }

  announce(macs: readonly LocalMac[]): void {
    for (let at = 0; at < macs.length; at += BATCH_MACS) {
      this.#speaker.hear({ do: 'announce', macs: macs.slice(at, at + BATCH_MACS) });
    }
  }

  stop(): void {
    this.#speaker.hear({ do: 'stop', restarts: false });
  }

  #told(message: FromSpeaker): void {
    if (message.tell === 'neighbor') this.isUp = message.state === 'established';
    if (message.tell === 'fault') throw new Error(`host ${this.index}: ${message.text}`);
    if (message.tell !== 'routes') return;
    this.tables.take(message);
    setImmediate(() => this.#speaker.hear({ do: 'taken' }));
  }
}
