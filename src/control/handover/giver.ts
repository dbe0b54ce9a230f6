/**
 * The process that gives its switch to the next one. It forwards until the other one has opened and set up everything; then its
 * engines stand still between two batches, frames wait in the queues of TAPs and sockets, and what has changed meanwhile is sent.
 * Whatever goes wrong until the other one forwards, this one goes on with its own state: it has closed and changed nothing.
 *
 * No change of the configuration is carried out in the meantime; requests wait.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Socket } from 'node:net';
import { differenceOf, type FdbDifference } from '../../fdb/table.js';
import { peerOf } from '../../port/process.js';
import { isNativeError, MOST_RIGHTS, sendRights } from '../../port/rights.js';
import type { DeviceSource } from '../devices/devices.js';
import type { Engines } from '../engines/engines.js';
import type { PuntFeed } from '../events/punt-feed.js';
import { attempt } from '../guard.js';
import type { Absence, Bequest } from '../model/bequest.js';
import type { SwitchModel } from '../model/model.js';
import type { MulticastControl } from '../tables/multicast-control.js';
import { bequests, counts, names } from './capture.js';
import { limitsOf } from './limits.js';
import { Channel } from './channel.js';
import type { Plan, State } from './estate.js';
import { encodeFrame, encodeJson, encodeWords, type Frame, FrameReader, PROTOCOL } from './frames.js';
import { monotonicMs } from './clock.js';
import { learnedBindings } from './tables.js';

/** Time in milliseconds for the other process to open and set up everything; this one forwards meanwhile. */
const PREPARE_MS = 30_000;
/** Time for each of its further steps, in which nobody forwards. */
const STEP_MS = 2000;
/** Time for it to close the connection after a fault, before it is killed. */
const END_MS = 500;
/** Its frames are answers without contents, or reasons. */
const MOST_BYTES = 64 * 1024;
const RETRY_MS = 2;
/** Time for what the engines have reported: nothing is forwarded meanwhile. */
const READ_MS = 100;
const MOST_VERSION = 100;

/** The configuration as the live control holds it. */
export type Held = Pick<Plan, 'document' | 'entries' | 'tables'>;

export interface GiverParts {
  model: SwitchModel;
  devices: DeviceSource;
  engines: Engines;
  multicast: MulticastControl;
  loops: { loops(): State['loops'] };
  trees: { saved(): State['trees'] };
  peers: { saved(): Plan['peers'] };
  routes: { saved(): Plan['routes'] };
  liveness: { saved(): State['remotes'] };
  punts: PuntFeed;
  mode: { offloads: OffloadConfig; workers: number };
  /** Runs work with no change beside it. @param work gets a reader of the configuration as it is then */
  still<T>(work: (held: () => Held) => Promise<T>): Promise<T>;
}

/** A process that wants the switch, as the kernel knows it. */
export interface Peer {
  pid: number;
  uid: number;
}

export interface Given {
  pid: number;
  /** Of the other program. */
  version: string;
  /** Milliseconds from the last batch of this process to the word that the other one forwards. */
  gap: number;
}

export class Giver {
  private readonly channel: Channel;
  private readonly peer: Peer;
  /** The FDB's rows from before the configuration was read. */
  private first = new Int32Array(0);

  /** @param fd of the socket, which is connected and has been accepted as a request to take over */
  constructor(
    socket: Socket,
    private readonly fd: number,
    private readonly parts: GiverParts,
    private readonly logLevel: string,
  ) {
    this.peer = peerOf(fd);
    this.channel = new Channel(socket, new FrameReader(MOST_BYTES));
  }

  /**
   * Gives the switch away. When it resolves, the other process forwards, and this one must end without touching its devices.
   * @param given called at that moment, still before the other one is told that this one ends
   * @throws when it could not; this process forwards
   */
  async give(given: (pid: number) => void): Promise<Given> {
    return this.parts.still(async (held) => {
      try {
        await this.sendPlan(held);
        let rows = await this.rehearse(null);
        rows = await this.rehearse(rows);
        const { gap, version } = await this.stepAside(rows);
        attempt('hand-over', () => given(this.peer.pid));
        await this.channel.send(encodeFrame('bye')).catch(() => undefined);
        // It closes the connection once it has the path of the control socket: who asks there next asks the other process.
        await this.channel.lastWord('bye', END_MS);
        return { pid: this.peer.pid, version, gap };
      } catch (error) {
        if (!this.channel.isClosed) await this.channel.refuse((error as Error).message);
        throw error;
      } finally {
        this.channel.destroy();
      }
    });
  }

  /** This process does not give its switch away after all; `give` rejects then, unless the other one forwards already. */
  cancel(reason: string): void {
    this.channel.cancel(reason);
  }

