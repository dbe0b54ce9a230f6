/**
 * The switch in this process is given to another one: who may have it, and what becomes of this process.
 */
import type { UpgradeAnswer } from '../../api/api.js';
import { peerOf } from '../../port/process.js';
import { ChangeRefused } from '../controls.js';
import { forget } from '../guard.js';
import { TAKE_OVER_TARGET } from '../handover/frames.js';
import type { Given } from '../handover/giver.js';
import type { TunnelRequest } from '../http/tunnel.js';
import type { Logger } from '../log/logger.js';
import type { HandOverAttempt, Switch } from '../switch.js';
import { startSuccessor } from './successor.js';

export interface HandOverParts {
  running: Switch;
  log: Logger;
  /** Whether this process ends already. */
  isEnding(): boolean;
  /** The other process forwards. @param pid its PID */
  given(pid: number): void;
  /** Ends this process, which has nothing left to do. */
  end(): void;
}

/** A hand-over in progress: the process that gets the switch, and how it ends. */
interface Attempt extends HandOverAttempt {
  pid: number;
}

export class HandOver {
  private current: Attempt | null = null;
  private completed: Attempt | null = null;
  /** The process started by `upgrade`. */
  private isUpgrading = false;
  private waiting: ((attempt: Attempt) => void) | null = null;

  constructor(private readonly parts: HandOverParts) {}

  /** A process asks for the switch. */
  take(request: TunnelRequest): void {
    const { log, running } = this.parts;
    const reason = this.refusal(request);
    if (reason !== null) {
      log.warn({ by: request.by, reason }, 'a process that wanted to take the switch over was refused');
      request.refuse('unavailable', reason);
      return;
    }
    log.info({ by: request.by }, 'another process takes the switch over');
    request.accept();
    const { pid } = peerOf(request.fd);
    const attempt = running.handOver(request.socket, request.fd, log.level, (heir) => this.parts.given(heir));
    const { outcome } = attempt;
    this.current = { pid, ...attempt };
    this.waiting?.(this.current);
    forget(
      'hand-over',
      outcome.then(
        (given) => this.done(given),
        (error: unknown) => this.failed(error),
      ),
    );
  }

  private refusal({ target, fd }: TunnelRequest): string | null {
    if (target !== TAKE_OVER_TARGET)
      return `this switch can be taken over as ${TAKE_OVER_TARGET}, not as ${target.slice(0, 50)}: the versions differ too much; stop it and start the new one`;
    // The descriptors of NICs are more than a member of control_group may have.
    const { uid } = peerOf(fd);
    const own = process.geteuid?.();
    if (uid !== own)
      return `only a process of the same user (uid ${own}) may take the switch over, not one of uid ${uid}`;
    if (this.current !== null) return `process ${this.current.pid} takes the switch over already`;
    return this.parts.isEnding() ? 'the switch is ending' : null;
  }

  private done({ pid, version, gap }: Given): void {
    const { log, end } = this.parts;
    this.completed = this.current;
    log.info({ pid, version, gap: rounded(gap) }, 'the switch was given to another process: ending');
    // The answer of `upgrade` goes out first.
    setTimeout(end, this.isUpgrading ? 100 : 0);
  }

  private failed(error: unknown): void {
    const reason = (error as Error).message;
    this.parts.log.error({ pid: this.current?.pid, reason }, 'the switch was not taken over; it goes on');
    this.current = null;
  }

  /** This process ends: the other one must not go on in its place. When it resolves, it is settled who has the switch. */
  async cancel(): Promise<void> {
    const { current } = this;
    if (current === null || current === this.completed) return;
    current.cancel('the switch is ending');
    await current.outcome.catch(() => undefined);
  }

  /** Starts the program anew, and gives it the switch. @throws ChangeRefused */
  async upgrade(by: string): Promise<UpgradeAnswer> {
    if (this.isUpgrading || this.current !== null)
      throw new ChangeRefused('another process takes the switch over already; wait for its end', 'busy');
    this.isUpgrading = true;
    this.parts.log.info({ by }, 'upgrade: starting the installed program');
    try {
      const asked = new Promise<Attempt>((resolve) => {
        this.waiting = resolve;
      });
      const child = startSuccessor();
      const attempt = await Promise.race([asked, child.failed]);
      const { pid, version, gap } = await Promise.race([attempt.outcome, child.failed.catch(() => attempt.outcome)]);
      return { pid, version, gap_ms: rounded(gap) };
    } catch (error) {
      this.isUpgrading = false;
      if (error instanceof ChangeRefused) throw error;
      throw new ChangeRefused(
        `the new process has not taken over: ${(error as Error).message}; the switch goes on`,
        'unavailable',
      );
    } finally {
      this.waiting = null;
    }
  }
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
