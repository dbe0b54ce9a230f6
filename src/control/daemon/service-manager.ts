/**
 * The service manager that started the switch, as systemd: what it is told of the state of the switch (sd_notify(3)), and its
 * watchdog. Without one (no NOTIFY_SOCKET) nothing is told.
 *
 * Never throws and never waits: a manager that does not read delays nothing.
 */
import { sendNotice } from '../../port/service.js';
import { every, guarded, onProgress } from '../guard.js';

/** Interval of another attempt, of a notice that did not fit into the manager's queue and of a look for progress. */
const RETRY_MS = 250;
/** Most notices that wait for room in the manager's queue; earlier ones are dropped. */
const MOST_WAITING = 16;
/** Interval at which a changed status line is told. */
const STATUS_MS = 5000;
/** Most characters of a status line. */
const STATUS_LENGTH = 500;

/** What the manager is told about, once the switch runs. */
export interface ServiceState {
  /** One line for people. */
  status(): string;
  /** A number for each engine, which changes at least every 100 ms while the engine works. */
  engineTicks(): readonly number[];
}

export interface ServiceEnvironment {
  readonly [name: string]: string | undefined;
}

type Send = (text: string) => void;

export class ServiceManager {
  private readonly waiting: string[] = [];
  private retry: NodeJS.Timeout | undefined;
  private statusTimer: NodeJS.Timeout | undefined;
  private watchdogTimer: NodeJS.Timeout | undefined;
  private lastStatus = '';
  private hasSuccessor = false;

  /**
   * @param send delivers one datagram or throws; null: no manager
   * @param watchdogMs the manager ends a service that is silent for so long; null: it does not
   * @param failed called once, when the manager cannot be reached
   */
  constructor(
    private send: Send | null,
    private readonly watchdogMs: number | null,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** The manager that the environment names, if it means this process. */
  static of(env: ServiceEnvironment, pid: number, failed: (error: unknown) => void): ServiceManager {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
    if (socket === undefined || socket === '') return new ServiceManager(null, null, failed);
    const isOurs = watched === undefined || watched === '' || Number(watched) === pid;
    const ms = isOurs ? Number(usec) / 1000 : Number.NaN;
    const watchdogMs = ms >= 1 && ms < Number.POSITIVE_INFINITY ? ms : null;
    return new ServiceManager((text) => sendNotice(socket, text), watchdogMs, failed);
  }

  /** The switch forwards. Begins the watchdog and the status line. */
  ready(state: ServiceState): void {
    if (this.send === null) return;
    this.tell(`READY=1\n${this.statusOf(state)}`);
    this.statusTimer = every('service status', STATUS_MS, () => {
      const before = this.lastStatus;
      const status = this.statusOf(state);
      if (status !== before) this.tell(status);
    });
    if (this.watchdogMs !== null) this.watch(state, this.watchdogMs / 2);
  }

  /** The switch does not start. */
  refused(reason: string): void {
    this.tell(statusLine(reason));
  }

  /** Runs a reload of the configuration; the manager waits for its end, whatever it is. */
  async reload(work: () => Promise<void> | undefined): Promise<void> {
    const now = process.hrtime.bigint() / 1000n; // CLOCK_MONOTONIC, in microseconds
    this.tell(`RELOADING=1\nMONOTONIC_USEC=${now}`);
    try {
      await work();
    } finally {
      this.tell('READY=1');
    }
  }

  /** Another process runs the switch, and is the main process of the service from now on. It tells the rest by itself. */
  successor(pid: number): void {
    clearInterval(this.statusTimer);
    clearTimeout(this.watchdogTimer);
    onProgress(() => undefined);
    this.tell(`MAINPID=${pid}`);
    this.hasSuccessor = true;
  }

  /** The switch begins to end. The watchdog is fed no more: the end has a time limit of its own. */
  stopping(): void {
    clearInterval(this.statusTimer);
    clearTimeout(this.watchdogTimer);
    onProgress(() => undefined);
    this.tell('STOPPING=1');
  }

  /**
   * Feeds the watchdog every `halfMs`, as long as this thread comes to it and every engine has moved on since the last time.
   * An engine that has not is looked at again soon: the whole process may have been stopped for a while. This thread comes to it by
   * a timer, or between two steps of long work.
   */
  private watch(state: ServiceState, halfMs: number): void {
    let before: readonly number[] = [];
    let fedAt = 0;
    const feed = (): boolean => {
      const now = state.engineTicks();
      if (now.some((tick, engine) => tick === before[engine])) return false;
      before = now;
      fedAt = performance.now();
      this.tell('WATCHDOG=1');
      return true;
    };
    const look = (): void => {
      const ms = feed() ? halfMs : Math.min(RETRY_MS, halfMs);
      this.watchdogTimer = setTimeout(guarded('watchdog', look), ms).unref();
    };
    onProgress(() => {
      if (performance.now() - fedAt >= halfMs) feed();
    });
    look();
  }

  private statusOf(state: ServiceState): string {
    this.lastStatus = statusLine(state.status());
    return this.lastStatus;
  }

  private tell(text: string): void {
    if (this.send === null || this.hasSuccessor) return;
    this.waiting.push(text);
    if (this.waiting.length > MOST_WAITING) this.waiting.shift();
    this.flush();
  }

  private flush(): void {
    clearTimeout(this.retry);
    try {
      for (let text = this.waiting[0]; text !== undefined && this.send !== null; text = this.waiting[0]) {
        this.send(text);
        this.waiting.shift();
      }
    } catch (error) {
      if (isForAMoment(error))
        this.retry = setTimeout(
          guarded('service notice', () => this.flush()),
          RETRY_MS,
        ).unref();
      else this.giveUp(error);
    }
  }

  /** Without its manager the switch goes on. */
  private giveUp(error: unknown): void {
    this.send = null;
    this.waiting.length = 0;
    this.failed(error);
  }
}

/** Every character that could begin another line of the notice is taken out. */
const statusLine = (text: string): string => `STATUS=${text.replaceAll(/[\r\n]/g, ' ').slice(0, STATUS_LENGTH)}`;

/** The manager's queue is full, or it is being restarted (systemctl daemon-reexec). */
function isForAMoment(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ['EAGAIN', 'ENOBUFS', 'ECONNREFUSED', 'ENOMEM', 'EMFILE', 'ENFILE'].includes(code ?? '');
}
