/**
 * The control thread's handle of the speaker's thread: starts it, sends and receives, starts it again when it has failed, stops it. A
 * failed speaker costs its routes at the neighbours for the time of their graceful restart, and no frame.
 */
import { Worker } from 'node:worker_threads';
import type { FromSpeaker, ToSpeaker } from './contract.js';

/** The pause before the thread is started again doubles, from a second to a minute ... */
const LEAST_PAUSE_MS = 1000;
const MOST_PAUSE_MS = 60_000;
/** ... and begins anew after a run that was that long. */
const STEADY_MS = 300_000;
/** The thread has so long to say farewell. */
const STOP_MS = 3000;
/** Memory of a speaker: what its bounds on routes allow, several times. */
const MOST_HEAP_MIB = 2048;

export interface SpeakerEvents {
  told(message: FromSpeaker): void;
  /**
   * The thread is new and knows nothing: send it `configure`, and `announce` what there is. @param isAgain one before has failed; what it
   * told of routes is void
   */
  started(isAgain: boolean): void;
  /** The thread has failed. @param pause milliseconds until it is started again */
  failed(error: Error, pause: number): void;
}

/** Wraps callbacks of this thread, so that no fault of theirs escapes. */
export type Guarded = <A extends unknown[]>(place: string, work: (...args: A) => unknown) => (...args: A) => void;

export class SpeakerThread {
  private worker: Worker | null = null;
  private startedAt = 0;
  private pause = LEAST_PAUSE_MS;
  private timer: NodeJS.Timeout | undefined;
  private hasFailed = false;

  constructor(
    private readonly events: SpeakerEvents,
    private readonly guarded: Guarded,
  ) {}

  get isRunning(): boolean {
    return this.worker !== null;
  }

  /** Starts the thread, unless it runs, or is about to. `started` follows before this returns. */
  start(): void {
    if (this.worker === null && this.timer === undefined) this.run();
  }

  /** Sends a message; without a thread it is dropped, as `started` will ask for everything. */
  post(message: ToSpeaker): void {
    this.worker?.postMessage(message);
  }

  /**
   * Ends the thread; a new one can be started at once. Resolves when it has ended, at the latest after three seconds.
   * @param restarts the neighbours keep our routes for now (RFC 4724)
   */
  async stop(restarts: boolean): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { worker } = this;
    if (worker === null) return;
    // What becomes of it now is no failure.
    this.worker = null;
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
    });
    const farewell: ToSpeaker = { do: 'stop', restarts };
    worker.postMessage(farewell);
    const patience = setTimeout(
      this.guarded('speaker end', () => worker.terminate()),
      STOP_MS,
    );
    await ended;
    clearTimeout(patience);
  }

  private run(): void {
    const worker = new Worker(new URL('./speaker-worker.js', import.meta.url), {
      name: 'bgp speaker',
      resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB },
    });
    this.worker = worker;
    this.startedAt = performance.now();
    let failure: Error | null = null;
    worker.on(
      'message',
      this.guarded('speaker message', (message: FromSpeaker) => this.events.told(message)),
    );
    worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.once(
      'exit',
      this.guarded('speaker exit', () => this.exited(worker, failure)),
    );
    const isAgain = this.hasFailed;
    this.hasFailed = false;
    this.guarded('speaker start', () => this.events.started(isAgain))();
  }

  private exited(worker: Worker, failure: Error | null): void {
    if (this.worker !== worker) return;
    this.worker = null;
    if (performance.now() - this.startedAt >= STEADY_MS) this.pause = LEAST_PAUSE_MS;
    const { pause } = this;
    this.pause = Math.min(pause * 2, MOST_PAUSE_MS);
    this.hasFailed = true;
    this.timer = setTimeout(
      this.guarded('speaker restart', () => {
        this.timer = undefined;
        this.run();
      }),
      pause,
    );
    this.timer.unref();
    this.events.failed(failure ?? new Error('the BGP speaker has ended by itself'), pause);
  }
}
