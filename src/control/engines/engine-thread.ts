/**
 * The control thread's handle of one engine thread: sends operations, awaits their completion, stops the engine.
 */
import { Worker } from 'node:worker_threads';
import type { Operation } from '../../dataplane/operations/operations.js';
import type { ObserverSettings } from '../../dataplane/state/observer.js';
import type { OwnFrame } from '../../dataplane/send.js';
import type { Injection } from '../../port/packet-io.js';
import { createWake } from '../../port/wake.js';
import { forget, guarded } from '../guard.js';
import type { EngineData, FromEngine, ToEngine } from './engine-protocol.js';

const STOP_MS = 500;

export interface EngineThreadEvents {
  portLost(port: number, errno: number): void;
  /** The PacketIo has disabled an offload that failed at run time. */
  offloadLost(offload: string): void;
  /** The engine's punt ring, which was empty, has frames. */
  punted(): void;
  /** EMSGSIZE: datagrams to a remote exceed the path MTU. At most once per tick. */
  tooBig(remote: number): void;
  /** The engine has failed; the switch cannot continue. */
  failed(error: Error): void;
}

export class EngineThread {
  private readonly wake = createWake();
  private readonly worker: Worker;
  private readonly waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  private readonly ended: Promise<void>;
  private nextId = 1;
  private stopped = false;
  /** The failure of the engine. */
  private death: Error | null = null;

  constructor(
    data: Omit<EngineData, 'eventFd'>,
    private readonly events: EngineThreadEvents,
  ) {
    const workerData: EngineData = { ...data, eventFd: this.wake.fd };
    this.worker = new Worker(new URL('./engine-worker.js', import.meta.url), {
      workerData,
      name: `engine ${data.engine}`,
    });
    this.worker.on(
      'message',
      guarded('engine message', (message: FromEngine) => this.hear(message)),
    );
    this.worker.on('error', (error) => this.die(error instanceof Error ? error : new Error(String(error))));
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', () => {
        if (!this.stopped) this.die(new Error(`engine ${data.engine} has ended by itself`));
        resolve();
      });
    });
  }

  /** Carries operations out between two batches. Rejects when an operation is invalid or the engine has failed. */
  apply(operations: Operation[]): Promise<void> {
    return this.ask((id) => ({ type: 'apply', id, operations }));
  }

  /** Takes in a frame that no device has received. Rejects when the engine stands still, or has failed. */
  inject(injection: Injection): Promise<void> {
    return this.ask((id) => ({ type: 'inject', id, injection }));
  }

  /** Sends frames of the control thread out of ports. */
  send(frames: readonly OwnFrame[]): void {
    if (this.death === null) this.say({ type: 'send', frames });
  }

  /** Stands still after its current batch, until `goOn`. Rejects when the engine has failed. */
  hold(): Promise<void> {
    return this.ask((id) => ({ type: 'hold', id }));
  }

  /** Ends `hold`, or a start that was held. */
  goOn(): void {
    this.say({ type: 'go-on' });
  }

  /** Records what the engine does with frames into `memory`; null: not any more; absent: only the settings change. */
  observe(settings: ObserverSettings, memory?: SharedArrayBuffer | null): void {
    this.say({ type: 'observe', settings, ...(memory === undefined ? {} : { memory }) });
  }

  /** Records samples of what the engine does into `memory`; null: not any more. */
  sample(memory: SharedArrayBuffer | null, interval: number): void {
    this.say({ type: 'sample', memory, interval });
  }

  private ask(message: (id: number) => ToEngine): Promise<void> {
    if (this.death !== null) return Promise.reject(this.death);
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      this.waiting.set(id, { resolve, reject });
      this.say(message(id));
    });
  }

  /** Ends the engine after its current batch. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.say({ type: 'stop' });
    const patience = setTimeout(() => forget('engine end', this.worker.terminate()), STOP_MS);
    await this.ended;
    clearTimeout(patience);
    this.wake.close();
  }

  private say(message: ToEngine): void {
    this.worker.postMessage(message);
    this.wake.ring();
  }

  private hear(message: FromEngine): void {
    switch (message.type) {
      case 'port-lost':
        this.events.portLost(message.port, message.errno);
        return;
      case 'offload-lost':
        this.events.offloadLost(message.offload);
        return;
      case 'punted':
        this.events.punted();
        return;
      case 'too-big':
        this.events.tooBig(message.remote);
        return;
      case 'applied': {
        const waiter = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        if (message.error === undefined) waiter?.resolve();
        else waiter?.reject(new Error(message.error));
      }
    }
  }

  private die(error: Error): void {
    if (this.death !== null) return;
    this.death = error;
    for (const waiter of this.waiting.values()) waiter.reject(error);
    this.waiting.clear();
    this.events.failed(error);
  }
}
