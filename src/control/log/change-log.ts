/**
 * Log lines for changes, with the requester and the outcome. A script with thousands of commands gets lines for the first ones,
 * then one line per second that counts the others.
 */
import { every } from '../guard.js';
import type { Logger } from './logger.js';

/** Burst of lines, and lines per second after it. */
const BURST = 100;
const RATE = 10;
const ROUND_MS = 1000;
/** Requesters and verbs counted separately; further ones are counted together. */
const MOST_COUNTED = 32;

export interface ChangeNote {
  /** The requester: a signal, or the peer process of the control socket. */
  by: string;
  /** The kind of command, such as "fdb add". */
  verb: string;
  /** The whole command. Called only when the line is written. */
  command(): string;
  /** Further facts, such as the number of flushed entries. */
  facts?: object;
  /** The reason of a refusal; absent: the change is done. */
  refused?: string;
}

export class ChangeLog {
  private readonly timer: NodeJS.Timeout;
  private tokens = BURST;
  /** Changes without a line of their own. */
  private held = new Map<string, { by: string; verb: string; done: number; refused: number }>();

  constructor(private readonly logger: Logger) {
    this.timer = every('change-log', ROUND_MS, () => this.round());
  }

  note({ by, verb, command, facts, refused }: ChangeNote): void {
    if (!this.logger.isLevelEnabled('info')) return;
    if (this.tokens === 0) {
      this.hold(by, verb, refused !== undefined);
      return;
    }
    this.tokens--;
    if (refused === undefined) this.logger.info({ by, change: command(), ...facts }, 'changed');
    else this.logger.info({ by, change: command(), reason: refused }, 'change refused');
  }

  /** Writes the pending summary. */
  stop(): void {
    clearInterval(this.timer);
    this.tell();
  }

  private hold(by: string, verb: string, isRefused: boolean): void {
    const key = `${by} ${verb}`;
    const isNew = !this.held.has(key) && this.held.size < MOST_COUNTED;
    const place = isNew || this.held.has(key) ? key : '';
    const counted = this.held.get(place) ?? {
      by: isNew ? by : 'others',
      verb: isNew ? verb : 'others',
      done: 0,
      refused: 0,
    };
    this.held.set(place, counted);
    if (isRefused) counted.refused++;
    else counted.done++;
  }

  private round(): void {
    this.tell();
    this.tokens = Math.min(BURST, this.tokens + RATE);
  }

  private tell(): void {
    const { held } = this;
    this.held = new Map();
    for (const { by, verb, done, refused } of held.values())
      this.logger.info({ by, change: verb, done, refused }, 'further changes');
  }
}
