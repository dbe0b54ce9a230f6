/**
 * Signals that do not end the switch: SIGHUP applies the configuration file again, SIGUSR1 logs the state, SIGUSR2 changes the
 * log level. Handlers are installed early in the start; actions that need a running switch are deferred.
 *
 * SIGUSR1 always needs a handler: Node's default opens its debugger on a TCP port, accessible to every user of the host.
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

  /** The switch is running: carries out deferred actions. */
  begin(actions: SignalActions): void {
    this.actions = actions;
    for (const action of this.waiting) guarded(action, () => actions[action]())();
    this.waiting.clear();
  }

  /** The switch is shutting down: later signals are ignored. */
  end(): void {
    this.actions = { reload: () => undefined, logState: () => undefined };
  }

  private act(action: Action): unknown {
    if (this.actions !== null) return this.actions[action]();
    this.waiting.add(action);
    return undefined;
  }

  /** Raises verbosity by one level; after the last level it returns to the initial one. */
  private changeLevel(): void {
    const { logger, startLevel } = this;
    const next = LOG_LEVELS[LOG_LEVELS.indexOf(logger.level as LogLevel) + 1] ?? startLevel;
    setLevel(logger, next, 'SIGUSR2');
  }
}

/** Changes the log level. The line that reports it is logged at every level. @param by the requester */
export function setLevel(logger: Logger, level: string, by: string): void {
  const before = logger.level;
  logger.level = 'info';
  logger.info({ by, before, now: level }, 'level of the log changed');
  logger.level = level;
}
