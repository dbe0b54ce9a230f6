/** The control thread's handle of the liveness thread, which it starts when the first session is wanted. */
import { Worker } from 'node:worker_threads';
import type {
  FromLiveness,
  LivenessData,
  PathSpec,
  SessionSpec,
  SessionVerdict,
  ToLiveness,
} from '../../liveness/contract.js';
import type { Wake } from '../../port/wake.js';
import { forget, guarded } from '../guard.js';

const STOP_MS = 500;

export interface LivenessThreadEvents {
  verdicts(verdicts: readonly SessionVerdict[]): void;
  pathMtu(message: Extract<FromLiveness, { type: 'path-mtu' }>): void;
  /** The thread has ended by itself: all sessions are gone. */
  failed(error: Error): void;
}

export class LivenessThread {
  private readonly worker: Worker;
  private readonly ended: Promise<void>;
  private readonly waiting = new Map<number, () => void>();
  private nextId = 1;
  private isEnding = false;
  private stopped: () => void = () => undefined;

  constructor(
    data: Omit<LivenessData, 'eventFd'>,
    private readonly wake: Wake,
    private readonly events: LivenessThreadEvents,
  ) {
    const workerData: LivenessData = { ...data, eventFd: wake.fd };
    this.worker = new Worker(new URL('./liveness-worker.js', import.meta.url), { workerData, name: 'liveness' });
    this.worker.unref();
    this.worker.on(
      'message',
      guarded('liveness message', (message: FromLiveness) => this.hear(message)),
    );
    let failure = new Error('the liveness thread has ended by itself');
    this.worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', () => {
        if (!this.isEnding) guarded('liveness end', () => events.failed(failure))();
        resolve();
      });
    });
  }

  /** Makes exactly these the paths and sessions. @param applied is called when descriptors of others are not used any more */
  set(paths: readonly PathSpec[], sessions: readonly SessionSpec[], applied: () => void): void {
    const id = this.nextId++;
    this.waiting.set(id, applied);
    this.say({ type: 'set', id, paths, sessions });
  }

  /** @param farewell tells the remotes that this end goes down */
  async stop(farewell: boolean): Promise<void> {
    if (this.isEnding) return;
    this.isEnding = true;
    const said = new Promise<void>((resolve) => {
      this.stopped = resolve;
    });
    this.say({ type: 'stop', farewell });
    const patience = setTimeout(() => forget('liveness end', this.worker.terminate()), STOP_MS);
    // The thread takes a moment to end; its sockets are free as soon as it has said so.
    await Promise.race([this.ended, said]);
    clearTimeout(patience);
  }

  private say(message: ToLiveness): void {
    this.worker.postMessage(message);
    this.wake.ring();
  }

  private hear(message: FromLiveness): void {
    if (message.type === 'stopped') this.stopped();
    else if (message.type === 'verdicts') this.events.verdicts(message.verdicts);
    else if (message.type === 'path-mtu') this.events.pathMtu(message);
    else {
      this.waiting.get(message.id)?.();
      this.waiting.delete(message.id);
    }
  }
}