  private async sendPlan(held: () => Held): Promise<void> {
    const { model, devices, engines, mode } = this.parts;
    // The copy is the earlier one: an entry that ages or moves in between is part of a difference then.
    this.first = engines.fdb.words.slice();
    const given = bequests(model, devices);
    const ports = portsOf(given);
    const { name } = model.config;
    const [peers, routes] = [this.parts.peers.saved(), this.parts.routes.saved()];
    const plan: Plan = { protocol: PROTOCOL, name, ...held(), peers, routes, mode, logLevel: this.logLevel, ports };
    await this.channel.send(encodeJson('plan', plan), PREPARE_MS);
    await this.sendDescriptors(given.flatMap(([, bequest]) => ('fds' in bequest ? bequest.fds : [])));
  }

  /**
   * Sends the tables while the engines run. The first time all of them; the second time, when the other process is set up, what has
   * changed since: that makes the last difference small, and both processes have compiled what they need for it.
   * @param before the copy of the FDB's rows that was sent last
   * @returns the copy that was sent now
   */
  private async rehearse(before: Int32Array | null): Promise<Int32Array> {
    const rows = before === null ? this.first : this.parts.engines.fdb.words.slice();
    await this.sendState(differenceOf(rows, before, this.tick), PREPARE_MS);
    await this.channel.expect('prepared', PREPARE_MS);
    return rows;
  }

  private get tick(): number {
    return this.parts.engines.counters.tick;
  }

  /** Descriptors go beside the stream of Node, whose earlier frames have all been written. */
  private async sendDescriptors(fds: readonly number[]): Promise<void> {
    const end = performance.now() + PREPARE_MS;
    for (let at = 0; at < fds.length; at += MOST_RIGHTS) {
      const some = fds.slice(at, at + MOST_RIGHTS);
      const frame = encodeFrame('rights', Uint8Array.of(some.length));
      while (!this.tryDescriptors(frame, some)) {
        if (performance.now() > end) throw new Error('it does not take the descriptors');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** @returns false while the queue of the socket is full */
  private tryDescriptors(frame: Buffer, fds: readonly number[]): boolean {
    try {
      if (sendRights(this.fd, frame, fds) === frame.byteLength) return true;
    } catch (error) {
      if (isNativeError(error) && ['EAGAIN', 'ENOBUFS', 'ETOOMANYREFS', 'E109'].includes(error.code)) return false;
      throw error;
    }
    throw new Error('a message with descriptors was torn');
  }

  private get captured(): Parameters<typeof names>[0] {
    const { model, engines } = this.parts;
    return { model, remotes: engines.remotes, counters: engines.counters, fdb: engines.fdb };
  }

  /** The engines stand still, and the other process forwards from where they stopped. @param rows as they were sent last */
  private async stepAside(rows: Int32Array): Promise<Pick<Given, 'gap' | 'version'>> {
    const { engines, punts } = this.parts;
    const started = monotonicMs();
    let running: Frame;
    try {
      await engines.hold();
      // What the engines have reported and nobody has read.
      attempt('hand-over', () => punts.drain(READ_MS));
      await this.sendState(differenceOf(engines.fdb.words, rows, this.tick), STEP_MS, started);
      running = await this.channel.expect('running', STEP_MS);
    } catch (error) {
      const late = await this.recover(error as Error);
      if (late === null) {
        engines.goOn();
        throw error;
      }
      running = late;
    }
    return { gap: monotonicMs() - started, version: running.payload.toString('utf8').slice(0, MOST_VERSION) };
  }

  /** @param ms time for the other process to read it */
  private async sendState({ entries, gone }: FdbDifference, ms: number, heldAt = 0): Promise<void> {
    const { engines, liveness, loops, multicast, trees } = this.parts;
    const meaning = names(this.captured, this.tick);
    const state: State = {
      counts: counts(this.captured, meaning),
      limits: limitsOf(this.parts.model, engines.legacy),
      groups: multicast.heard() as State['groups'],
      loops: loops.loops(),
      trees: trees.saved(),
      remotes: liveness.saved(),
      heldAt,
    };
    const frames = [
      encodeJson('names', meaning),
      encodeWords('gone', gone),
      encodeWords('entries', entries),
      encodeWords('neighbours', learnedBindings(engines.neigh, this.tick)),
      encodeJson('state', state),
    ];
    await this.channel.send(Buffer.concat(frames), ms);
  }

  /**
   * Makes sure that the other process does not forward, before this one goes on.
   * @returns its word that it does, which has come after all
   */
  private async recover(error: Error): Promise<Frame | null> {
    await Promise.race([this.channel.refuse(error.message), new Promise((resolve) => setTimeout(resolve, END_MS))]);
    const last = await this.channel.lastWord('running', END_MS);
    if (last !== 'nothing') return last;
    const { pid } = this.peer;
    attempt('hand-over', () => pid > 1 && pid !== process.pid && process.kill(pid, 'SIGKILL'));
    await this.channel.lastWord('running', END_MS);
    return null;
  }
}

function portsOf(given: readonly [string, Bequest | Absence][]): Plan['ports'] {
  return given.map(([name, bequest]) => [name, 'fds' in bequest ? { ...bequest, fds: bequest.fds.length } : bequest]);
}
