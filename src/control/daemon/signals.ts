/**
 * Signals that do not end the switch: SIGHUP applies the configuration file again, SIGUSR1 logs the state, SIGUSR2 changes
 * the level of the log. Answered from the beginning of the start; what needs a running switch waits for it.
 *
 * SIGUSR1 must be answered all the time: otherwise Node opens its debugger on a TCP port, for every user of the host.
 */
import type { LogLevel } from '../../api/api.js';
import { guarded } from '../guard.js';
import { LOG_LEVELS, type Logger } from '../log/logger.js';

export interface SignalActions {
  reload(): unknown;
  logState(): unknown;
}

type Action = keyof SignalActions;

export class Signals {
  private actions: SignalActions | null = null;
  private readonly waiting = new Set<Action>();
  private readonly startLevel: string;

  constructor(private readonly logger: Logger) {
    this.startLevel = logger.level;
    const on = (signal: NodeJS.Signals, work: () => unknown): void => void process.on(signal, guarded(signal, work));
    on('SIGHUP', () => this.act('reload'));
    on('SIGUSR1', () => this.act('logState'));
    on('SIGUSR2', () => this.changeLevel());
  }

  /** The switch runs: what was asked for meanwhile is done now. */
  begin(actions: SignalActions): void {
    this.actions = actions;
    for (const action of this.waiting) guarded(action, () => actions[action]())();
    this.waiting.clear();
  }

  /** The switch ends: what comes now is answered by nothing. */
  end(): void {
    this.actions = { reload: () => undefined, logState: () => undefined };
  }

  private act(action: Action): unknown {
    if (this.actions !== null) return this.actions[action]();
    this.waiting.add(action);
    return undefined;
  }

  /** One step more is logged; after the last step it is as much as at the start. */
  private changeLevel(): void {
    const { logger, startLevel } = this;
    const next = LOG_LEVELS[LOG_LEVELS.indexOf(logger.level as LogLevel) + 1] ?? startLevel;
    setLevel(logger, next, 'SIGUSR2');
  }
}

/** Changes the level of the log. The line that tells of it is logged at every level. @param by what asked for it */
export function setLevel(logger: Logger, level: string, by: string): void {
  const before = logger.level;
  logger.level = 'info';
  logger.info({ by, before, now: level }, 'level of the log changed');
  logger.level = level;
}
